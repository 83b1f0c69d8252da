"""What the team is told of the review queue: what has joined it and what waits too long, in one message."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse

from compliance import digest_words, queries, queue_sql
from compliance.digest_words import Digest, Group, Named, Sum
from compliance.filters import AMOUNT_DIGITS
from compliance.models import DigestItem, ReviewDigest
from rails.money import EXPONENTS, Money
from settlements import broadcasts
from settlements.statuses import EventType, News, RiskTier

logger = logging.getLogger(__name__)

# So many are named, the rest is counted: a message stays short whatever has come.
MOST_NAMED: Final = 20
# The advisory lock of who writes; the number means nothing and is nobody else's.
_ALONE: Final = 5_033_164_802

# Who is seen to wait no more and comes back is news again: an approval became void, or a stricter decision sent it out.
_HAS_LEFT = f"""
    UPDATE compliance_digestitem told SET left_at = %s
    WHERE told.left_at IS NULL AND NOT coalesce((
        SELECT true FROM settlements_milestonesettlement s WHERE s.id = told.settlement_id AND {queue_sql.WAITS}
    ), false)
"""
_TOLD = """coalesce((SELECT true FROM compliance_digestitem told
                        WHERE told.settlement_id = s.id AND told.kind = '{kind}' AND told.left_at IS NULL), false)"""
_FRESH = f"""
    WITH waiting AS MATERIALIZED (
        SELECT s.id, s.risk_tier, s.currency, s.amount_minor, s.created_at, s.amount_minor * scale.factor AS size,
               s.created_at < %(overdue_before)s::timestamptz AS overdue,
               {_TOLD.format(kind=DigestItem.NEW)} AS told_new,
               {_TOLD.format(kind=DigestItem.TARGET_MISSED)} AS told_missed
        FROM settlements_milestonesettlement s
        JOIN unnest(%(currencies)s::text[], %(factors)s::bigint[]) AS scale (currency, factor)
            ON scale.currency = s.currency
        WHERE {queue_sql.WAITS}
    ), total AS (SELECT count(*) AS waiting, count(*) FILTER (WHERE overdue) AS overdue FROM waiting)
    SELECT w.id, NOT w.told_new, w.overdue AND NOT w.told_missed AS missed, w.risk_tier, w.currency, w.amount_minor,
           total.waiting, total.overdue
    FROM waiting w CROSS JOIN total
    WHERE NOT w.told_new OR (w.overdue AND NOT w.told_missed)
    ORDER BY missed DESC, w.size DESC, w.created_at, w.id
"""
_NAMED = """
    SELECT s.id, s.intent_id, shipment.shipment_id, s.event_type, s.amount_minor, s.currency, s.risk_tier,
           coalesce(r.name, ''), s.created_at
    FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (id, place)
    JOIN settlements_milestonesettlement s ON s.id = wanted.id
    JOIN settlements_paymentintent i ON i.id = s.intent_id
    JOIN settlements_shipment shipment ON shipment.id = i.shipment_id
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    ORDER BY wanted.place
"""
_TELL = """
    INSERT INTO compliance_digestitem (digest_id, settlement_id, kind)
    SELECT %s, told.id, told.kind FROM unnest(%s::bigint[], %s::text[]) AS told (id, kind)
"""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A settlement that nobody was told of yet, or not that it has missed the target."""

    settlement_id: int
    new: bool
    missed: bool
    tier: str
    currency: str
    amount_minor: int

    @property
    def kinds(self) -> list[str]:
        """What the digest tells of it."""
        kinds = ((self.new, DigestItem.NEW), (self.missed, DigestItem.TARGET_MISSED))
        return [kind for it_is, kind in kinds if it_is]


