"""The instruction that is written before a provider is called, and what became of it: the only writer of attempts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from django.db import connection

from rails.base import Instruction, SettlementProvider
from rails.models.attempt import AttemptState
from rails.money import Money

LONGEST_ERROR: Final = 2_000
# Why something is not handed over, as the end of a sentence.
PAID_BEFORE: Final = "the provider says that it paid an earlier attempt"

# The recipients are locked first, so that no destination changes between the look and the commit.
_LOCK_RECIPIENTS = "SELECT id FROM rails_recipient WHERE id = ANY(%s::bigint[]) ORDER BY id FOR SHARE"
_OBSTACLES = """
    SELECT wanted.place, rails_destination_obstacle(wanted.recipient_id, lower(wanted.provider))
    FROM json_to_recordset(%s::json) AS wanted (place int, recipient_id bigint, provider text)
"""
# Attempts at providers and releases by the ledger are counted together: the journal knows them by the same number.
_NEXT_NUMBER = """1 + greatest(
            (SELECT max(a.number) FROM rails_railattempt a WHERE a.milestone_id = wanted.milestone_id),
            (SELECT max(e.attempt_number) FROM rails_journalentry e
             WHERE e.milestone_id = wanted.milestone_id AND e.kind = 'release'), 0)"""
_NEXT_NUMBERS = f"""
    SELECT wanted.milestone_id, {_NEXT_NUMBER} FROM unnest(%s::bigint[]) AS wanted (milestone_id)
"""
_PREPARE = f"""
    INSERT INTO rails_railattempt (milestone_id, number, provider, amount_minor, currency, recipient_id,
        destination_id, state, reference, returned_minor, tries, error, question, prepared_at)
    SELECT wanted.milestone_id,
        {_NEXT_NUMBER},
        wanted.provider, wanted.amount_minor, wanted.currency, wanted.recipient_id,
        rails_destination_of(wanted.recipient_id, lower(wanted.provider)), 'PREPARED', '', 0, 0, '', '', %s
    FROM json_to_recordset(%s::json) AS wanted (milestone_id bigint, provider text, amount_minor bigint, currency text,
        recipient_id bigint)
    ORDER BY wanted.milestone_id
    RETURNING milestone_id, number
"""

# The recipient has what counted as returned of an earlier attempt: what was not handed over must not be.
_KEPT = """EXISTS (SELECT 1 FROM rails_railattempt kept
        WHERE kept.milestone_id = {attempt}.milestone_id AND kept.owed_minor > 0)"""
# While the rail or the recipient is switched off nothing is handed in, not even what was handed in before: the rail
# would hand it over if it found nothing. What was never handed over also waits for its window, and for its destination,
# and stays where an earlier attempt is said to be paid, or the recipient has its money; what may have been is only
# looked up once its destination can not be paid, or the recipient has the money already.
_CLAIM = f"""
    UPDATE rails_railattempt a SET state = 'SUBMITTED', tries = a.tries + 1,
        submitted_at = coalesce(a.submitted_at, clock_timestamp()),
        leased_until = clock_timestamp() + make_interval(secs => %(lease)s::float8)
    FROM (
        SELECT own.id, own.submitted_at FROM rails_railattempt own
        JOIN rails_recipient r ON r.id = own.recipient_id
        LEFT JOIN rails_railswitch w ON w.rail = own.provider
        WHERE own.provider = %(provider)s AND own.question = '' AND own.state IN ('PREPARED', 'SUBMITTED')
          AND CASE WHEN own.state = 'SUBMITTED' THEN true WHEN NOT %(open)s::boolean THEN false
              WHEN own.currency <> ALL(%(currencies)s::text[]) THEN false
              WHEN own.number > 1 AND rails_paid_though_refused(own.milestone_id) THEN false
              ELSE rails_destination_of(own.recipient_id, lower(own.provider)) = own.destination_id
                   AND NOT {_KEPT.format(attempt="own")} END
          AND (own.leased_until IS NULL OR own.leased_until < clock_timestamp())
          AND r.payouts_enabled AND coalesce(w.enabled, true)
        ORDER BY own.state DESC, own.leased_until NULLS FIRST, own.id LIMIT %(limit)s::bigint
        FOR NO KEY UPDATE OF own SKIP LOCKED
    ) claimed
    WHERE a.id = claimed.id
    RETURNING a.milestone_id, a.number, a.amount_minor, a.currency, a.recipient_id, a.destination_id,
        claimed.submitted_at, clock_timestamp() - claimed.submitted_at,
        rails_destination_of(a.recipient_id, lower(a.provider)) IS DISTINCT FROM a.destination_id,
        {_KEPT.format(attempt="a")}, a.tries
