"""What ends while a message waits for its shipment's lock has ended for that message too."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from settlements import sources
from settlements.models import MilestoneSettlement, ShipmentEvent, SourceSecret
from tests.factories import POD, a_token, an_intent
from tests.flows.conftest import Api
from tests.flows.test_sources import Sender, a_sender, change, refused, revoke_all

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture(autouse=True)
def _not_the_demo(live: Api, settings: Any) -> None:
    settings.CHAINPAY_DEMO = False


def closing(call: Callable[[], Any]) -> Callable[[], None]:
    """The call, as a thread makes it that leaves no connection behind."""

    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    return run


def posted_while_locked(shipment: str, act: Callable[[], Any], post: Callable[[], Any]) -> Any:
    """The answer to a message that waits for the shipment's lock until `act` is done."""
    answers: list[Any] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM settlements_shipment WHERE shipment_id = %s FOR UPDATE", [shipment])
        poster = threading.Thread(target=closing(lambda: answers.append(post())))
        poster.start()
        waiting = 0
        while not waiting:
            cursor.execute(WAITING)
            waiting = cursor.fetchone()[0]
        other = threading.Thread(target=closing(act))
        other.start()
        other.join()
    poster.join()
    return answers[0]


def revoke_by_sql(sender: Sender) -> None:
    SourceSecret.objects.filter(source=sender.row).update(revoked_at=timezone.now())


ENDINGS: dict[str, tuple[Callable[[Sender], Any], int]] = {
    "revoked": (revoke_all, 401),
    "revoked by SQL": (revoke_by_sql, 401),
    "switched off": (lambda sender: change(sender, active=False), 401),
    "narrowed": (lambda sender: change(sender, allowed_event_types=["PICKUP_CONFIRMED"]), 403),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_waiting_message_is_refused_and_pays_nothing(ending: str) -> None:
    act, status = ENDINGS[ending]
    sender, shipment = a_sender(), an_intent().shipment.shipment_id
    assert sender.post(shipment, "PICKUP_CONFIRMED").status_code == 200
    answer = posted_while_locked(shipment, lambda: act(sender), lambda: sender.post(shipment, POD))
    assert answer.status_code == status, answer.content
    assert ShipmentEvent.objects.count() == MilestoneSettlement.objects.count() == 1


def test_a_revocation_by_sql_is_noticed_by_who_remembers_the_secret() -> None:
    sender, shipment = a_sender(), an_intent().shipment.shipment_id
    assert sender.post(shipment, "PICKUP_CONFIRMED", message_id="first").status_code == 200
    revoke_by_sql(sender)
    assert refused(sender.post(shipment, POD))
    assert refused(sender.post(shipment, "PICKUP_CONFIRMED", message_id="first"))


def test_who_has_ended_is_told_nothing_but_that() -> None:
    sender = a_sender("CARRIER-1")
    own = an_intent(token=a_token(carrier_id="CARRIER-1")).shipment.shipment_id
    foreign = a_token(carrier_id="CARRIER-2").shipment.shipment_id
    assert sender.post(own).status_code == 200
    assert refused(sender.post(foreign), "shipment_not_found", 404)
    assert refused(sender.post(own, "CLAIM_WINDOW_CLOSED"), "event_type_not_allowed", 403)
    revoke_all(sender)
    for answer in (
        sender.post(foreign),
        sender.post(""),
        sender.post(own, "NONSENSE"),
        sender.post(own, "CLAIM_WINDOW_CLOSED"),
        sender.post(own, "ping"),
    ):
        assert refused(answer)


def test_a_wrong_signature_costs_one_look_and_opens_no_secret(django_assert_num_queries: Any) -> None:
    sender = a_sender()
    assert sender.post("SHIP").status_code == 200
    forger = Sender(sender.name, "whsec_" + "A" * 44)
    with django_assert_num_queries(1):
        assert refused(forger.post("SHIP"))


def test_an_unknown_source_and_a_wrong_signature_sound_alike() -> None:
    sender = a_sender()
    forged = Sender(sender.name, "whsec_" + "A" * 44).post("SHIP").json()["detail"]
    assert Sender("nobody", sender.secret).post("SHIP").json()["detail"] == forged


@pytest.mark.parametrize("name", ["", "acme.eu", "ac me", "x" * 51, "é", "a\n"])
def test_a_name_that_no_header_could_carry_is_refused(name: str) -> None:
    with pytest.raises(sources.SourceRefused, match="A name has"):
        sources.create(name, actor="test", now=timezone.now())
