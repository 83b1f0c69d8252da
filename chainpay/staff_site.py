"""The site of staff: django-unfold's admin with ChainPay's navigation, without what it can not vouch for."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as UnfoldAdminSite
else:
    from unfold.sites import UnfoldAdminSite


def environment(request: HttpRequest) -> list[str] | None:
    """The label in the page's head: a demo says so."""
    return ["Demo", "warning"] if settings.CHAINPAY_DEMO else None


class StaffSite(UnfoldAdminSite):
    """One search per list, by index; unfold's search over everything would read whole tables, so it has no address.

    Colours come from our style sheet, for the content security policy lets no page bring styles of its own.
    """

    site_header = "ChainPay"
    site_title = "ChainPay"
    index_title = "Overview"
    site_url = None

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [route for route in super().get_urls() if getattr(route, "name", None) != "search"]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "colors": None, "border_radius": None}


class StaffSiteConfig(AdminConfig):
    """Django's admin app with our site as the one that everything registers with."""

    default_site = "chainpay.staff_site.StaffSite"
