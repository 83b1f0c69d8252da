"""The rubber-stamp report: approvals made without the item's page having been opened, and how fast the others were."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from compliance import inert_csv, stamp_csv, stamps
from compliance.pages import officer, render, require
from compliance.stamps import Figures, Wanted
from settlements.permissions import Permission

PER_PAGE = 50
MOST_DAYS = 366
_USUAL_DAYS = 30
_LONGEST_UNDER = 3600


class StampFilter(forms.Form):
    """Which approvals the report is about; what is left out means the last thirty days, everybody, ten seconds."""

    first = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    officer = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    under = forms.IntegerField(
        label="Hasty under (seconds)", required=False, min_value=1, max_value=_LONGEST_UNDER, initial=10
    )
    flagged = forms.BooleanField(label="Flagged only", required=False)

    def __init__(self, data: Mapping[str, Any], *, today: date) -> None:
        usual = {"first": today - timedelta(days=_USUAL_DAYS - 1), "last": today, "under": 10}
        given = {name: value for name, value in data.items() if name in self.base_fields and value}
        super().__init__({**usual, **given}, auto_id="stamps_%s")
        self.fields["officer"].choices = [("", "Everybody"), *stamps.officers()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", "The last day is before the first.")
        elif first and last and last - first >= timedelta(days=MOST_DAYS):
            self.add_error("last", f"At most {MOST_DAYS} days at once.")
        elif last == date.max:
            self.add_error("last", "That day is too far away.")
        return cleaned

    def wanted(self) -> Wanted:
        """What a valid form asks for."""
        return Wanted(
            first=self.cleaned_data["first"],
            last=self.cleaned_data["last"],
            officer_id=self.cleaned_data["officer"],
            under=timedelta(seconds=self.cleaned_data["under"]),
            only_flagged=self.cleaned_data["flagged"],
        )

    def query(self) -> str:
        """The filter as a link carries it."""
        return urlencode({name: value for name, value in self.data.items() if value not in (None, "")})


@dataclass(frozen=True, slots=True)
class OfficerFigures:
    """One officer: all approvals, and each channel's."""

    total: Figures
    channels: list[Figures]


def report_view(request: HttpRequest) -> HttpResponse:
    """The figures per officer, and the single approvals, newest first."""
    require(request, Permission.OVERSEE_DECISIONS)
    form = StampFilter(request.GET.dict(), today=timezone.now().date())
    if not form.is_valid():
        return render(request, "stamps.html", {"title": "Rubber-stamp report", "form": form}, status=400)
    wanted, number = form.wanted(), _page_number(request)
    per_officer = _per_officer(stamps.figures(wanted))
    sums = [each.total for each in per_officer]
    total = sum(each.flagged if wanted.only_flagged else each.approvals for each in sums)
    page = Paginator(range(total), PER_PAGE).get_page(number)
    if page.number != number:
        return HttpResponseRedirect(f"{request.path}?{form.query()}&page={page.number}")
    context = {
        "title": "Rubber-stamp report",
        "form": form,
        "wanted": wanted,
        "officers": per_officer,
        "approvals": sum(each.approvals for each in sums),
        "unopened": sum(each.unopened for each in sums),
        "hasty": sum(each.hasty for each in sums),
        "stamps": stamps.page(wanted, skip=(number - 1) * PER_PAGE, limit=PER_PAGE) if total else [],
        "page": page,
        "query": form.query(),
    }
    return render(request, "stamps.html", context)


@require_POST
def csv_view(request: HttpRequest) -> HttpResponseBase:
    """The same approvals as a file. It leaves a trace, so it is asked for by POST."""
    require(request, Permission.OVERSEE_DECISIONS)
    form = StampFilter(request.POST.dict(), today=timezone.now().date())
    if not form.is_valid():
        return render(request, "stamps.html", {"title": "Rubber-stamp report", "form": form}, status=400)
    wanted, by = form.wanted(), officer(request)
    stamp_csv.trace(wanted, by=by)
    answer = StreamingHttpResponse(stamp_csv.stream(wanted, by=by), content_type=inert_csv.MEDIA_TYPE)
    answer["Content-Disposition"] = f'attachment; filename="{stamp_csv.filename(wanted)}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _per_officer(found: list[Figures]) -> list[OfficerFigures]:
    # The sum of each officer comes first.
    return [
        OfficerFigures(total, channels) for _, (total, *channels) in groupby(found, key=lambda figures: figures.officer)
    ]


def _page_number(request: HttpRequest) -> int:
    word = request.GET.get("page", "1")
    return max(int(word), 1) if word.isascii() and word.isdigit() and len(word) <= 6 else 1
