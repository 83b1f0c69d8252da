"""Messages that people ask for: an old one once more, or a test."""

import logging
import uuid
from datetime import datetime

from django.db import transaction

from settlements import subscribers
from settlements.models import Delivery
from settlements.outbox import GIVE_UP_AFTER
from settlements.refusals import Kind, Refusal
from settlements.statuses import DeliveryState, News

logger = logging.getLogger(__name__)


class DeliveryRefused(Refusal):
    """The message can not be sent now."""

    code = "delivery_refused"
    kind = Kind.CONFLICT


def again(delivery_id: int, *, actor: str, now: datetime) -> Delivery:
    """Makes a message due at once, whatever became of it, under the same id and for three days from now.

    Raises DeliveryRefused for an inactive subscriber.
    """
    with transaction.atomic():
        row = Delivery.objects.select_related("subscriber").select_for_update(of=("self",)).get(pk=delivery_id)
        if not row.subscriber.active:
            raise DeliveryRefused(f"Subscriber {row.subscriber} is inactive; activate it first.")
        row.state, row.failures = DeliveryState.WAITING.value, 0
        row.next_attempt_at, row.give_up_at = now, now + GIVE_UP_AFTER
        row.save(update_fields=["state", "failures", "next_attempt_at", "give_up_at"])
    logger.info("Message %s to %s is delivered again, asked for by %s", row.message_id, row.subscriber, actor)
    return row


def ping(subscriber_id: int, *, actor: str, now: datetime) -> Delivery:
    """A test message, through the outbox like any other. Raises SubscriberNotFound, DeliveryRefused."""
    with transaction.atomic():
        subscriber = subscribers.find(subscriber_id)
        if not subscriber.active:
            raise DeliveryRefused(f"Subscriber {subscriber} is inactive; activate it first.")
        row = Delivery.objects.create(
            message_id=f"msg_{uuid.uuid4().hex}",
            subscriber=subscriber,
            event_type=News.PING.value,
            next_attempt_at=now,
            give_up_at=now + GIVE_UP_AFTER,
            created_at=now,
        )
    logger.info("Test message %s to %s, asked for by %s", row.message_id, subscriber, actor)
    return row
