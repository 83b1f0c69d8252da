"""Subscribers in the admin: who is told of what, their secrets, a test message; each act on a page of its own, by POST.

A secret is shown in the very answer to the POST that made it, which nobody keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from settlements import redelivery, subscribers
from settlements.admin_columns import SettlementsAdmin, SettlementsInline, in_lines
from settlements.admin_search import number
from settlements.models import Subscriber, SubscriberSecret
from settlements.permissions import Permission
from settlements.refusals import Refusal
from settlements.statuses import SETTLEMENT_NEWS
from settlements.subscriber_forms import ChangeForm, ConfirmForm, NewForm, RotateForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something to be done with a subscriber: its page's words and form, and the one call that does it.

    What it returns is a secret to show once, or nothing; what to say then is `done`.
    """

    name: str
    label: str
    explanation: str
    form: type[forms.Form]
    perform: Callable[[Subscriber, dict[str, Any], str], str | None]
    done: str


def _change(row: Subscriber, given: dict[str, Any], actor: str) -> None:
    subscribers.change(row.pk, url=given["url"], event_types=given["event_types"], active=given["active"], actor=actor)


def _rotate(row: Subscriber, given: dict[str, Any], actor: str) -> str:
    overlap = timedelta(hours=given["overlap_hours"])
    return subscribers.rotate(row.pk, overlap=overlap, actor=actor, now=timezone.now())


def _ping(row: Subscriber, given: dict[str, Any], actor: str) -> None:
    redelivery.ping(row.pk, actor=actor, now=timezone.now())


ACTS = (
    Act(
        name="edit",
        label="Change",
        explanation="What waits to be sent goes to the new address too.",
        form=ChangeForm,
        perform=_change,
        done="Changed.",
    ),
    Act(
        name="rotate",
        label="Rotate secret",
        explanation="A new secret is made and shown once. The live ones go on signing beside it for the overlap.",
        form=RotateForm,
        perform=_rotate,
        done="Secret rotated.",
    ),
    Act(
        name="ping",
        label="Send test message",
        explanation="A message of type ping goes out within seconds; the deliveries show what became of it.",
        form=ConfirmForm,
        perform=_ping,
        done="A test message is on its way; the deliveries show what becomes of it.",
    ),
)


@admin.display(description="address")
def address(row: Subscriber) -> str:
    """Scheme and host of the URL; what follows them is often a secret."""
    parts = urlsplit(row.url)
    return f"{parts.scheme}://{parts.netloc}"


@admin.display(description="event types")
def event_types(row: Subscriber) -> SafeString:
    """One to a line."""
    return in_lines(row.event_types)


class SecretsOfSubscriber(SettlementsInline):
    model = SubscriberSecret
    fields: ClassVar[Any] = ["id", "ends_in", "created_at", "created_by", "expires_at", "revoked_at"]
    readonly_fields = fields
    show_change_link = False
    ordering = ["-pk"]

    @admin.display(description="ends in")
    def ends_in(self, row: SubscriberSecret) -> str:
        return f"…{row.hint}"


@admin.register(SubscriberSecret)
class SubscriberSecretAdmin(SettlementsAdmin):
    list_display = ["id", "subscriber", "hint", "created_at", "created_by", "expires_at", "revoked_at"]
    list_select_related = ["subscriber"]
    exclude = ["sealed"]
    ordering = ["-pk"]


