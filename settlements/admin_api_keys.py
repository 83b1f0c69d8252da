"""API keys in the admin: made and revoked on pages of their own, by POST."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from settlements import api_keys, credential_states
from settlements.admin_integrations import (
    Act,
    IntegrationAdmin,
    Shown,
    actor_of,
    given_by,
    history,
    last_used,
    refused_by,
    tag,
)
from settlements.integration_forms import MINE, KeyOfMineForm, ReasonForm
from settlements.models import ApiKey
from settlements.refusals import Refusal

_NEW_KEY = Act(label="Add API key", explanation="The key is shown once.", form=KeyOfMineForm)
_REVOKE_KEY = Act(
    label="Revoke", explanation="From the next request on it is answered 401, for good.", form=ReasonForm, ends=True
)


@admin.display(description="state")
def key_state(row: ApiKey) -> SafeString:
    """Whether requests with it are let in."""
    return tag(credential_states.of_key(row, now=timezone.now()))


@admin.display(description="begins with")
def begins_with(row: ApiKey) -> str:
    """Its first characters, by which its owner knows it."""
    return f"{row.prefix}…"


@admin.display(description="owner")
def owner(row: ApiKey) -> str:
    """Whose key it is; the login without a link, for few may open it."""
    return f"user {row.user.get_username()}" if row.user else f"service {row.service}"


@admin.display(description="scopes")
def scopes(row: ApiKey) -> SafeString:
    """One to a line."""
    return format_html_join("", '<span class="cp-nowrap">{}</span><br>', ((scope,) for scope in row.scopes))


@admin.register(ApiKey)
class ApiKeyAdmin(IntegrationAdmin):
    """Who asks over the API."""

    row_called = "API key"

    list_display = ["name", begins_with, owner, scopes, "carrier_id", "created_by", last_used, key_state]
    list_select_related = ["user"]
    search_fields = ["name", "prefix__startswith", "service__exact", "carrier_id__exact", "user__username__exact"]
    search_help_text = "A part of its name, how it begins, or a whole service, login or carrier id"
    ordering = ["name"]
    fields: ClassVar[Any] = [
        "name", begins_with, owner, scopes, "carrier_id", "requests_per_second", key_state, "created_by", "created_at",
        "expires_at", "revoked_at", last_used, history,
    ]  # fmt: skip
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        return [
            self.page("new", "new/", self.new_view),
            self.page("revoke", "<int:pk>/revoke/", self.revoke_view),
            *super().get_urls(),
        ]

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST: the key is made, and shown."""
        user = cast(User, request.user)
        form = KeyOfMineForm(given_by(request), username=user.get_username())
        if not form.is_valid():
            return self.ask(request, _NEW_KEY, form)
        given = dict(form.cleaned_data)
        given["lives"] = given.pop("expires_in_days")
        given["user"] = user if given.pop("owner") == MINE else None
        try:
            with transaction.atomic():
                row, key = api_keys.create(**given, granted_by=user, actor=actor_of(request), now=timezone.now())
                self.log_addition(request, row, f"Created for {owner(row)}.")
        except Refusal as refusal:
            return self.ask(request, _NEW_KEY, refused_by(form, refusal))
        return self.show(request, row, Shown(secret=key, kind="Key"))

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET: the reason. POST: the key has ended."""
        row = self.row(pk)
        form = ReasonForm(given_by(request))
        if not form.is_valid():
            return self.ask(request, _REVOKE_KEY, form, row)
        with transaction.atomic():
            ended = api_keys.revoke(row.name, actor=actor_of(request), now=timezone.now())
            if ended:
                self.log_change(request, row, f"Revoked: {form.cleaned_data['reason']}")
        return self.back(request, row, f"{row} is revoked{'' if ended else ' since before'}.")
