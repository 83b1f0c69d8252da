"""The append-only history of each intent, chained by hashes."""

from django.db import models
from django.db.models import Q

from rails.wording import in_words
from settlements.models import guards
from settlements.models.intent import PaymentIntent
from settlements.models.settlement import MilestoneSettlement


class AuditEvent(models.Model):
    """One state change; `hash` covers `prev_hash` and the row's canonical form (settlements/audit.py)."""

    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="audit_events", db_index=False)
    sequence = models.IntegerField()
    settlement = models.ForeignKey(
        MilestoneSettlement, on_delete=models.PROTECT, null=True, blank=True, related_name="audit_events"
    )
    action = models.TextField()
    from_status = models.TextField(blank=True, default="")
    to_status = models.TextField(blank=True, default="")
    reason = models.TextField(blank=True, default="")
    triggered_by = models.TextField()
    approved_by = models.TextField(blank=True, default="")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        permissions = [("read_audit", "Can read the audit trail")]
        constraints = [
            models.UniqueConstraint(fields=["intent", "sequence"], name="one_audit_event_per_intent_and_sequence"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="audit_sequence_starts_at_1"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(to_status="RETURNED"), name="returns_by_time"),
            models.Index(fields=["created_at"], condition=Q(to_status="SETTLED"), name="arrivals_by_time"),
        ]
        triggers = [guards.never_updated(), guards.LEAVES_BY_AN_ARCHIVE, guards.never_truncated(), guards.AUDIT_CHAIN]

    def __str__(self) -> str:
        return f"{in_words(self.action)} ({self.intent_id}/{self.sequence})"