def write(*, now: datetime) -> ReviewDigest | None:
    """The digest of what nobody was told of yet, stored with its items and its messages to subscribers; None if there
    is nothing to tell, nobody to tell it to, or another process is at it. A fixed number of statements.
    """
    with transaction.atomic(durable=True):
        if not _alone():
            return None
        listens = broadcasts.anybody_listens(News.REVIEW_DIGEST)
        if not (settings.CHAINPAY_DIGEST_TO or listens):
            logger.info("Nobody is to be told of the review queue: no CHAINPAY_DIGEST_TO, no subscriber to it")
            return None
        if not listens and ReviewDigest.objects.filter(next_attempt_at__isnull=False).exists():
            # One that could not be sent yet: what comes meanwhile is gathered for the next, not one by one.
            return None
        with connection.cursor() as cursor:
            cursor.execute(_HAS_LEFT, [now])
        fresh, waiting, overdue = _fresh(now)
        if not fresh:
            return None
        digest = _digest(fresh, waiting=waiting, overdue=overdue)
        row = _store(digest, fresh, now)
        if listens:
            broadcasts.write(News.REVIEW_DIGEST, digest_words.body(digest, number=row.pk, now=now), now=now)
    logger.info("Review digest %s: %s", row.pk, row.subject)
    return row


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_ALONE])
        return bool(cursor.fetchone()[0])


def _fresh(now: datetime) -> tuple[list[_Fresh], int, int]:
    """What nobody was told of yet, in the order of the message; how many wait in all, and how many of them too long."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FRESH,
            {
                "overdue_before": queries.overdue_before(now),
                "currencies": list(EXPONENTS),
                "factors": [10 ** (AMOUNT_DIGITS - digits) for digits in EXPONENTS.values()],
            },
        )
        rows = cursor.fetchall()
    waiting, overdue = rows[0][6:] if rows else (0, 0)
    return [_Fresh(*row[:6]) for row in rows], waiting, overdue


def _digest(fresh: Sequence[_Fresh], *, waiting: int, overdue: int) -> Digest:
    named = fresh[:MOST_NAMED]
    missed = {each.settlement_id for each in named if each.missed}
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [[each.settlement_id for each in named]])
        rows = cursor.fetchall()
    return Digest(
        target_hours=settings.CHAINPAY_REVIEW_TARGET_HOURS,
        waiting=waiting,
        overdue=overdue,
        missed=_group(each for each in fresh if each.missed),
        new=_group(each for each in fresh if not each.missed),
        named=[_named(*row, missed=row[0] in missed) for row in rows],
        left_out=len(fresh) - len(named),
        queue_url=_link("admin:compliance_reviewqueue_changelist"),
    )


def _group(settlements: Iterable[_Fresh]) -> Group:
    numbers: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for each in settlements:
        numbers[each.tier, each.currency] += 1
        sums[each.tier, each.currency] += each.amount_minor
    strictest_first = list(reversed(RiskTier))
    return Group(
        count=numbers.total(),
        sums=[
            Sum(tier=RiskTier(tier), count=numbers[tier, currency], amount=Money(sums[tier, currency], currency))
            for tier, currency in sorted(numbers, key=lambda key: (strictest_first.index(RiskTier(key[0])), key[1]))
        ],
    )


def _named(*row: Any, missed: bool) -> Named:
    settlement_id, intent_id, shipment_id, event_type, amount_minor, currency, tier, recipient, created_at = row
    return Named(
        milestone_id=settlement_id,
        payment_intent_id=intent_id,
        shipment_id=shipment_id,
        event_type=EventType(event_type),
        amount=Money(amount_minor, currency),
        tier=RiskTier(tier),
        recipient=recipient,
        created_at=created_at,
        missed=missed,
        url=_link("admin:compliance_reviewqueue_review", settlement_id),
    )


def _link(name: str, *arguments: int) -> str:
    return f"{settings.CHAINPAY_BASE_URL}{reverse(name, args=arguments)}"


def _store(digest: Digest, fresh: Sequence[_Fresh], now: datetime) -> ReviewDigest:
    row = ReviewDigest.objects.create(
        # Decided once: however often the mail is sent, a mailbox knows it for the same.
        message_id=f"<digest-{uuid4().hex}@{urlsplit(settings.CHAINPAY_BASE_URL).hostname}>",
        subject=digest_words.subject(digest),
        text=digest_words.text(digest),
        html=digest_words.html(digest),
        next_attempt_at=now if settings.CHAINPAY_DIGEST_TO else None,
        created_at=now,
    )
    told = [(each.settlement_id, kind) for each in fresh for kind in each.kinds]
    with connection.cursor() as cursor:
        cursor.execute(_TELL, [row.pk, [pk for pk, _ in told], [kind for _, kind in told]])
    return row
