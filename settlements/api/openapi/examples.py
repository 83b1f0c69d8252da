"""Answers as a running service gives them: one shipment, its intent, its milestones."""

from typing import Any, Final

import orjson

from settlements.statuses import SettlementStatus

TIME: Final = "2026-11-22T09:13:46.918300Z"
LATER: Final = "2026-11-22T09:13:46.954706Z"
VERSION: Final = "7765d125590a08bb24842aa6ae4e2792"
SHIPMENT: Final = "SHIP-TEST-001"
_TIER: Final = "low"


def amount(text: str) -> orjson.Fragment:
    """A JSON number with the currency's digits."""
    return orjson.Fragment(text)


def _item(event_type: str, share: str, text: str, status: str | None) -> dict[str, Any]:
    return {"event_type": event_type, "share": share, "amount": amount(text), "status": status}


SCHEDULE: Final = {
    "type": "milestone",
    "items": [
        _item("PICKUP_CONFIRMED", "0.20", "2000.00", None),
        _item("POD_CONFIRMED", "0.70", "7000.00", "approved"),
        _item("CLAIM_WINDOW_CLOSED", "0.10", "1000.00", None),
    ],
}
INTENT: Final[dict[str, Any]] = {
    "id": 11,
    "freight_token_id": 1,
    "shipment_id": SHIPMENT,
    "amount": amount("10000.00"),
    "currency": "USD",
    "description": "Rotterdam to Milano, 24 t",
    "status": "pending",
    "payment_method": "internal_ledger",
    "recipient_id": "acme-haulage",
    "risk_score": amount("0.15"),
    "risk_tier": _TIER,
    "risk_category": "LOW",
    "approved_amount": amount("7000.00"),
    "settled_amount": amount("0.00"),
    "pending_amount": amount("0.00"),
    "unreleased_amount": amount("3000.00"),
    "schedule": SCHEDULE,
    "version": VERSION,
    "created_by": "service:dispatch",
    "created_at": TIME,
    "cancelled_at": None,
}
_DECIDED: Final[dict[str, Any]] = {
    "payment_intent_id": 11,
    "event_type": "POD_CONFIRMED",
    "amount": amount("7000.00"),
    "currency": "USD",
    "status": "approved",
    "strategy": "immediate",
    "decision": "LOW risk (0.15 < 0.33) at POD_CONFIRMED: release now",
    "rule": "matrix/LOW/POD_CONFIRMED",
    "policy_version": "2025-11",
    "risk_tier": _TIER,
    "risk_score": amount("0.15"),
    "provider": "INTERNAL_LEDGER",
    "settlement_delayed_until": None,
    "blocked_reason": None,
    "approvals_required": 1,
}
PLANNED: Final = _DECIDED
MILESTONE: Final[dict[str, Any]] = {
    "id": 27,
    **_DECIDED,
    "origin": "event",
    "reference": "INTERNAL_LEDGER:20261122T091346954706Z:27",
    "on_hold": False,
    "approvals": 0,
    "version": "28131998c8bb0d8cae3380d3dc6e059f",
    "created_at": LATER,
    "released_at": LATER,
    "settled_at": None,
}
INTENT_SUMMARY: Final = {
    "total_milestones": 1,
    "approved_amount": amount("7000.00"),
    "settled_amount": amount("0.00"),
    "pending_amount": amount("0.00"),
}
_TOTALS: Final = {
    "total_approved_amount": amount("7000.00"),
    "total_settled_amount": amount("0.00"),
    "total_pending_amount": amount("0.00"),
}
SHIPMENT_SUMMARY: Final[dict[str, Any]] = {
    "total_milestones": 1,
    **{f"{status.lower()}_count": int(status is SettlementStatus.APPROVED) for status in SettlementStatus},
    **_TOTALS,
    "currency": "USD",
    "per_currency": {"USD": _TOTALS},
}
AUDIT_EVENT: Final[dict[str, Any]] = {
    "id": 50,
    "sequence": 2,
    "action": "settlement_created",
    "milestone_id": 27,
    "from_status": None,
    "to_status": "approved",
    "reason": "LOW risk (0.15 < 0.33) at POD_CONFIRMED: release now",
    "triggered_by": "source:acme",
    "approved_by": None,
    "data": {"amount": "7000.00", "currency": "USD", "rule": "matrix/LOW/POD_CONFIRMED"},
    "created_at": LATER,
    "prev_hash": "1b53623134c0900550e7592e755f408c5529577dc8d77bfb016f16c31aedef40",
    "hash": "2515165d95e17d9c7d286e3c082301a5ad504cc1476baf68e23814d3d091e89e",
}
HISTORY: Final[dict[str, Any]] = {
    "payment_intent_id": 11,
    "logs": [AUDIT_EVENT],
    "total_actions": 2,
    "archived": [
        {
            "file": "audit-2024-03-1.jsonl.gz",
            "sha256": "9f64a747e1b97f131fabb6b447296c9b6f0201e79fb3c5356e6c77e89b6a806a",
            "first_sequence": 1,
            "last_sequence": 2,
        }
    ],
}
TOKEN: Final[dict[str, Any]] = {
    "freight_token_id": 42,
    "shipment_id": "SHIP-42",
    "status": "active",
    "risk_score": amount("0.41"),
    "risk_tier": "medium",
    "risk_category": None,
    "carrier_id": "acme",
    "recipient_id": "acme-haulage",
    "created_at": TIME,
    "updated_at": TIME,
}
RECIPIENT: Final[dict[str, Any]] = {
    "recipient_id": "acme-haulage",
    "name": "Acme Haulage",
    "destinations": {},
    "payouts_enabled": True,
    "created_at": TIME,
    "updated_at": TIME,
}
DIGEST: Final[dict[str, Any]] = {
    "id": 7,
    "target_hours": 4,
    "waiting": 12,
    "overdue": 1,
    "target_missed": {"count": 0, "sums": []},
    "new": {
        "count": 1,
        "sums": [{"risk_tier": "high", "currency": "USD", "count": 1, "amount": amount("8000.00")}],
    },
    "items": [
        {
            "milestone_id": 22,
            "payment_intent_id": 1,
            "shipment_id": SHIPMENT,
            "event_type": "POD_CONFIRMED",
            "amount": amount("8000.00"),
            "currency": "USD",
            "risk_tier": "high",
            "target_missed": False,
            "created_at": TIME,
            "url": "https://pay.example.com/admin/compliance/reviewqueue/22/",
        }
    ],
    "items_left_out": 0,
}
