"""What is filled in about where a recipient is paid; numbers are typed twice and never shown again."""

from typing import Any, ClassVar

from django import forms

from compliance.forms import ReasonForm
from rails import destinations
from rails.destinations import DestinationRefused
from rails.routing import bank_account

# What of a form is neither remembered nor shown again.
NUMBERS = ("account_number", "account_number_again", "iban", "number")


class NumberInput(forms.PasswordInput):
    """A number that is read while it is typed, and left out when its form comes back."""

    input_type = "text"

    def __init__(self) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false"})


def _text(label: str, *, most: int, help_text: str = "", required: bool = True) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, help_text=help_text, required=required)


def _number(label: str, *, most: int, help_text: str = "", required: bool = True) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, help_text=help_text, required=required, widget=NumberInput())


class DestinationForm(ReasonForm):
    """A destination for `rail`; what is valid comes out as `details`, with the reason."""

    rail: ClassVar[str]

    def clean(self) -> dict[str, Any]:
        """The rail's own rules, each fault at its field."""
        given = dict(super().clean() or self.cleaned_data)
        reason = given.pop("reason", "")
        again = given.pop("account_number_again", None)
        if again is not None and given.get("account_number", "") != again:
            self.add_error("account_number_again", "The two numbers differ.")
        written = {name: value for name, value in given.items() if value}
        if self.errors:
            return {}
        try:
            return {"reason": reason, "details": destinations.read(self.rail, written)}
        except DestinationRefused as refused:
            for fault in refused.faults:
                field = fault.field if fault.field in self.fields else None
                self.add_error(field, fault.detail[:1].upper() + fault.detail[1:].replace("_", " "))
            return {}


class StripeForm(DestinationForm):
    """A connected account."""

    rail = "stripe"
    account = _text("Connected account", most=80, help_text="As Stripe shows it: acct_…")
    field_order = ("account", "reason")


class AchForm(DestinationForm):
    """A US bank account."""

    rail = "ach"
    routing_number = _text("Routing number", most=9, help_text="ABA, nine digits; its check digit is checked")
    account_number = _number("Account number", most=bank_account.MOST_NUMBER_CHARACTERS)
    account_number_again = _number("Account number again", most=bank_account.MOST_NUMBER_CHARACTERS)
    account_type = forms.ChoiceField(
        label="Account type", choices=[(word, word) for word in bank_account.ACCOUNT_TYPES]
    )
    holder_name = _text(
        "Holder", most=bank_account.MOST_NAME_CHARACTERS, help_text="As the bank knows it, at most 22 characters"
    )
    sec_code = forms.ChoiceField(
        label="Kind of entry", choices=[("CCD", "CCD: to a company"), ("PPD", "PPD: to a person")]
    )
    field_order = (
        "routing_number", "account_number", "account_number_again", "account_type", "holder_name", "sec_code", "reason",
    )  # fmt: skip


class WireForm(DestinationForm):
    """An account for wires, of one of three kinds."""

    rail = "wire"
    iban = _number(
        "IBAN",
        most=42,
        required=False,
        help_text="With the BIC. In the US: routing and account number; without IBANs: BIC and account number",
    )
    bic = _text("BIC", most=14, required=False)
    routing_number = _text("Routing number", most=9, required=False, help_text="Of a US bank, for Fedwire")
    account_number = _number("Account number", most=34, required=False)
    account_number_again = _number("Account number again", most=34, required=False)
    creditor_name = _text("Creditor", most=140)
    street = _text("Street", most=70, required=False)
    building_number = _text("Building number", most=16, required=False)
    postal_code = _text("Postal code", most=16, required=False)
    town = _text("Town", most=35)
    country = _text("Country", most=2, help_text="Two letters, like DE")
    field_order = (
        "iban", "bic", "routing_number", "account_number", "account_number_again", "creditor_name", "street",
        "building_number", "postal_code", "town", "country", "reason",
    )  # fmt: skip


class ConfirmForm(ReasonForm):
    """Why a proposal is believed; the number may be compared with what the recipient says."""

    number = _number(
        "The number, as the recipient told you (optional)",
        most=42,
        required=False,
        help_text="Optional. By a telephone number that you knew before. It is compared with what was proposed; the "
        "edit says whether it was",
    )
    field_order = ("number", "reason")
