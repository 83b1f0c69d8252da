"""A shipment of HIGH risk with an intent and its proof of delivery, and the people who deal with it."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from compliance import roles
from compliance.roles import Role
from rails import recipients
from rails.money import Money
from settlements import inbox, intents, sources, tokens
from settlements.intents import IntentRequest, ScheduleRequest
from settlements.models import EventSource, MilestoneSettlement
from settlements.statuses import EventType, ScheduleType
from settlements.tokens import TokenPush
from tests.factories import ACTOR, log_in, platform_source

_numbers = itertools.count(1000)
Staff = Callable[..., User]


@pytest.fixture(autouse=True)
def _admin_cookies_over_plain_http(settings, db):
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False


@pytest.fixture
def staff() -> Staff:
    """Makes a member of staff with a role."""

    def make(role: Role | None, username: str = "", **extra: Any) -> User:
        user = User.objects.create_user(username or f"user{next(_numbers)}", is_staff=True, **extra)
        if role:
            user.groups.add(Group.objects.get(name=role.value))
        return user

    return make


@pytest.fixture
def standing(db: None) -> None:
    """What migrations store, again: a test with real transactions empties every table behind it."""
    roles.install()
    platform_source()


@pytest.fixture
def officer(staff: Staff) -> User:
    return staff(Role.COMPLIANCE_OFFICER, "olga")


@pytest.fixture
def second_officer(staff: Staff) -> User:
    return staff(Role.COMPLIANCE_OFFICER, "otto")


def logged_in(user: User, *, csrf: bool = False) -> Client:
    """A browser with that login."""
    return log_in(Client(enforce_csrf_checks=csrf), user)


@dataclass(frozen=True)
class Freight:
    """A token and its shipment's reference."""

    token_id: int
    shipment_id: str


def freight(
    score: str | None = "0.81", *, carrier_id: str = "", recipient_id: str | None = None, shipment: str = ""
) -> Freight:
    """A new token of a new shipment."""
    number = next(_numbers)
    shipment = shipment or f"SHIP-{number}"
    push = TokenPush(
        shipment_id=shipment,
        risk_score=None if score is None else Decimal(score),
        carrier_id=carrier_id,
        recipient_id=recipient_id,
    )
    tokens.put(number, push, actor=ACTOR, now=timezone.now())
    return Freight(number, shipment)


def recipient(recipient_id: str = "haulier", *, user: User | None = None, name: str = "Haulier Ltd") -> str:
    """A recipient, named by this user."""
    recipients.put(recipient_id, name, actor="test", user=user, now=timezone.now())
    return recipient_id


def intent(
    of: Freight,
    amount: str = "1000.00",
    currency: str = "USD",
    *,
    creator: User | None = None,
    items: Sequence[tuple[EventType, Decimal]] = (),
) -> int:
    """A new intent for the token; `items` makes its schedule a custom one."""
    schedule = ScheduleRequest(type=ScheduleType.CUSTOM, items=items) if items else ScheduleRequest()
    request = IntentRequest(freight_token_id=of.token_id, amount=Money.from_major(amount, currency), schedule=schedule)
    return intents.create(request, actor="test", user_id=creator.pk if creator else None, now=timezone.now())


def event(of: Freight, event_type: EventType = EventType.POD_CONFIRMED, *, source: EventSource | None = None) -> None:
    """The event is received, from the platform unless another source is given."""
    source = source or EventSource.objects.get(name="platform")
    message_id = f"m{next(_numbers)}"
    body = orjson.dumps(
        {"event_type": event_type.value, "id": message_id, "shipment_id": of.shipment_id}, option=orjson.OPT_SORT_KEYS
    )
    allowed = None if source.kind == "platform" else frozenset(source.allowed_event_types)
    inbox.receive(
        inbox.Message(
            source=sources.Source(source.pk, source.carrier_id, allowed),
            actor="test",
            message_id=message_id,
            body=body.decode(),
            body_hash=hashlib.sha256(body).digest(),
            shipment_id=of.shipment_id,
            event_type=event_type.value,
            occurred_at=timezone.now(),
            occurred_at_was_naive=False,
        ),
        now=timezone.now(),
    )


def settlement(intent_id: int, event_type: EventType = EventType.POD_CONFIRMED) -> MilestoneSettlement:
    """The intent's settlement as it is now."""
    return MilestoneSettlement.objects.get(intent_id=intent_id, event_type=event_type)


def waiting(amount: str = "1000.00", currency: str = "USD", **of: Any) -> MilestoneSettlement:
    """A settlement of HIGH risk at proof of delivery that waits in the queue: 80 % of the amount."""
    creator = of.pop("creator", None)
    of_freight = freight(**of)
    intent_id = intent(of_freight, amount, currency, creator=creator)
    event(of_freight)
    return settlement(intent_id)


@pytest.fixture
def ona(staff: Staff) -> User:
    return staff(Role.OPERATIONS, "ona")


@pytest.fixture
def browser(ona: User) -> Client:
    return logged_in(ona)
