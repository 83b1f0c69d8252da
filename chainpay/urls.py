"""Every path of the service; no prefix and no trailing slash for the API."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
