"""What the admin pages of event sources and API keys have in common: each act on a page of its own, by POST.

A secret is shown in the very answer to the POST that made it, which nobody keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from settlements.admin_columns import SettlementsAdmin
from settlements.credential_states import State, moment
from settlements.models import ApiKey, EventSource, SourceSecret
from settlements.permissions import Permission
from settlements.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a page does: its words, its form, and whether it ends something."""

    label: str
    explanation: str
    form: type[forms.Form]
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A secret to be shown once, and what to do with it."""

    secret: str
    kind: str
    note: str = ""


def may_manage(request: HttpRequest) -> bool:
    """Whether the person who is logged in manages integrations."""
    return request.user.has_perm(Permission.MANAGE_INTEGRATIONS.full_name)


def tag(state: State) -> SafeString:
    """The state in its colour, and what else is to be said of it."""
    words = '<span class="cp-tag {}">{}</span> <span class="cp-small">{}</span>'
    return format_html(words, "cp-low" if state.good else "", state.word, state.more)


@admin.display(description="last used")
def last_used(row: SourceSecret | ApiKey) -> str:
    """To the minute."""
    return moment(row.last_used_at)


@admin.display(description="history")
def history(row: EventSource | ApiKey) -> SafeString:
    """Who did what here, when and why; commands stand in the log."""
    of = ContentType.objects.get_for_model(row)
    entries = LogEntry.objects.filter(content_type=of, object_id=str(row.pk)).select_related("user")
    lines = ((moment(entry.action_time), entry.user.get_username(), entry.change_message) for entry in entries)
    return format_html_join("", '<p><span class="cp-small">{}, {}</span><br>{}</p>', lines) or SafeString("-")


class IntegrationAdmin(SettlementsAdmin):
    """Lists and rows for everybody who may look; the pages below are for those who manage integrations."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_manage": may_manage(request)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_manage": may_manage(request)}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def page(self, name: str, address: str, view: Callable[..., HttpResponse], **given: Any) -> URLPattern:
        """A page for those who manage integrations."""

        def guarded(request: HttpRequest, **of: Any) -> HttpResponse:
            if not (self.has_view_permission(request) and may_manage(request)):
                raise PermissionDenied
            return view(request, **of, **given)

        return path(address, self.admin_site.admin_view(guarded), name=f"settlements_{self.opts.model_name}_{name}")

    def row(self, pk: int) -> Any:
        """Raises Http404."""
        found = self.model._default_manager.filter(pk=pk).first()
        if found is None:
            raise Http404(f"There is no such {self.opts.verbose_name}.")
        return found

    def ask(self, request: HttpRequest, act: Act, form: forms.Form, row: Any = None) -> HttpResponse:
        """The act's form, empty or with what is wrong in it."""
        title = f"{act.label}: {row}" if row else act.label
        return self._render(
            request, "act.html", {"title": title, "act": act, "form": form, "row": row}, bad=form.is_bound
        )

    def show(self, request: HttpRequest, row: Any, shown: Shown) -> HttpResponse:
        """The one page that has the secret."""
        response = self._render(request, "shown.html", {"title": f"{shown.kind} of {row}", "row": row, "shown": shown})
        response["Cache-Control"] = "no-store"
        return response

    def back(self, request: HttpRequest, row: Any, message: str) -> HttpResponse:
        """To the row, with what happened."""
        messages.success(request, message)
        return HttpResponseRedirect(reverse(f"admin:settlements_{self.opts.model_name}_change", args=[row.pk]))

    def _render(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, bad: bool = False
    ) -> HttpResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.opts}
        everywhere["list_url"] = f"admin:settlements_{self.opts.model_name}_changelist"
        everywhere["row_url"] = f"admin:settlements_{self.opts.model_name}_change"
        name = f"admin/settlements/integrations/{template}"
        return TemplateResponse(request, name, {**everywhere, **context}, status=400 if bad else 200)


def given_by(request: HttpRequest) -> QueryDict | None:
    """What was posted; nothing on GET."""
    return request.POST if request.method == "POST" else None


def actor_of(request: HttpRequest) -> str:
    """The person as logs and rows name them."""
    return f"user:{cast(User, request.user).get_username()}"


def refused_by(form: forms.Form, refusal: Refusal, *, revision: int | None = None) -> forms.Form:
    """The form with the domain's refusal at its field, about the source as it is now."""
    if revision is not None:
        posted = cast(QueryDict, form.data).copy()
        posted["revision"] = str(revision)
        form.data = posted
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.detail)
    return form
