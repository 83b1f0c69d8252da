"""What is filled in about money at a provider: the reason, bound to what was on the screen, and the filters."""

from typing import Any, Final

from django import forms

from compliance.forms import ReasonForm
from rails import registry
from rails.base import SettlementProvider
from rails.money import EXPONENTS
from rails.wording import in_words
from settlements.statuses import WorkKind
from settlements.work import Asked

_LOST: Final = {"required": "The form has lost what it is about; open the payment again."}
_AGES: Final = ((1, "an hour"), (24, "a day"), (72, "three days"), (168, "a week"))


class VersionForm(ReasonForm):
    """A decision over the settlement as it was on the screen."""

    version = forms.CharField(max_length=100, widget=forms.HiddenInput, error_messages=_LOST)


class MethodForm(VersionForm):
    """Which rail it goes by instead."""

    method = forms.ChoiceField(label="Payment method", error_messages={"required": "Choose how it is to be paid."})
    field_order = ("method", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = [(word, in_words(word)) for word in registry.enabled_methods()]
        self.fields["method"].choices = [("", "Choose a method"), *words]  # type: ignore[attr-defined]


class AttemptForm(ReasonForm):
    """A word about the attempt that was on the screen."""

    number = forms.IntegerField(min_value=1, max_value=32_767, widget=forms.HiddenInput, error_messages=_LOST)


class ReferenceForm(AttemptForm):
    """Under which reference the provider has it."""

    reference = forms.CharField(
        label="Reference of the provider",
        max_length=200,
        help_text="As the provider's own list writes it.",
        error_messages={"required": "Write down the reference: it is how the payment is found again."},
    )
    field_order = ("reference", "reason")


class BankReferenceForm(AttemptForm):
    """Under which reference the bank booked what was given back."""

    reference = forms.CharField(
        label="Reference of the bank",
        max_length=70,
        help_text="Of the booking on our account, as the statement writes it.",
        error_messages={"required": "Write down the bank's reference: it proves that the money is there."},
    )
    field_order = ("reference", "reason")


class CloseForm(ReasonForm):
    """What was dealt with, as far as it was on the screen."""

    about = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput, error_messages=_LOST)


class WorkFilterForm(forms.Form):
    """Which of the work is looked at."""

    kind = forms.ChoiceField(required=False, choices=[("", "Any"), *((k.value, in_words(k)) for k in WorkKind)])
    rail = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((p.method, in_words(p.method)) for p in SettlementProvider)]
    )
    currency = forms.ChoiceField(required=False, choices=[("", "Any"), *((c, c) for c in sorted(EXPONENTS))])
    recipient = forms.CharField(required=False, max_length=200, help_text="How its id or name begins")
    age = forms.TypedChoiceField(
        label="Older than",
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", "Any age"), *((hours, words) for hours, words in _AGES)],
    )

    @property
    def asked(self) -> Asked:
        """The filters as the domain reads them; the form is valid."""
        given = self.cleaned_data
        return Asked(
            kind=WorkKind(given["kind"]) if given["kind"] else None,
            rail=given["rail"] or None,
            currency=given["currency"] or None,
            recipient=given["recipient"] or None,
            older_than_hours=given["age"],
        )
