"""What the bank sends of ACH: its files, each read once, and every return and notification of change in them."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.ach import AchEntry
from rails.models.ach_guards import ONLY_DEALING_FOLLOWS
from rails.models.destination import Destination
from rails.models.guards import Guard, append_only, never_removed


class AchInboundFile(models.Model):
    """A file of the bank, known by its bytes. `faults` ([{line, reason}]): it is kept out whole, nothing was applied.

    `is_bare`: batches without any control record, so nothing says whether it was complete.
    """

    sha256 = models.TextField()
    name = models.TextField()
    size = models.BigIntegerField()
    faults = models.JSONField(default=list, blank=True)
    is_bare = models.BooleanField(default=False)
    item_count = models.IntegerField(default=0)
    debits_minor = models.BigIntegerField(default=0)
    credits_minor = models.BigIntegerField(default=0)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    actor = models.TextField()
    reason = models.TextField(default="", blank=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name = "ACH file of the bank"
        verbose_name_plural = "ACH files of the bank"
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="an_ach_file_of_the_bank_is_read_once"),
            models.CheckConstraint(
                name="an_ach_file_of_the_bank_has_a_digest", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
            models.CheckConstraint(name="an_ach_file_of_the_bank_has_an_actor", condition=~Q(actor="")),
            models.CheckConstraint(
                name="a_quarantined_ach_file_applies_nothing", condition=Q(faults=[]) | Q(item_count=0)
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=~Q(faults=[]), name="quarantined_ach_files")]
        triggers = append_only()

    def __str__(self) -> str:
        return self.name


class AchItemKind(models.TextChoices):
    """What an item of a bank's file is."""

    RETURN = "RETURN"
    CHANGE = "CHANGE"
    DISHONORED = "DISHONORED", "dishonored return"
    CONTESTED = "CONTESTED", "contested dishonored return"
    OTHER = "OTHER"


class AchItemStanding(models.TextChoices):
    """What became of an item: applied, or why not."""

    APPLIED = "APPLIED"
    REPEATED = "REPEATED", "known before"
    UNKNOWN = "UNKNOWN", "of no entry of ours"
    UNFIT = "UNFIT", "does not fit its entry"
    NOTED = "NOTED", "for a person to judge"


class AchInboundItem(models.Model):
    """One return, notification of change, or other entry of a bank's file, and what became of it.

    `destination` is the change it proposed. An item that moves nothing by itself waits for a person (`waits`), who
    says how it was dealt with.
    """

    file = models.ForeignKey(AchInboundFile, on_delete=models.PROTECT, related_name="items", db_index=False)
    line = models.IntegerField()
    kind = models.TextField(choices=AchItemKind)
    code = models.TextField(default="", blank=True)
    trace_number = models.TextField()
    entry = models.ForeignKey(AchEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="items")
    amount_minor = models.BigIntegerField()
    standing = models.TextField(choices=AchItemStanding)
    is_late = models.BooleanField(default=False)
    words = models.TextField()
    destination = models.ForeignKey(
        Destination, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    waits = models.BooleanField()
    dealt_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    dealt_by_actor = models.TextField(default="", blank=True)
    dealt_at = models.DateTimeField(null=True, blank=True)
    dealt_reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-file_id", "line"]
        verbose_name = "item of the bank"
        verbose_name_plural = "items of the bank"
        constraints = [
            models.UniqueConstraint(fields=["file", "line"], name="a_line_of_an_ach_file_is_one_item"),
            models.UniqueConstraint(
                fields=["entry"],
                condition=Q(kind="RETURN", standing="APPLIED"),
                name="a_return_of_an_ach_entry_is_applied_once",
            ),
            models.UniqueConstraint(
                fields=["entry", "code"],
                condition=Q(kind="CHANGE", standing="APPLIED"),
                name="a_change_for_an_ach_entry_is_applied_once",
            ),
            models.CheckConstraint(
                name="what_is_applied_has_an_entry", condition=~Q(standing="APPLIED") | Q(entry__isnull=False)
            ),
            models.CheckConstraint(
                name="who_dealt_with_an_item_says_how",
                condition=Q(dealt_at__isnull=True, dealt_by_actor="", dealt_reason="")
                | (Q(dealt_at__isnull=False, waits=False) & ~Q(dealt_by_actor="") & ~Q(dealt_reason="")),
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=Q(waits=True), name="ach_items_that_wait")]
        triggers = [
            Guard(
                name="only_dealing_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=ONLY_DEALING_FOLLOWS,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.code or self.kind} of {self.trace_number}"
