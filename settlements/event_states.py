"""What became of an event that was processed, as the database tells it."""

from django.db import connection

from settlements.statuses import EventState, EventType

_PAYING = ", ".join(f"'{word}'" for word in EventType)
_MILESTONES = """
    SELECT 1 FROM settlements_milestonesettlement s JOIN settlements_paymentintent i ON i.id = s.intent_id
    WHERE i.shipment_id = e.shipment_id AND s.event_type = e.event_type AND s.event_id
"""

# Parked: no intent yet. Duplicate: another event has brought the milestones of its type and it brought none itself.
# The words of events that are neither stay what most of them are, so that storing one touches no index. Alias: e.
STATE = f"""CASE
    WHEN e.event_type NOT IN ({_PAYING}) THEN 'PROCESSED'
    WHEN NOT EXISTS (SELECT 1 FROM settlements_paymentintent i WHERE i.shipment_id = e.shipment_id) THEN 'PARKED'
    WHEN EXISTS ({_MILESTONES} <> e.id) AND NOT EXISTS ({_MILESTONES} = e.id) THEN 'DUPLICATE'
    ELSE 'PROCESSED' END"""

_UNPARK = f"""
    UPDATE settlements_shipmentevent e SET state = {STATE} WHERE e.shipment_id = %s AND e.state = 'PARKED'
"""
_TELL = f"UPDATE settlements_shipmentevent e SET state = {STATE}, error = '' WHERE e.id = %s RETURNING e.state"


def unpark(shipment_pk: int) -> None:
    """The parked events of a locked shipment have met an intent."""
    with connection.cursor() as cursor:
        cursor.execute(_UNPARK, [shipment_pk])


def tell(event_id: int) -> EventState:
    """Stores and returns the state of an event that was applied again; what was answered to its sender stays."""
    with connection.cursor() as cursor:
        cursor.execute(_TELL, [event_id])
        return EventState(cursor.fetchone()[0])
