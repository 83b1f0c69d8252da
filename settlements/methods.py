"""Whether a payment method can pay: known and enabled, able to pay such amounts, and with a place to pay them to."""

from collections.abc import Iterable
from dataclasses import dataclass

from rails import choosing, destinations, registry
from rails.base import PaymentRail
from rails.models import Recipient
from rails.money import Money
from settlements.refusals import Refusal


class MethodRefused(Refusal):
    """The payment method is unknown."""

    code = "payment_method_unknown"


class MethodNotEnabled(MethodRefused):
    """A known payment method that this installation does not have."""

    code = "payment_method_not_enabled"


class MethodCannotPay(MethodRefused):
    """The payment method can never pay such an amount; the detail says why."""

    code = "payment_method_cannot_pay"


class DestinationMissing(MethodRefused):
    """There is no recipient, or it has no destination for the payment method; push one first."""

    code = "destination_missing"


def known(method: str) -> PaymentRail:
    """The rail behind a method that can be chosen; raises MethodRefused or MethodNotEnabled."""
    try:
        return registry.rail_for(method=method)
    except registry.UnknownRail as error:
        raise MethodRefused(error.detail, field="payment_method") from error
    except registry.RailNotEnabled as error:
        raise MethodNotEnabled(error.detail, field="payment_method") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A payment method, and what chose it: the request, or a rule of the table of defaults, or that there is none."""

    word: str
    chosen_by: str


def choose(asked: str | None, *, whole: Money, parts: Iterable[Money], recipient: Recipient | None) -> Method:
    """The method that was asked for, else the default for the whole amount; raises what `check` raises of the parts.

    A default that can not pay is refused as well, and not passed over for another that might.
    """
    method = Method(word=asked, chosen_by="request") if asked is not None else _default(whole, recipient)
    check(method.word, amounts=parts, recipient=recipient)
    return method


def _default(whole: Money, recipient: Recipient | None) -> Method:
    choice = choosing.choose(recipient.pk if recipient else None, whole)
    return Method(word=choice.method, chosen_by=f"rule {choice.rule_id}" if choice.rule_id else "default")


def check(method: str, *, amounts: Iterable[Money], recipient: Recipient | None) -> None:
    """Whether the method can pay each of these to the recipient, who may have to wait for a destination's quarantine.

    Raises MethodRefused, MethodNotEnabled, MethodCannotPay, DestinationMissing.
    """
    rail = known(method)
    for amount in amounts:
        why = rail.cannot_pay(amount)
        if why:
            raise MethodCannotPay(f"Payment method {method} can not pay {amount}: {why}.", field="payment_method")
    if method not in destinations.RAILS:
        return
    if recipient is None:
        raise DestinationMissing(f"Payment method {method} needs a recipient.", field="payment_method")
    if not any(row.rail == method for row in destinations.of_recipient(recipient.pk)):
        detail = f"Recipient {recipient.recipient_id} has no destination for {method}; push one first."
        raise DestinationMissing(detail, field="payment_method")
