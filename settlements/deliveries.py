"""Sending subscribers what waits for them in the outbox, and what became of it: the only writer after the insert.

A message is claimed (committed), sent with no transaction open, and its outcome recorded (committed). Who dies between
leaves a lease that runs out; the message then goes out again, under the same id and byte for byte the same.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection

from rails.sealing import CannotUnseal
from settlements import calling, signatures, subscribers
from settlements.api.rendering import JSON
from settlements.messages import body_of
from settlements.models import Delivery
from settlements.statuses import DeliveryState

logger = logging.getLogger(__name__)

# The wait after the first failure, the second, ...; the last one repeats until we give up.
BACKOFF: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=12),
)
CALL_SECONDS: Final = 10.0
LEASE: Final = timedelta(seconds=60)
MOST_LANES: Final = 32
_RUN_SECONDS: Final = 20.0
_LOOK_AGAIN_SECONDS: Final = 0.5
_GONE: Final = 410
# The advisory lock of who delivers; the number means nothing and is nobody else's.
_ALONE: Final = 5_033_164_801
_LONGEST_ERROR: Final = 500

_WITH_SOMETHING_DUE = """
    SELECT s.id FROM settlements_subscriber s CROSS JOIN LATERAL (
        SELECT d.next_attempt_at FROM settlements_delivery d
        WHERE d.subscriber_id = s.id AND d.state = 'WAITING' AND d.next_attempt_at <= %s
        ORDER BY d.next_attempt_at LIMIT 1
    ) oldest
    WHERE s.active ORDER BY oldest.next_attempt_at, s.id
