"""The service as its users meet it: over HTTP, in the demo, on a real database."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, TypeVar

import orjson
import pytest
from django.contrib.auth.models import Group, User
from django.db import connections
from django.test import Client
from django.utils import timezone

from compliance import roles
from compliance.roles import Role
from settlements import sources
from settlements.models import EventSource
from tests.flows.receiver import Clock, Receiver, listening

Value = TypeVar("Value")
_numbers = count(1_000)
PAST = "2025-11-07T15:30:00Z"


class Api:
    """Requests as a demo caller sends them; `as_user` acts as one of the logins."""

    def __init__(self, as_user: str | None = None) -> None:
        self.headers = {"X-Demo-User": as_user} if as_user else {}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.generic(
            method,
            path,
            body if isinstance(body, bytes | str) else orjson.dumps(body) if body is not None else b"",
            content_type="application/json",
            headers=self.headers | sent,
        )

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any) -> Any:
        return self.send("PUT", path, body)

    def token(self, *, risk: Any = "0.15", shipment: str | None = None, **fields: Any) -> "tuple[int, str]":
        """A new token and its shipment."""
        number = next(_numbers)
        shipment = shipment or f"SHIP-{number}"
        answer = self.put(f"/freight_tokens/{number}", {"shipment_id": shipment, "risk_score": risk, **fields})
        assert answer.status_code == 201, answer.content
        return number, shipment

    def intent(self, token: int, amount: Any = 10_000, currency: str = "USD", **fields: Any) -> int:
        """A new intent's id."""
        answer = self.post(
            "/payment_intents", {"freight_token_id": token, "amount": amount, "currency": currency, **fields}
        )
        assert answer.status_code == 201, answer.content
        number: int = answer.json()["id"]
        return number

    def event(self, shipment: str, event_type: str = "POD_CONFIRMED", **fields: Any) -> Any:
        """The answer to an event."""
        body = {"shipment_id": shipment, "event_type": event_type, "occurred_at": PAST, **fields}
        return self.post("/webhooks/shipment_event", body)

    def milestones(self, intent: int) -> dict[str, Any]:
        """The milestones of an intent by event type."""
        found = self.get(f"/audit/payment_intents/{intent}/milestones")["milestones"]
        return {each["event_type"]: each for each in found}

    def status(self, intent: int) -> str:
        """An intent's status."""
        word: str = self.get(f"/payment_intents/{intent}")["status"]
        return word


@pytest.fixture(autouse=True)
def _demo(settings: Any) -> None:
    settings.CHAINPAY_DEMO = True
    settings.ALLOWED_HOSTS = ["localhost"]


@pytest.fixture
def api(db: None) -> Api:
    return Api()


@pytest.fixture
def live(transactional_db: None) -> Iterator[Api]:
    """The same with real commits, so that threads and processes see what happened."""
    EventSource.objects.get_or_create(name="platform", defaults={"kind": "platform", "created_at": timezone.now()})
    sources.forget()
    yield Api()
    sources.forget()


def at_once(calls: Sequence[Callable[[], Value]], *, threads: int = 8) -> list[Value]:
    """What the calls answer when threads with connections of their own make them at the same time."""

    def run(call: Callable[[], Value]) -> Value:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


REASON = "documents checked"
LOGINS = {
    "officer1": Role.COMPLIANCE_OFFICER,
    "officer2": Role.COMPLIANCE_OFFICER,
    "manager1": Role.COMPLIANCE_MANAGER,
    "finance1": Role.FINANCE,
    "ops1": Role.OPERATIONS,
    "auditor1": Role.AUDITOR,
}


def create_staff() -> None:
    roles.install()
    for name, role in LOGINS.items():
        user = User.objects.create_user(name, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    User.objects.create_superuser("root1")


@pytest.fixture
def staff(db: None) -> None:
    create_staff()


@pytest.fixture
def live_staff(live: Api) -> Api:
    create_staff()
    return live


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A subscriber's server."""
    with listening() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()
