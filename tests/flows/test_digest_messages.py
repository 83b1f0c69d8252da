"""The digest as subscribers get it: who asked for it and is no carrier's, signed, with the digest or not at all."""

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core import mail
from django.db import DatabaseError, transaction
from django.utils import timezone

from compliance import digest
from compliance.models import DigestItem, ReviewDigest
from settlements import broadcasts, subscribers
from settlements.models import Delivery, Subscriber
from settlements.statuses import SETTLEMENT_NEWS, TO_SUBSCRIBE, News
from tests.flows.conftest import Api
from tests.flows.receiver import Receiver, deliver, subscribe
from tests.openapi.test_document import list_of, validator_of

DIGEST = [News.REVIEW_DIGEST.value]
GUIDE = Path(__file__).parents[2] / "docs/webhooks.md"


@pytest.fixture(autouse=True)
def _no_mail(settings: Any) -> None:
    settings.CHAINPAY_DIGEST_TO = []
    settings.CHAINPAY_BASE_URL = "https://pay.example.com"


def waiting(api: Api, **intent: Any) -> int:
    """The id of a settlement that waits for people."""
    token, shipment = api.token(risk="0.81")
    number = api.intent(token, **intent)
    api.event(shipment)
    found: int = api.milestones(number)["POD_CONFIRMED"]["id"]
    return found


def write() -> ReviewDigest | None:
    return digest.write(now=timezone.now())


def test_a_subscriber_to_the_queue_gets_a_signed_message_and_no_mail_is_needed(live: Api, receiver: Receiver) -> None:
    _, secret = subscribe(receiver.url, event_types=DIGEST)
    one = waiting(live, amount="12500.00")
    row = write()
    assert row is not None
    assert (row.next_attempt_at, len(mail.outbox)) == (None, 0)
    assert deliver().delivered == 1
    (message,) = receiver.received
    assert message.verified(secret)["type"] == "review.digest"
    data = orjson.loads(message.body)["data"]
    sums = [{"risk_tier": "high", "currency": "USD", "count": 1, "amount": 10_000}]
    assert (data["id"], data["waiting"], data["overdue"]) == (row.pk, 1, 0)
    assert (data["new"], data["target_missed"]) == ({"count": 1, "sums": sums}, {"count": 0, "sums": []})
    assert b'"amount":10000.00' in message.body
    (item,) = data["items"]
    assert (item["milestone_id"], item["target_missed"], data["items_left_out"]) == (one, False, 0)
    assert item["url"] == f"https://pay.example.com/admin/compliance/reviewqueue/{one}/"
    assert write() is None
    assert deliver().delivered == 0


def test_the_message_is_what_the_api_describes_and_what_the_guide_shows(api: Api) -> None:
    subscribe("http://127.0.0.1:9/hooks", event_types=DIGEST)
    waiting(api)
    assert write()
    body = orjson.loads(Delivery.objects.get().payload)
    document = api.get("/openapi.json")
    told = document["webhooks"]["review.digest"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = validator_of(told, document)
    assert validator.is_valid(body), list_of(validator, body)
    shown = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)]
    (example,) = [each for each in shown if each["type"] == "review.digest"]
    assert validator.is_valid(example), list_of(validator, example)
    assert [*example, *example["data"], *example["data"]["items"][0]] == [
        *body,
        *body["data"],
        *body["data"]["items"][0],
    ]


def test_who_subscribed_to_all_before_is_told_of_settlements_alone(api: Api) -> None:
    row, _ = subscribe("http://127.0.0.1:9/hooks")
    assert row.event_types == [news.value for news in SETTLEMENT_NEWS]
    assert (set(TO_SUBSCRIBE) - set(SETTLEMENT_NEWS), broadcasts.anybody_listens(News.REVIEW_DIGEST)) == (
        {News.REVIEW_DIGEST},
        False,
    )
    waiting(api)
    assert write() is None
    assert not Delivery.objects.filter(event_type="review.digest").exists()
    subscribers.change(row.pk, url=row.url, event_types=[*row.event_types, *DIGEST], active=True, actor="test")
    assert write()
    assert Delivery.objects.filter(event_type="review.digest").count() == 1


def test_a_carriers_subscriber_is_never_told_of_the_queue(api: Api) -> None:
    with pytest.raises(subscribers.SubscriberRefused, match="its own settlements alone"):
        subscribe("http://127.0.0.1:9/hooks", event_types=DIGEST, carrier_id="BOZZA")
    row, _ = subscribe("http://127.0.0.1:9/hooks", carrier_id="BOZZA")
    with pytest.raises(subscribers.SubscriberRefused, match="its own settlements alone"):
        subscribers.change(row.pk, url=row.url, event_types=DIGEST, active=True, actor="test")
    with pytest.raises(DatabaseError, match="a_carrier_is_told_of_its_settlements_alone"), transaction.atomic():
        Subscriber.objects.update(event_types=DIGEST)
    assert not Delivery.objects.exists()


def test_an_inactive_subscriber_is_nobody(api: Api) -> None:
    row, _ = subscribe("http://127.0.0.1:9/hooks", event_types=DIGEST)
    subscribers.change(row.pk, url=row.url, event_types=DIGEST, active=False, actor="test")
    waiting(api)
    assert write() is None
    assert ReviewDigest.objects.count() == 0


def test_a_digest_that_is_not_stored_is_told_to_nobody(live: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe("http://127.0.0.1:9/hooks", event_types=DIGEST)
    waiting(live)

    def fails_after(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise RuntimeError("the process dies")

    original = broadcasts.write
    monkeypatch.setattr(broadcasts, "write", fails_after)
    with pytest.raises(RuntimeError):
        write()
    monkeypatch.setattr(broadcasts, "write", original)
    assert (ReviewDigest.objects.count(), DigestItem.objects.count(), Delivery.objects.count()) == (0, 0, 0)
    assert write()
    assert Delivery.objects.count() == 1


def test_mail_that_can_not_be_sent_does_not_hold_up_subscribers(api: Api, settings: Any) -> None:
    settings.CHAINPAY_DIGEST_TO = ["team@example.com"]
    subscribe("http://127.0.0.1:9/hooks", event_types=DIGEST)
    for number in (1, 2):
        waiting(api)
        assert write()
        assert Delivery.objects.count() == number
    assert ReviewDigest.objects.filter(next_attempt_at__isnull=False).count() == 2
