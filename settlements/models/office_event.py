"""The append-only history of what was done with the books as a whole, one chain for all of it."""

import pgtrigger
from django.db import models
from django.db.models import Q

from rails.models.guards import Guard
from rails.wording import in_words
from settlements.models import guards

CHAIN: Guard = Guard(
    name="chain_is_unbroken",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.sequence = 1 THEN
            IF NEW.prev_hash <> decode(repeat('00', 32), 'hex') THEN
                {guards.refuse("the first office event follows nothing")}
            END IF;
        ELSIF NOT EXISTS (SELECT 1 FROM settlements_officeevent o
                          WHERE o.sequence = NEW.sequence - 1 AND o.hash = NEW.prev_hash) THEN
            {guards.refuse("an office event carries the hash of the one before it")}
        END IF;
        RETURN NEW;
    """,
)


class OfficeEvent(models.Model):
    """One act of the back office that no single payment intent owns: an export, a closed day, a resolved difference.

    `hash` covers `prev_hash` and the row's canonical form (settlements/office_log.py).
    """

    sequence = models.BigIntegerField(unique=True)
    action = models.TextField()
    subject = models.TextField()
    actor = models.TextField()
    reason = models.TextField(blank=True, default="")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = "office event"
        constraints = [models.CheckConstraint(condition=Q(sequence__gte=1), name="office_sequence_starts_at_1")]
        indexes = [models.Index(fields=["action", "-id"], name="office_events_by_action")]
        triggers = [*guards.append_only(), CHAIN]

    def __str__(self) -> str:
        return f"{in_words(self.action)}: {self.subject} ({self.sequence})"
