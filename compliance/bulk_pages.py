"""Deciding about many: one dialog with what was selected and one reason, then a page with a row for each."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone

from compliance import bulk_acts, queries, recent
from compliance.bulk_acts import BULK_ACTS, MOST, Became, BulkAct, Selected
from compliance.filters import NAMES
from compliance.pages import officer, render, require
from compliance.queries import QueueItem
from rails.money import Money
from settlements.permissions import Permission
from settlements.statuses import Channel, SettlementStatus

_ROW: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{32})", re.ASCII)
_WAITING: Final = frozenset({SettlementStatus.PENDING, SettlementStatus.DELAYED})


class UnreadableSelection(Exception):
    """What was sent names no rows of the list, or too many; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One selected settlement as it is now (None: there is none of this number), and what is to be expected of it."""

    selected: Selected
    item: QueueItem | None
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the selection comes to."""

    rows: Sequence[Row]
    sums: Sequence[Money]
    expected: Mapping[str, int]


def bulk_view(request: HttpRequest, act: str) -> HttpResponse:
    """The selection of the list, or what waited for the person to confirm: the dialog. A confirmed POST: the acts."""
    require(request, Permission.READ_QUEUE)
    bulk = BULK_ACTS.get(act)
    if bulk is None:
        raise Http404(f"There is no {act} for many.")
    require(request, bulk.act.permission)
    again = recent.require_recent(request) if bulk.act.asks_again else None
    if again is not None:
        return again
    sent = request.POST if request.method == "POST" else recent.kept(request)
    back = _back(sent.get("back", ""))
    if not sent.getlist("row"):
        messages.warning(request, "Select settlements in the list first.")
        return HttpResponseRedirect(back)
    try:
        rows = selection(sent)
    except UnreadableSelection as unreadable:
        unread = {"title": bulk.act.label, "refused": str(unreadable), "back": back}
        return render(request, "bulk.html", unread, status=400)
    if request.method != "POST" or "confirmed" not in request.POST:
        shared = {name: sent[name] for name in ("reason", "assignee") if name in sent}
        return _dialog(request, bulk, rows, bulk.form(initial=shared), sent)
    form = bulk.form(request.POST)
    if not form.is_valid():
        return _dialog(request, bulk, rows, form, sent, status=400)
    now = timezone.now()
    results = bulk_acts.carry_out(bulk, rows, officer=officer(request, Channel.BULK), fields=form.cleaned_data, now=now)
    items = queries.selected([row.milestone_id for row in rows], now=now)
    became = Counter(result.became for result in results)
    context = {
        "title": f"{bulk.act.label}: {_results(became)}",
        "bulk": bulk,
        "lines": [(result, items.get(result.milestone_id)) for result in results],
        "counts": [(word, became[word]) for word in Became if became[word]],
        "reason": form.cleaned_data["reason"],
        "back": back,
    }
    return render(request, "bulk_results.html", context)


def selection(sent: QueryDict) -> list[Selected]:
    """The rows that were sent, each settlement once; raises UnreadableSelection."""
    words = sent.getlist("row")
    if len(words) > MOST:
        raise UnreadableSelection(f"At most {MOST} settlements at a time; {len(words)} were selected.")
    found = [_ROW.fullmatch(word) for word in words]
    rows: dict[int, Selected] = {}
    for match in found:
        if match is None or int(match[1]) == 0:
            raise UnreadableSelection("The selection can not be read. Select the settlements in the list again.")
        rows.setdefault(int(match[1]), Selected(milestone_id=int(match[1]), version=match[2]))
    return list(rows.values())


def _dialog(
    request: HttpRequest, bulk: BulkAct, rows: Sequence[Selected], form: Any, sent: QueryDict, *, status: int = 200
) -> HttpResponse:
    back = _back(sent.get("back", ""))
    context = {
        "title": f"{bulk.act.label}: {len(rows)} settlement{'' if len(rows) == 1 else 's'}",
        "bulk": bulk,
        "form": form,
        "summary": _summary(bulk, rows, request.user.pk),
        "back": back,
        "back_query": back.partition("?")[2],
    }
    return render(request, "bulk.html", context, status=status)


def _summary(bulk: BulkAct, rows: Sequence[Selected], user_id: int | None) -> Summary:
    items = queries.selected([row.milestone_id for row in rows], now=timezone.now())
    own = queries.approved_by(user_id, items.values()) if bulk.act.approves else set()
    made = [
        Row(
            selected=row,
            item=items.get(row.milestone_id),
            expected="has your approval already"
            if row.milestone_id in own
            else _expected(bulk, row, items.get(row.milestone_id)),
        )
        for row in rows
    ]
    sums: dict[str, Money] = {}
    for item in items.values():
        currency = item.amount.currency
        sums[currency] = sums.get(currency, Money.zero(currency)) + item.amount
    return Summary(
        rows=made,
        sums=sorted(sums.values(), key=lambda money: money.currency),
        expected=dict(Counter(row.expected for row in made)),
    )


def _expected(bulk: BulkAct, row: Selected, item: QueueItem | None) -> str:
    """What will become of it as far as the row can tell; the domain decides when its turn comes."""
    if item is None:
        return "does not exist"
    if item.status not in _WAITING:
        return f"is {item.status.lower()} by now"
    if bulk.bound_to_version and item.version != row.version:
        return "has changed since the list"
    return _EXPECTED[bulk.act.name](item)


def _of_approval(item: QueueItem) -> str:
    if item.held:
        return "is on hold"
    return "will be released" if item.approvals + 1 >= item.approvals_required else "needs a second officer after you"


_EXPECTED: Final[Mapping[str, Callable[[QueueItem], str]]] = {
    "approve": _of_approval,
    "reject": lambda item: "will be rejected for good",
    "hold": lambda item: "is on hold already" if item.held else "will be on hold",
    "lift": lambda item: "will be free of its hold" if item.held else "is not on hold",
    "assign": lambda item: f"is with {item.assignee} now" if item.assignee else "will be assigned",
}


def _results(became: Counter[Became]) -> str:
    return ", ".join(f"{became[word]} {word}" for word in Became if became[word])


def _back(query: str) -> str:
    """The list as it was filtered; nothing else is led to."""
    kept = QueryDict(mutable=True)
    given = QueryDict(query[:2_000].encode("utf-8", "ignore").decode())
    for name in given:
        if name in NAMES or name == "page":
            kept[name] = given[name]
    address = reverse("admin:compliance_reviewqueue_changelist")
    return f"{address}?{kept.urlencode()}" if kept else address
