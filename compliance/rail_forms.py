"""What is filled in about default payment methods, and to find whose an account is."""

from typing import Any

from django import forms

from compliance.amount_field import AmountField
from compliance.destination_forms import NumberInput
from compliance.forms import ReasonForm
from rails import registry
from rails.choosing import Payments
from rails.models import Recipient
from rails.money import EXPONENTS, Money, MoneyError
from rails.wording import in_words


class RuleForm(ReasonForm):
    """A row of the table of defaults; what is valid comes out as `payments`, `method` and the reason."""

    recipient = forms.CharField(max_length=200, required=False, help_text="Its whole id; empty: any recipient")
    currency = forms.ChoiceField(required=False, choices=[("", "Any"), *((code, code) for code in EXPONENTS)])
    lowest = AmountField(
        label="From amount", required=False, or_none=True, help_text="Of the whole payment intent; empty: any"
    )
    below = AmountField(label="Below amount", required=False, or_none=True, help_text="Empty: no limit")
    method = forms.ChoiceField()
    field_order = ("recipient", "currency", "lowest", "below", "method", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(method, in_words(method)) for method in registry.enabled_methods()]
        self.fields["method"].choices = choices  # type: ignore[attr-defined]

    def clean_recipient(self) -> int | None:
        """Its row."""
        recipient_id = self.cleaned_data["recipient"]
        if not recipient_id:
            return None
        found = Recipient.objects.filter(recipient_id=recipient_id).values_list("pk", flat=True).first()
        if found is None:
            raise forms.ValidationError("There is no such recipient.")
        return found

    def clean(self) -> dict[str, Any]:
        """The payments that the rule is for."""
        given = super().clean() or self.cleaned_data
        bounds = {name: self._amount(name, given) for name in ("lowest", "below")}
        if self.errors:
            return {}
        payments = Payments(recipient_pk=given["recipient"], currency=given["currency"], **bounds)
        return {"payments": payments, "method": given["method"], "reason": given["reason"]}

    def _amount(self, name: str, given: dict[str, Any]) -> Money | None:
        written, currency = given.get(name), given.get("currency")
        if not written:
            return None
        if not currency:
            self.add_error(name, "Choose the currency of the amount.")
            return None
        try:
            return Money.from_major(written, currency)
        except MoneyError as error:
            self.add_error(name, error.detail)
            return None


class FindForm(forms.Form):
    """A whole number, which is hashed and compared."""

    number = forms.CharField(
        label="The whole account number, IBAN or Stripe account", max_length=80, widget=NumberInput()
    )
