"""Audit events: every state change of every intent, with its place in the chain."""

from typing import Final

from settlements.exports.columns import digest, number, text, time, word
from settlements.exports.datasets import Dataset, ListOfRows, register
from settlements.exports.filters import first_day, last_day, of_number, of_text, of_words
from settlements.permissions import Scope
from settlements.statuses import SettlementStatus

AUDIT_EVENTS: Final = register(
    Dataset(
        name="audit_events",
        version=1,
        title="Audit events",
        says="One line per audit event of a payment intent, with the hashes that chain them.",
        scope=Scope.AUDIT_READ,
        table="settlements_auditevent a",
        source="""
            settlements_auditevent a
            JOIN settlements_paymentintent i ON i.id = a.intent_id
            JOIN settlements_shipment p ON p.id = i.shipment_id
        """,
        key="a.id",
        base="SELECT a.id FROM settlements_auditevent a JOIN settlements_paymentintent i ON i.id = a.intent_id",
        columns=(
            number("audit_event_id", "a.id", "The audit event."),
            number("payment_intent_id", "a.intent_id", "Whose chain it is in."),
            number("sequence", "a.sequence", "Its place in that chain, from 1 without gaps."),
            number("milestone_id", "a.settlement_id", "The settlement it is about; empty if it is about the intent."),
            text("shipment_id", "p.shipment_id", "The shipment, as the upstream writes it."),
            time("created_at", "a.created_at", "When it happened."),
            word("action", "a.action", "What happened."),
            word("from_status", "a.from_status", "The settlement's status before."),
            word("to_status", "a.to_status", "The settlement's status after."),
            text("reason", "a.reason", "Why, in words."),
            text("triggered_by", "a.triggered_by", "Who or what did it."),
            text("approved_by", "a.approved_by", "Who had approved it."),
            text("data", "a.data::text", "What else was recorded, as JSON."),
            digest("prev_hash", "a.prev_hash", "The hash of the event before it; zeros for the first."),
            digest("hash", "a.hash", "The event's own hash."),
        ),
        filters=(
            first_day("a.created_at"),
            last_day("a.created_at"),
            of_text("action", "a.action = %s", "Of this action, as it is stored: `settlement_created`."),
            of_words("to_status", "a.to_status", SettlementStatus, "Into this status."),
            of_text("triggered_by", "a.triggered_by = %s", "By this actor, as it is stored: `user:officer1`."),
            of_text(
                "shipment_id",
                "i.shipment_id = (SELECT p.id FROM settlements_shipment p WHERE p.shipment_id = %s)",
                "Of this shipment, written in full.",
            ),
            of_number("payment_intent_id", "a.intent_id", "Of this payment intent."),
            of_number("milestone_id", "a.settlement_id", "Of this settlement."),
        ),
        lists=(ListOfRows(label="settlements.auditevent", key="a.id"),),
    )
)
