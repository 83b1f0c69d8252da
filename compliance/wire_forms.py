"""What is filled in about the bank's word on a wire."""

from django import forms

from compliance.amount_field import AmountField
from compliance.forms import ReasonForm


class BankReferenceForm(ReasonForm):
    """Under which reference the bank says so, and why we believe it."""

    bank_reference = forms.CharField(
        label="Bank's reference",
        max_length=70,
        strip=True,
        help_text="As the bank writes it: an IMAD, its reference of the booking, the number of its message.",
        error_messages={"required": "Write down the bank's reference: it proves the word."},
    )
    field_order: tuple[str, ...] = ("bank_reference", "reason")


class ReturnForm(BankReferenceForm):
    """The same, and how much of the wire came back."""

    amount = AmountField(
        label="Amount that came back",
        required=False,
        or_none=True,
        help_text="As it was booked, in the currency of the wire. Empty: all of it that has not come back before.",
    )
    field_order: tuple[str, ...] = ("bank_reference", "amount", "reason")
