"""Which payment method is taken when a client names none: the most specific rule of a table, else the internal ledger.

A rule for the recipient goes before one for any, then one for the currency before one for any. Among rules for the same
recipient and currency the amounts do not overlap, so there is never a second one to choose from.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from rails import registry, wording
from rails.base import PaymentRail, SettlementProvider
from rails.models import MethodRule
from rails.money import EXPONENTS, MAX_MINOR, Money

logger = logging.getLogger(__name__)

FALLBACK: Final = SettlementProvider.INTERNAL_LEDGER.method
_OVERLAP: Final = "rules_that_hold_do_not_overlap"
_CHOOSE: Final = """
    SELECT id, method FROM rails_methodrule
    WHERE ended_at IS NULL AND (recipient_id IS NULL OR recipient_id = %s::bigint) AND currency IN ('', %s::text)
      AND %s::bigint >= from_minor AND (below_minor IS NULL OR %s::bigint < below_minor)
    ORDER BY recipient_id IS NULL, currency = '' LIMIT 1
"""


class RuleRefused(ValueError):
    """A rule that can not be made or ended as asked; `field` is the field at fault."""

    code = "method_rule_refused"

    def __init__(self, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A method and the number of the rule that chose it; None: no rule holds for such a payment."""

    method: str
    rule_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """Which payments a rule is for; nothing given is any. Amounts from `lowest` on and below `below`."""

    recipient_pk: int | None = None
    currency: str = ""
    lowest: Money | None = None
    below: Money | None = None


def choose(recipient_pk: int | None, amount: Money) -> Choice:
    """The method for an amount to a recipient."""
    with connection.cursor() as cursor:
        cursor.execute(_CHOOSE, [recipient_pk, amount.currency, amount.minor, amount.minor])
        found = cursor.fetchone()
    return Choice(method=FALLBACK) if found is None else Choice(rule_id=found[0], method=found[1])


def add(
    payments: Payments, method: str, *, reason: str, actor: str, user: User | None = None, now: datetime
) -> MethodRule:
    """Makes a rule, for intents that are created from now on. Raises RuleRefused, UnknownRail, RailNotEnabled.

    A rule that could never pay is refused: the database refuses it as well, but for what an installation has set up.
    """
    rail = registry.rail_for(method=method)
    _check(payments, reason)
    _check_it_can_pay(payments, rail)
    try:
        with transaction.atomic():
            rule = MethodRule.objects.create(
                recipient_id=payments.recipient_pk,
                currency=payments.currency,
                from_minor=payments.lowest.minor if payments.lowest else 0,
                below_minor=payments.below.minor if payments.below else None,
                method=method,
                made_by=user,
                made_by_actor=actor,
                made_at=now,
                reason=reason.strip(),
            )
    except IntegrityError as error:
        if _OVERLAP not in str(error):
            raise
        raise _overlaps(payments) from error
    logger.info("Rule %s made by %s: %s", rule.pk, actor, in_words(rule))
    return rule


def end(rule_id: int, *, reason: str, actor: str, user: User | None = None, now: datetime) -> MethodRule:
    """Ends a rule; intents that it chose for keep their method. Raises RuleRefused."""
    if not reason.strip():
        raise RuleRefused("Ending a rule needs a reason.", field="reason")
    ended = MethodRule.objects.filter(pk=rule_id, ended_at__isnull=True).update(
        ended_by=user, ended_by_actor=actor, ended_at=now, ended_reason=reason.strip()
    )
    if not ended:
        raise RuleRefused("The rule has ended already, or never was.")
    logger.info("Rule %s ended by %s", rule_id, actor)
    return MethodRule.objects.select_related("recipient").get(pk=rule_id)


def payments_of(rule: MethodRule) -> str:
    """Which payments a rule is for, in words: `acme-haulage, USD from 1,000.00 to below 10,000.00`."""
    whom = rule.recipient.recipient_id if rule.recipient else "any recipient"
    if not rule.currency:
        return f"{whom}, any currency"
    lowest = f"{Money(rule.from_minor, rule.currency).major:,}" if rule.from_minor else ""
    below = f"{Money(rule.below_minor, rule.currency).major:,}" if rule.below_minor else ""
    amounts = " ".join(filter(None, (lowest and f"from {lowest}", below and f"below {below}"))) or "any amount"
    return f"{whom}, {rule.currency} {amounts}"


def in_words(rule: MethodRule) -> str:
    """A rule on one line: `ACH for acme-haulage, USD from 1,000.00`."""
    return f"{wording.in_words(rule.method)} for {payments_of(rule)}"


def _overlaps(payments: Payments) -> RuleRefused:
    """Names the rule in the way, unless it has ended meanwhile."""
    whose = {"recipient__isnull": True} if payments.recipient_pk is None else {"recipient_id": payments.recipient_pk}
    others = MethodRule.objects.filter(**whose, currency=payments.currency, ended_at__isnull=True)
    others = others.exclude(below_minor__lte=payments.lowest.minor if payments.lowest else 0)
    if payments.below:
        others = others.filter(from_minor__lt=payments.below.minor)
    other = others.select_related("recipient").order_by("from_minor").first()
    named = f"Rule {other.pk} ({in_words(other)})" if other else "Another rule"
    return RuleRefused(f"{named} holds for some of these payments; end it first.", field="currency")


def _check_it_can_pay(payments: Payments, rail: PaymentRail) -> None:
    """A rule for any currency can pay those that its rail pays, so only one for a currency may be beyond its rail.

    An intent is paid in parts, each a multiple of the rail's step: so is the whole, which is what a rule looks at. The
    most that a rail pays at once bounds the parts and not the whole, and so refuses no rule.
    """
    currency = payments.currency
    if not currency:
        return
    method = wording.in_words(rail.get_provider().method)
    if never := rail.cannot_pay_in(currency):
        raise RuleRefused(f"This rule could never pay: {never}.", field="currency")
    lowest = max(payments.lowest.minor if payments.lowest else 0, 1)
    step = rail.step(currency)
    if -(-lowest // step) * step > MAX_MINOR[currency]:
        raise RuleRefused(
            f"This rule could never pay: no payment is of more than {Money(MAX_MINOR[currency], currency)}.",
            field="lowest",
        )
    if payments.below and -(-lowest // step) * step >= payments.below.minor:
        raise RuleRefused(
            f"This rule could never pay: there is no amount in it that {method} pays, in steps of "
            f"{Money(step, currency)}.",
            field="below",
        )


def _check(payments: Payments, reason: str) -> None:
    if not reason.strip():
        raise RuleRefused("A rule needs a reason.", field="reason")
    if payments.currency and payments.currency not in EXPONENTS:
        raise RuleRefused(f"The currencies are {', '.join(EXPONENTS)}.", field="currency")
    bounds = [bound for bound in (payments.lowest, payments.below) if bound is not None]
    if bounds and not payments.currency:
        raise RuleRefused("Amounts need a currency.", field="currency")
    if any(bound.currency != payments.currency for bound in bounds):
        raise RuleRefused("Amounts are of the rule's currency.", field="lowest")
    if len(bounds) == 2 and bounds[0].minor >= bounds[1].minor:
        raise RuleRefused("The amounts end above where they begin.", field="below")
