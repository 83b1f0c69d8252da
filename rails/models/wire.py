"""What is kept of wires: files that were handed to the bank, the payments in them, and the bank's word on each."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rails.models.destination import Destination
from rails.models.guards import Fsm, Guard, append_only, never_removed, verdict_decides
from rails.models.wire_guards import (
    A_FILE_TAKES_NO_MORE,
    ENTRIES_SUM_TO_THE_FILE,
    ONE_AT_A_TIME,
    ONLY_HANDING_OVER_FOLLOWS,
    ONLY_HEARING_FOLLOWS,
    WORDS_FOLLOW_EACH_OTHER,
)


class WireFileState(models.TextChoices):
    """STAGED: its bytes and its payments are fixed, and the bank may have it. HANDED_OVER: the bank has it.

    NEVER_SENT: the outbox lost it, and two people say that the bank never got it.
    """

    STAGED = "STAGED"
    HANDED_OVER = "HANDED_OVER"
    NEVER_SENT = "NEVER_SENT"


class WireFile(models.Model):
    """One pain.001: a currency's payments of one window. `sha256` is that of the bytes; the bytes are not kept."""

    name = models.TextField()
    message_id = models.TextField()
    currency = models.TextField()
    window_opens = models.DateTimeField()
    execution_date = models.DateField()
    state = models.TextField(choices=WireFileState, default=WireFileState.STAGED)
    sha256 = models.TextField()
    entry_count = models.IntegerField()
    amount_minor = models.BigIntegerField()
    created_at = models.DateTimeField()
    lost_at = models.DateTimeField(null=True, blank=True)
    lost_words = models.TextField(default="", blank=True)
    known_sent_at = models.DateTimeField(null=True, blank=True)
    known_sent_words = models.TextField(default="", blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "window_opens"], name="one_wire_file_per_currency_and_window"),
            models.UniqueConstraint(fields=["name"], name="a_wire_files_name_is_used_once"),
            models.UniqueConstraint(fields=["message_id"], name="a_wire_files_message_id_is_used_once"),
            models.CheckConstraint(
                name="a_wire_file_pays_somebody", condition=Q(entry_count__gt=0, amount_minor__gt=0)
            ),
            models.CheckConstraint(name="a_wire_file_has_a_digest", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(
                name="a_wire_file_says_when_it_was_handed_over",
                condition=Q(state__in=["STAGED", "NEVER_SENT"], handed_over_at__isnull=True)
                | Q(state="HANDED_OVER", handed_over_at__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="STAGED"), name="wire_files_staged")]
        triggers = [
            Guard(
                name="only_handing_over_follows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=ONLY_HANDING_OVER_FOLLOWS,
            ),
            Fsm(
                name="state_follows_the_table",
                field="state",
                transitions=[
                    (WireFileState.STAGED.value, WireFileState.HANDED_OVER.value),
                    (WireFileState.STAGED.value, WireFileState.NEVER_SENT.value),
                ],
            ),
            Guard(
                name="a_verdict_decides_what_was_lost",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=verdict_decides("wire_file_id", "Wire file"),
            ),
            Guard(
                name="entries_sum_to_the_file",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=[("entries", "integer"), ("total", "numeric")],
                func=ENTRIES_SUM_TO_THE_FILE,
            ),
            *never_removed(),
        ]

    def __str__(self) -> str:
        return self.name


class WireEntry(models.Model):
    """One payment of a file: the attempt it pays, its references, and the destination, whose number stays sealed."""

    file = models.ForeignKey(WireFile, on_delete=models.PROTECT, related_name="entries")
    milestone_id = models.BigIntegerField()
    attempt_number = models.IntegerField()
    end_to_end_id = models.TextField()
    uetr = models.UUIDField()
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = models.TextField()
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "wire"
        verbose_name_plural = "wires"
        constraints = [
            models.UniqueConstraint(fields=["milestone_id", "attempt_number"], name="an_attempt_is_one_wire"),
            models.UniqueConstraint(fields=["end_to_end_id"], name="an_end_to_end_id_is_one_wire"),
            models.UniqueConstraint(fields=["uetr"], name="a_uetr_is_one_wire"),
            models.CheckConstraint(name="a_wire_moves_something", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(name="wire_attempts_count_from_one", condition=Q(attempt_number__gte=1)),
            models.CheckConstraint(
                name="an_end_to_end_id_is_as_banks_write", condition=Q(end_to_end_id__regex=r"^[0-9A-Z-]{1,35}$")
            ),
        ]
        triggers = [
            Guard(
                name="one_wire_at_a_time",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("file", "rails_wirefile"), ("attempt", "rails_railattempt")],
                func=ONE_AT_A_TIME,
            ),
            Guard(
                name="a_file_takes_no_more",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_wires"),  # type: ignore[no-untyped-call]
                func=A_FILE_TAKES_NO_MORE,
            ),
            *append_only(),
        ]

    def __str__(self) -> str:
        return self.end_to_end_id


