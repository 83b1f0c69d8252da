"""What is filled in on the reconciliation page: which lines are looked at."""

from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from rails.base import SettlementProvider
from rails.money import EXPONENTS
from rails.wording import in_words
from settlements.reconciliation.listing import Asked
from settlements.reconciliation.words import WORDS
from settlements.statuses import MismatchKind

_DAY: Final = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_EARLIEST: Final = date(2000, 1, 1)


class ReconciliationFilterForm(forms.Form):
    """Days are of UTC, and of the payment: when it was handed over, or released."""

    start = forms.DateField(label="From", required=False, widget=_DAY)
    end = forms.DateField(label="To", required=False, widget=_DAY)
    rail = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((p.method, in_words(p.method)) for p in SettlementProvider)]
    )
    currency = forms.ChoiceField(required=False, choices=[("", "Any"), *((c, c) for c in sorted(EXPONENTS))])
    kind = forms.ChoiceField(
        label="What differs", required=False, choices=[("", "Anything"), *((k.value, WORDS[k].title) for k in WORDS)]
    )
    q = forms.CharField(
        label="Milestone or reference", required=False, max_length=200, help_text="A number, or the whole reference"
    )

    def clean_start(self) -> date | None:
        """A day that payments can be of."""
        return _within_reach(self.cleaned_data["start"])

    def clean_end(self) -> date | None:
        """A day that payments can be of, with one after it."""
        return _within_reach(self.cleaned_data["end"])

    def clean(self) -> dict[str, Any]:
        """The period has a beginning before its end."""
        given = super().clean() or {}
        if given.get("start") and given.get("end") and given["start"] > given["end"]:
            raise ValidationError("The last day is before the first.")
        return given

    def clean_q(self) -> str:
        """No character that the database can not hold."""
        wanted: str = self.cleaned_data["q"]
        if "\x00" in wanted:
            raise ValidationError("No payment goes by that reference.")
        return wanted

    @property
    def asked(self) -> Asked:
        """The filters as the domain reads them; the form is valid."""
        given = self.cleaned_data
        return Asked(
            rail=given["rail"] or None,
            currency=given["currency"] or None,
            kind=MismatchKind(given["kind"]) if given["kind"] else None,
            first_day=given["start"],
            last_day=given["end"],
            wanted=given["q"] or None,
        )


def _within_reach(day: date | None) -> date | None:
    if day is not None and not _EARLIEST <= day < date.max:
        raise ValidationError("There is nothing so long ago, or so far ahead.")
    return day
