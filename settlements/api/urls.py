"""The API's routes; no prefix, no trailing slash."""

from django.urls import URLPattern, path

from settlements.api import paths
from settlements.api.health import Healthz, Readyz

paths.register()

urlpatterns: list[URLPattern] = [
    path("healthz", Healthz.as_view()),
    path("readyz", Readyz.as_view()),
]
