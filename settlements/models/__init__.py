"""The tables of what should be paid, when, and what happened."""

from settlements.models.audit_event import AuditEvent
from settlements.models.freight_token import FreightToken, Shipment
from settlements.models.intent import IdempotencyKey, PaymentIntent, PaymentSchedule, PaymentScheduleItem
from settlements.models.settlement import Approval, Hold, MilestoneSettlement
from settlements.models.shipment_event import EventSource, ShipmentEvent

__all__ = [
    "Approval",
    "AuditEvent",
    "EventSource",
    "FreightToken",
    "Hold",
    "IdempotencyKey",
    "MilestoneSettlement",
    "PaymentIntent",
    "PaymentSchedule",
    "PaymentScheduleItem",
    "Shipment",
    "ShipmentEvent",
]
