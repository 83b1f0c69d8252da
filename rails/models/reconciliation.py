"""What we and a provider tell differently of the same payments, as it was when somebody looked."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.base import SettlementProvider
from rails.models.guards import append_only
from rails.wording import in_words


class DifferenceKind(models.TextChoices):
    """How the two sides differ."""

    MISSING_THERE = "MISSING_THERE", "Ours without theirs"
    MISSING_HERE = "MISSING_HERE", "Theirs without ours"
    AMOUNT = "AMOUNT", "Amounts differ"
    DESTINATION = "DESTINATION", "Destinations differ"
    RETURNED = "RETURNED", "What came back differs"
    REFERENCE = "REFERENCE", "References differ"
    NOT_TAKEN_DOWN = "NOT_TAKEN_DOWN", "Made there, not taken down here"
    IN_DOUBT = "IN_DOUBT", "In doubt on both sides"


class RailReconciliation(models.Model):
    """One comparison of a rail's attempts with its provider's payments since a time; `error` says why it failed."""

    provider = models.TextField(choices=[(provider.value, provider.method) for provider in SettlementProvider])
    since = models.DateTimeField()
    ours = models.IntegerField(default=0)
    theirs = models.IntegerField(default=0)
    differences = models.IntegerField(default=0)
    error = models.TextField(default="", blank=True)
    actor = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name = "reconciliation"
        constraints = [
            models.CheckConstraint(
                name="reconciliation_counts_from_zero", condition=Q(ours__gte=0, theirs__gte=0, differences__gte=0)
            ),
            models.CheckConstraint(name="a_reconciliation_names_its_actor", condition=~Q(actor="")),
        ]
        indexes = [models.Index(fields=["provider", "-id"], name="reconciliations_of_a_rail")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{in_words(self.provider)} of {self.started_at:%Y-%m-%d %H:%M} UTC"


class RailDifference(models.Model):
    """One payment that the two sides tell differently; `first_seen_at` is when a comparison found it first.

    `amount_minor` and `returned_minor` are theirs, in minor units of `currency`; null where they have no such payment.
    """

    reconciliation = models.ForeignKey(
        RailReconciliation, on_delete=models.PROTECT, related_name="items", db_index=False
    )
    kind = models.TextField(choices=DifferenceKind)
    milestone_id = models.BigIntegerField(null=True, blank=True)
    attempt_number = models.IntegerField(null=True, blank=True)
    reference = models.TextField(default="", blank=True)
    ours = models.TextField(default="", blank=True)
    theirs = models.TextField(default="", blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    returned_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.TextField(default="", blank=True, db_default="")
    occurred_at = models.DateTimeField()
    first_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["occurred_at", "id"]
        verbose_name = "difference with a provider"
        verbose_name_plural = "differences with providers"
        constraints = [
            models.CheckConstraint(name="difference_kind_is_known", condition=Q(kind__in=DifferenceKind.values)),
        ]
        indexes = [models.Index(fields=["reconciliation", "occurred_at"], name="differences_by_age")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reference or f'milestone settlement {self.milestone_id}'}"
