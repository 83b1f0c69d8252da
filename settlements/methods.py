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


def known(method: str, *, field: str = "payment_method") -> PaymentRail:
    """The rail behind a method that can be chosen; raises MethodRefused or MethodNotEnabled, about `field`."""
    try:
        return registry.rail_for(method=method)
    except registry.UnknownRail as error:
        raise MethodRefused(error.detail, field=field) from error
    except registry.RailNotEnabled as error:
        raise MethodNotEnabled(error.detail, field=field) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A payment method, and what chose it: the request, or a rule of the table of defaults, or that there is none."""

    word: str
    chosen_by: str


def choose(asked: str | None, *, whole: Money, parts: Iterable[Money], recipient: Recipient | None) -> Method:
    """The method that was asked for, else the default for the whole amount; raises what `check` raises of the parts.

    A default that can not pay is refused as well, and not passed over for another that might; the detail names the
    rule.
    """
    if asked is not None:
        check(asked, amounts=parts, recipient=recipient)
        return Method(word=asked, chosen_by="request")
    method = _default(whole, recipient)
    try:
        check(method.word, amounts=parts, recipient=recipient)
    except MethodRefused as refused:
        raise type(refused)(f"{refused.detail} It is the default by {method.chosen_by}.", field=refused.field) from None
    return method


def _default(whole: Money, recipient: Recipient | None) -> Method:
    choice = choosing.choose(recipient.pk if recipient else None, whole)
    return Method(word=choice.method, chosen_by=f"rule {choice.rule_id}" if choice.rule_id else "default")


def check(method: str, *, amounts: Iterable[Money], recipient: Recipient | None, field: str = "payment_method") -> None:
    """Whether the method can pay each of these to the recipient, who may have to wait for a destination's quarantine.

    Raises MethodRefused, MethodNotEnabled, MethodCannotPay, DestinationMissing; `field` is where the request named it.
    """
    rail = known(method, field=field)
    for amount in amounts:
        why = rail.cannot_pay(amount)
        if why:
            raise MethodCannotPay(f"Payment method {method} can not pay {amount}: {why}.", field=field)
    if method not in destinations.RAILS:
        return
    if recipient is None:
        raise DestinationMissing(f"Payment method {method} needs a recipient.", field=field)
    if not any(row.rail == method for row in destinations.of_recipient(recipient.pk)):
        detail = f"Recipient {recipient.recipient_id} has no destination for {method}; push one first."
        raise DestinationMissing(detail, field=field)
