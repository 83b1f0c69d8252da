"""The rules that the database itself keeps for messages to subscribers."""

import pgtrigger

from rails.models.guards import Fsm, Guard
from settlements.models.guards import refuse

# A parked or delivered message goes out again when somebody asks for it, under its own id.
DELIVERY_EDGES = Fsm(
    name="state_follows_the_table",
    field="state",
    transitions=[
        ("DELIVERED", "WAITING"),
        ("PARKED", "WAITING"),
        ("WAITING", "DELIVERED"),
        ("WAITING", "PARKED"),
    ],
)

_MESSAGE_IS = ("id", "message_id", "subscriber_id", "audit_event_id", "settlement_id", "event_type", "created_at")
_NEW, _OLD = (", ".join(f"{row}.{column}" for column in _MESSAGE_IS) for row in ("NEW", "OLD"))

DELIVERY_ROW = Guard(
    name="message_is_fixed",
    when=pgtrigger.Before,
    operation=pgtrigger.Update,
    func=f"""
        IF ({_NEW}) IS DISTINCT FROM ({_OLD}) THEN
            {refuse("a message keeps its id, its subscriber and what it tells of")}
        END IF;
        IF OLD.payload <> '' AND NEW.payload <> OLD.payload THEN
            {refuse("a message that was prepared stays as it is, byte for byte")}
        END IF;
        IF NEW.attempts < OLD.attempts THEN
            {refuse("attempts are only ever added")}
        END IF;
        RETURN NEW;
    """,
)

# After the statement, for the event may be written by the same one.
DELIVERY_TELLS = Guard(
    name="message_tells_of_what_happened",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    func=f"""
        IF NEW.audit_event_id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM public.settlements_auditevent a WHERE a.id = NEW.audit_event_id) THEN
            {refuse("a message tells of an audit event that happened")}
        END IF;
        RETURN NULL;
    """,
)