class WireWord(models.TextChoices):
    """What the bank says of a wire: it credited it, it refused it, or money came back after it had."""

    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"


class WireAnswer(models.Model):
    """The bank's word on one wire, taken down by a person under the bank's own reference.

    `amount_minor` is what came back this time, of a RETURNED one alone. `heard_at`: when the settlement was told.
    """

    entry = models.ForeignKey(WireEntry, on_delete=models.PROTECT, related_name="answers")
    word = models.TextField(choices=WireWord)
    bank_reference = models.TextField()
    amount_minor = models.BigIntegerField(null=True, blank=True)
    reason = models.TextField()
    said_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.TextField()
    said_at = models.DateTimeField(db_default=Now())
    heard_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["entry"], condition=Q(word__in=["CONFIRMED", "REFUSED"]), name="the_bank_decides_a_wire_once"
            ),
            models.UniqueConstraint(fields=["entry", "bank_reference"], name="a_banks_reference_is_one_word_on_a_wire"),
            models.UniqueConstraint(
                fields=["bank_reference"], condition=Q(word="CONFIRMED"), name="a_banks_reference_confirms_one_wire"
            ),
            models.CheckConstraint(name="a_wires_word_is_known", condition=Q(word__in=WireWord.values)),
            models.CheckConstraint(
                name="a_banks_reference_is_visible_characters",
                condition=Q(bank_reference__regex=r"^[^[:space:][:cntrl:]]([^[:cntrl:]]{0,68}[^[:space:][:cntrl:]])?$"),
            ),
            models.CheckConstraint(
                name="what_came_back_has_an_amount",
                condition=(Q(word="RETURNED", amount_minor__isnull=False) & Q(amount_minor__gt=0))
                | (~Q(word="RETURNED") & Q(amount_minor__isnull=True)),
            ),
            models.CheckConstraint(name="a_word_has_a_reason_and_an_actor", condition=~Q(reason="") & ~Q(actor="")),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(heard_at__isnull=True), name="words_to_be_heard"),
        ]
        triggers = [
            Guard(
                name="words_follow_each_other",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("wire", "rails_wireentry"), ("handed_over", "boolean"), ("back", "numeric")],
                func=WORDS_FOLLOW_EACH_OTHER,
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
        return f"{self.word.lower()} under {self.bank_reference}"


class WireMessage(models.Model):
    """One file of the bank: read once, whatever it is called. A broken one is kept out whole, with its first fault."""

    sha256 = models.TextField()
    name = models.TextField()
    size = models.BigIntegerField()
    kind = models.TextField(default="", blank=True)
    message_id = models.TextField(default="", blank=True)
    fault = models.TextField(default="", blank=True)
    fault_line = models.IntegerField(null=True, blank=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        verbose_name = "bank message on wires"
        verbose_name_plural = "bank messages on wires"
        constraints = [
            models.UniqueConstraint(fields=["sha256"], name="a_bank_message_is_read_once"),
            models.CheckConstraint(
                name="a_bank_message_is_known_or_faulty", condition=Q(fault="") & ~Q(kind="") | ~Q(fault="")
            ),
        ]
        indexes = [models.Index(fields=["-id"], condition=~Q(fault=""), name="quarantined_bank_messages")]
        triggers = append_only()

    def __str__(self) -> str:
        return self.name


class WireEvidence(models.Model):
    """What a bank's file says of one wire, or of one that nobody knows. A person judges it; it moves nothing.

    `proposes` is the word that it speaks for; empty when the wire is merely on its way.
    """

    message = models.ForeignKey(WireMessage, on_delete=models.PROTECT, related_name="evidence")
    entry = models.ForeignKey(WireEntry, on_delete=models.PROTECT, null=True, related_name="evidence")
    place = models.IntegerField()
    end_to_end_id = models.TextField(default="", blank=True)
    status = models.TextField()
    proposes = models.TextField(choices=WireWord, default="", blank=True)
    bank_reference = models.TextField(default="", blank=True)
    currency = models.TextField(default="", blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    reason = models.TextField(default="", blank=True)
    booked_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["-message_id", "place"]
        verbose_name = "evidence on a wire"
        verbose_name_plural = "evidence on wires"
        constraints = [
            models.UniqueConstraint(fields=["message", "place"], name="a_place_of_a_bank_message_is_one_evidence"),
            models.CheckConstraint(
                name="evidence_proposes_a_word", condition=Q(proposes="") | Q(proposes__in=WireWord.values)
            ),
            models.CheckConstraint(
                name="evidence_has_a_whole_amount",
                condition=Q(amount_minor__isnull=True, currency="") | (Q(amount_minor__gt=0) & ~Q(currency="")),
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.status} of {self.end_to_end_id or 'a wire without reference'}"
