"""Every word of a provider about an attempt, as it reached us: written once, whatever it changed."""

from typing import Final

from django.db import models
from django.db.models import Q

from rails.base import Applied, RailOutcome, SettlementProvider
from rails.models.attempt import RailAttempt
from rails.models.guards import append_only

# How the source of a word names the person who took it down; their number follows.
BY_HAND: Final = "recorded by hand: user "


class RailNotice(models.Model):
    """What a provider said of an attempt, by which source, and what that changed; `amount_minor` is what came back."""

    attempt = models.ForeignKey(RailAttempt, on_delete=models.PROTECT, related_name="notices", db_index=False)
    source = models.TextField()
    outcome = models.TextField(choices=[(outcome.value, outcome.value) for outcome in RailOutcome])
    applied = models.TextField(choices=[(applied.value, applied.value) for applied in Applied])
    reference = models.TextField(default="", blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
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
        ]
        indexes = [
            # What nobody can believe waits for a person to look at it.
            models.Index(fields=["-id"], condition=Q(applied="CONTRADICTED"), name="notices_that_contradict"),
            models.Index(fields=["attempt"], condition=Q(outcome="PAYOUT_FAILED"), name="notices_of_failed_payouts"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{SettlementProvider(self.attempt.provider)}: {self.source}"
