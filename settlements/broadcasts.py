"""News of the platform as a whole, to every subscriber who asked for it and is no carrier's."""

from datetime import datetime

from django.db import connection

from settlements.models import Subscriber
from settlements.outbox import GIVE_UP_AFTER
from settlements.statuses import DeliveryState, News

# The body is what it is from the beginning: it tells of a moment, not of a row that can be read again.
_WRITE = """
    INSERT INTO settlements_delivery (message_id, subscriber_id, event_type, state, payload, attempts, failures,
        next_attempt_at, give_up_at, last_error, created_at)
    SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), sub.id, %s, %s, %s, 0, 0, %s, %s, '', %s
    FROM settlements_subscriber sub WHERE sub.active AND sub.carrier_id = '' AND %s::text = ANY(sub.event_types)
    ORDER BY sub.id
"""


def anybody_listens(news: News) -> bool:
    """Whether a message of this kind would reach somebody now."""
    return Subscriber.objects.filter(active=True, carrier_id="", event_types__contains=[news.value]).exists()


def write(news: News, body: bytes, *, now: datetime) -> int:
    """Puts the message into the outbox, in the caller's transaction; to how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            [news.value, DeliveryState.WAITING.value, body.decode(), now, now + GIVE_UP_AFTER, now, news.value],
        )
        return int(cursor.rowcount)
