"""What datasets of one line per settlement share: where it is read, what it is about, and how it is filtered."""

from typing import Final

from rails.money import EXPONENTS
from settlements.exports.columns import amount, number, text, word
from settlements.exports.filters import first_day, last_day, of_number, of_text, of_words
from settlements.models.guards import METHODS
from settlements.statuses import EventType, RiskTier, SettlementStatus

# Aliases: s the settlement, i its intent, p its shipment, r its recipient.
TABLE: Final = "settlements_milestonesettlement s"
BASE: Final = f"SELECT s.id FROM {TABLE} JOIN settlements_paymentintent i ON i.id = s.intent_id"
SOURCE: Final = f"""{TABLE}
            JOIN settlements_paymentintent i ON i.id = s.intent_id
            JOIN settlements_shipment p ON p.id = i.shipment_id
            LEFT JOIN rails_recipient r ON r.id = i.recipient_id
"""
NAMES: Final = (
    number("milestone_id", "s.id", "The milestone settlement."),
    number("payment_intent_id", "s.intent_id", "The payment intent it belongs to."),
    text("shipment_id", "p.shipment_id", "The shipment, as the upstream writes it."),
    text("recipient_id", "r.recipient_id", "Who is paid; empty if nobody is named."),
    text("recipient_name", "r.name", "The recipient's name, as it is now."),
    word("event_type", "s.event_type", "What it is paid for."),
)
MONEY_AND_STATUS: Final = (
    amount("amount", "s.amount_minor", "The settlement's amount.", currency="s.currency"),
    word("currency", "s.currency", "ISO 4217."),
    word("status", "s.status", "Where it stands."),
)
RISK: Final = (
    word("risk_tier", "s.risk_tier", "The tier it was decided by."),
    number("risk_score", "trim_scale(s.risk_score)", "The score it was decided by; empty if unknown."),
)
BY_DAY_AND_STATUS: Final = (
    first_day("s.created_at"),
    last_day("s.created_at"),
    of_words("status", "s.status", SettlementStatus, "In this status."),
)
BY_TIER: Final = of_words("risk_tier", "s.risk_tier", RiskTier, "Of this risk tier.")
BY_EVENT_MONEY_AND_RECIPIENT: Final = (
    of_words("event_type", "s.event_type", EventType, "Of this event.", lower=False),
    of_words("currency", "s.currency", EXPONENTS, "In this currency.", lower=False),
    of_words("payment_method", "s.rail", METHODS, "On this rail."),
    of_text(
        "recipient_id",
        "i.recipient_id = (SELECT r.id FROM rails_recipient r WHERE r.recipient_id = %s)",
        "To this recipient; the id in full.",
    ),
)
BY_INTENT: Final = of_number("payment_intent_id", "s.intent_id", "Of this payment intent.")
