"""Rows for tests, made by the domain's own functions where rows must agree with one another."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, cast

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from factory.base import Factory
from factory.declarations import LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from rails import recipients
from rails.models import Recipient
from rails.money import Money
from settlements import approvals, inbox, intents, tokens
from settlements.approvals import Officer
from settlements.inbox import Message, Receipt
from settlements.intents import IntentRequest, ScheduleRequest
from settlements.models import Approval, EventSource, FreightToken, MilestoneSettlement, PaymentIntent
from settlements.sources import Source
from settlements.statuses import Channel
from settlements.tokens import TokenPush

LOW, MEDIUM, HIGH = Decimal("0.15"), Decimal("0.50"), Decimal("0.81")
PICKUP, POD, CLAIM = "PICKUP_CONFIRMED", "POD_CONFIRMED", "CLAIM_WINDOW_CLOSED"
ACTOR = "test:platform"

_messages = count(1)
_VERSION = """
    SELECT settlements_settlement_version(id, intent_id, amount_minor, currency, rail, strategy)
    FROM settlements_milestonesettlement WHERE id = %s
"""


def now() -> datetime:
    """The time of a call, as views and tasks take it."""
    return datetime.now(UTC)


class UserFactory(DjangoModelFactory[User]):
    """A member of staff."""

    class Meta:
        model = User

    username = Sequence(lambda n: f"officer{n}")
    is_staff = True


class EventSourceFactory(DjangoModelFactory[EventSource]):
    """A carrier's source; `platform_source()` gives the platform's."""

    class Meta:
        model = EventSource

    name = Sequence(lambda n: f"carrier-{n}")
    kind = EventSource.CARRIER
    carrier_id = Sequence(lambda n: f"CARRIER-{n}")
    allowed_event_types = [PICKUP, POD]
    created_at = LazyFunction(now)


class RecipientFactory(Factory[Recipient]):
    """A recipient; `user` is who wrote it."""

    class Meta:
        model = Recipient

    recipient_id = Sequence(lambda n: f"RECIPIENT-{n}")
    name = "Bozza Haulage"
    user: User | None = None

    @classmethod
    def _create(cls, model_class: type[Recipient], *args: Any, **kwargs: Any) -> Recipient:
        recipient, _ = recipients.put(
            kwargs["recipient_id"], kwargs["name"], actor=ACTOR, now=now(), user=kwargs["user"]
        )
        return recipient


class TokenFactory(Factory[FreightToken]):
    """A freight token of a shipment of its own, LOW unless told otherwise."""

    class Meta:
        model = FreightToken

    id = Sequence(lambda n: n + 1)
    shipment_id = Sequence(lambda n: f"SHIP-{n + 1}")
    status = "active"
    risk_score: Decimal | None = LOW
    carrier_id = ""
    recipient: Recipient | None = None

    @classmethod
    def _create(cls, model_class: type[FreightToken], *args: Any, **kwargs: Any) -> FreightToken:
        recipient = kwargs.pop("recipient")
        token_id = kwargs.pop("id")
        push = TokenPush(recipient_id=recipient and recipient.recipient_id, **kwargs)
        token, _ = tokens.put(token_id, push, actor=ACTOR, now=now())
        return token


class IntentFactory(Factory[PaymentIntent]):
    """An intent of 10,000.00 USD with its schedule; `risk` is its token's, `creator` a user."""

    class Meta:
        model = PaymentIntent

    risk: Decimal | None = LOW
    token = SubFactory(TokenFactory, risk_score=SelfAttribute("..risk"))
    amount = Decimal("10000")
    currency = "USD"
    recipient: Recipient | None = None
    schedule = ScheduleRequest()
    creator: User | None = None
    payment_method = "internal_ledger"

    @classmethod
    def _create(cls, model_class: type[PaymentIntent], *args: Any, **kwargs: Any) -> PaymentIntent:
        recipient, creator = kwargs["recipient"], kwargs["creator"]
        request = IntentRequest(
            freight_token_id=kwargs["token"].pk,
            amount=Money.from_major(kwargs["amount"], kwargs["currency"]),
            recipient_id=recipient and recipient.recipient_id,
            schedule=kwargs["schedule"],
            payment_method=kwargs["payment_method"],
        )
        pk = intents.create(request, actor=ACTOR, user_id=creator and creator.pk, now=now())
        return PaymentIntent.objects.select_related("shipment", "freight_token", "recipient").get(pk=pk)


