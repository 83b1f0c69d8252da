"""Event sources: who signed is known, and what has ended has ended with the very next message."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from rails import sealing
from settlements import signatures, sources
from settlements.models import EventSource, MilestoneSettlement, ShipmentEvent, SourceSecret
from settlements.sources import SourceRefused
from tests.factories import POD, a_token, an_intent
from tests.flows.conftest import PAST, at_once

pytestmark = pytest.mark.django_db
_numbers = count(1)


class Sender:
    """A source as its owner uses it."""

    def __init__(self, name: str, secret: str) -> None:
        self.name, self.secret = name, secret

    @property
    def row(self) -> EventSource:
        return EventSource.objects.get(name=self.name)

    def post(self, shipment: str, event_type: str = POD, *, message_id: str = "", at: datetime | None = None) -> Any:
        body = orjson.dumps({"shipment_id": shipment, "event_type": event_type, "occurred_at": PAST})
        at = at or timezone.now()
        message_id = message_id or f"msg_{next(_numbers)}"
        headers = {
            "X-Event-Source": self.name,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signatures.sign(
                signatures.key_of(self.secret), message_id=message_id, at=at, body=body
            ),
        }
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        return client.post("/webhooks/shipment_event", body, content_type="application/json", headers=headers)


def a_sender(carrier_id: str = "", **fields: Any) -> Sender:
    name = f"sender-{next(_numbers)}"
    _, secret = sources.create(name, carrier_id=carrier_id, actor="test", now=timezone.now(), **fields)
    return Sender(name, secret)


@pytest.fixture(autouse=True)
def _not_the_demo(settings: Any) -> Iterator[None]:
    settings.CHAINPAY_DEMO = False
    sources.forget()
    yield
    sources.forget()


def revoke_all(sender: Sender) -> None:
    sources.revoke(sender.row.pk, [each.pk for each in sender.row.secrets.all()], actor="test", now=timezone.now())


def refused(answer: Any, code: str = "invalid_signature", status: int = 401) -> bool:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return True


class TestARevokedSecret:
    def test_ends_at_once_although_the_process_remembers_it(self) -> None:
        sender, intent = a_sender(), an_intent()
        shipment = intent.shipment.shipment_id
        assert sender.post(shipment, "PICKUP_CONFIRMED").status_code == 200
        revoke_all(sender)
        assert sources.known(sender.name) != sources.known(sender.name, fresh=True)
        sources.forget()
        assert sources.known(sender.name)
        assert refused(sender.post(shipment))
        assert ShipmentEvent.objects.count() == 1

    @pytest.mark.parametrize("shipment", ["known", "new"])
    @pytest.mark.parametrize("message_id", ["msg_first", "msg_second"])
    def test_stores_nothing_and_repeats_nothing(self, shipment: str, message_id: str) -> None:
        sender = a_sender()
        a_token(shipment_id="known")
        assert sender.post("known", message_id="msg_first").status_code == 200
        revoke_all(sender)
        assert refused(sender.post(shipment, message_id=message_id))
        assert refused(sender.post(shipment, message_id=message_id))
        assert ShipmentEvent.objects.count() == 1

    def test_is_not_brought_back(self) -> None:
        sender = a_sender()
        revoke_all(sender)
        assert sources.revoke(sender.row.pk, list(sender.row.secrets.values_list("pk", flat=True)), actor="test",
                              now=timezone.now()) == 0  # fmt: skip
        assert refused(sender.post("SHIP"))


@pytest.mark.django_db(transaction=True)
def test_no_message_is_stored_after_a_revocation_has_returned() -> None:
    sender = a_sender()
    a_token(shipment_id="BUSY")
    events_at_revocation: list[int] = []

    def revoke() -> Any:
        revoke_all(sender)
        events_at_revocation.append(ShipmentEvent.objects.count())

    def post() -> Any:
        return sender.post("BUSY", "IN_TRANSIT").status_code

    found = at_once([*[post] * 40, revoke, *[post] * 40])
    assert set(found) <= {200, 401, None}
    late = ShipmentEvent.objects.count() - events_at_revocation[0]
    # A statement that began before the revocation committed may end after it: at most one for each thread.
    assert late <= 8
    assert refused(sender.post("BUSY", "IN_TRANSIT"))


class TestRotation:
    def test_lets_both_secrets_in_until_the_overlap_is_over(self) -> None:
        old = a_sender()
        assert old.post("SHIP").status_code == 200
        began = timezone.now()
        with time_machine.travel(began, tick=False):
            new = Sender(old.name, sources.rotate(old.row.pk, overlap=timedelta(hours=2), actor="test", now=began))
        for hours, old_works in ((0, True), (1.99, True), (2, False), (100, False)):
            with time_machine.travel(began + timedelta(hours=hours), tick=False):
                assert new.post("SHIP").status_code == 200
                answer = old.post("SHIP")
                assert answer.status_code == 200 if old_works else refused(answer)

    def test_without_an_overlap_ends_the_old_one_at_once(self) -> None:
        old = a_sender()
        assert old.post("SHIP").status_code == 200
        new = Sender(old.name, sources.rotate(old.row.pk, overlap=timedelta(0), actor="test", now=timezone.now()))
        assert refused(old.post("SHIP"))
        assert new.post("SHIP").status_code == 200

    def test_never_lengthens_the_life_of_a_secret(self) -> None:
        sender, now = a_sender(), timezone.now()
        first = sender.row.secrets.get()
        sources.rotate(sender.row.pk, overlap=timedelta(hours=1), actor="test", now=now)
        sources.rotate(sender.row.pk, overlap=timedelta(hours=9), actor="test", now=now)
        first.refresh_from_db()
        assert first.expires_at == now + timedelta(hours=1)

    def test_has_its_limits(self) -> None:
        sender = a_sender()
        for overlap in (timedelta(seconds=-1), timedelta(days=30, seconds=1)):
            with pytest.raises(SourceRefused, match="overlap"):
                sources.rotate(sender.row.pk, overlap=overlap, actor="test", now=timezone.now())
        for _ in range(9):
            sources.rotate(sender.row.pk, actor="test", now=timezone.now())
        with pytest.raises(SourceRefused, match="10 live secrets"):
            sources.rotate(sender.row.pk, actor="test", now=timezone.now())


class TestASource:
    def test_that_was_switched_off_is_401_at_once(self) -> None:
        sender = a_sender()
        assert sender.post("SHIP").status_code == 200
        change(sender, active=False)
        assert refused(sender.post("SHIP"))
        change(sender, active=True)
        assert sender.post("SHIP").status_code == 200

    def test_posts_only_what_it_may_from_the_next_message_on(self) -> None:
        sender = a_sender("CARRIER-1")
        assert refused(sender.post("SHIP", "CLAIM_WINDOW_CLOSED"), "event_type_not_allowed", 403)
        assert sender.post("SHIP").status_code == 200
        change(sender, allowed_event_types=["CLAIM_WINDOW_CLOSED"])
        assert sender.post("SHIP", "CLAIM_WINDOW_CLOSED").status_code == 200
        assert refused(sender.post("SHIP"), "event_type_not_allowed", 403)

    def test_of_a_carrier_reaches_its_own_intents_only(self) -> None:
        own = an_intent(token=a_token(shipment_id="SHARED", carrier_id="CARRIER-1"))
        other = an_intent(token=a_token(shipment_id="SHARED", carrier_id="CARRIER-2"))
        assert a_sender("CARRIER-1").post("SHARED").json()["milestone_settlements_created"] == 1
        assert [each.intent_id for each in MilestoneSettlement.objects.all()] == [own.pk] != [other.pk]
        assert refused(a_sender("CARRIER-3").post("SHARED"), "shipment_not_found", 404)

    def test_does_not_pass_with_the_secret_of_another(self) -> None:
        one, other = a_sender(), a_sender()
        assert refused(Sender(one.name, other.secret).post("SHIP"))
        assert refused(Sender("nobody", one.secret).post("SHIP"))
        assert not ShipmentEvent.objects.exists()

    def test_is_named_once(self) -> None:
        sender = a_sender()
        with pytest.raises(SourceRefused, match="already"):
            sources.create(sender.name, actor="test", now=timezone.now())

    def test_remembers_when_each_secret_was_used_to_the_minute(self) -> None:
        sender, first = a_sender(), timezone.now()
        for seconds, noted in ((0, 0), (59, 0), (60, 60), (110, 60)):
            with time_machine.travel(first + timedelta(seconds=seconds), tick=False):
                assert sender.post("SHIP").status_code == 200
            assert SourceSecret.objects.get().last_used_at == first + timedelta(seconds=noted)


class TestAnEncryptionKey:
    def test_that_is_gone_shuts_out_its_own_secrets_only(self, settings: Any, caplog: Any) -> None:
        old, keys = a_sender(), settings.CHAINPAY_ENCRYPTION_KEYS
        settings.CHAINPAY_ENCRYPTION_KEYS = {"new": bytes(32), **keys}
        new = Sender(old.name, sources.rotate(old.row.pk, actor="test", now=timezone.now()))
        assert [each.sealed.partition(":")[0] == "new" for each in SourceSecret.objects.order_by("pk")] == [False, True]
        assert old.post("SHIP").status_code == new.post("SHIP").status_code == 200
        settings.CHAINPAY_ENCRYPTION_KEYS = {"new": bytes(32)}
        sources.forget()
        assert new.post("SHIP").status_code == 200
        assert refused(old.post("SHIP"))
        assert "is left out" in caplog.text
        assert old.secret not in caplog.text

    def test_that_is_gone_for_every_secret_is_a_fault_of_ours(self, settings: Any) -> None:
        sender = a_sender()
        settings.CHAINPAY_ENCRYPTION_KEYS = {"other": bytes(32)}
        sources.forget()
        assert refused(sender.post("SHIP"), "internal_error", 500)


class TestTheDatabase:
    def test_keeps_no_secret_readable(self) -> None:
        sender = a_sender()
        row = SourceSecret.objects.get()
        assert sender.secret[6:] not in row.sealed
        assert sender.secret.endswith(row.hint)
        assert sealing.unseal(row.sealed, belongs_to=f"source_secret:{row.pk}") == sender.secret
        with pytest.raises(sealing.CannotUnseal, match="not sealed"):
            sealing.unseal(row.sealed, belongs_to=f"source_secret:{row.pk + 1}")

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            ("UPDATE settlements_sourcesecret SET revoked_at = NULL", "what is revoked stays revoked"),
            ("UPDATE settlements_sourcesecret SET expires_at = now() + interval '1 year'", "an end that was set"),
            ("UPDATE settlements_sourcesecret SET expires_at = NULL", "an end that was set"),
            ("UPDATE settlements_sourcesecret SET hint = 'abcd'", "these columns never change"),
            ("DELETE FROM settlements_sourcesecret", "Cannot delete"),
            ("UPDATE settlements_eventsource SET active = NOT active", "the revision of a source rises"),
            ("UPDATE settlements_eventsource SET carrier_id = 'X', revision = revision + 1", "these columns never"),
            ("DELETE FROM settlements_eventsource", "Cannot delete"),
        ],
    )
    def test_refuses_by_direct_sql(self, statement: str, words: str) -> None:
        sender = a_sender("CARRIER-1")
        sources.rotate(sender.row.pk, actor="test", now=timezone.now())
        revoke_all(sender)
        with pytest.raises(Exception, match=words), connection.cursor() as cursor:
            cursor.execute(statement)

    @pytest.mark.parametrize("forbidden", ["type", "inactive"])
    def test_stores_no_message_a_source_may_not_send(self, forbidden: str) -> None:
        sender = a_sender("CARRIER-1")
        assert sender.post("SHIP").status_code == 200
        if forbidden == "inactive":
            change(sender, active=False)
        with pytest.raises(Exception, match="an active source posts the event types"), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO settlements_shipmentevent (source_id, message_id, body_hash, shipment_id, event_type,"
                " occurred_at, occurred_at_was_naive, received_at, received_from, body, state, settlements_created,"
                " sweeps, error) SELECT source_id, 'x', body_hash, shipment_id, %s, occurred_at, false, now(), '', '',"
                " state, 0, 0, '' FROM settlements_shipmentevent",
                ["CLAIM_WINDOW_CLOSED" if forbidden == "type" else POD],
            )


def change(sender: Sender, **values: Any) -> None:
    row = sender.row
    now: dict[str, Any] = {
        "active": row.active,
        "allowed_event_types": row.allowed_event_types,
        "requests_per_second": None,
    }
    sources.change(row.pk, actor="test", **(now | values))
