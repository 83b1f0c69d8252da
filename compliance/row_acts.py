"""Acts on a row of the admin: a dialog on the row's page and a page of its own, by POST, with a reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance import recent
from compliance.forms import ReasonForm
from compliance.pages import may, require
from rails.admin_pages import ReadOnlyAdmin
from settlements.permissions import Permission

Facts = Sequence[tuple[str, str]]


class ActRefused(Exception):
    """An act that can not be done as asked; `field` is the field of its form at fault, `status` that of the answer."""

    def __init__(self, detail: str, *, field: str | None = None, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who acts, and when."""

    user: User
    now: datetime

    @property
    def actor(self) -> str:
        """As rows and logs name them."""
        return f"user:{self.user.get_username()}"


def _nothing_against(row: Any, user: User) -> str:
    return ""


def _no_facts(row: Any) -> Facts:
    return ()


def _empty(row: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAct:
    """A button of a row: who may press it, when it is there, and what it does.

    `perform` gets the row, `by` and what the form holds, tells what happened, and raises ActRefused. `objection` is why
    this person may not, told before they try; `about` is shown beside the form and `filled` stands in it; fields of
    `never_kept` are not remembered, and not shown again.
    """

    name: str
    label: str
    explanation: str
    permission: Permission
    perform: Callable[..., str]
    form: type[ReasonForm] = ReasonForm
    is_possible: Callable[[Any, User], bool] = lambda row, user: True
    objection: Callable[[Any, User], str] = _nothing_against
    about: Callable[[Any], Facts] = _no_facts
    filled: Callable[[Any], Mapping[str, Any]] = _empty
    never_kept: tuple[str, ...] = ()
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An act that is possible for somebody, with its form, what it is about, and where it is posted to."""

    act: RowAct
    form: ReasonForm
    about: Facts
    objection: str
    address: str


def choice(request: HttpRequest, act: RowAct, row: Any, address: str) -> Choice | None:
    """The act for a row's page; None where it is not possible, or not for this person."""
    user = cast(User, request.user)
    if not may(request, act.permission) or not act.is_possible(row, user):
        return None
    form = act.form(initial=act.filled(row), auto_id=f"{act.name}-%s")
    return Choice(act=act, form=form, about=act.about(row), objection=act.objection(row, user), address=address)


def act_view(request: HttpRequest, act: RowAct, row: Any, *, back: str, title: str, opts: Any) -> HttpResponse:
    """GET: the form. POST: the act, by the person who is logged in and showed lately who they are."""
    require(request, act.permission)
    again = recent.require_recent(request, never_kept=act.never_kept)
    if again is not None:
        return again
    user = cast(User, request.user)
    page = partial(_page, request, act, row, back=back, title=title, opts=opts)
    if not act.is_possible(row, user):
        return page(None, refused="This can not be done any more: it has changed since you looked.", status=409)
    objection = act.objection(row, user)
    if objection:
        return page(None, refused=objection, status=403)
    if request.method != "POST":
        return page(act.form(initial={**act.filled(row), **recent.kept(request).dict()}))
    form = act.form(request.POST)
    if not form.is_valid():
        return page(form, status=400)
    try:
        message = act.perform(row, by=By(user=user, now=timezone.now()), **form.cleaned_data)
    except ActRefused as refused:
        if refused.field in form.fields:
            form.add_error(refused.field, refused.detail)
            return page(form, status=refused.status)
        return page(form, refused=refused.detail, status=refused.status)
    messages.success(request, message)
    return HttpResponseRedirect(back)


def _page(
    request: HttpRequest,
    act: RowAct,
    row: Any,
    form: ReasonForm | None,
    *,
    back: str,
    title: str,
    opts: Any,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "opts": opts,
        "row": row if hasattr(row, "_meta") else None,
        "title": f"{act.label}: {title}" if title else act.label,
        "act": act,
        "form": form,
        "about": act.about(row),
        "back": back,
        "refused": refused,
    }
    return TemplateResponse(request, "admin/compliance/acting/act.html", context, status=status)


class ActingAdmin(ReadOnlyAdmin):
    """Rows to read, with acts for those who may."""

    change_form_template = "admin/compliance/acting/row.html"
    acts: ClassVar[tuple[RowAct, ...]] = ()

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            *(
                path(
                    f"<int:pk>/{act.name}/",
                    self.admin_site.admin_view(partial(self.act_view, act=act)),
                    name=f"{name}_{act.name}",
                )
                for act in self.acts
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if self.has_view_permission(request) else None
        choices = [] if row is None else [self._choice(request, act, row) for act in self.acts]
        more = {"choices": [each for each in choices if each is not None]}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def act_view(self, request: HttpRequest, pk: int, *, act: RowAct) -> HttpResponse:
        """One act on one row."""
        row = self.get_object(request, str(pk)) if self.has_view_permission(request) else None
        if row is None:
            raise Http404(f"There is no such {self.opts.verbose_name}.")
        return act_view(request, act, row, back=self._address("change", row), title=self.row_title(row), opts=self.opts)

    def _choice(self, request: HttpRequest, act: RowAct, row: Any) -> Choice | None:
        return choice(request, act, row, self._address(act.name, row))

    def _address(self, page: str, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=[row.pk])
