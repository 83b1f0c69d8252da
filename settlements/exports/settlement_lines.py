"""Settlements: event, decision, approvers, rail and reference on one line each."""

from typing import Final

from settlements.exports import settlement_parts as parts
from settlements.exports.columns import number, text, time, word
from settlements.exports.datasets import Dataset, ListOfRows, register
from settlements.exports.filters import of_text, of_words
from settlements.permissions import Scope
from settlements.statuses import ReleaseStrategy

# An approval is about a version; those that count are of the last one that anybody approved.
_APPROVERS: Final = """
    LEFT JOIN LATERAL (
        SELECT count(*) AS given, string_agg(u.username, '; ' ORDER BY a.id) AS names, max(a.created_at) AS last_at
        FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
        WHERE a.settlement_id = s.id AND a.decision = 'APPROVE' AND a.version = (
            SELECT l.version FROM settlements_approval l WHERE l.settlement_id = s.id AND l.decision = 'APPROVE'
            ORDER BY l.id DESC LIMIT 1)
    ) approved ON true
    LEFT JOIN LATERAL (
        SELECT u.username, a.created_at FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
        WHERE a.settlement_id = s.id AND a.decision = 'REJECT' ORDER BY a.id DESC LIMIT 1
    ) rejected ON true
"""

SETTLEMENTS: Final = register(
    Dataset(
        name="settlements",
        version=1,
        title="Settlements",
        says="One line per milestone settlement: the event that brought it, the decision, who approved, the rail and "
        "its reference.",
        scope=Scope.AUDIT_READ,
        table=parts.TABLE,
        source=f"""
            {parts.SOURCE}
            LEFT JOIN settlements_shipmentevent e ON e.id = s.event_id
            LEFT JOIN settlements_eventsource c ON c.id = e.source_id
            {_APPROVERS}
        """,
        key="s.id",
        base=parts.BASE,
        amount="s.amount_minor",
        currency="s.currency",
        columns=(
            *parts.NAMES,
            word("origin", "s.origin", "`EVENT`, or `SETTLE` for one that was asked for."),
            number("event_id", "s.event_id", "The shipment event that brought it; empty for `SETTLE`."),
            text("event_source", "c.name", "Who posted that event."),
            text("event_message_id", "e.message_id", "Under which message id."),
            time("event_occurred_at", "e.occurred_at", "When it happened, by the source."),
            time("event_received_at", "e.received_at", "When we received it."),
            *parts.MONEY_AND_STATUS,
            time("decided_at", "s.created_at", "When it was decided first."),
            word("strategy", "s.strategy", "The decision."),
            *parts.RISK,
            text("rule", "s.rule", "The rule of the policy that fired."),
            text("explanation", "s.explanation", "The decision in words."),
            word("policy_version", "s.policy_version", "The version of the policy."),
            time("delayed_until", "s.settlement_delayed_until", "Until when it is, or was, delayed."),
            number("approvals_required", "s.approvals_required", "How many officers must approve, if any must."),
            number("approvals_given", "approved.given", "How many approved it as it was last approved."),
            text("approvers", "approved.names", "Their logins in the order of approval, separated by `; `."),
            time("approved_at", "approved.last_at", "When the last of them did."),
            text("rejected_by", "rejected.username", "Who rejected it."),
            time("rejected_at", "rejected.created_at", "When."),
            word("rail", "s.rail", "The payment method."),
            text("reference", "s.reference", "The rail's reference, by which statements are matched."),
            time("released_at", "s.released_at", "When the money left."),
            time("settled_at", "s.settled_at", "When the funds were confirmed."),
            text("blocked_reason", "s.blocked_reason", "What an authorised release waits for."),
            text("error", "s.error", "What the provider said last when it failed."),
        ),
        filters=(
            *parts.BY_DAY_AND_STATUS,
            of_words("strategy", "s.strategy", ReleaseStrategy, "Decided so."),
            parts.BY_TIER,
            *parts.BY_EVENT_MONEY_AND_RECIPIENT,
            of_text(
                "shipment_id",
                "i.shipment_id = (SELECT p.id FROM settlements_shipment p WHERE p.shipment_id = %s)",
                "Of this shipment, written in full.",
            ),
            parts.BY_INTENT,
        ),
        lists=(ListOfRows(label="settlements.milestonesettlement", key="s.id"),),
    )
)
