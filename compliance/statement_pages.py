"""The statement of a recipient: on the screen, on paper, and as a file."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from compliance.pages import STATUS_CODES, may, officer, require
from rails.models import Recipient
from settlements.exports import answers
from settlements.permissions import Permission
from settlements.recipient_statements import files
from settlements.recipient_statements.statement import StatementTooLong, statement

MOST_DAYS: Final = 366
_EARLIEST: Final = date(2000, 1, 1)


class PeriodForm(forms.Form):
    """Both days included; this month where nothing is asked for."""

    first = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: dict[str, Any], *, now: datetime) -> None:
        today = now.astimezone(UTC).date()
        usual = {"first": today.replace(day=1), "last": today}
        given = {name: value for name, value in data.items() if name in self.base_fields and value}
        super().__init__({**usual, **given}, auto_id="statement_%s")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", "The last day is before the first.")
        elif first and last and last - first >= timedelta(days=MOST_DAYS):
            self.add_error("last", f"At most {MOST_DAYS} days at once.")
        elif first and (first < _EARLIEST or last == date.max):
            self.add_error("first", "There is nothing so long ago, or so far ahead.")
        return cleaned


def statement_view(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """GET: the statement of a period, `paper=1` to print. POST: the same as CSV, on record."""
    now = timezone.now()
    if request.method == "POST":
        require(request, Permission.EXPORT_DATA)
    form = PeriodForm((request.POST if request.method == "POST" else request.GET).dict(), now=now)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Recipient._meta,
        "original": recipient,
        "recipient": recipient,
        "title": f"Statement of {recipient.name}",
        "form": form,
        "may_export": may(request, Permission.EXPORT_DATA),
    }
    if not form.is_valid():
        return _page(request, "statement.html", context, status=400)
    try:
        found = statement(recipient, first=form.cleaned_data["first"], last=form.cleaned_data["last"], now=now)
    except StatementTooLong as refusal:
        return _page(request, "statement.html", {**context, "refused": refusal.detail}, STATUS_CODES[refusal.kind])
    if request.method == "POST":
        file = files.made(found, actor=officer(request).actor, now=now)
        return answers.as_file(HttpResponse(file.content), file.name)
    name = "paper.html" if request.GET.get("paper") else "statement.html"
    return _page(request, name, {**context, "statement": found})


def _page(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = TemplateResponse(request, f"admin/compliance/statements/{name}", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response
