"""The filters of the queue as fields on a page; what they mean and may hold is filters.py's."""

from typing import Any

from django import forms

from compliance import assignments
from compliance.filters import AMOUNT_DIGITS, LONGEST_AGE_HOURS, Currency, Method, State
from compliance.templatetags.review_words import words
from settlements.statuses import EventType, RiskTier

_ANY = ("", "Any")
_YES_NO = [_ANY, ("1", "Yes"), ("0", "No")]
_STEP = str(10**-AMOUNT_DIGITS) if AMOUNT_DIGITS == 0 else f"0.{'0' * (AMOUNT_DIGITS - 1)}1"


def _choice(label: str, choices: list[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False)


def _number(label: str, **attributes: object) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, widget=forms.NumberInput(attrs={"min": 0, "size": 8, **attributes})
    )


class FilterForm(forms.Form):
    """One field for each filter, filled with what is asked for."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Shipment, recipient, or number", "autocomplete": "off"}
        ),
    )
    state = _choice("List", [("", "Waiting for a decision"), (State.HELD, "On hold"), (State.DELAYED, "Delayed")])
    tier = _choice("Tier", [_ANY, *((tier.lower(), words(tier)) for tier in RiskTier)])
    event_type = _choice("Event", [_ANY, *((event, words(event)) for event in EventType)])
    payment_method = _choice("Rail", [_ANY, *((method, words(method)) for method in Method)])
    recipient_id = forms.CharField(label="Recipient id", required=False, max_length=200)
    currency = _choice("Currency", [_ANY, *((currency, currency) for currency in Currency)])
    min_amount = _number("Amount from", step=_STEP)
    max_amount = _number("Amount to", step=_STEP)
    overdue = _choice("Overdue", _YES_NO)
    older_than_hours = _number("Older than (h)", max=LONGEST_AGE_HOURS)
    younger_than_hours = _number("Younger than (h)", max=LONGEST_AGE_HOURS)
    assignee = _choice("Assignee", [])
    unassigned = _choice("Unassigned", _YES_NO)
    on_hold = _choice("On hold", _YES_NO)
    approvals_begun = _choice("First approval given", _YES_NO)

    def __init__(self, given: Any) -> None:
        super().__init__(given, auto_id="filter_%s")
        officers = list(assignments.officers().values_list("username", flat=True))
        asked = given.get("assignee", "")
        # Who is asked for stays chosen, be it somebody who decides no more.
        names = [*officers, *([asked] if asked and asked not in officers else [])]
        self.fields["assignee"].choices = [_ANY, *((name, name) for name in names)]  # type: ignore[attr-defined]

    def label_of(self, name: str) -> str:
        """What a filter is called."""
        label = self.fields[name].label
        return str(label)

    def words_of(self, name: str, value: str) -> str:
        """A value as its field writes it."""
        choices = getattr(self.fields[name], "choices", ())
        return str(dict(choices).get(value, value))
