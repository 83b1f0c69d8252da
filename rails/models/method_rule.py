"""Which payment method is taken when a client names none."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from rails.base import SettlementProvider
from rails.models.guards import Guard, never_removed
from rails.models.recipient import Recipient
from rails.money import EXPONENTS, MAX_MINOR

_ENDED = ("ended_by_id", "ended_by_actor", "ended_at", "ended_reason")
_ENDS_ONCE = f"""
    IF (to_jsonb(NEW) - ARRAY[{", ".join(f"'{column}'" for column in _ENDED)}])
        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY[{", ".join(f"'{column}'" for column in _ENDED)}])
        OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'Rule % never changes; it ends once', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


# What became a rule before these were refused may stay, until it is ended.
_OVER = Q(ended_at__isnull=False)
_LOWEST = Greatest(F("from_minor"), 1)
# Stripe pays fils by tens: the first amount of such a rule that it pays.
_FIRST_TEN = (_LOWEST + 9) / 10 * 10


def _up_to_the_largest_amount() -> Q:
    by_largest: dict[int, list[str]] = {}
    for currency, largest in MAX_MINOR.items():
        by_largest.setdefault(largest, []).append(currency)
    found = Q(currency="")
    for largest, currencies in by_largest.items():
        found |= Q(currency__in=currencies, from_minor__lte=largest)
    return found


class MethodRule(models.Model):
    """A row of the table of defaults: for these payments this method, from when it was made until it ended.

    No recipient is any, no currency is any. Amounts are minor units of the currency, from `from_minor` on and below
    `below_minor`. Two rules that hold at once for the same recipient and currency do not overlap: an exclusion
    constraint in the migration says so. A rule that could never pay does not hold: there is no such currency or amount,
    or its rail never pays it. What an installation has set up, such as accounts to wire from, `choosing.add` knows.
    """

    recipient = models.ForeignKey(
        Recipient, on_delete=models.PROTECT, null=True, blank=True, related_name="method_rules", db_index=False
    )
    currency = models.TextField(default="", blank=True)
    from_minor = models.BigIntegerField(default=0)
    below_minor = models.BigIntegerField(null=True, blank=True)
    method = models.TextField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    made_by_actor = models.TextField()
    made_at = models.DateTimeField(db_default=Now())
    reason = models.TextField()
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    ended_by_actor = models.TextField(default="", blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "default payment method"
        constraints = [
            models.CheckConstraint(
                name="method_of_a_rule_is_known",
                condition=Q(method__in=[provider.method for provider in SettlementProvider]),
            ),
            models.CheckConstraint(name="currency_of_a_rule_is_a_code", condition=Q(currency__regex="^([A-Z]{3})?$")),
            models.CheckConstraint(
                name="amounts_of_a_rule_are_some",
                condition=Q(from_minor__gte=0) & (Q(below_minor__isnull=True) | Q(below_minor__gt=F("from_minor"))),
            ),
            models.CheckConstraint(
                name="amounts_of_a_rule_have_a_currency",
                condition=~Q(currency="") | Q(from_minor=0, below_minor__isnull=True),
            ),
            models.CheckConstraint(
                name="currency_of_a_rule_is_paid_in", condition=_OVER | Q(currency__in=["", *EXPONENTS])
            ),
            models.CheckConstraint(
                name="amounts_of_a_rule_can_occur",
                condition=_OVER | ((Q(below_minor__isnull=True) | Q(below_minor__gt=1)) & _up_to_the_largest_amount()),
            ),
            models.CheckConstraint(
                name="ach_is_a_default_for_dollars_alone",
                condition=_OVER | ~Q(method=SettlementProvider.ACH.method) | Q(currency__in=["", "USD"]),
            ),
            models.CheckConstraint(
                name="stripe_is_a_default_for_amounts_in_its_steps",
                condition=_OVER
                | ~Q(method=SettlementProvider.STRIPE.method, currency="KWD")
                | Q(below_minor__isnull=True)
                | Q(below_minor__gt=_FIRST_TEN),
            ),
            models.CheckConstraint(name="a_rule_has_a_reason", condition=~Q(reason="") & ~Q(made_by_actor="")),
            models.CheckConstraint(
                name="a_rule_ends_with_a_reason",
                condition=Q(ended_at__isnull=True, ended_by_actor="", ended_reason="")
                | (Q(ended_at__isnull=False) & ~Q(ended_by_actor="") & ~Q(ended_reason="")),
            ),
        ]
        indexes = [
            models.Index(fields=["recipient", "currency"], condition=Q(ended_at__isnull=True), name="rules_that_hold"),
        ]
        triggers = [
            Guard(name="ends_once", when=pgtrigger.Before, operation=pgtrigger.Update, func=_ENDS_ONCE),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"default payment method {self.pk}"
