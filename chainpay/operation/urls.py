"""What of operation the API tells of; no prefix, no trailing slash."""

from django.urls import URLPattern, path

from chainpay.operation.readiness import Readyz

urlpatterns: list[URLPattern] = [path("readyz", Readyz.as_view())]
