"""Intents for freight tokens that nobody pushed: fetched from ChainFreight, before any transaction is open."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from settlements import chainfreight
from settlements.models import FreightToken, PaymentIntent, Shipment
from tests.flows.conftest import Api, at_once
from tests.raw_server import RawServer, answering, closed_port, http, silent

NOT_FOUND = "Freight token 7 not found or unreachable"


def says(**fields: Any) -> Any:
    token = {"id": 7, "shipment_id": "SHIP-7", "status": "active", "risk_score": 0.15, **fields}
    return answering(http(json.dumps(token).encode()))


@pytest.fixture
def service(settings: Any) -> Iterator[RawServer]:
    with RawServer(says()) as server:
        settings.CHAINFREIGHT_URL = server.url
        settings.CHAINFREIGHT_TIMEOUT_SECONDS = 20
        yield server


def create(api: Api, **headers: str) -> Any:
    return api.post("/payment_intents", {"freight_token_id": 7, "amount": 10_000}, **headers)


def nothing_is_stored() -> bool:
    return not (FreightToken.objects.exists() or PaymentIntent.objects.exists() or Shipment.objects.exists())


def test_an_unknown_token_is_fetched_once_and_stored_with_its_intent(live: Api, service: RawServer) -> None:
    service.script = says(carrier_id="C-1", risk_score={"score": 0.4, "category": "MEDIUM"})
    answer = create(live)
    assert answer.status_code == 201
    assert answer.json()["risk_tier"] == "medium"
    assert answer.json()["shipment_id"] == "SHIP-7"
    token = live.get("/freight_tokens/7")
    assert (token["risk_score"], token["risk_category"], token["carrier_id"]) == (0.4, "MEDIUM", "C-1")
    assert create(live).status_code == 201
    assert len(service.requests) == 1


def test_events_that_came_before_the_token_was_fetched_are_applied(live: Api, service: RawServer) -> None:
    assert live.event("SHIP-7").status_code == 200
    intent = create(live).json()["id"]
    assert live.milestones(intent)["POD_CONFIRMED"]["status"] == "approved"


def test_a_score_of_no_use_makes_the_intent_high_risk(live: Api, service: RawServer) -> None:
    service.script = says(risk_score={"level": "very low"})
    assert create(live).json()["risk_tier"] == "high"


def test_a_recipient_known_here_is_paid_and_an_unknown_one_left_out(live: Api, service: RawServer) -> None:
    service.script = says(recipient_id="nobody")
    assert create(live).json()["recipient_id"] is None
    live.put("/recipients/acme", {"name": "Acme"})
    service.script = answering(
        http(b'{"id": 8, "shipment_id": "SHIP-7", "status": "locked", "risk_score": 0, "recipient_id": "acme"}')
    )
    answer = live.post("/payment_intents", {"freight_token_id": 8, "amount": 1})
    assert answer.json()["recipient_id"] == "acme"


def test_a_token_out_of_use_is_refused_and_asked_for_again_next_time(live: Api, service: RawServer) -> None:
    service.script = says(status="in_dispute")
    answer = create(live)
    assert answer.status_code == 400
    assert answer.json()["code"] == "freight_token_not_active"
    assert "in_dispute" in answer.json()["detail"]
    assert nothing_is_stored()
    service.script = says()
    assert create(live).status_code == 201


@pytest.mark.parametrize("body", [http(b"{}"), http(b"", status="500 X"), http(b"", status="404 X"), b"", b"nonsense"])
def test_without_a_usable_answer_it_is_404_and_nothing_is_stored(live: Api, service: RawServer, body: bytes) -> None:
    service.script = answering(body)
    for headers in ({}, {"Idempotency_Key": "a"}):
        answer = create(live, **headers)
        assert answer.status_code == 404
        assert (answer.json()["code"], answer.json()["detail"]) == ("freight_token_not_found", NOT_FOUND)
    assert nothing_is_stored()
    service.script = says()
    assert create(live, Idempotency_Key="a").status_code == 201


def test_a_service_that_is_silent_or_gone_is_404(live: Api, service: RawServer, settings: Any) -> None:
    settings.CHAINFREIGHT_TIMEOUT_SECONDS = 1
    service.script = silent
    assert create(live).json()["detail"] == NOT_FOUND
    settings.CHAINFREIGHT_URL = f"http://127.0.0.1:{closed_port()}"
    assert create(live).json()["detail"] == NOT_FOUND
    assert nothing_is_stored()


def test_a_pushed_token_is_never_asked_for(live: Api, service: RawServer) -> None:
    live.put("/freight_tokens/7", {"shipment_id": "SHIP-7", "risk_score": 0.9})
    assert create(live).json()["risk_tier"] == "high"
    assert service.requests == []


def test_reading_a_token_asks_nobody(live: Api, service: RawServer) -> None:
    assert live.send("GET", "/freight_tokens/7").status_code == 404
    assert service.requests == []


def test_without_chainfreight_an_unknown_token_is_404(live: Api, service: RawServer, settings: Any) -> None:
    settings.CHAINFREIGHT_URL = ""
    answer = create(live)
    assert (answer.status_code, answer.json()["detail"]) == (404, NOT_FOUND)
    assert service.requests == []


def test_a_request_that_is_refused_anyway_asks_nobody(live: Api, service: RawServer) -> None:
    assert live.post("/payment_intents", {"freight_token_id": 7, "amount": 0}).status_code == 400
    assert service.requests == []


def test_intents_created_at_once_for_an_unknown_token_all_succeed(live: Api, service: RawServer) -> None:
    calls = [partial(create, live) for _ in range(6)]
    calls += [partial(create, live, Idempotency_Key=f"key-{number % 3}") for number in range(6)]
    answers = at_once(calls)
    assert {answer.status_code for answer in answers} == {201}
    assert FreightToken.objects.count() == 1
    assert PaymentIntent.objects.count() == 6 + 3


def test_a_push_that_comes_while_we_ask_is_what_counts(live: Api, service: RawServer) -> None:
    usual = service.script

    def pushed_meanwhile(connection: Any) -> None:
        at_once([partial(live.put, "/freight_tokens/7", {"shipment_id": "SHIP-OTHER", "risk_score": 0.9})])
        usual(connection)

    service.script = pushed_meanwhile
    answer = create(live)
    assert (answer.status_code, answer.json()["shipment_id"], answer.json()["risk_tier"]) == (201, "SHIP-OTHER", "high")


def test_no_transaction_is_ever_open_while_we_ask(live: Api, service: RawServer) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside of database transactions"):
        chainfreight.fetch_unknown(7)
    assert service.requests == []
