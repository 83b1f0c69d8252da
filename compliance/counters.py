"""How much waits, for the sidebar of every admin page: one statement that reads indexes alone."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection

from compliance import queue_sql
from compliance.queries import overdue_before
from settlements import bank_work, books_checks, work
from settlements.proof import unsigned
from settlements.reconciliation import listing

# What is delayed is counted among all that the index of the queue holds: alone, each would be fetched from the table.
_COUNT = f"""
    SELECT count(*), count(*) FILTER (WHERE {queue_sql.OVERDUE}),
           count(*) FILTER (WHERE {queue_sql.ASSIGNEE} = %(user)s::bigint),
           (SELECT count(*) FROM settlements_hold h JOIN settlements_milestonesettlement s ON s.id = h.settlement_id
            WHERE h.lifted_at IS NULL AND s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0),
           (SELECT count(*) FILTER (WHERE {queue_sql.DELAYED}) FROM settlements_milestonesettlement s
            WHERE s.status IN ('PENDING', 'DELAYED') AND s.amount_minor > 0),
           (SELECT count(*) FROM rails_destination WHERE state = 'PROPOSED'),
           {work.COUNT} + {bank_work.COUNT} + {books_checks.COUNT} + {unsigned.COUNT},
           {listing.COUNT}
    FROM settlements_milestonesettlement s WHERE {queue_sql.WAITS}
"""


@dataclass(frozen=True, slots=True)
class Counters:
    """How many wait for people, how many of these beyond the target and how many with this person; how many are on
    hold; how many release by themselves when their time has come; how many destinations wait to be confirmed; how much
    of the money at providers, of the banks' files and of the books people have to look at; how many differences of the
    reconciliation are open."""

    waiting: int
    overdue: int
    mine: int
    held: int
    delayed: int
    destinations: int
    work: int
    differences: int


def counts(user: AbstractBaseUser | AnonymousUser, now: datetime) -> Counters:
    """What the lists of the review queue hold at this moment; `mine` is what waits and is assigned to the user."""
    with connection.cursor() as cursor:
        late = unsigned.allowed().total_seconds()
        known = {"user": user.pk, "overdue_before": overdue_before(now), "now": now, "unsigned_allowed": late}
        cursor.execute(_COUNT, known)
        return Counters(*cursor.fetchone())