@admin.register(Subscriber)
class SubscriberAdmin(SettlementsAdmin):
    """The lists are for everybody who may look; the acts and whole URLs for those who manage integrations."""

    row_called = "Subscriber"

    list_display = ["name", "active", address, "carrier_id", "created_by", "created_at"]
    list_filter = ["active"]
    search_fields = ["name", "carrier_id__exact"]
    inlines = [SecretsOfSubscriber]
    ordering = ["name"]
    readonly_fields: ClassVar[Any] = [address, event_types]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        where = "url" if may_manage(request) else address
        return ["name", where, event_types, "carrier_id", "active", "created_by", "created_at"]

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        acts = [
            path(
                f"<int:subscriber_id>/{act.name}/",
                site.admin_view(partial(self.act_view, act=act)),
                name=f"settlements_subscriber_{act.name}",
            )
            for act in ACTS
        ]
        return [
            path("new/", site.admin_view(self.new_view), name="settlements_subscriber_new"),
            path(
                "<int:subscriber_id>/revoke/<int:secret_id>/",
                site.admin_view(self.revoke_view),
                name="settlements_subscriber_revoke",
            ),
            *acts,
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_manage": may_manage(request)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        acts = ACTS if may_manage(request) else ()
        key = number(object_id)
        live = subscribers.live_secrets(key, now=timezone.now()) if key is not None and acts else ()
        context = {**(extra_context or {}), "acts": acts, "live_secrets": live}
        return super().change_view(request, object_id, form_url, context)

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST: the subscriber is made, and its secret shown."""
        require_manager(request)
        act = Act(
            name="new",
            label="Add subscriber",
            explanation="Its secret is made with it and shown once.",
            form=NewForm,
            perform=lambda row, given, actor: None,
            done="",
        )
        form = NewForm(request.POST or None, initial={"event_types": list(SETTLEMENT_NEWS)})
        if request.method != "POST" or not form.is_valid():
            return self._form(request, act, form, None)
        try:
            row, secret = subscribers.create(**form.cleaned_data, actor=actor_of(request), now=timezone.now())
        except Refusal as refusal:
            return self._form(request, act, refused_by(form, refusal), None)
        self.log_addition(request, row, "Added.")
        return self._secret(request, row, secret)

    def act_view(self, request: HttpRequest, subscriber_id: int, act: Act) -> HttpResponse:
        """GET: the form, or what will happen. POST: the act."""
        require_manager(request)
        row = _found(subscriber_id)
        now_so = {"url": row.url, "event_types": row.event_types, "active": row.active}
        given = request.POST if request.method == "POST" else None
        form = act.form(given, initial=_of(act.form, now_so))
        if request.method != "POST" or not form.is_valid():
            return self._form(request, act, form, row)
        try:
            secret = act.perform(row, form.cleaned_data, actor_of(request))
        except Refusal as refusal:
            return self._form(request, act, refused_by(form, refusal), row)
        self.log_change(request, row, ": ".join(filter(None, [act.label, ", ".join(form.changed_data)])))
        if secret:
            return self._secret(request, row, secret)
        messages.success(request, f"{row}: {act.done}")
        return HttpResponseRedirect(reverse("admin:settlements_subscriber_change", args=[row.pk]))

    def revoke_view(self, request: HttpRequest, subscriber_id: int, secret_id: int) -> HttpResponse:
        """GET: which secret will end. POST: it has ended."""
        require_manager(request)
        row = _found(subscriber_id)
        secret = row.secrets.filter(pk=secret_id).first()
        if secret is None:
            raise Http404
        if request.method != "POST":
            last = subscribers.live_secrets(row.pk, now=timezone.now()).count() == 1
            warning = " It is the last one: nothing is sent until there is a new one." if last else ""
            act = Act(
                name="revoke",
                label=f"Revoke secret …{secret.hint}",
                explanation=f"From the next message on it signs nothing any more.{warning}",
                form=ConfirmForm,
                perform=lambda row, given, actor: None,
                done="",
            )
            return self._form(request, act, ConfirmForm(), row)
        subscribers.revoke(row.pk, secret_id, actor=actor_of(request), now=timezone.now())
        self.log_change(request, row, f"Revoked secret …{secret.hint}")
        messages.success(request, f"{row}: secret …{secret.hint} is revoked.")
        return HttpResponseRedirect(reverse("admin:settlements_subscriber_change", args=[row.pk]))

    def _form(self, request: HttpRequest, act: Act, form: forms.Form, row: Subscriber | None) -> HttpResponse:
        title = f"{act.label}: {row}" if row else act.label
        context = {"title": title, "act": act, "form": form, "row": row}
        return self._render(request, "act.html", context, status=400 if form.is_bound else 200)

    def _secret(self, request: HttpRequest, row: Subscriber, secret: str) -> HttpResponse:
        context = {"title": f"Secret of {row}", "row": row, "secret": secret}
        response = self._render(request, "secret.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _render(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.model._meta}
        name = f"admin/settlements/subscriber/{template}"
        return TemplateResponse(request, name, {**everywhere, **context}, status=status)


def may_manage(request: HttpRequest) -> bool:
    """Whether the person who is logged in manages integrations."""
    return request.user.has_perm(Permission.MANAGE_INTEGRATIONS.full_name)


def require_manager(request: HttpRequest) -> None:
    """Raises PermissionDenied for others."""
    if not may_manage(request):
        raise PermissionDenied


def actor_of(request: HttpRequest) -> str:
    """The person as logs and rows name them."""
    return f"user:{cast(User, request.user).get_username()}"


def refused_by(form: forms.Form, refusal: Refusal) -> forms.Form:
    """The form with the domain's refusal at its field."""
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.detail)
    return form


def _found(subscriber_id: int) -> Subscriber:
    try:
        return subscribers.find(subscriber_id)
    except subscribers.SubscriberNotFound as missing:
        raise Http404(missing.detail) from missing


def _of(form: type[forms.Form], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in form.base_fields}
