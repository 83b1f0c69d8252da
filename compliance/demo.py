"""What a demo holds: tokens, recipients, logins, and intents in every status, all made by the domain's own verbs.

Every step looks first whether it was taken, so a load that was cut short is finished by the next one. Freight tokens
1, 2, 3 and 5 stay without events, and 1 and 5 without intents, so that a visitor begins with a clean shipment.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import Group, User
from django.utils import timezone

from compliance import demo_recipients, queries, roles
from compliance.demo_logins import DEMO_LOGINS, DEMO_PASSWORD, DemoLogin
from rails.money import Money
from settlements import approvals, holds, inbox, intents, requests, sources, tokens
from settlements.approvals import Officer
from settlements.intents import IntentRequest
from settlements.models import EventSource, FreightToken, MilestoneSettlement, PaymentIntent
from settlements.statuses import Channel, EventType, IntentStatus, SettlementStatus
from settlements.tokens import TokenPush

ACTOR = demo_recipients.ACTOR
PICKUP, POD, CLAIM = EventType.PICKUP_CONFIRMED, EventType.POD_CONFIRMED, EventType.CLAIM_WINDOW_CLOSED


@dataclass(frozen=True, slots=True)
class DemoToken:
    """A freight token; `score` None is one that was never scored."""

    id: int
    shipment_id: str
    score: str | None
    category: str
    carrier_id: str
    recipient_id: str

    @property
    def push(self) -> TokenPush:
        """The token as the upstream would push it."""
        return TokenPush(
            shipment_id=self.shipment_id,
            risk_score=None if self.score is None else Decimal(self.score),
            risk_category=self.category,
            carrier_id=self.carrier_id,
            recipient_id=self.recipient_id,
        )


TOKENS = (
    DemoToken(1, "SHIP-TEST-001", "0.15", "LOW", "acme", "acme-haulage"),
    DemoToken(2, "SHIP-DALLAS-002", "0.50", "MEDIUM", "acme", "acme-haulage"),
    DemoToken(3, "3", "0.81", "HIGH", "summit", "summit-factoring"),
    DemoToken(4, "SHIP-LAREDO-004", None, "", "summit", "summit-factoring"),
    DemoToken(5, "SHIP-BOZZA-001", "0.28", "LOW", "bozza", "bozza-trucking"),
    DemoToken(6, "SHIP-ROTTERDAM-006", "0.22", "LOW", "rijnmond", "rijnmond-transport"),
    DemoToken(7, "SHIP-YOKOHAMA-007", "0.41", "MEDIUM", "sakura", "sakura-logistics"),
    DemoToken(8, "SHIP-CALAIS-008", "0.74", "HIGH", "bozza", "bozza-trucking"),
)
CANCELLED_TOKEN = 8

# What the platform has told of shipments, the newest last; the ninth nobody has an intent for: it is parked.
EVENTS = (
    ("SHIP-LAREDO-004", PICKUP),
    ("SHIP-LAREDO-004", POD),
    ("SHIP-ROTTERDAM-006", PICKUP),
    ("SHIP-ROTTERDAM-006", POD),
    ("SHIP-ROTTERDAM-006", CLAIM),
    ("SHIP-YOKOHAMA-007", PICKUP),
    ("SHIP-YOKOHAMA-007", POD),
    ("SHIP-CALAIS-008", PICKUP),
    ("SHIP-CALAIS-008", POD),
    ("SHIP-CALAIS-008", CLAIM),
    ("SHIP-SANTOS-009", POD),
)


@dataclass(frozen=True, slots=True)
class DemoIntent:
    """An intent by its description, which tells it from all others; amounts in major units."""

    token_id: int
    amount: str
    currency: str
    description: str


SETTLED_HIGH = DemoIntent(3, "48000.00", "USD", "Demo: machine parts, settled by request and half approved")
SETTLED_MEDIUM = DemoIntent(2, "3200.00", "USD", "Demo: steel coils, settled by request")
UNSCORED = DemoIntent(4, "7450.00", "USD", "Demo: produce, the carrier was never scored")
UNSCORED_LARGE = DemoIntent(4, "19999.99", "USD", "Demo: electronics, the carrier was never scored")
CANCELLED = DemoIntent(4, "610.00", "USD", "Demo: ordered twice, cancelled")
APPROVED = DemoIntent(6, "12500.00", "EUR", "Demo: containers to Rotterdam")
SETTLED = DemoIntent(6, "980.50", "EUR", "Demo: containers to Rotterdam, funds confirmed")
YEN = DemoIntent(7, "1250000", "JPY", "Demo: car parts to Yokohama")
REJECTED = DemoIntent(8, "5400.00", "USD", "Demo: never delivered, rejected")
TOKEN_CANCELLED = DemoIntent(8, "2750.00", "USD", "Demo: its freight token was cancelled")
INTENTS = (
    SETTLED_HIGH, SETTLED_MEDIUM, UNSCORED, UNSCORED_LARGE, CANCELLED, APPROVED, SETTLED, YEN, REJECTED,
    TOKEN_CANCELLED,
)  # fmt: skip


def is_loaded() -> bool:
    """Whether a load was finished: the last login is made last."""
    return User.objects.filter(username=DEMO_LOGINS[-1].username).exists()


def load() -> None:
    """Loads what is missing."""
    roles.install()
    for login in DEMO_LOGINS[:-1]:
        _make_login(login)
    _push_tokens()
    _create_intents()
    for event in EVENTS:
        _receive(*event)
    _decide()
    demo_recipients.propose_change()
    demo_recipients.make_rule()
    if FreightToken.objects.filter(pk=CANCELLED_TOKEN, status="active").exists():
        token = _token(CANCELLED_TOKEN)
        push = TokenPush(shipment_id=token.shipment_id, status="cancelled")
        tokens.put(token.id, push, actor=ACTOR, now=timezone.now())
    _make_login(DEMO_LOGINS[-1])


def _make_login(login: DemoLogin) -> None:
    user, created = User.objects.get_or_create(username=login.username, defaults={"is_staff": True})
    if created:
        user.set_password(DEMO_PASSWORD)
        user.save(update_fields=["password"])
        user.groups.set([Group.objects.get(name=login.role.value)])


def _push_tokens() -> None:
    demo_recipients.push()
    known = set(FreightToken.objects.filter(pk__in=[token.id for token in TOKENS]).values_list("pk", flat=True))
    for token in TOKENS:
        if token.id not in known:
            tokens.put(token.id, token.push, actor=ACTOR, now=timezone.now())


def _create_intents() -> None:
    known = set(
        PaymentIntent.objects.filter(description__in=[intent.description for intent in INTENTS]).values_list(
            "description", flat=True
        )
    )
    creator = User.objects.get(username="ops1")
    for intent in INTENTS:
        if intent.description not in known:
            intents.create(
                IntentRequest(
                    freight_token_id=intent.token_id,
                    amount=Money.from_major(intent.amount, intent.currency),
                    description=intent.description,
                ),
                actor=f"user:{creator.username}",
                user_id=creator.pk,
                now=timezone.now(),
            )


def _receive(shipment_id: str, event_type: EventType) -> None:
    """Posts an event as the platform; the inbox knows a message it has seen."""
    message_id = f"demo-{shipment_id}-{event_type.value}".lower()
    source = EventSource.objects.get(name="platform")
    if source.events.filter(message_id=message_id).exists():
        return
    now = timezone.now()
    occurred_at = now - timedelta(minutes=10)
    told = {"shipment_id": shipment_id, "event_type": event_type.value, "occurred_at": occurred_at.isoformat()}
    body = json.dumps(told)
    inbox.receive(
        inbox.Message(
            source=sources.Source(source.pk),
            actor=ACTOR,
            message_id=message_id,
            body=body,
            body_hash=hashlib.sha256(body.encode()).digest(),
            shipment_id=shipment_id,
            event_type=event_type.value,
            occurred_at=occurred_at,
            occurred_at_was_naive=False,
        ),
        now=now,
    )


def _decide() -> None:
    """What people did: settle, approve, reject, hold, confirm, cancel."""
    for asked in (SETTLED_HIGH, SETTLED_MEDIUM):
        if not _settlements(asked):
            requests.settle(_intent(asked).pk, actor="user:ops1", reason="the carrier asked for it", now=timezone.now())
    _approve_once(SETTLED_HIGH, POD, officer="officer2", reason="delivery note and photos seen")
    for settlement in _settlements(REJECTED, SettlementStatus.PENDING):
        _reject(settlement, officer="officer1", reason="the consignee never received the goods")
    for settlement in _settlements(SETTLED_MEDIUM, SettlementStatus.DELAYED, [CLAIM]):
        if not settlement.holds.exists():
            holds.place(settlement.pk, reason="claim filed by phone", actor="user:manager1", now=timezone.now())
    if _intent(SETTLED).status == IntentStatus.APPROVED:
        requests.complete(_intent(SETTLED).pk, actor="user:finance1", now=timezone.now())
    if _intent(CANCELLED).status == IntentStatus.PENDING:
        intents.cancel(_intent(CANCELLED).pk, reason="ordered twice", actor="user:ops1", now=timezone.now())


def _approve_once(intent: DemoIntent, event_type: EventType, *, officer: str, reason: str) -> None:
    for settlement in _settlements(intent, SettlementStatus.PENDING, [event_type]):
        if not settlement.approvals.exists():
            approvals.approve(
                settlement.pk, officer=_officer(officer), reason=reason, version=_version(settlement.pk),
                now=timezone.now(),
            )  # fmt: skip


def _reject(settlement: MilestoneSettlement, *, officer: str, reason: str) -> None:
    approvals.reject(
        settlement.pk, officer=_officer(officer), reason=reason, version=_version(settlement.pk), now=timezone.now()
    )


def _version(settlement_id: int) -> str:
    _, (item,) = queries.queue(skip=0, limit=1, milestone_id=settlement_id, now=timezone.now())
    return item.version


def _officer(username: str) -> Officer:
    user = User.objects.get(username=username)
    return Officer(pk=user.pk, username=user.username, channel=Channel.ITEM)


def _token(token_id: int) -> DemoToken:
    return next(token for token in TOKENS if token.id == token_id)


def _intent(intent: DemoIntent) -> PaymentIntent:
    return PaymentIntent.objects.filter(description=intent.description).order_by("pk")[0]


def _settlements(
    intent: DemoIntent, status: SettlementStatus | None = None, event_types: Iterable[EventType] = EventType
) -> Sequence[MilestoneSettlement]:
    found = _intent(intent).settlements.filter(event_type__in=list(event_types), amount_minor__gt=0)
    return list(found.filter(status=status) if status else found)
