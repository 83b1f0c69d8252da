"""Every word of a provider about an attempt, as it reached us: written once, whatever it changed."""

from typing import Final

import pgtrigger
from django.db import models
from django.db.models import Q

from rails.base import SAYS_PAID, Applied, RailOutcome, SettlementProvider
from rails.models.attempt import RailAttempt
from rails.models.guards import Guard, append_only

# How the source of a word names the person who took it down; their number follows.
BY_HAND: Final = "recorded by hand: user "

# Its provider says that it paid what we hold for over: refused, or come back under another reference. Until all of that
# has come back too, to pay again would be to pay twice. Aliases: n the notice, a its attempt.
SAYS_PAID_WHAT_IS_OVER: Final = f"""(
    n.applied = 'CONTRADICTED' AND n.outcome IN ({", ".join(f"'{outcome}'" for outcome in sorted(SAYS_PAID))})
    AND (a.state = 'REFUSED' OR (a.state = 'RETURNED' AND n.reference NOT IN ('', a.reference)))
    AND NOT EXISTS (
        SELECT 1 FROM rails_railnotice back
        WHERE back.attempt_id = n.attempt_id AND back.applied = 'CONTRADICTED' AND back.outcome = 'RETURNED'
          AND back.reference = n.reference AND (back.amount_minor IS NULL
              OR (back.amount_minor, back.currency) = (a.amount_minor, a.currency)))
)"""

# Judged at commit, when what it is about has been withdrawn; the lock makes whoever hands it over meanwhile see this.
_WITHDRAWN_FIRST = """
    SELECT * INTO told FROM rails_railattempt WHERE id = NEW.attempt_id FOR NO KEY UPDATE;
    IF rails_paid_though_refused(told.milestone_id) AND EXISTS (
        SELECT 1 FROM rails_railattempt later WHERE later.milestone_id = told.milestone_id
        AND later.number > told.number AND later.state = 'PREPARED') THEN
        RAISE EXCEPTION 'Milestone %: what follows a payment that its provider says it paid is withdrawn first',
            told.milestone_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
"""

# Two who listen to Stripe at once may not tell in the wrong order what became of a payout: what is taken down of one is
# what it says now, with no way past the lock. What a failed one had may have reached the bank by another.
_AS_THE_PAYOUT_STANDS = """
    PERFORM 1 FROM rails_stripepayout p JOIN rails_stripepayoutpart part ON part.payout_id = p.id
        WHERE part.transfer_id = NEW.reference ORDER BY p.id FOR SHARE OF p;
    IF NOT EXISTS (
        SELECT 1 FROM rails_stripepayout p JOIN rails_stripepayoutpart part ON part.payout_id = p.id
        WHERE 'stripe payout ' || p.payout_id = NEW.source AND part.transfer_id = NEW.reference
          AND p.status = CASE NEW.outcome WHEN 'CONFIRMED' THEN 'paid' WHEN 'PAYOUT_FAILED' THEN 'failed' END
    ) OR (NEW.outcome = 'PAYOUT_FAILED' AND EXISTS (
        SELECT 1 FROM rails_stripepayout p JOIN rails_stripepayoutpart part ON part.payout_id = p.id
        WHERE part.transfer_id = NEW.reference AND p.status = 'paid'
    )) THEN
        RAISE EXCEPTION '% does not say % of % any more', NEW.source, NEW.outcome, NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class RailNotice(models.Model):
    """What a provider said of an attempt, by which source, and what that changed.

    `amount_minor` of `currency` is what came back in all by then; none of both where everything did, or nothing.
    """

    attempt = models.ForeignKey(RailAttempt, on_delete=models.PROTECT, related_name="notices", db_index=False)
    source = models.TextField()
    outcome = models.TextField(choices=[(outcome.value, outcome.value) for outcome in RailOutcome])
    applied = models.TextField(choices=[(applied.value, applied.value) for applied in Applied])
    reference = models.TextField(default="", blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.TextField(default="", db_default="", blank=True)
    reason = models.TextField(default="", blank=True)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "rail notice"
        constraints = [
            models.UniqueConstraint(fields=["attempt", "source", "outcome"], name="a_word_counts_once"),
            models.CheckConstraint(name="a_notice_names_its_source", condition=~Q(source="")),
            models.CheckConstraint(
                name="what_a_notice_did_is_known",
                condition=Q(applied__in=[Applied.APPLIED, Applied.ALREADY_PROCESSED, Applied.CONTRADICTED]),
            ),
            models.CheckConstraint(
                name="what_a_notice_says_is_known", condition=Q(outcome__in=[outcome.value for outcome in RailOutcome])
            ),
            # Not of the rows that were there before the currency was kept: a notice is never changed.
            models.CheckConstraint(
                name="an_amount_of_a_notice_has_a_currency", condition=Q(amount_minor__isnull=True) | ~Q(currency="")
            ),
        ]
        indexes = [
            # What nobody can believe waits for a person to look at it.
            models.Index(fields=["-id"], condition=Q(applied="CONTRADICTED"), name="notices_that_contradict"),
            models.Index(fields=["attempt"], condition=Q(outcome="PAYOUT_FAILED"), name="notices_of_failed_payouts"),
        ]
        triggers = [
            Guard(
                name="a_payout_is_told_of_as_it_stands",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.source LIKE 'stripe payout %%'"),
                func=_AS_THE_PAYOUT_STANDS,
            ),
            Guard(
                name="what_follows_is_withdrawn_first",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                condition=pgtrigger.Condition("NEW.applied = 'CONTRADICTED'"),
                declare=[("told", "rails_railattempt")],
                func=_WITHDRAWN_FIRST,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"{SettlementProvider(self.attempt.provider)}: {self.source}"