# The factories as functions, with the type of what they make.
a_user = cast("Callable[..., User]", UserFactory)
an_event_source = cast("Callable[..., EventSource]", EventSourceFactory)
a_recipient = cast("Callable[..., Recipient]", RecipientFactory)
a_token = cast("Callable[..., FreightToken]", TokenFactory)
an_intent = cast("Callable[..., PaymentIntent]", IntentFactory)


def platform_source() -> EventSource:
    """The platform's source: a migration stores it, and tests with real transactions empty its table."""
    source, _ = EventSource.objects.get_or_create(
        name="platform", defaults={"kind": EventSource.PLATFORM, "created_at": now()}
    )
    return source


def message_of(
    shipment_id: str, event_type: str = POD, *, source: EventSource | None = None, message_id: str = ""
) -> Message:
    """A message as the webhook hands it in, by default a new one of the platform."""
    source = source or platform_source()
    body = f'{{"shipment_id": "{shipment_id}", "event_type": "{event_type}"}}'
    carrier = source.kind == EventSource.CARRIER
    reach = Source(source.pk, source.carrier_id, frozenset(source.allowed_event_types) if carrier else None)
    return Message(
        source=reach,
        actor=f"source:{source.name}",
        message_id=message_id or f"message-{next(_messages)}",
        body=body,
        body_hash=hashlib.sha256(body.encode()).digest(),
        shipment_id=shipment_id,
        event_type=event_type,
        occurred_at=now(),
        occurred_at_was_naive=False,
    )


def post_event(
    shipment_id: str, event_type: str, *, source: EventSource | None = None, message_id: str = ""
) -> Receipt:
    """One message through the inbox, by default a new one of the platform."""
    return inbox.receive(message_of(shipment_id, event_type, source=source, message_id=message_id), now=now())


def settlement_of(intent: PaymentIntent, event_type: str, *, create: bool = True) -> MilestoneSettlement:
    """The intent's settlement for an event type, whose event is posted first unless `create` is off."""
    if create and not MilestoneSettlement.objects.filter(intent=intent, event_type=event_type).exists():
        post_event(intent.shipment.shipment_id, event_type)
    return MilestoneSettlement.objects.select_related("intent").get(intent=intent, event_type=event_type)


def version_of(settlement_id: int) -> str:
    """What an approval of the settlement is bound to at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION, [settlement_id])
        row: tuple[str] = cursor.fetchone()
    return row[0]


def log_in(client: Client, user: User) -> Client:
    """The client with a session as it is after password and second factor were shown just now."""
    client.force_login(user)
    factor, _ = Authenticator.objects.get_or_create(user=user, type=Authenticator.Type.TOTP, defaults={"data": {}})
    at = time.time()
    session = client.session
    session["session_started_at"] = session["session_seen_at"] = at
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [
        {"method": "password", "at": at, "username": user.get_username()},
        {"method": "mfa", "at": at, "id": factor.pk, "type": factor.type},
    ]
    session.save()
    return client


def officer(user: User, channel: Channel = Channel.ITEM) -> Officer:
    """A user as the one who decides."""
    return Officer(pk=user.pk, username=user.username, channel=channel)


def approve(settlement: MilestoneSettlement, user: User, reason: str = "papers are in order") -> approvals.Decided:
    """An approval through the domain, at the settlement's version of this moment."""
    return approvals.approve(
        settlement.pk, officer=officer(user), reason=reason, version=version_of(settlement.pk), now=now()
    )


def approval_row(settlement: MilestoneSettlement, user: User, **others: Any) -> Approval:
    """An approval written past the domain, for the database to judge."""
    values = {
        "decision": Approval.APPROVE,
        "channel": Channel.ITEM,
        "reason": "test",
        "version": version_of(settlement.pk),
        "created_at": now(),
    }
    return Approval.objects.create(settlement=settlement, approver=user, **{**values, **others})
