"""Signed events over HTTP, in the demo and outside: what a live secret signed is taken, of the rest nothing is kept."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import standardwebhooks
import svix
from django.apps import apps
from django.test import Client
from django.utils import timezone

from settlements import signatures, sources
from settlements.models import EventSource, ShipmentEvent, SourceSecret
from tests.flows.conftest import PAST

CASES = json.loads((Path(__file__).parents[1] / "data/standard-webhooks/vectors.json").read_text())
LIBRARIES = pytest.mark.parametrize(
    "library", [standardwebhooks.Webhook, svix.Webhook], ids=["standardwebhooks", "svix"]
)
BODY = orjson.dumps({"shipment_id": "SHIP-1", "event_type": "POD_CONFIRMED", "occurred_at": PAST})
ID = "msg_1"


@pytest.fixture(autouse=True, params=[True, False], ids=["demo", "not the demo"])
def _in_the_demo_and_outside(settings: Any, request: Any, db: None) -> None:
    settings.CHAINPAY_DEMO = request.param
    sources.forget()


@pytest.fixture
def secret() -> str:
    """The secret of the source `acme`, of no carrier."""
    return sources.create("acme", actor="test", now=timezone.now())[1]


def headers(secret: str, body: bytes = BODY, **changed: str) -> dict[str, str]:
    """Right headers, unless some are changed."""
    now = datetime.now(UTC)
    made = {
        "webhook_id": ID,
        "webhook_timestamp": str(int(now.timestamp())),
        "webhook_signature": signatures.sign(signatures.key_of(secret), message_id=ID, at=now, body=body),
        "x_event_source": "acme",
    }
    return {**made, **changed}


def post(sent: dict[str, str], body: bytes = BODY) -> Any:
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    meta: dict[str, Any] = {f"HTTP_{name.upper()}": value for name, value in sent.items()}
    return client.post("/webhooks/shipment_event", body, content_type="application/json", **meta)


def everything() -> dict[str, list[Any]]:
    """All rows of our tables."""
    models = [model for label in ("rails", "settlements") for model in apps.get_app_config(label).get_models()]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def refused(sent: dict[str, str], body: bytes = BODY, status: int = 401) -> None:
    """Answered so, and no row of any table has changed."""
    before = everything()
    answer = post(sent, body)
    assert answer.status_code == status, answer.content
    assert set(answer.json()) >= {"code", "detail", "field", "request_id"}
    after = everything()
    if status != 401:  # it was signed rightly, and that is noted
        for rows in (*before["settlements.SourceSecret"], *after["settlements.SourceSecret"]):
            rows.pop("last_used_at")
    assert after == before


@LIBRARIES
def test_what_a_published_library_signs_is_taken_as_it_is(secret: str, library: Any) -> None:
    now = datetime.now(UTC)
    made = library(secret).sign(ID, now, BODY.decode())
    answer = post(headers(secret, webhook_timestamp=str(int(now.timestamp())), webhook_signature=made))
    assert answer.status_code == 200, answer.content
    assert ShipmentEvent.objects.get().source.name == "acme"


@pytest.mark.parametrize(("name", "header", "expected"), CASES["signature_header_cases"], ids=str)
def test_signature_headers(secret: str, name: str, header: str, expected: Any) -> None:
    sent = headers(secret)
    good = sent["webhook_signature"]
    sent["webhook_signature"] = header.replace("{good:8}", good[:8]).replace("{good}", good)
    if expected == 401:
        refused(sent)
    else:
        assert post(sent).status_code == 200


@pytest.mark.parametrize(("written", "expected"), CASES["timestamp_cases"], ids=str)
def test_timestamps(secret: str, written: str, expected: Any) -> None:
    at = time.time()
    if written.endswith(" s"):
        # A second less at the edge, for the clock goes on.
        seconds = int(written.removesuffix(" s"))
        at += seconds - (seconds > 0) if expected == "accept" else seconds + (seconds > 0) * 2
        written = str(int(at))
    signed = signatures.sign(
        signatures.key_of(secret), message_id=ID, at=datetime.fromtimestamp(int(at), UTC), body=BODY
    )
    sent = headers(secret, webhook_timestamp=written.replace("{now}", str(int(at))), webhook_signature=signed)
    if expected == 401:
        refused(sent)
    else:
        assert post(sent).status_code == 200


@pytest.mark.parametrize("message_id", ["", "msg.1", "m" * 256, "msg\r\n1", "msgé", "msg 1", "m\x00"])
def test_an_id_that_may_not_be_one_is_refused_although_it_is_signed(secret: str, message_id: str) -> None:
    now = datetime.now(UTC)
    signed = signatures.sign(signatures.key_of(secret), message_id=message_id, at=now, body=BODY)
    refused(
        headers(secret, webhook_id=message_id, webhook_timestamp=str(int(now.timestamp())), webhook_signature=signed)
    )


@pytest.mark.parametrize("missing", ["webhook_id", "webhook_timestamp", "webhook_signature", "x_event_source"])
def test_every_header_is_needed(secret: str, missing: str) -> None:
    sent = headers(secret)
    del sent[missing]
    refused(sent)


def test_a_changed_byte_or_reserialised_json_is_refused(secret: str) -> None:
    refused(headers(secret), BODY.replace(b"SHIP-1", b"SHIP-2"))
    refused(headers(secret), json.dumps(json.loads(BODY), indent=1).encode())


@pytest.mark.parametrize("body", [b'{"shipment_id": "\xff\xfe"}', b"not json", b'{"a": NaN}', b"[]"], ids=repr)
def test_what_is_signed_and_no_message_is_400(secret: str, body: bytes) -> None:
    refused(headers(secret, body), body, status=400)


@pytest.mark.parametrize("name", ["nobody", "", "ACME", "acme ", "x" * 5_000, "acmé", "acme\x00"])
def test_an_unknown_source_is_refused(secret: str, name: str) -> None:
    refused(headers(secret, x_event_source=name))


def test_the_secret_of_another_source_is_refused(secret: str) -> None:
    _, other = sources.create("other", actor="test", now=timezone.now())
    refused(headers(other))
    refused(headers(secret, x_event_source="other"))


def test_both_secrets_count_during_the_overlap_and_the_old_one_not_after_it(secret: str) -> None:
    row = EventSource.objects.get(name="acme")
    new = sources.rotate(row.pk, overlap=timedelta(hours=1), actor="test", now=timezone.now())
    assert post(headers(secret)).status_code == post(headers(new)).status_code == 200
    SourceSecret.objects.filter(hint=secret[-4:]).update(expires_at=timezone.now())
    EventSource.objects.filter(pk=row.pk).update(revision=99)
    sources.forget()
    refused(headers(secret))
    assert post(headers(new)).status_code == 200


def test_a_revoked_secret_and_an_inactive_source_are_refused(secret: str) -> None:
    row = EventSource.objects.get(name="acme")
    assert post(headers(secret)).status_code == 200
    new = sources.rotate(row.pk, actor="test", now=timezone.now())
    old_ones = SourceSecret.objects.filter(hint=secret[-4:]).values_list("pk", flat=True)
    sources.revoke(row.pk, list(old_ones), actor="test", now=timezone.now())
    refused(headers(secret))
    sources.change(row.pk, active=False, allowed_event_types=[], requests_per_second=None, actor="test")
    refused(headers(new))
