"""The inbox: every message received."""

from django.db import models
from django.db.models import Q

from rails.wording import in_words
from settlements.models import guards
from settlements.models.event_source import EventSource
from settlements.models.freight_token import Shipment
from settlements.models.source_guards import EVENT_ROW


class ShipmentEvent(models.Model):
    """One message received, stored once; what became of it is the only thing that changes."""

    source = models.ForeignKey(EventSource, on_delete=models.PROTECT, related_name="events", db_index=False)
    message_id = models.TextField()
    body_hash = models.BinaryField(max_length=32)
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="events", db_index=False)
    event_type = models.TextField()
    occurred_at = models.DateTimeField()
    occurred_at_was_naive = models.BooleanField(default=False)
    received_at = models.DateTimeField()
    received_from = models.TextField()
    body = models.TextField()
    state = models.TextField()
    settlements_created = models.IntegerField(default=0)
    processed_at = models.DateTimeField(null=True, blank=True)
    sweeps = models.SmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        permissions = [("post_events", "Can post shipment events")]
        constraints = [
            models.UniqueConstraint(fields=["source", "message_id"], name="one_event_per_source_and_message"),
        ]
        indexes = [
            models.Index(fields=["shipment", "id"], name="events_of_a_shipment"),
            models.Index(fields=["id"], condition=Q(state="WAITING"), name="events_waiting_for_the_sweep"),
            # All but the one state that nearly every event has, so that storing one costs nothing.
            models.Index(fields=["state", "-id"], condition=~Q(state="PROCESSED"), name="events_out_of_the_ordinary"),
        ]
        triggers = [
            *guards.never_removed(),
            EVENT_ROW,
            guards.fixed(
                "id",
                "source_id",
                "message_id",
                "body_hash",
                "shipment_id",
                "event_type",
                "occurred_at",
                "occurred_at_was_naive",
                "received_at",
                "received_from",
                "body",
            ),
        ]

    def __str__(self) -> str:
        return f"{in_words(self.event_type)}, shipment event {self.pk}"
