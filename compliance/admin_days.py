"""Days of the books in the admin: which are closed, the figures of each, and the button that closes the next."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance import day_figures, recent
from compliance.pages import STATUS_CODES, may, officer, require
from rails import days
from rails.admin_pages import ReadOnlyAdmin
from rails.models import ClosedDay
from rails.money import Money
from settlements import office_log
from settlements.closing import closing, documents
from settlements.closing.closing import ClosedDayChanged
from settlements.closing.figures import DayFigures
from settlements.models import OfficeEvent
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.permissions import Permission
from settlements.refusals import Refusal

_ONE: Final = timedelta(days=1)
_PER_PAGE: Final = 31
# So many open days are listed; whoever has more closes them by the command.
MOST_OPEN: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """One day of the list. `over`: it has ended; `next`: it is the one to close now."""

    day: date
    address: str
    closed: ClosedDay | None
    over: bool
    next: bool
    entries: int
    moved: list[Money]
    open_items: int | None


@admin.register(ClosedDay)
class DailyCloseAdmin(ReadOnlyAdmin):
    """The list has the open days too; the page of a day shows what is frozen."""

    called = "Daily close"

    def row_title(self, row: ClosedDay) -> str:
        return _named(row.day)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view
        return [
            path("open/<str:day>/", page(self.open_view), name="rails_closedday_open"),
            path("open/<str:day>/close/", page(self.close_view), name="rails_closedday_close"),
            path("<int:row_id>/figures/", page(self.figures_view), name="rails_closedday_figures"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._require_view(request)
        if request.method == "POST":
            raise PermissionDenied
        now = timezone.now()
        page = Paginator(ClosedDay.objects.defer("figures"), _PER_PAGE).get_page(request.GET.get("page"))
        first = closing.next_to_close()
        opened, more = _open_lines(first, now=now) if page.number == 1 else ([], 0)
        context = {
            "title": self.list_title,
            "next": next((line for line in opened if line.next and line.over), None),
            "lines": [*opened, *_closed_lines(list(page))],
            "more_open": more,
            "page": page,
            "may_close": may(request, Permission.CLOSE_DAY),
        }
        return self._page(request, "days.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What was frozen."""
        self._require_view(request)
        if request.method != "GET":
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such closed day.")
        try:
            context = _figures_context(closing.frozen_figures(row))
        except ClosedDayChanged as refusal:
            context = {"title": _named(row.day), "damaged": refusal.detail}
        more = {"row": row, "may_export": may(request, Permission.EXPORT_DATA), "original": row}
        return self._page(request, "day.html", {**context, **more})

    def open_view(self, request: HttpRequest, day: str) -> HttpResponse:
        """The figures of an open day as they are now, and the dialog that closes it."""
        self._require_view(request)
        wanted = _day(day)
        known = _closed(wanted)
        if known is not None:
            return HttpResponseRedirect(reverse("admin:rails_closedday_change", args=[known.pk]))
        return self._page(request, "day.html", self._open_context(request, wanted))

    def close_view(self, request: HttpRequest, day: str) -> HttpResponse:
        """GET: what closing does. POST: the close, by the person who is logged in and showed lately who they are."""
        self._require_view(request)
        require(request, Permission.CLOSE_DAY)
        wanted = _day(day)
        known = _closed(wanted)
        if known is not None:
            messages.info(request, f"{_named(wanted)} is closed already.")
            return HttpResponseRedirect(reverse("admin:rails_closedday_change", args=[known.pk]))
        again = recent.require_recent(request)
        if again is not None:
            return again
        if request.method == "GET":
            return self._page(request, "close.html", self._open_context(request, wanted))
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        try:
            closed = closing.close(wanted, actor=officer(request).actor, now=timezone.now())
        except Refusal as refusal:
            context = {**self._open_context(request, wanted), "refused": refusal.detail}
            return self._page(request, "close.html", context, status=STATUS_CODES[refusal.kind])
        messages.success(request, f"{_named(wanted)} is closed. Its figures are frozen.")
        return HttpResponseRedirect(reverse("admin:rails_closedday_change", args=[closed.row.pk]))

    def figures_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The frozen document as a file, byte for byte what the digest was made of. By POST: it is on record."""
        self._require_view(request)
        require(request, Permission.EXPORT_DATA)
        row = ClosedDay.objects.filter(pk=row_id).first()
        if row is None:
            raise Http404("There is no such closed day.")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        draft = OfficeDraft(
            action=OfficeAction.EXPORT_DOWNLOADED,
            subject=f"closed_day {row.day}",
            actor=officer(request).actor,
            data={"sha256": row.sha256},
        )
        with transaction.atomic():
            office_log.record(draft, now=timezone.now())
        answer = HttpResponse(row.figures, content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="chainpay_day_{row.day}.json"'
        answer["Cache-Control"] = "private, no-store"
        return answer

    def _open_context(self, request: HttpRequest, day: date) -> dict[str, Any]:
        now, first = timezone.now(), closing.next_to_close()
        if first is None or day < first or day > now.astimezone(UTC).date():
            raise Http404("Nothing is booked on this day, or it has not begun.")
        closable = day == first and closing.is_over(day, now=now)
        try:
            shown = _figures_context(closing.preview(day, now=now))
        except ClosedDayChanged as refusal:
            shown, closable = {"title": _named(day), "damaged": refusal.detail}, False
        return {
            **shown,
            "first": first,
            "over": closing.is_over(day, now=now),
            "closable": closable,
            "may_close": may(request, Permission.CLOSE_DAY),
            "close_address": reverse("admin:rails_closedday_close", args=[day.isoformat()]),
            "open_address": reverse("admin:rails_closedday_open", args=[day.isoformat()]),
        }

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        everywhere = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/compliance/days/{name}", {**everywhere, **context}, status=status)


def _figures_context(figures: DayFigures) -> dict[str, Any]:
    return {
        "title": _named(figures.day),
        "figures": figures,
        "balances": day_figures.trial_balances(figures),
        "rails": day_figures.rail_lines(figures),
        "groups": day_figures.open_groups(figures),
        "returnable": figures.returnable[: day_figures.MOST_ROWS],
        "reversible": figures.reversible[: day_figures.MOST_ROWS],
    }


def _open_lines(first: date | None, *, now: datetime) -> tuple[list[DayLine], int]:
    """The open days, the latest first, and how many of them are left out."""
    today = now.astimezone(UTC).date()
    if first is None or first > today:
        return [], 0
    last = min(today, first + _ONE * (MOST_OPEN - 1))
    moved = days.moved_by_day(first, last)
    found = []
    for number in range((last - first).days, -1, -1):
        day = first + _ONE * number
        sums = moved.get(day, {})
        found.append(
            DayLine(
                day=day,
                address=reverse("admin:rails_closedday_open", args=[day.isoformat()]),
                closed=None,
                over=closing.is_over(day, now=now),
                next=day == first,
                entries=sum(count for count, _ in sums.values()),
                moved=[Money(minor, currency) for currency, (_, minor) in sums.items()],
                open_items=None,
            )
        )
    return found, (today - last).days


def _closed_lines(rows: list[ClosedDay]) -> list[DayLine]:
    told = OfficeEvent.objects.filter(action=OfficeAction.DAY_CLOSED, subject__in=[str(row.day) for row in rows])
    data = {event.subject: event.data for event in told}
    return [
        DayLine(
            day=row.day,
            address=reverse("admin:rails_closedday_change", args=[row.pk]),
            closed=row,
            over=True,
            next=False,
            entries=data.get(str(row.day), {}).get("entries", 0),
            moved=[
                Money(documents.minor(text, currency), currency)
                for currency, text in data.get(str(row.day), {}).get("moved", {}).items()
                if documents.minor(text, currency)
            ],
            open_items=data.get(str(row.day), {}).get("open_items", 0),
        )
        for row in rows
    ]


def _day(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise Http404("A day is written like 2026-11-28.") from None


def _closed(day: date) -> ClosedDay | None:
    return ClosedDay.objects.filter(day=day).first()


def _named(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"
