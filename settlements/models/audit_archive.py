"""Which audit events lie in files by now instead of in their table: what each file is, and where each chain was cut."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from rails.models.guards import Guard
from settlements.models import guards
from settlements.models.intent import PaymentIntent

# A file is recorded with all that it holds, and the next file of a month has the next number.
WHOLE: Guard = Guard(
    name="an_archive_is_recorded_whole",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("chains", "bigint"), ("events", "bigint")],
    func=f"""
        SELECT count(*), coalesce(sum(c.last_sequence - c.first_sequence + 1), 0) INTO chains, events
        FROM settlements_archivedchain c WHERE c.archive_id = NEW.id;
        IF (chains, events) <> (NEW.chains, NEW.events) THEN
            {guards.refuse("an archive is recorded with the chains and events that it holds")}
        END IF;
        IF NEW.number <> 1 + (SELECT count(*) FROM settlements_auditarchive a WHERE a.month = NEW.month) THEN
            {guards.refuse("the archives of a month are numbered one after the other")}
        END IF;
        RETURN NEW;
    """,
)
# The chains are written first: once their archive is there, none is added to it.
CUT: Guard = Guard(
    name="a_chain_is_cut_where_it_begins",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("begins", "integer")],
    func=f"""
        IF EXISTS (SELECT 1 FROM settlements_auditarchive a WHERE a.id >= NEW.archive_id) THEN
            {guards.refuse("chains are written before their archive is")}
        END IF;
        SELECT min(a.sequence) INTO begins FROM public.settlements_auditevent a WHERE a.intent_id = NEW.intent_id;
        IF begins IS DISTINCT FROM NEW.first_sequence OR begins <> coalesce((
                SELECT max(c.last_sequence) FROM settlements_archivedchain c WHERE c.intent_id = NEW.intent_id), 1) THEN
            {guards.refuse("a chain is archived from where it begins in the table")}
        END IF;
        IF NOT EXISTS (SELECT 1 FROM public.settlements_auditevent a WHERE a.intent_id = NEW.intent_id
                       AND a.sequence = NEW.last_sequence AND a.hash = NEW.hash) THEN
            {guards.refuse("an archived chain ends with an audit event that stays")}
        END IF;
        RETURN NEW;
    """,
)


class AuditArchive(models.Model):
    """A file of audit events (settlements/archives/files.py): what it holds, before anything of it leaves the table.

    `month` is its first day, `sha256` in hexadecimal of the compressed file, `size` its bytes. `after_days` is the age
    that was asked of an intent's last event then.
    """

    id = models.BigIntegerField(primary_key=True)
    month = models.DateField()
    number = models.IntegerField()
    file_name = models.TextField(unique=True)
    sha256 = models.TextField(verbose_name="digest (SHA-256)")
    size = models.BigIntegerField(verbose_name="bytes")
    chains = models.BigIntegerField(verbose_name="intents")
    events = models.BigIntegerField(verbose_name="audit events")
    after_days = models.IntegerField(verbose_name="days of rest")
    actor = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit archive"
        constraints = [
            models.UniqueConstraint(fields=["month", "number"], name="one_audit_archive_per_month_and_number"),
            models.CheckConstraint(condition=Q(month__day=1), name="an_audit_archive_is_of_a_month"),
            models.CheckConstraint(condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="an_audit_archive_has_a_digest"),
            models.CheckConstraint(
                condition=Q(id__gte=1, number__gte=1, size__gte=1, chains__gte=1, events__gte=F("chains") * 2),
                name="an_audit_archive_holds_something",
            ),
            models.CheckConstraint(condition=~Q(actor=""), name="an_audit_archive_names_its_actor"),
        ]
        triggers = [*guards.append_only(), WHOLE]

    def __str__(self) -> str:
        return f"audit archive {self.label}"

    @property
    def label(self) -> str:
        """How people call it: `2024-03/1`."""
        return f"{self.month:%Y-%m}/{self.number}"


class ArchivedChain(models.Model):
    """The events of one intent in an archive, from first to last; the last, with this hash, stays in the table too."""

    archive = models.ForeignKey(AuditArchive, on_delete=models.PROTECT, related_name="parts", db_index=False)
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="archived", db_index=False)
    first_sequence = models.IntegerField(verbose_name="first event")
    last_sequence = models.IntegerField(verbose_name="last event")
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = "archived chain"
        constraints = [
            models.UniqueConstraint(fields=["archive", "intent"], name="one_part_of_a_chain_per_archive"),
            models.UniqueConstraint(fields=["intent", "first_sequence"], name="parts_of_a_chain_follow_each_other"),
            models.CheckConstraint(
                condition=Q(first_sequence__gte=1, last_sequence__gt=F("first_sequence")),
                name="an_archived_chain_leaves_something",
            ),
        ]
        triggers = [*guards.append_only(), CUT]

    def __str__(self) -> str:
        return f"audit events {self.first_sequence} to {self.last_sequence} of payment intent {self.intent_id}"
