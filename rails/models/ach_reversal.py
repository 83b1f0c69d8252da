"""What is kept of reversals: that a person asked for one, why it is permitted, and the entry that it became."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.ach import AchEntry
from rails.models.ach_guards import REVERSALS_ARE_PERMITTED, WHAT_IS_ASKED_STAYS
from rails.models.guards import Guard, never_removed


class ReversalReason(models.TextChoices):
    """Why Nacha permits to reverse a credit (Operating Rules, section 2.9, reversing entries)."""

    DUPLICATE = "DUPLICATE", "it duplicates another entry"
    WRONG_RECEIVER = "WRONG_RECEIVER", "it went to the wrong receiver"
    WRONG_AMOUNT = "WRONG_AMOUNT", "it was of the wrong amount"
    WRONG_DATE = "WRONG_DATE", "it came later than it was meant to"


class AchReversal(models.Model):
    """A person's wish to take an entry back: `sent_as` is the reversing entry, once there is one."""

    entry = models.OneToOneField(AchEntry, on_delete=models.PROTECT, related_name="reversal")
    permitted_reason = models.TextField(choices=ReversalReason)
    reason = models.TextField()
    last_day = models.DateField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.TextField()
    asked_at = models.DateTimeField(db_default=Now())
    sent_as = models.OneToOneField(AchEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="reverses")
    given_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "ACH reversal"
        constraints = [
            models.CheckConstraint(
                name="a_reversal_has_a_permitted_reason", condition=Q(permitted_reason__in=ReversalReason.values)
            ),
            models.CheckConstraint(name="a_reversal_has_a_reason_and_an_actor", condition=~Q(reason="") & ~Q(actor="")),
            models.CheckConstraint(
                name="a_reversal_that_was_sent_is_not_given_up",
                condition=Q(sent_as__isnull=True) | Q(given_up_at__isnull=True),
            ),
        ]
        triggers = [
            Guard(
                name="reversals_are_permitted",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=REVERSALS_ARE_PERMITTED,
            ),
            Guard(
                name="what_is_asked_stays",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=WHAT_IS_ASKED_STAYS,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"Reversal of {self.entry}"
