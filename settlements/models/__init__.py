"""The tables of what should be paid, when, and what happened."""

from settlements.models.api_key import ApiKey
from settlements.models.audit_archive import ArchivedChain, AuditArchive
from settlements.models.audit_event import AuditEvent
from settlements.models.books_check import BooksCheck
from settlements.models.checkpoint import Checkpoint, CheckpointHead
from settlements.models.event_source import EventSource, SourceSecret
from settlements.models.export import Export, ExportState
from settlements.models.four_eyes_limit import FourEyesLimit
from settlements.models.freight_token import FreightToken, Shipment
from settlements.models.intent import IdempotencyKey, PaymentIntent, PaymentSchedule, PaymentScheduleItem
from settlements.models.office_event import OfficeEvent
from settlements.models.reconciliation import BooksDifference, Comparison, DifferenceResolution
from settlements.models.settlement import Approval, Hold, MilestoneSettlement
from settlements.models.shipment_event import ShipmentEvent
from settlements.models.subscriber import Delivery, Subscriber, SubscriberSecret

__all__ = [
    "ApiKey",
    "Approval",
    "ArchivedChain",
    "AuditArchive",
    "AuditEvent",
    "BooksCheck",
    "BooksDifference",
    "Checkpoint",
    "CheckpointHead",
    "Comparison",
    "Delivery",
    "DifferenceResolution",
    "EventSource",
    "Export",
    "ExportState",
    "FourEyesLimit",
    "FreightToken",
    "Hold",
    "IdempotencyKey",
    "MilestoneSettlement",
    "OfficeEvent",
    "PaymentIntent",
    "PaymentSchedule",
    "PaymentScheduleItem",
    "Shipment",
    "ShipmentEvent",
    "SourceSecret",
    "Subscriber",
    "SubscriberSecret",
]
