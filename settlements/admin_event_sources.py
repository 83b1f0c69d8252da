"""Event sources and their secrets in the admin: made, changed, rotated and revoked on pages of their own, by POST."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from settlements import credential_states, sources
from settlements.admin_columns import SettlementsAdmin, SettlementsInline, in_lines
from settlements.admin_integrations import (
    Act,
    IntegrationAdmin,
    Shown,
    actor_of,
    given_by,
    history,
    last_used,
    may_manage,
    refused_by,
    tag,
)
from settlements.credential_states import moment
from settlements.integration_forms import (
    CarrierSourceForm,
    PlatformSourceForm,
    ReasonForm,
    RotateForm,
    SourceChangeForm,
)
from settlements.models import EventSource, SourceSecret
from settlements.refusals import Refusal

_NEW = {
    "carrier": Act(
        label="Add carrier's source",
        explanation="A carrier posts about its own shipments only. The secret is made with the source and shown once.",
        form=CarrierSourceForm,
    ),
    "platform": Act(
        label="Add platform source",
        explanation="The platform posts about every shipment. The secret is made with the source and shown once.",
        form=PlatformSourceForm,
    ),
}
_CHANGE = Act(label="Change", explanation="It holds from the next message on.", form=SourceChangeForm)
_ROTATE = Act(
    label="Rotate secret",
    explanation="A new secret is made and shown once; the live ones are accepted beside it until the overlap is over.",
    form=RotateForm,
)


@admin.display(description="state")
def secret_state(row: SourceSecret) -> SafeString:
    """Whether messages signed with it are accepted."""
    return tag(credential_states.of_secret(row, now=timezone.now()))


@admin.display(description="ends in")
def ends_in(row: SourceSecret) -> SafeString:
    """Its last characters, by which its owner knows it."""
    return format_html('<span class="cp-nowrap">…{}</span>', row.hint)


@admin.display(description="limit")
def limit(row: EventSource) -> str:
    """In requests per second."""
    return f"{row.requests_per_second:,}/s" if row.requests_per_second else "-"


@admin.display(description="event types")
def event_types(row: EventSource) -> SafeString:
    """One to a line."""
    return in_lines(row.allowed_event_types or ["every type"])


@admin.display(description="revoke")
def revoking(row: SourceSecret) -> SafeString | str:
    """The way to the page that ends it."""
    if row.revoked_at is not None:
        return ""
    address = reverse("admin:settlements_eventsource_revoke", args=[row.source_id, row.pk])
    return format_html('<a href="{}">Revoke…</a>', address)


class SecretsOfSource(SettlementsInline):
    model = SourceSecret
    verbose_name_plural = "secrets"
    readonly_fields: ClassVar[Any] = [
        secret_state, "created_at", "created_by", "expires_at", "revoked_at", last_used, revoking,
    ]  # fmt: skip
    show_change_link = False
    ordering = ["-pk"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field for field in self.readonly_fields if field is not revoking or may_manage(request)]


@admin.register(SourceSecret)
class SourceSecretAdmin(SettlementsAdmin):
    list_display = ["id", "source", ends_in, secret_state, "created_at", "expires_at", "revoked_at", last_used]
    list_select_related = ["source"]
    fields: ClassVar[Any] = [
        "id", "source", ends_in, secret_state, "created_at", "created_by", "expires_at", "revoked_at", last_used,
    ]  # fmt: skip
    readonly_fields = fields
    ordering = ["-pk"]


@admin.register(EventSource)
class EventSourceAdmin(IntegrationAdmin):
    """Who posts events."""

    row_called = "Event source"

    list_display = ["name", "kind", "carrier_id", event_types, "active", limit]
    list_filter = ["kind", "active"]
    search_fields = ["name", "carrier_id__exact"]
    search_help_text = "A part of its name, or a whole carrier id"
    ordering = ["name"]
    fields: ClassVar[Any] = [
        "name", "kind", "carrier_id", "active", event_types, "requests_per_second", "created_by", "created_at", history,
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [SecretsOfSource]

    def get_urls(self) -> list[URLPattern]:
        return [
            *(self.page(f"new_{kind}", f"new/{kind}/", self.new_view, kind=kind) for kind in _NEW),
            self.page("edit", "<int:pk>/edit/", self.edit_view),
            self.page("rotate", "<int:pk>/rotate/", self.rotate_view),
            self.page("revoke", "<int:pk>/revoke/<int:secret_id>/", self.revoke_view),
            *super().get_urls(),
        ]

    def new_view(self, request: HttpRequest, *, kind: str) -> HttpResponse:
        """GET: the form. POST: the source is made, and its secret shown."""
        act = _NEW[kind]
        preset = list(sources.DEFAULT_OF_A_CARRIER) if kind == "carrier" else []
        form = act.form(given_by(request), initial={"allowed_event_types": preset})
        if not form.is_valid():
            return self.ask(request, act, form)
        try:
            with transaction.atomic():
                row, secret = sources.create(**form.cleaned_data, actor=actor_of(request), now=timezone.now())
                self.log_addition(request, row, "Created.")
        except Refusal as refusal:
            return self.ask(request, act, refused_by(form, refusal))
        return self.show(request, row, Shown(secret=secret, kind="Secret"))

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET: the form. POST: the source is changed."""
        row = self.row(pk)
        now_so = {name: getattr(row, name) for name in ("active", "allowed_event_types", "requests_per_second")}
        form = SourceChangeForm(given_by(request), initial={**now_so, "revision": row.revision})
        if not form.is_valid():
            return self.ask(request, _CHANGE, form, row)
        given = dict(form.cleaned_data)
        reason = given.pop("reason")
        try:
            with transaction.atomic():
                sources.change(row.pk, **given, actor=actor_of(request))
                self.log_change(request, row, f"Changed {_in_words(now_so, given)}: {reason}")
        except Refusal as refusal:
            return self.ask(request, _CHANGE, refused_by(form, refusal, revision=self.row(pk).revision), row)
        return self.back(request, row, f"{row} is changed.")

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET: the form. POST: a new secret, which is shown."""
        row = self.row(pk)
        form = RotateForm(given_by(request), initial={"revision": row.revision})
        if not form.is_valid():
            return self.ask(request, _ROTATE, form, row)
        given, now = form.cleaned_data, timezone.now()
        overlap = given["overlap_hours"]
        until = f"accepted until {moment(now + overlap)} at the latest" if overlap else "no longer accepted"
        try:
            with transaction.atomic():
                secret = sources.rotate(
                    row.pk, overlap=overlap, revision=given["revision"], actor=actor_of(request), now=now
                )
                self.log_change(request, row, f"Secret rotated, the others are {until}: {given['reason']}")
        except Refusal as refusal:
            return self.ask(request, _ROTATE, refused_by(form, refusal, revision=self.row(pk).revision), row)
        return self.show(request, row, Shown(secret=secret, kind="Secret", note=f"Its other secrets are {until}."))

    def revoke_view(self, request: HttpRequest, pk: int, secret_id: int) -> HttpResponse:
        """GET: which secret will end, and the reason. POST: it has ended."""
        row = self.row(pk)
        secret = row.secrets.select_related("source").filter(pk=secret_id).first()
        if secret is None:
            raise Http404(f"{row} has no such secret.")
        others = row.secrets.exclude(pk=secret.pk).select_related("source")
        good = any(credential_states.of_secret(other, now=timezone.now()).good for other in others)
        act = Act(
            label=f"Revoke secret …{secret.hint}",
            explanation="From the next message on its signatures are answered 401, for good."
            + ("" if good else " No other secret is live: rotate first if the sender is to go on."),
            form=ReasonForm,
            ends=True,
        )
        form = ReasonForm(given_by(request))
        if not form.is_valid():
            return self.ask(request, act, form, row)
        with transaction.atomic():
            ended = sources.revoke(row.pk, [secret.pk], actor=actor_of(request), now=timezone.now())
            if ended:
                self.log_change(request, row, f"Secret …{secret.hint} revoked: {form.cleaned_data['reason']}")
        return self.back(request, row, f"Secret …{secret.hint} is revoked{'' if ended else ' since before'}.")


def _in_words(before: dict[str, Any], after: dict[str, Any]) -> str:
    """`active from True to False`, for what differs."""
    changes = [f"{name} from {before[name]} to {after[name]}" for name in before if before[name] != after[name]]
    return ", ".join(changes) or "nothing"
