"""The work list: what people have to look at of the money at providers, a page for each, a form for each act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from compliance import recent, work_cases
from compliance.forms import ReasonForm
from compliance.pages import STATUS_CODES, may, officer, render, require
from compliance.queue_pages import asked as filled
from compliance.templatetags.review_words import money
from compliance.work_acts import WORK_ACTS, WorkAct
from compliance.work_cases import Case
from compliance.work_forms import WorkFilterForm
from rails.registry import provider_of
from settlements import approvals, bank_work, books_checks, work
from settlements.bank_work import BankWork
from settlements.locks import SettlementNotFound
from settlements.objections import TO_RESOLVE
from settlements.permissions import Permission
from settlements.proof import unsigned
from settlements.refusals import Refusal
from settlements.work import Asked

PER_PAGE: Final = 50
_HIGHEST_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """An act that is possible, its form, and whether this officer would be refused."""

    act: WorkAct
    form: ReasonForm
    blocked: bool


def list_view(request: HttpRequest) -> HttpResponse:
    """The work, a page at a time; a filter that can not be read is said so, and nothing is listed."""
    require(request, Permission.READ_QUEUE)
    given = filled(request.GET)
    form = WorkFilterForm(given)
    now = timezone.now()
    alarm = books_checks.alarm(now=now)
    context: dict[str, Any] = {
        "title": "Work list", "now": now, "form": form, "query": given.urlencode(), "books_alarm": alarm,
        "unsigned_since": unsigned.late_since(now=now),
    }  # fmt: skip
    if not form.is_valid():
        faults = [str(fault) for errors in form.errors.values() for fault in errors]
        return render(request, "work_list.html", {**context, "faults": faults}, status=400)
    word = request.GET.get("page", "1")
    number = min(int(word), _HIGHEST_PAGE) if word.isascii() and word.isdigit() and len(word) < 9 else 1
    bank_total, bank_items = _of_banks(form.asked) if number <= 1 else (0, [])
    total, items = work.listed(form.asked, skip=(max(number, 1) - 1) * PER_PAGE, limit=PER_PAGE)
    if not items and number > 1:
        return HttpResponseRedirect(f"{request.path}?{given.urlencode()}")
    page = Paginator(range(total), PER_PAGE).get_page(number)
    found = {"total": total, "items": items, "page": page, "bank_total": bank_total, "bank_items": bank_items}
    return render(request, "work_list.html", {**context, **found})


def item_view(request: HttpRequest, milestone_id: int) -> HttpResponse:
    """One payment with everything about its way to the provider, and a dialog for each act."""
    require(request, Permission.READ_QUEUE)
    case = _case(milestone_id)
    possible = [act for act in WORK_ACTS.values() if act.is_possible(case)] if _may_act(request) else []
    objection = ""
    if any(act.approves for act in possible):
        refusal = approvals.objection(milestone_id, officer=officer(request), about=TO_RESOLVE)
        objection = refusal.detail if refusal else ""
    acts = [Choice(act, _form(act, case), blocked=act.approves and objection != "") for act in possible]
    context = {"title": _title(case), "case": case, "acts": acts, "objection": objection}
    return render(request, "work_item.html", {**context, "may_act": _may_act(request), "now": timezone.now()})


def act_view(request: HttpRequest, milestone_id: int, act: WorkAct) -> HttpResponse:
    """GET: the form. POST: the act, by the person who is logged in and showed lately who they are."""
    require(request, Permission.READ_QUEUE)
    require(request, Permission.RESOLVE_PAYMENT)
    again = recent.require_recent(request)
    if again is not None:
        return again
    case = _case(milestone_id)
    if request.method != "POST":
        return _page(request, case, act, _form(act, case, typed=recent.kept(request).dict()))
    form = _form(act, case, request.POST)
    if not form.is_valid():
        return _page(request, case, act, form, status=400)
    try:
        message = act.perform(milestone_id, officer=officer(request), now=timezone.now(), **form.cleaned_data)
    except Refusal as refusal:
        # Shown with the payment as it is now; what was typed is kept, what it is about is the new one.
        case = _case(milestone_id)
        kept = _form(act, case, typed=form.cleaned_data)
        return _page(request, case, act, kept, refused=refusal.detail, status=STATUS_CODES[refusal.kind])
    messages.success(request, f"{message}: {_title(case)}.")
    return HttpResponseRedirect(reverse("admin:compliance_work_item", args=[milestone_id]))


def _of_banks(asked: Asked) -> tuple[int, list[BankWork]]:
    """What concerns files of banks, which have neither recipient nor amount: shown unless the filters ask for those."""
    if asked != Asked(rail=asked.rail):
        return 0, []
    return bank_work.listed(rail=provider_of(method=asked.rail) if asked.rail else None)


def _page(
    request: HttpRequest, case: Case, act: WorkAct, form: ReasonForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "title": f"{act.label}: {_title(case)}",
        "case": case,
        "act": act,
        "form": form,
        "refused": refused,
        "possible": act.is_possible(case),
    }
    return render(request, "work_act.html", context, status=status)


def _case(milestone_id: int) -> Case:
    try:
        return work_cases.find(milestone_id)
    except SettlementNotFound as missing:
        raise Http404(missing.detail) from missing


def _may_act(request: HttpRequest) -> bool:
    return may(request, Permission.RESOLVE_PAYMENT)


def _title(case: Case) -> str:
    return f"{money(case.amount)}, milestone {case.settlement.pk}"


def _form(act: WorkAct, case: Case, data: Any = None, *, typed: Mapping[str, Any] | None = None) -> ReasonForm:
    """The form of an act, its ids its own on a page with many; nothing that was typed names another state."""
    item = case.item(act.closes) if act.closes else None
    seen = {
        "version": case.version,
        "number": case.owed_attempt if act.about_owed else (case.last.number if case.last else None),
        "about": item.about if item else None,
    }
    return act.form(data, initial={**(typed or {}), **seen}, auto_id=f"{act.name}-%s")
