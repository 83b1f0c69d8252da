"""What does not fit between settlements, attempts, journal and providers, and what people said of it."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.base import SettlementProvider
from rails.models.guards import Guard
from settlements.models import guards
from settlements.statuses import MismatchKind

_WORDS = "[^[:space:]]"
_PROVIDERS = [(provider.value, provider.method) for provider in SettlementProvider]
_FOUND = ("identity", "kind", "provider", "milestone_id", "attempt_number", "reference", "currency", "expected_minor",
          "found_minor", "expected", "found", "occurred_at", "found_at")  # fmt: skip

_GOES_ONCE = f"""
    IF OLD.gone_at IS NOT NULL AND NEW.gone_at IS DISTINCT FROM OLD.gone_at THEN
        {guards.refuse("what is gone stays gone: found again it is another difference")}
    END IF;
    RETURN NEW;
"""
# Who says that it is gone waits for who resolves it, and the other way round.
_STILL_THERE = f"""
    PERFORM 1 FROM settlements_booksdifference d WHERE d.id = NEW.difference_id AND d.gone_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        {guards.refuse("what is resolved is still there")}
    END IF;
    RETURN NEW;
"""


class Comparison(models.Model):
    """One comparison of all four sides, as of one moment.

    `totals`: for each rail and currency ("stripe USD") how many `payments` there are, what of them is `on_their_way` by
    the attempts, and what the `clearing` account holds, in minor units (null: there is none).
    """

    actor = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_default=Now())
    payments = models.BigIntegerField()
    differences = models.BigIntegerField()
    totals = models.JSONField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "comparison of the books"
        verbose_name_plural = "comparisons of the books"
        constraints = [
            models.CheckConstraint(
                name="a_comparison_counts_from_zero", condition=Q(payments__gte=0, differences__gte=0)
            ),
            models.CheckConstraint(name="a_comparison_names_its_actor", condition=Q(actor__regex=_WORDS)),
        ]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"comparison of {self.started_at:%Y-%m-%d %H:%M} UTC"


class BooksDifference(models.Model):
    """One thing that two sides tell differently, from when it was found until it was gone; amounts in minor units.

    `identity` is the digest of what was found: with another amount it is another difference. `expected` and `found` are
    the two sides' words. `milestone_id` null: it is of no payment of ours. `occurred_at` is the payment's time.
    """

    identity = models.TextField()
    kind = models.TextField(choices=[(kind.value, kind.value) for kind in MismatchKind])
    provider = models.TextField(choices=_PROVIDERS)
    milestone_id = models.BigIntegerField(null=True, blank=True)
    attempt_number = models.IntegerField(null=True, blank=True)
    reference = models.TextField(default="", blank=True)
    currency = models.TextField(default="", blank=True)
    expected_minor = models.BigIntegerField(null=True, blank=True)
    found_minor = models.BigIntegerField(null=True, blank=True)
    expected = models.TextField(default="", blank=True)
    found = models.TextField(default="", blank=True)
    occurred_at = models.DateTimeField()
    found_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["occurred_at", "id"]
        verbose_name = "difference in the books"
        verbose_name_plural = "differences in the books"
        constraints = [
            models.UniqueConstraint(
                fields=["identity"], condition=Q(gone_at__isnull=True), name="a_difference_is_there_once"
            ),
            models.CheckConstraint(
                name="a_difference_is_of_a_known_kind", condition=Q(kind__in=[kind.value for kind in MismatchKind])
            ),
            models.CheckConstraint(
                name="a_difference_is_on_a_known_rail", condition=Q(provider__in=[name for name, _ in _PROVIDERS])
            ),
        ]
        indexes = [
            models.Index(fields=["occurred_at", "id"], condition=Q(gone_at__isnull=True), name="differences_that_are"),
            models.Index(fields=["milestone_id"], name="differences_of_a_milestone"),
        ]
        triggers = [
            guards.fixed(*_FOUND),
            Guard(name="it_goes_once", when=pgtrigger.Before, operation=pgtrigger.Update, func=_GOES_ONCE),
            *guards.never_removed(),
        ]

    def __str__(self) -> str:
        return f"difference {self.pk}"


class DifferenceResolution(models.Model):
    """What a person said of a difference that was there: once, for good. It changes no money."""

    difference = models.OneToOneField(BooksDifference, on_delete=models.PROTECT, related_name="resolution")
    reason = models.TextField()
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    actor = models.TextField()
    resolved_at = models.DateTimeField()

    class Meta:
        ordering = ["-resolved_at", "-id"]
        verbose_name = "resolution of a difference"
        verbose_name_plural = "resolutions of differences"
        constraints = [
            models.CheckConstraint(name="a_resolution_has_a_reason", condition=Q(reason__regex=_WORDS)),
            models.CheckConstraint(name="a_resolution_names_its_actor", condition=Q(actor__regex=_WORDS)),
        ]
        indexes = [models.Index(fields=["-resolved_at", "-id"], name="resolutions_by_time")]
        triggers = [
            Guard(name="still_there", when=pgtrigger.Before, operation=pgtrigger.Insert, func=_STILL_THERE),
            *guards.append_only(),
        ]

    def __str__(self) -> str:
        return f"resolution of {self.difference}"
