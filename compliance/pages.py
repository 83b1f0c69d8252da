"""What every page of compliance work shares: who may see it, who acts, and how it is put together."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from compliance.models import ReviewQueue
from settlements.approvals import Officer
from settlements.permissions import Permission
from settlements.refusals import Kind
from settlements.statuses import Channel

STATUS_CODES = {Kind.INVALID: 400, Kind.FORBIDDEN: 403, Kind.NOT_FOUND: 404, Kind.CONFLICT: 409}


def may(request: HttpRequest, permission: Permission) -> bool:
    """Whether the person who is logged in has a permission."""
    return request.user.has_perm(permission.full_name)


def require(request: HttpRequest, permission: Permission) -> None:
    """Raises PermissionDenied unless the person who is logged in has the permission."""
    if not may(request, permission):
        raise PermissionDenied


def officer(request: HttpRequest, channel: Channel = Channel.ITEM) -> Officer:
    """The person who is logged in, as decisions name them; by default they decide from the item's page."""
    user = cast(User, request.user)
    return Officer(pk=user.pk, username=user.get_username(), channel=channel)


def render(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A page of the review queue out of `templates/admin/compliance/reviewqueue/`."""
    everywhere = {**admin.site.each_context(request), "opts": ReviewQueue._meta}
    return TemplateResponse(
        request, f"admin/compliance/reviewqueue/{template}", {**everywhere, **context}, status=status
    )