"""
# Asked when the claimed ones are locked, so a word about an earlier one is seen, or comes when this one is under way.
_PAID_BEFORE = """
    SELECT wanted.milestone_id FROM unnest(%s::bigint[]) AS wanted (milestone_id)
    WHERE rails_paid_though_refused(wanted.milestone_id)
"""
# Its destination is out of force, an earlier one is said to be paid, or the recipient has the money of one: it can not
# be handed over as it was written.
_OUTDATED = f"""
    SELECT a.milestone_id, a.number, CASE WHEN d.state <> 'ACTIVE' THEN 'DESTINATION'
           WHEN {_KEPT.format(attempt="a")} THEN 'KEPT' ELSE 'PAID_BEFORE' END
    FROM rails_railattempt a JOIN rails_destination d ON d.id = a.destination_id
    WHERE a.provider = %s AND a.state = 'PREPARED' AND a.submitted_at IS NULL
      AND (d.state <> 'ACTIVE' OR {_KEPT.format(attempt="a")}
           OR (a.number > 1 AND rails_paid_though_refused(a.milestone_id)))
    ORDER BY a.milestone_id LIMIT %s::bigint
"""
_ANSWERED = """
    UPDATE rails_railattempt a SET state = told.new, question = '', leased_until = NULL,
        error = CASE WHEN told.old = 'RETURNED' THEN a.error ELSE told.error END,
        reference = CASE WHEN told.reference = '' THEN a.reference ELSE told.reference END,
        returned_minor = coalesce(told.returned_minor, a.returned_minor),
        owed_minor = coalesce(told.owed_minor, a.owed_minor),
        submitted_at = CASE WHEN told.new = 'REFUSED' THEN a.submitted_at ELSE coalesce(a.submitted_at, now.at) END,
        answered_at = CASE WHEN told.old IN ('PREPARED', 'SUBMITTED') THEN now.at ELSE a.answered_at END,
        confirmed_at = CASE WHEN told.new = 'CONFIRMED' AND told.old <> 'CONFIRMED' THEN now.at ELSE a.confirmed_at END
    FROM json_to_recordset(%s::json) AS told (milestone_id bigint, number int, old text, new text, reference text,
        error text, returned_minor bigint, owed_minor bigint)
    CROSS JOIN (SELECT %s::timestamptz AS at) now
    WHERE a.milestone_id = told.milestone_id AND a.number = told.number AND a.state = told.old
    RETURNING a.id
"""
# An answer that comes after the lease may find that another process has handed it in meanwhile: `tries` tells.
_UNANSWERED = """
    UPDATE rails_railattempt a SET state = told.state, error = told.error,
        question = CASE WHEN told.needs_person THEN told.error ELSE a.question END,
        submitted_at = CASE WHEN told.state = 'PREPARED' THEN NULL ELSE a.submitted_at END,
        leased_until = now() + make_interval(secs => told.wait)
    FROM json_to_recordset(%s::json) AS told (milestone_id bigint, number int, tries int, state text, error text,
        needs_person boolean, wait float8)
    WHERE a.milestone_id = told.milestone_id AND a.number = told.number
      AND a.state = 'SUBMITTED' AND a.tries = told.tries
    RETURNING a.id
"""


_LOOK_AGAIN = """
    UPDATE rails_railattempt a SET question = '', leased_until = NULL
    WHERE a.milestone_id = %s AND a.number = %s AND a.state = 'SUBMITTED' AND a.question <> '' RETURNING a.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A payment that is to be handed to a provider."""

    milestone_id: int
    provider: SettlementProvider
    amount: Money
    recipient_id: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """An instruction that this process hands in now, for the how-manyth time."""

    instruction: Instruction
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An attempt from one state to another, or more of it back in the same; `owed` as `RailAttempt.owed_minor`."""

    milestone_id: int
    number: int
    old: AttemptState
    new: AttemptState
    reference: str = ""
    error: str = ""
    returned: Money | None = None
    owed: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A claimed attempt without a definite answer, to be handed in again after `wait` seconds.

    `handed_over` False: provably the provider has never seen it. `needs_person`: not before somebody has judged.
    """

    claimed: Claimed
    error: str
    wait: float
    handed_over: bool = True
    needs_person: bool = False


class LostAttempt(RuntimeError):
    """An attempt was no longer where it was read although its payment was locked: some writer broke the lock order."""


def prepare(orders: Sequence[Order], *, now: datetime) -> dict[int, str]:
    """Writes the next attempt of each payment, in the caller's transaction, with its money's locks held.

    By milestone what stands in the way; empty where the attempt is written, to the destination that can be paid now.
    """
    if not orders:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_RECIPIENTS, [sorted({order.recipient_id for order in orders})])
        rows = [{"place": place, **_columns(order)} for place, order in enumerate(orders)]
        cursor.execute(_OBSTACLES, [orjson.dumps(rows).decode()])
        obstacles = {orders[place].milestone_id: obstacle for place, obstacle in cursor.fetchall()}
        going = [row for row in rows if not obstacles[row["milestone_id"]]]
        if going:
            cursor.execute(_PREPARE, [now, orjson.dumps(going).decode()])
    return obstacles


def next_numbers(milestone_ids: Sequence[int]) -> dict[int, int]:
    """Which attempt the next one of each milestone is, whoever pays it; the caller holds the locks of its money."""
    if not milestone_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBERS, [list(milestone_ids)])
        return {milestone_id: number for milestone_id, number in cursor.fetchall()}


def look_again(milestone_id: int, number: int) -> bool:
    """Lets an attempt that a person had to judge be handed in again, as one that may have arrived; False if none is."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_AGAIN, [milestone_id, number])
        return len(cursor.fetchall()) == 1


