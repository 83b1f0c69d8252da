"""What somebody at a database prompt might try, past every line of the domain."""

from typing import Any

from django.db import connection

from rails.base import Instruction
from rails.internal.rail import InternalLedgerRail
from rails.money import Money
from settlements.models import MilestoneSettlement, PaymentIntent, PaymentScheduleItem
from tests.factories import now

# For whoever can send the guards to sleep: an attempt of a settlement in a state, to nobody in particular.
ATTEMPT = """
    INSERT INTO rails_railattempt (milestone_id, number, provider, amount_minor, currency, recipient_id, destination_id,
        state, reference, returned_minor, tries, error, question, prepared_at, submitted_at)
    SELECT s.id, 1 + (SELECT count(*) FROM rails_railattempt a WHERE a.milestone_id = s.id), upper(s.rail),
        s.amount_minor, s.currency, 0, 0, told.state,
        CASE WHEN told.state IN ('PREPARED', 'SUBMITTED', 'REFUSED') THEN '' ELSE s.reference END,
        CASE WHEN told.state = 'RETURNED' THEN s.amount_minor ELSE 0 END, 1, 'by hand', '', now(), now()
    FROM settlements_milestonesettlement s CROSS JOIN (SELECT %s::text AS state) told WHERE s.id = %s
"""
_NEXT_ID = "SELECT nextval('settlements_milestonesettlement_id_seq')"


def book(settlement_id: int, amount: Money, attempt: int = 1) -> str:
    """A release in the journal; its reference."""
    order = Instruction(milestone_id=settlement_id, amount=amount, attempt_number=attempt)
    (result,) = InternalLedgerRail().process_settlements([order])
    assert result.reference_id, result.error
    return result.reference_id


def release(settlement: MilestoneSettlement, **columns: Any) -> None:
    """Books the settlement and calls it approved."""
    reference = book(settlement.pk, Money(settlement.amount_minor, settlement.currency))
    change(settlement, **{"status": "APPROVED", "reference": reference, "released_at": now(), **columns})


def change(row: Any, **columns: Any) -> None:
    """UPDATE of one row."""
    assignments = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {assignments} WHERE id = %s", [*columns.values(), row.pk])
        assert cursor.rowcount == 1


def insert(table: str, **columns: Any) -> int:
    """INSERT of one row; its id."""
    names, places = ", ".join(columns), ", ".join("%s" for _ in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id", list(columns.values()))
        row: tuple[int] = cursor.fetchone()
    return row[0]


def next_settlement_id() -> int:
    """The id of a settlement to be."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ID)
        row: tuple[int] = cursor.fetchone()
    return row[0]


def insert_settlement(intent: PaymentIntent, event_type: str, **columns: Any) -> int:
    """A settlement by request, as its schedule item says unless `columns` say otherwise."""
    item = PaymentScheduleItem.objects.get(intent=intent, event_type=event_type)
    values: dict[str, Any] = {
        "id": next_settlement_id(),
        "intent_id": intent.pk,
        "event_type": event_type,
        "amount_minor": item.amount_minor,
        "currency": item.currency,
        "status": "PENDING",
        "origin": "SETTLE",
        "rail": "internal_ledger",
        "reference": "",
        "strategy": "IMMEDIATE",
        "risk_tier": "LOW",
        "rule": "by hand",
        "explanation": "by hand",
        "inputs": "{}",
        "policy_version": "by hand",
        "approvals_required": 1,
        "settlement_delayed_until": now(),
        "blocked_reason": "",
        "error": "",
        "created_at": now(),
        "updated_at": now(),
    }
    return insert("settlements_milestonesettlement", **{**values, **columns})
