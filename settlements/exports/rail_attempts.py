"""Rail attempts: every instruction to a provider, and what became of it."""

from typing import Final

from rails.base import SettlementProvider
from rails.models import AttemptState
from rails.money import EXPONENTS
from settlements.exports.columns import amount, number, text, time, word
from settlements.exports.datasets import Dataset, ListOfRows, register
from settlements.exports.filters import first_day, last_day, of_number, of_text, of_words
from settlements.permissions import Scope

_PROVIDERS: Final = [provider for provider in SettlementProvider if provider.method != "internal_ledger"]

RAIL_ATTEMPTS: Final = register(
    Dataset(
        name="rail_attempts",
        version=1,
        title="Rail attempts",
        says="One line per instruction to a provider, with its reference and where it stands.",
        scope=Scope.AUDIT_READ,
        table="rails_railattempt t",
        source="""
            rails_railattempt t
            LEFT JOIN rails_recipient r ON r.id = t.recipient_id
            LEFT JOIN settlements_milestonesettlement s ON s.id = t.milestone_id
            LEFT JOIN settlements_paymentintent i ON i.id = s.intent_id
            LEFT JOIN settlements_shipment p ON p.id = i.shipment_id
        """,
        key="t.id",
        base="SELECT t.id FROM rails_railattempt t",
        amount="t.amount_minor",
        currency="t.currency",
        columns=(
            number("attempt_id", "t.id", "The attempt."),
            number("milestone_id", "t.milestone_id", "The settlement it pays."),
            number("attempt_number", "t.number", "The how-manyth attempt to pay it."),
            number("payment_intent_id", "s.intent_id", "The payment intent."),
            text("shipment_id", "p.shipment_id", "The shipment, as the upstream writes it."),
            text("recipient_id", "r.recipient_id", "Who is paid."),
            number("destination_id", "t.destination_id", "Which of the recipient's destinations; its number only."),
            word("provider", "t.provider", "Who moves the money."),
            word("state", "t.state", "Where it stands."),
            amount("amount", "t.amount_minor", "What was to be paid.", currency="t.currency"),
            amount("returned_amount", "t.returned_minor", "What came back of it by now.", currency="t.currency"),
            word("currency", "t.currency", "ISO 4217."),
            text("reference", "t.reference", "The provider's reference, by which statements are matched."),
            number("tries", "t.tries", "How often it was handed in."),
            text("error", "t.error", "The last words of the provider."),
            text("question", "t.question", "What a person has to look at before it goes on."),
            time("prepared_at", "t.prepared_at", "When it was written."),
            time("submitted_at", "t.submitted_at", "When it was handed to the provider first."),
            time("answered_at", "t.answered_at", "When the provider answered last."),
            time("confirmed_at", "t.confirmed_at", "When it was confirmed that the money arrived."),
        ),
        filters=(
            first_day("t.prepared_at"),
            last_day("t.prepared_at"),
            of_words("state", "t.state", AttemptState.values, "In this state."),
            of_words("provider", "t.provider", _PROVIDERS, "Of this provider."),
            of_words("currency", "t.currency", EXPONENTS, "In this currency.", lower=False),
            of_text(
                "recipient_id",
                "t.recipient_id = (SELECT r.id FROM rails_recipient r WHERE r.recipient_id = %s)",
                "To this recipient; the id in full.",
            ),
            of_text("reference", "t.reference = %s", "With this reference of the provider."),
            of_number("milestone_id", "t.milestone_id", "For this settlement."),
        ),
        lists=(ListOfRows(label="rails.railattempt", key="t.id"),),
    )
)