def claim(
    provider: SettlementProvider,
    *,
    limit: int,
    lease_seconds: int,
    is_open: bool,
    currencies: Collection[str] | None = None,
) -> list[Claimed]:
    """Takes what is to be handed in now, for a time; in a transaction of its own that is committed before the call.

    What was never handed over is taken of an open rail only, and of these currencies (None: of all).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "provider": provider.value,
                "limit": limit,
                "lease": lease_seconds,
                "open": is_open,
                "currencies": None if currencies is None else list(currencies),
            },
        )
        rows = cursor.fetchall()
    paid_before = paid_though_refused([row[0] for row in rows if row[1] > 1])
    return sorted(
        (
            Claimed(
                Instruction(
                    milestone_id=milestone_id,
                    amount=Money(minor, currency),
                    recipient_id=recipient_id,
                    attempt_number=number,
                    destination_id=destination_id,
                    submitted_at=submitted_at,
                    waiting=waiting,
                    look_up_only=look_up_only or kept or milestone_id in paid_before,
                    kept=kept,
                ),
                tries,
            )
            for (
                milestone_id,
                number,
                minor,
                currency,
                recipient_id,
                destination_id,
                submitted_at,
                waiting,
                look_up_only,
                kept,
                tries,
            ) in rows
        ),
        key=lambda claimed: (claimed.instruction.milestone_id, claimed.instruction.attempt_number),
    )


class Outdated(StrEnum):
    """Why what was never handed over can not be any more; the value is the database's word."""

    DESTINATION = "DESTINATION"
    KEPT = "KEPT"
    PAID_BEFORE = "PAID_BEFORE"


def outdated(provider: SettlementProvider, *, limit: int) -> list[tuple[int, int, Outdated]]:
    """(milestone, number, why) of attempts that were never handed over and can not be any more."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTDATED, [provider.value, limit])
        return [(milestone_id, number, Outdated(why)) for milestone_id, number, why in cursor.fetchall()]


def paid_though_refused(milestone_ids: Collection[int]) -> set[int]:
    """The milestones of which a provider says that it paid an attempt that we hold for over."""
    if not milestone_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_PAID_BEFORE, [sorted(set(milestone_ids))])
        return {row[0] for row in cursor.fetchall()}


def leave(unanswered: Sequence[Unanswered]) -> int:
    """Takes down what has no definite answer; how many that were. One answered meanwhile stays as it is."""
    if not unanswered:
        return 0
    rows = [
        {
            "milestone_id": each.claimed.instruction.milestone_id,
            "number": each.claimed.instruction.attempt_number,
            "tries": each.claimed.tries,
            "state": AttemptState.SUBMITTED if each.handed_over else AttemptState.PREPARED,
            "error": each.error[:LONGEST_ERROR],
            "needs_person": each.needs_person,
            "wait": each.wait,
        }
        for each in unanswered
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UNANSWERED, [orjson.dumps(rows).decode()])
        return len(cursor.fetchall())


def step(steps: Sequence[Step], *, now: datetime) -> None:
    """Moves attempts by compare-and-set, one step each, under the locks of their money. Raises LostAttempt."""
    if not steps:
        return
    rows = [
        {
            "milestone_id": each.milestone_id,
            "number": each.number,
            "old": each.old,
            "new": each.new,
            "reference": each.reference,
            "error": each.error[:LONGEST_ERROR],
            "returned_minor": None if each.returned is None else each.returned.minor,
            "owed_minor": None if each.owed is None else each.owed.minor,
        }
        for each in steps
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [orjson.dumps(rows).decode(), now])
        if len(cursor.fetchall()) != len(steps):
            raise LostAttempt("an attempt moved although its payment was locked")


def _columns(order: Order) -> dict[str, Any]:
    return {
        "milestone_id": order.milestone_id,
        "provider": order.provider,
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
        "recipient_id": order.recipient_id,
    }
