"""Since when no checkpoint signs what happens: nothing to sign is no lateness, and neither is what just happened."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection

_ALLOWED: Final = 3
# When the first audit event was written that is newer than the newest checkpoint. Ids follow the order of writing, so
# it is looked for by halves, each a look into the primary key: an event per intent and second needs no index by time.
_SINCE: Final = """(
    WITH RECURSIVE newest AS (
        SELECT coalesce(max(c.created_at), '-infinity'::timestamptz) AS at FROM settlements_checkpoint c
    ), half (low, high) AS (
        SELECT min(id), max(id) FROM settlements_auditevent
        UNION ALL
        SELECT CASE WHEN middle.created_at > newest.at THEN half.low ELSE middle.id + 1 END,
               CASE WHEN middle.created_at > newest.at THEN (half.low + half.high) / 2 ELSE half.high END
        FROM half CROSS JOIN newest CROSS JOIN LATERAL (
            SELECT a.id, a.created_at FROM settlements_auditevent a
            WHERE a.id >= (half.low + half.high) / 2 ORDER BY a.id LIMIT 1
        ) middle
        WHERE half.low < half.high
    )
    SELECT first.created_at FROM half CROSS JOIN newest CROSS JOIN LATERAL (
        SELECT a.created_at FROM settlements_auditevent a WHERE a.id >= half.low ORDER BY a.id LIMIT 1
    ) first
    WHERE half.low >= half.high AND first.created_at > newest.at LIMIT 1
)"""
# 1 while checkpoints are late, for the figure beside the work list; `now` is a moment, `allowed` seconds.
COUNT: Final = f"""(
    coalesce({_SINCE} < %(now)s::timestamptz - make_interval(secs => %(unsigned_allowed)s), false)::int
)"""


def allowed() -> timedelta:
    """How long what happened may wait for its checkpoint before people are told: three times the usual."""
    return _ALLOWED * timedelta(seconds=max(settings.CHAINPAY_CHECKPOINT_SECONDS, 60))


def late_since(*, now: datetime) -> datetime | None:
    """Since when what happened is signed by no checkpoint, if that is longer ago than allowed."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SINCE}")
        since: datetime | None = cursor.fetchone()[0]
    return since if since is not None and since < now - allowed() else None


def sentence(since: datetime) -> str:
    """What that means."""
    return (
        f"No checkpoint has signed what happened since {since:%Y-%m-%d %H:%M} UTC: "
        "the ends of histories could be cut off unseen."
    )
