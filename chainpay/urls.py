"""Every path of the service; no prefix and no trailing slash for the API."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from chainpay.operation import openapi as operation_described
from chainpay.operation.metrics import Metrics
from compliance import openapi as compliance_described
from settlements.api.openapi import document as settlements_described
from settlements.api.self_description import routes

urlpatterns = [
    path("", include("settlements.api.urls")),  # first, for they are looked through in this order
    path("", RedirectView.as_view(url="/admin/")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", include("chainpay.access.urls")),
    path("admin/", admin.site.urls),
    path("", include("compliance.urls")),
    path("", include("chainpay.operation.urls")),
    path("metrics", Metrics.as_view()),
    *routes(
        [*settlements_described.OPERATIONS, *compliance_described.OPERATIONS, *operation_described.OPERATIONS],
    ),
]

handler400 = "settlements.api.error_pages.handler400"
handler403 = "settlements.api.error_pages.handler403"
handler404 = "settlements.api.error_pages.handler404"
handler500 = "settlements.api.error_pages.handler500"
