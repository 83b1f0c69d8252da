"""Every path of the service; no prefix and no trailing slash for the API."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("", include("settlements.api.urls")),
    path("", include("compliance.urls")),
]

handler400 = "settlements.api.error_pages.handler400"
handler403 = "settlements.api.error_pages.handler403"
handler404 = "settlements.api.error_pages.handler404"
handler500 = "settlements.api.error_pages.handler500"
