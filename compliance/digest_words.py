"""How a digest reads: its subject, its text, its page, and the body that subscribers get."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.template.loader import render_to_string

from rails.money import Money
from settlements import redaction
from settlements.api.rendering import dump, money
from settlements.statuses import EventType, News, RiskTier

_LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How many settlements of one tier and currency, and what they come to."""

    tier: RiskTier
    count: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Settlements that are told of for one reason."""

    count: int
    sums: Sequence[Sum]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One of the largest, with the link to its page; `missed` if it is told of for waiting too long."""

    milestone_id: int
    payment_intent_id: int
    shipment_id: str
    event_type: EventType
    amount: Money
    tier: RiskTier
    recipient: str
    created_at: datetime
    missed: bool
    url: str

    @property
    def shipment(self) -> str:
        """The upstream's reference as a mail may show it."""
        return _shown(self.shipment_id)

    @property
    def recipient_name(self) -> str:
        """The name as a mail may show it: what looks like an account number keeps its last four digits."""
        return _shown(redaction.text(self.recipient))


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What is told: every settlement once, under `missed` if it waits too long by now, else under `new`.

    `waiting` and `overdue` count the whole queue; `left_out` those that are told of and not named.
    """

    target_hours: int
    waiting: int
    overdue: int
    missed: Group
    new: Group
    named: Sequence[Named]
    left_out: int
    queue_url: str


def subject(digest: Digest) -> str:
    """Counts in words; nothing that others have written."""
    parts = [
        f"{digest.missed.count} past the {digest.target_hours} h target" if digest.missed.count else "",
        f"{digest.new.count} new" if digest.new.count else "",
    ]
    return f"Review queue: {', '.join(filter(None, parts))} ({digest.waiting} waiting)"


def text(digest: Digest) -> str:
    """The plain text."""
    return render_to_string("compliance/digest/mail.txt", {"digest": digest, "sections": _sections(digest)})


def html(digest: Digest) -> str:
    """The same as a page."""
    return render_to_string("compliance/digest/mail.html", {"digest": digest, "sections": _sections(digest)})


def body(digest: Digest, *, number: int, now: datetime) -> bytes:
    """The JSON body of the message to subscribers."""
    return dump(
        {
            "type": News.REVIEW_DIGEST.value,
            "timestamp": now,
            "data": {
                "id": number,
                "target_hours": digest.target_hours,
                "waiting": digest.waiting,
                "overdue": digest.overdue,
                "target_missed": _figures(digest.missed),
                "new": _figures(digest.new),
                "items": [_item(named) for named in digest.named],
                "items_left_out": digest.left_out,
            },
        }
    )


def _sections(digest: Digest) -> list[dict[str, Any]]:
    """Overdue first; what is empty is left out."""
    sections = [
        (f"Waiting longer than {digest.target_hours} hours", digest.missed, True),
        ("New in the queue", digest.new, False),
    ]
    return [
        {"title": title, "group": group, "named": [each for each in digest.named if each.missed is missed]}
        for title, group, missed in sections
        if group.count
    ]


def _figures(group: Group) -> dict[str, Any]:
    return {
        "count": group.count,
        "sums": [
            {
                "risk_tier": each.tier.lower(),
                "currency": each.amount.currency,
                "count": each.count,
                "amount": money(each.amount),
            }
            for each in group.sums
        ],
    }


def _item(named: Named) -> dict[str, Any]:
    return {
        "milestone_id": named.milestone_id,
        "payment_intent_id": named.payment_intent_id,
        "shipment_id": named.shipment_id,
        "event_type": named.event_type.value,
        "amount": money(named.amount),
        "currency": named.amount.currency,
        "risk_tier": named.tier.lower(),
        "target_missed": named.missed,
        "created_at": named.created_at,
        "url": named.url,
    }


def _shown(words: str) -> str:
    """One line of visible characters, of bounded length, that no mail program takes for a link."""
    visible = "".join(character if character.isprintable() else " " for character in words).replace("://", ": //")
    return visible if len(visible) <= _LONGEST else f"{visible[: _LONGEST - 1]}…"
