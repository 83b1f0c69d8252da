"""What is kept of ACH: files that were handed to the bank, the entries in them, and what became of each entry."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from rails.models.ach_guards import (
    A_FILE_TAKES_NO_MORE,
    ENTRIES_SUM_TO_THE_FILE,
    ONE_AT_A_TIME,
    ONLY_HEARING_FOLLOWS,
    ONLY_ITS_FATE_FOLLOWS,
    OUTCOMES_FOLLOW_HANDING_OVER,
)
from rails.models.destination import Destination
from rails.models.guards import Fsm, Guard, append_only, never_removed, verdict_decides


class AchFileState(models.TextChoices):
    """STAGED: bytes and entries are fixed and the bank may have it. HANDED_OVER: it has it. REFUSED: it took none.

    NEVER_SENT: the outbox lost it, and two people say that the bank never got it.
    """

    STAGED = "STAGED"
    HANDED_OVER = "HANDED_OVER"
    REFUSED = "REFUSED"
    NEVER_SENT = "NEVER_SENT"


class AchFilePurpose(models.TextChoices):
    """A file pays, or it takes back by reversing entries what was paid wrongly."""

    PAYMENTS = "PAYMENTS"
    REVERSALS = "REVERSALS"


class AchFile(models.Model):
    """One NACHA file of one window. `sha256` is that of its bytes, which are not kept; the totals are its control's."""

    name = models.TextField()
    purpose = models.TextField(choices=AchFilePurpose, default=AchFilePurpose.PAYMENTS)
    window_day = models.DateField()
    window_cut_off = models.TimeField()
    same_day = models.BooleanField()
    effective_entry_date = models.DateField()
    creation_date = models.DateField()
    id_modifier = models.TextField()
    state = models.TextField(choices=AchFileState, default=AchFileState.STAGED)
    sha256 = models.TextField()
    entry_count = models.IntegerField()
    entry_hash = models.BigIntegerField()
    debits_minor = models.BigIntegerField()
    credits_minor = models.BigIntegerField()
    created_at = models.DateTimeField()
    lost_at = models.DateTimeField(null=True, blank=True)
    lost_words = models.TextField(default="", blank=True)
    known_sent_at = models.DateTimeField(null=True, blank=True)
    known_sent_words = models.TextField(default="", blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    refused_by_actor = models.TextField(default="", blank=True)
    refused_reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "ACH file"
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "window_day", "window_cut_off"], name="one_ach_file_per_window_and_purpose"
            ),
            models.UniqueConstraint(fields=["creation_date", "id_modifier"], name="an_id_modifier_is_used_once_a_day"),
            models.UniqueConstraint(fields=["name"], name="an_ach_files_name_is_used_once"),
            models.CheckConstraint(
                name="an_id_modifier_is_a_letter_or_digit", condition=Q(id_modifier__regex="^[A-Z0-9]$")
            ),
            models.CheckConstraint(name="an_ach_file_is_balanced", condition=Q(debits_minor=F("credits_minor"))),
            models.CheckConstraint(
                name="an_ach_file_moves_something", condition=Q(entry_count__gt=0, credits_minor__gt=0)
            ),
            models.CheckConstraint(name="an_ach_file_has_a_digest", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(
                name="an_ach_file_says_when_it_was_handed_over",
                condition=Q(state__in=["STAGED", "NEVER_SENT"], handed_over_at__isnull=True, settled_at__isnull=True)
                | (Q(state__in=["HANDED_OVER", "REFUSED"], handed_over_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="a_refused_ach_file_says_why",
                condition=Q(state="REFUSED", refused_at__isnull=False) & ~Q(refused_reason="") & ~Q(refused_by_actor="")
                | (~Q(state="REFUSED") & Q(refused_at__isnull=True, refused_reason="", refused_by_actor="")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["effective_entry_date"],
                condition=Q(state="HANDED_OVER", settled_at__isnull=True),
                name="ach_files_on_their_way",
            ),
            models.Index(fields=["id"], condition=Q(state="STAGED"), name="ach_files_staged"),
        ]
        triggers = [
            Guard(
                name="only_its_fate_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=ONLY_ITS_FATE_FOLLOWS,
            ),
            Fsm(
                name="state_follows_the_table",
                field="state",
                transitions=[
                    (AchFileState.STAGED.value, AchFileState.HANDED_OVER.value),
                    (AchFileState.STAGED.value, AchFileState.NEVER_SENT.value),
                    (AchFileState.HANDED_OVER.value, AchFileState.REFUSED.value),
                ],
            ),
            Guard(
                name="a_verdict_decides_what_was_lost",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=verdict_decides("ach_file_id", "ACH file"),
            ),
            Guard(
                name="entries_sum_to_the_file",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=[("entries", "integer"), ("debits", "numeric"), ("credits", "numeric")],
                func=ENTRIES_SUM_TO_THE_FILE,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return self.name


class AchEntryKind(models.TextChoices):
    """What an entry is for: to pay, to balance the file at our own account, to take back."""

    PAYMENT = "PAYMENT"
    OFFSET = "OFFSET"
    REVERSAL = "REVERSAL"


class AchEntry(models.Model):
    """One entry of a file under its trace number; the account number stays sealed in the destination."""

    file = models.ForeignKey(AchFile, on_delete=models.PROTECT, related_name="entries")
    kind = models.TextField(choices=AchEntryKind)
    milestone_id = models.BigIntegerField(null=True, blank=True)
    attempt_number = models.IntegerField(null=True, blank=True)
    trace_number = models.TextField()
    batch_number = models.IntegerField()
    sec = models.TextField()
    transaction_code = models.TextField()
    rdfi = models.TextField()
    destination = models.ForeignKey(
        Destination, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "ACH entry"
        verbose_name_plural = "ACH entries"
        constraints = [
            models.UniqueConstraint(
                fields=["milestone_id", "attempt_number"],
                condition=Q(kind="PAYMENT"),
                name="an_attempt_is_one_ach_entry",
            ),
            models.UniqueConstraint(fields=["trace_number"], name="a_trace_number_is_used_once"),
            models.CheckConstraint(name="a_trace_number_has_15_digits", condition=Q(trace_number__regex="^[0-9]{15}$")),
            models.CheckConstraint(name="an_ach_entry_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="an_offset_belongs_to_no_attempt",
                condition=Q(
                    kind="OFFSET", milestone_id__isnull=True, attempt_number__isnull=True, destination__isnull=True
                )
                | (~Q(kind="OFFSET") & Q(milestone_id__isnull=False, attempt_number__gte=1, destination__isnull=False)),
            ),
            models.CheckConstraint(
                name="an_ach_entry_has_a_known_code",
                condition=Q(kind="PAYMENT", transaction_code__in=["22", "32"])
                | Q(kind="REVERSAL", transaction_code__in=["27", "37"])
                | Q(kind="OFFSET", transaction_code__in=["22", "27", "32", "37"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["milestone_id"], condition=Q(milestone_id__isnull=False), name="ach_entries_of_a_milestone"
            )
        ]
        triggers = [
            Guard(
                name="one_ach_entry_at_a_time",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("file", "rails_achfile"), ("attempt", "rails_railattempt")],
                func=ONE_AT_A_TIME,
            ),
            Guard(
                name="an_ach_file_takes_no_more",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_entries"),  # type: ignore[no-untyped-call]
                func=A_FILE_TAKES_NO_MORE,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return self.trace_number


class AchFate(models.TextChoices):
    """What became of an entry: nothing came back in time, or it came back."""

    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"


class AchOutcome(models.Model):
    """What is known of an entry, once for each fate; `heard_at`: when its settlement was told.

    `said_by` took down the bank's word under its reference, where a person did.
    """

    entry = models.ForeignKey(AchEntry, on_delete=models.PROTECT, related_name="outcomes", db_index=False)
    fate = models.TextField(choices=AchFate)
    source = models.TextField()
    reason = models.TextField(default="", blank=True)
    occurred_at = models.DateTimeField()
    said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    bank_reference = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    heard_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = "ACH outcome"
        constraints = [
            models.UniqueConstraint(fields=["entry", "fate"], name="an_ach_entry_has_each_fate_once"),
            models.CheckConstraint(name="an_ach_fate_is_known", condition=Q(fate__in=AchFate.values)),
            models.CheckConstraint(name="an_ach_outcome_names_its_source", condition=~Q(source="")),
            models.CheckConstraint(
                name="a_person_has_the_banks_reference",
                condition=Q(said_by__isnull=True, bank_reference="")
                | (Q(said_by__isnull=False) & ~Q(bank_reference="") & ~Q(reason="")),
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(heard_at__isnull=True), name="ach_outcomes_to_be_heard")]
        triggers = [
            Guard(
                name="outcomes_follow_handing_over",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=OUTCOMES_FOLLOW_HANDING_OVER,
            ),
            Guard(
                name="only_hearing_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=ONLY_HEARING_FOLLOWS,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return f"{self.fate.lower()}: {self.reason}" if self.reason else self.fate.lower()