"""
_CLAIM = """
    UPDATE settlements_delivery d SET attempts = d.attempts + 1, next_attempt_at = %s
    FROM settlements_subscriber s
    WHERE s.id = d.subscriber_id AND s.active AND d.id = (
        SELECT due.id FROM settlements_delivery due
        WHERE due.subscriber_id = %s AND due.state = 'WAITING' AND due.next_attempt_at <= %s
        ORDER BY due.next_attempt_at, due.id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING d.id, d.message_id, s.id, s.name, s.url, d.attempts, d.failures, d.give_up_at
"""
# Whoever prepared it first decides for ever. The carrier is asked for after the body was read, so that a freight that
# changed hands in between is not told of either.
_PREPARE = """
    UPDATE settlements_delivery d SET payload = CASE WHEN d.payload = '' THEN %s ELSE d.payload END
    FROM settlements_subscriber sub
    WHERE d.id = %s AND sub.id = d.subscriber_id AND (
        d.payload <> '' OR d.settlement_id IS NULL OR sub.carrier_id = '' OR sub.carrier_id = (
            SELECT t.carrier_id FROM settlements_milestonesettlement s
            JOIN settlements_paymentintent i ON i.id = s.intent_id
            JOIN settlements_freighttoken t ON t.id = i.freight_token_id
            WHERE s.id = d.settlement_id
        )
    )
    RETURNING d.payload
"""
_RECORD = """
    UPDATE settlements_delivery SET state = %s, failures = %s, next_attempt_at = coalesce(%s, next_attempt_at),
        delivered_at = coalesce(%s, delivered_at), last_status = %s, last_error = %s
    WHERE id = %s AND state = 'WAITING' AND attempts = %s AND give_up_at = %s
"""
_PARK_UNSENT = """
    UPDATE settlements_delivery d SET state = 'PARKED', last_error = 'the subscriber was inactive until we gave up'
    FROM settlements_subscriber s
    WHERE s.id = d.subscriber_id AND NOT s.active AND d.state = 'WAITING' AND d.give_up_at <= %s
"""


@dataclass(frozen=True, slots=True)
class Report:
    """How many attempts succeeded, failed and will be repeated, and ended in parking."""

    delivered: int = 0
    failed: int = 0
    parked: int = 0

    def __add__(self, other: "Report") -> "Report":
        return Report(self.delivered + other.delivered, self.failed + other.failed, self.parked + other.parked)


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    message_id: str
    subscriber_id: int
    subscriber: str
    url: str
    attempt: int
    failures: int
    give_up_at: datetime


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came back: the HTTP status if there was one, and what is wrong with it; no words mean it was taken.

    What is `final` is not tried again.
    """

    status: int | None
    error: str = ""
    final: bool = False


def deliver_alone(*, clock: Callable[[], datetime]) -> Report:
    """`deliver`, unless another process is at it: slow subscribers must not occupy the workers that release money."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ALONE])
        if not cursor.fetchone()[0]:
            return Report()
        try:
            return deliver(clock=clock)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ALONE])


def deliver(*, clock: Callable[[], datetime]) -> Report:
    """Sends what is due until nothing is, for about twenty seconds at most; each subscriber has a lane of its own.

    What becomes due for one meanwhile does not wait for the slow lane of another. Lanes are given to those who have
    waited longest, and who does not answer is left alone until the next run: nobody is passed over for ever. Outside
    any transaction.
    """
    report = Report(parked=_park_unsent(clock()))
    end = time.monotonic() + _RUN_SECONDS
    with ThreadPoolExecutor(MOST_LANES, thread_name_prefix="lane") as pool:
        lanes: dict[int, Future[Report]] = {}
        silent: set[int] = set()
        while True:
            if time.monotonic() < end:
                for subscriber_id in _with_something_due(clock()):
                    if subscriber_id not in lanes and subscriber_id not in silent:
                        lanes[subscriber_id] = pool.submit(_lane, subscriber_id, clock, end, silent)
            finished, running = wait(lanes.values(), timeout=_LOOK_AGAIN_SECONDS)
            report = sum((lane.result() for lane in finished), report)
            lanes = {subscriber_id: lane for subscriber_id, lane in lanes.items() if lane not in finished}
            if not running:
                return report


def _lane(subscriber_id: int, clock: Callable[[], datetime], end: float, silent: set[int]) -> Report:
    """One message after the other to one subscriber, over a database connection of this thread's own.

    It ends with the first that gets no answer, and the subscriber is one of the silent.
    """
    report = Report()
    try:
        while time.monotonic() < end:
            claimed = _claim(subscriber_id, now=clock())
            if claimed is None:
                break
            outcome = _attempt(claimed, now=clock())
            report += _record(claimed, outcome, now=clock())
            if outcome.status is None and not outcome.final:
                silent.add(subscriber_id)
                break
    finally:
        connection.close()
    return report


def _attempt(claimed: _Claimed, *, now: datetime) -> _Outcome:
    body = _prepared(claimed.id)
    if body is None:
        return _Outcome(None, "the freight is no longer this carrier's", final=True)
    return _send(claimed, body, now=now)


def next_attempt(failures: int, *, now: datetime, give_up_at: datetime) -> datetime | None:
    """When to try again after this many failures: the last time at `give_up_at`; None when that was it."""
    if now >= give_up_at:
        return None
    return min(now + BACKOFF[min(failures, len(BACKOFF)) - 1], give_up_at)


def _with_something_due(now: datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_WITH_SOMETHING_DUE, [now])
        return [row[0] for row in cursor.fetchall()]


def _park_unsent(now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PARK_UNSENT, [now])
        return int(cursor.rowcount)


def _claim(subscriber_id: int, *, now: datetime) -> _Claimed | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now + LEASE, subscriber_id, now])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return None if row is None else _Claimed(*row)


def _prepared(delivery_id: int) -> bytes | None:
    """The body: made before the first attempt, and from then on what it was; None if it is not for this carrier now."""
    row = Delivery.objects.select_related("audit_event", "subscriber").get(pk=delivery_id)
    if row.payload:
        return row.payload.encode()
    with connection.cursor() as cursor:
        cursor.execute(_PREPARE, [body_of(row).decode(), delivery_id])
        kept: tuple[str] | None = cursor.fetchone()
    return None if kept is None else kept[0].encode()


def _send(claimed: _Claimed, body: bytes, *, now: datetime) -> _Outcome:
    try:
        keys = subscribers.signing_keys(claimed.subscriber_id, now=now)
    except CannotUnseal as error:
        return _Outcome(None, str(error))
    if not keys:
        return _Outcome(None, "the subscriber has no live secret to sign with")
    signed = (signatures.sign(key, message_id=claimed.message_id, at=now, body=body) for key in keys)
    headers = {
        "Content-Type": JSON,
        "webhook-id": claimed.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
    try:
        answer = calling.post(
            claimed.url,
            body=body,
            headers=headers,
            seconds=CALL_SECONDS,
            most_bytes=0,  # the status says it all, whatever page comes with it
            private_allowed=settings.CHAINPAY_DEMO,
        )
    except calling.CallFailed as failed:
        return _Outcome(None, str(failed))
    return _Outcome(answer.status, _fault(answer.status), final=answer.status == _GONE)


def _fault(status: int) -> str:
    """What is wrong with an answer of this status; nothing with 2xx."""
    if 200 <= status < 300:
        return ""
    if status == _GONE:
        return "answered 410 Gone: it is not tried again"
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _record(claimed: _Claimed, outcome: _Outcome, *, now: datetime) -> Report:
    """Keeps the outcome, unless meanwhile the lease ran out and another has the message, or somebody asked for it."""
    delivered, following, failures = not outcome.error, None, claimed.failures
    if not delivered:
        failures += 1
        if not outcome.final:
            following = next_attempt(failures, now=now, give_up_at=claimed.give_up_at)
    waits = following is not None
    state = DeliveryState.DELIVERED if delivered else DeliveryState.WAITING if waits else DeliveryState.PARKED
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [
                state.value,
                failures,
                following,
                now if delivered else None,
                outcome.status,
                outcome.error[:_LONGEST_ERROR],
                claimed.id,
                claimed.attempt,
                claimed.give_up_at,
            ],
        )
        recorded = cursor.rowcount == 1
    logger.log(
        logging.WARNING if state is DeliveryState.PARKED else logging.INFO,
        "Message %s to %s, attempt %s: %s%s",
        claimed.message_id,
        claimed.subscriber,
        claimed.attempt,
        outcome.error or "delivered",
        "" if recorded else " (not kept: another has it, or it was asked for again)",
    )
    if not recorded:
        return Report()
    return Report(delivered=int(delivered), failed=int(waits), parked=int(state is DeliveryState.PARKED))
