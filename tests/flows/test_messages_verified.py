"""Whatever a message carries besides: what was taken in is proven later, and what was edited since is found."""

import pytest
from django.db import connection

from settlements.models import ShipmentEvent
from tests.flows.conftest import PAST, Api
from tests.settlements.lived_in import difference, verified

LAWFUL = (
    '"x": 18446744073709551615',
    '"x": 123456789012345678901234',
    '"x": 1e200000',
    '"x": 1e-20000',
    '"x": -9223372036854775808',
    '"x": [1.0, 1.00, 1E2, -0, 0.1, {"b": 9223372036854775807, "a": "\\u00e9\\ud83d\\ude00"}]',
)


def receive(api: Api, shipment: str, extra: str, *, event_type: str = '"pod_confirmed"') -> ShipmentEvent:
    body = f'{{"event_type": {event_type},\n "shipment_id": {shipment}, "occurred_at": "{PAST}", {extra}}}'
    answer = api.post("/webhooks/shipment_event", body)
    assert answer.status_code == 200, answer.content
    stored = ShipmentEvent.objects.latest("pk")
    assert stored.body == body
    return stored


def edit(event: ShipmentEvent, change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"UPDATE settlements_shipmentevent SET {change} WHERE id = %s", [event.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize("extra", LAWFUL)
def test_a_lawful_message_is_proven(api: Api, extra: str) -> None:
    token, shipment = api.token()
    api.intent(token)
    receive(api, f'"{shipment}"', extra)
    assert "All is proven." in verified()


def test_a_shipment_that_is_written_as_a_number_is_proven(api: Api) -> None:
    token, _ = api.token(shipment="9223372036854775807")
    api.intent(token)
    receive(api, "9223372036854775807", LAWFUL[0])
    assert "All is proven." in verified()


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, '15}', '16}')",
        "body = replace(body, '15}', '15.0}')",
        "body = replace(body, '\"x\"', '\"y\"')",
        'body = replace(body, \'"x"\', \'"x": 1, "x"\')',
        "body = replace(body, '18446744073709551615', '\"\\u0000\"')",
        "body = '[' || body || ']'",
        "body = repeat('[', 100000)",
    ],
)
def test_an_edited_message_is_found(api: Api, change: str) -> None:
    _, shipment = api.token()
    event = receive(api, f'"{shipment}"', LAWFUL[0])
    edit(event, change)
    assert difference() == f"shipment event {event.pk}: its message is not the one that was received"


def test_a_type_or_shipment_beside_its_message_is_found(api: Api) -> None:
    _, other = api.token()
    _, shipment = api.token()
    event = receive(api, f'"{shipment}"', LAWFUL[2])
    edit(event, "event_type = 'PICKUP_CONFIRMED'")
    assert difference() == (
        f"shipment event {event.pk}: it is said to be PICKUP_CONFIRMED of shipment {shipment}, "
        f"but its message says POD_CONFIRMED of {shipment}"
    )
    edit(
        event,
        "event_type = 'POD_CONFIRMED', shipment_id = "
        f"(SELECT id FROM settlements_shipment WHERE shipment_id = '{other}')",
    )
    assert difference().endswith(
        f"it is said to be POD_CONFIRMED of shipment {other}, but its message says POD_CONFIRMED of {shipment}"
    )


def test_an_event_that_came_before_its_intent_is_proven(api: Api) -> None:
    token, shipment = api.token()
    stored = receive(api, f'"{shipment}"', '"x": 1')
    assert stored.settlements_created == 0
    intent = api.intent(token)
    assert set(api.milestones(intent)) >= {"POD_CONFIRMED"}
    assert "All is proven." in verified()
