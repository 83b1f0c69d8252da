"""Does the history lead to what is? Audit events, replayed, end where settlements and intents stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import orjson

from rails.money import Money
from settlements.statuses import SettlementStatus
from settlements.transitions import CLAIMS, may_follow
from settlements.verification.differences import Difference, Rule, keep, rows_of

_SETTLEMENTS = """
    SELECT s.id, s.intent_id, s.amount_minor, s.currency, s.status, s.strategy, s.reference, s.approvals_required,
           a.intent_id, a.sequence, a.action, a.from_status, a.to_status, a.data,
           a.sequence > c.sequence
    FROM settlements_milestonesettlement s
    LEFT JOIN settlements_auditevent a ON a.settlement_id = s.id
    LEFT JOIN settlements_auditevent c ON c.intent_id = s.intent_id AND c.action = 'intent_cancelled'
    ORDER BY s.id, a.sequence
"""
_INTENTS = """
    SELECT i.id, i.amount_minor, i.currency, a.action, a.data
    FROM settlements_paymentintent i
    LEFT JOIN settlements_auditevent a ON a.intent_id = i.id AND a.sequence = 1
    ORDER BY i.id
"""
_EVENTS = [
    Rule(
        "intent {0}: it was cancelled, but no audit event tells of it",
        """
        SELECT i.id FROM settlements_paymentintent i
        WHERE i.cancelled_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM settlements_auditevent a WHERE a.intent_id = i.id AND a.action = 'intent_cancelled')
        ORDER BY i.id
        """,
    ),
    Rule(
        "intent {0}, audit event {1}: it tells of a cancellation, but the intent is {2}",
        """
        SELECT i.id, a.sequence, lower(i.status) FROM settlements_auditevent a
        JOIN settlements_paymentintent i ON i.id = a.intent_id
        WHERE a.action = 'intent_cancelled' AND i.cancelled_at IS NULL ORDER BY i.id, a.sequence
        """,
    ),
    Rule(
        "intent {0}: {1} audit events tell of its cancellation",
        """
        SELECT a.intent_id, count(*) FROM settlements_auditevent a WHERE a.action = 'intent_cancelled'
        GROUP BY a.intent_id HAVING count(*) > 1 ORDER BY a.intent_id
        """,
    ),
    Rule(
        "intent {0}, audit event {1}: there is no settlement {2}",
        """
        SELECT a.intent_id, a.sequence, a.settlement_id FROM settlements_auditevent a
        WHERE a.settlement_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = a.settlement_id)
        ORDER BY a.intent_id, a.sequence
        """,
    ),
]
_STATUSES = {status.value: status for status in SettlementStatus}
_PEOPLE = [
    Rule(
        "settlement {0}: {1} decisions of officers are stored, but the audit trail tells of {2}",
        """
        SELECT s.id, decided.n, told.n FROM settlements_milestonesettlement s
        LEFT JOIN (SELECT settlement_id, count(*) AS n FROM settlements_approval GROUP BY 1) decided
            ON decided.settlement_id = s.id
        LEFT JOIN (SELECT settlement_id, count(*) AS n FROM settlements_auditevent
                   WHERE action IN ('approval_recorded', 'expedite_approved', 'retry_approved', 'rejected')
                   GROUP BY 1) told
            ON told.settlement_id = s.id
        WHERE coalesce(decided.n, 0) <> coalesce(told.n, 0) ORDER BY s.id
        """,
    ),
]


@dataclass(slots=True)
class _Replayed:
    """What the audit events of one settlement have said so far."""

    settlement: tuple[Any, ...]
    status: str = ""
    strategy: str = ""
    reference: str = ""


def check() -> int:
    """The number of settlements replayed; raises Difference where the history does not lead to what is stored."""
    with rows_of(_INTENTS) as rows:
        for intent_id, amount_minor, currency, action, data in rows:
            if action != "intent_created" or not _same_amount(data, amount_minor, currency):
                raise Difference(f"intent {intent_id}, audit event 1: it does not tell of its creation and amount")
    keep(_EVENTS)
    settlements = 0
    with rows_of(_SETTLEMENTS) as rows:
        for _, events in groupby(rows, key=itemgetter(slice(0, 8))):
            _replay(events)
            settlements += 1
    keep(_PEOPLE)
    return settlements


def _replay(events: Iterator[tuple[Any, ...]]) -> None:
    """`events` repeat the settlement with each of its audit events, in their order."""
    first = next(events)
    replayed = _Replayed(first[:8])
    for row in chain([first], events):
        _apply(replayed, row)
    _compare(replayed)


def _apply(replayed: _Replayed, row: tuple[Any, ...]) -> None:
    settlement_id, intent_id, amount_minor, currency = row[:4]
    owner, sequence, action, old, new, data, after_cancel = row[8:]
    if owner is None:
        raise Difference(f"settlement {settlement_id}: no audit event tells of it")
    name = f"intent {owner}, audit event {sequence}"
    if owner != intent_id:
        raise Difference(f"{name}: it tells of settlement {settlement_id}, which belongs to intent {intent_id}")
    if not replayed.status and not (action == "settlement_created" and _same_amount(data, amount_minor, currency)):
        raise Difference(f"{name}: the history of settlement {settlement_id} does not begin with its creation")
    if not replayed.status or old or new:
        _move(replayed, name, old, new, bool(after_cancel))
    facts = orjson.loads(data)
    replayed.strategy = facts.get("strategy") or replayed.strategy
    replayed.reference = facts.get("reference") or replayed.reference
    if row[7] < (facts.get("approvals_required") or 0):
        raise Difference(f"{name}: settlement {settlement_id} needed more approvers then than it does now")


def _move(replayed: _Replayed, name: str, old: str, new: str, after_cancel: bool) -> None:
    settlement = f"settlement {replayed.settlement[0]}"
    if old != replayed.status:
        raise Difference(f"{name}: {settlement} moves from {_word(old)}, but was {_word(replayed.status)}")
    before, after = _STATUSES.get(old), _STATUSES.get(new)
    if after is None or (before is not after and not may_follow(before, after)):
        raise Difference(f"{name}: {settlement} may not move from {_word(old)} to {_word(new)}")
    if after_cancel and (before is None or (before, after) in CLAIMS):
        raise Difference(f"{name}: {settlement} became {_word(new)} after its intent was cancelled")
    replayed.status = new


def _compare(replayed: _Replayed) -> None:
    settlement_id, _, _, _, status, strategy, reference, _ = replayed.settlement
    for what, stored, told in (
        ("status", _word(status), _word(replayed.status)),
        ("strategy", _word(strategy), _word(replayed.strategy)),
        ("reference", reference or "empty", replayed.reference or "empty"),
    ):
        if stored != told:
            raise Difference(f"settlement {settlement_id}: its {what} is {stored}, but its audit events say {told}")


def _same_amount(data: str | None, amount_minor: int, currency: str) -> bool:
    facts = orjson.loads(data) if data else {}
    return (facts.get("amount"), facts.get("currency")) == (Money(amount_minor, currency).text, currency)


def _word(status: str) -> str:
    return status.lower() or "nothing"
