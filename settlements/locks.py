"""The lock every writer of a shipment's money takes first: the shipment's row (order: shipment, intent, settlement)."""

from dataclasses import dataclass

from django.db import connection

from settlements.refusals import Kind, Refusal

_OF_INTENT = """
    SELECT p.id FROM settlements_shipment p
    WHERE p.id = (SELECT i.shipment_id FROM settlements_paymentintent i WHERE i.id = %s) FOR UPDATE
"""
_OF_SETTLEMENT = """
    SELECT p.id FROM settlements_shipment p WHERE p.id = (
        SELECT i.shipment_id FROM settlements_milestonesettlement s
        JOIN settlements_paymentintent i ON i.id = s.intent_id WHERE s.id = %s
    ) FOR UPDATE
"""
_BY_REFERENCE = "SELECT id FROM settlements_shipment WHERE shipment_id = %s FOR UPDATE"
_CREATE = "INSERT INTO settlements_shipment (shipment_id, created_at) VALUES (%s, now()) ON CONFLICT DO NOTHING"


class IntentNotFound(Refusal):
    """No payment intent has this id."""

    code = "payment_intent_not_found"
    kind = Kind.NOT_FOUND

    def __init__(self, intent_id: int) -> None:
        super().__init__(f"Payment intent {intent_id} not found.")


class SettlementNotFound(Refusal):
    """No milestone settlement has this id."""

    code = "milestone_not_found"
    kind = Kind.NOT_FOUND

    def __init__(self, settlement_id: int) -> None:
        super().__init__(f"Milestone settlement {settlement_id} not found.")


@dataclass(frozen=True, slots=True)
class LockedShipment:
    """A shipment whose row this transaction holds."""

    pk: int


def of_intent(intent_id: int) -> LockedShipment:
    """Locks the shipment of an intent; raises IntentNotFound."""
    found = _one(_OF_INTENT, intent_id)
    if found is None:
        raise IntentNotFound(intent_id)
    return LockedShipment(found)


def of_settlement(settlement_id: int) -> LockedShipment:
    """Locks the shipment of a settlement; raises SettlementNotFound."""
    found = _one(_OF_SETTLEMENT, settlement_id)
    if found is None:
        raise SettlementNotFound(settlement_id)
    return LockedShipment(found)


def of_reference(shipment_id: str) -> LockedShipment:
    """Locks a shipment by its upstream reference, storing it first if it was never heard of."""
    found = _one(_BY_REFERENCE, shipment_id)
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(_CREATE, [shipment_id])
        found = _one(_BY_REFERENCE, shipment_id)
    if found is None:
        raise RuntimeError(f"shipment {shipment_id!r} vanished")
    return LockedShipment(found)


def _one(statement: str, key: int | str) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])
        row = cursor.fetchone()
    return row[0] if row else None
