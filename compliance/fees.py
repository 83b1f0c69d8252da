"""What a provider or the bank took for its work, booked by hand out of its statement."""

from typing import Any, Final

from django import forms

from compliance.amount_field import AmountField
from compliance.forms import ReasonForm
from compliance.row_acts import ActRefused, By, RowAct
from rails import books
from rails.base import SettlementProvider
from rails.entries import EntryConflict
from rails.money import EXPONENTS, Money, MoneyError
from rails.wording import in_words
from settlements import house_entries
from settlements.permissions import Permission
from settlements.values import InvalidValue, visible_text


class FeeForm(ReasonForm):
    """A fee as the statement has it; what is valid comes out as `provider`, `amount` and `reference`."""

    provider = forms.ChoiceField(
        choices=[
            ("", "Choose whose statement"),
            *((provider.value, in_words(provider.method)) for provider in books.CASH),
        ],
        error_messages={"required": "Choose whose statement it is on."},
    )
    currency = forms.ChoiceField(choices=[(code, code) for code in EXPONENTS])
    amount = AmountField(help_text="As the statement has it, like 12.50")
    reference = forms.CharField(max_length=200, help_text="As the statement has it; each is booked once")
    field_order = ("provider", "currency", "amount", "reference", "reason")

    def clean_reference(self) -> str:
        """Something to read, on one line."""
        try:
            return visible_text(self.cleaned_data["reference"])
        except InvalidValue as error:
            raise forms.ValidationError(f"It {error.detail}.") from error

    def clean(self) -> dict[str, Any]:
        """The amount as money."""
        given = super().clean() or self.cleaned_data
        if "amount" in given and "currency" in given:
            try:
                given["amount"] = Money.from_major(given["amount"], given.pop("currency"))
            except MoneyError as error:
                self.add_error("amount", error.detail)
        return given


def _book(row: None, *, by: By, provider: str, amount: Money, reference: str, reason: str) -> str:
    try:
        posted = house_entries.book_fee(
            SettlementProvider(provider), amount, reference=reference, actor=by.actor, reason=reason, now=by.now
        )
    except EntryConflict as conflict:
        detail = "A fee of this provider is booked under this reference with another amount."
        raise ActRefused(detail, field="reference", status=409) from conflict
    if not posted.created:
        return f"Nothing to do: it was booked at {posted.posted_at:%Y-%m-%d %H:%M} UTC."
    return f"Fee of {amount} booked as {posted.reference}."


BOOK_FEE: Final = RowAct(
    name="fee",
    label="Book fee",
    explanation="What Stripe or the bank took for its work: it debits rail fees and credits our money there.",
    permission=Permission.HANDLE_BANK_FILES,
    form=FeeForm,
    perform=_book,
)
