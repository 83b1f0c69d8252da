"""What the database refuses about subscribers, their secrets and messages, tried by hand."""

from typing import Any

import pytest
from django.db import connection

from settlements import redelivery, subscribers
from settlements.models import Delivery, Subscriber
from tests.factories import POD, an_intent, now, settlement_of
from tests.settlements.by_hand import change
from tests.settlements.conftest import Refused, Sql


@pytest.fixture
def subscriber(db: None) -> Subscriber:
    return subscribers.create("tms", "https://tms.example.com/", actor="test", now=now())[0]


@pytest.fixture
def news(subscriber: Subscriber) -> Delivery:
    settlement_of(an_intent(), POD)
    return Delivery.objects.get(event_type="settlement.approved")


@pytest.mark.parametrize("table", ["subscriber", "subscribersecret", "delivery"])
def test_nothing_of_it_is_removed(news: Delivery, sql: Sql, refused: Refused, table: str) -> None:
    with refused("Cannot delete rows"):
        sql(f"DELETE FROM settlements_{table}")
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    with refused("Cannot truncate table"):
        sql(f"TRUNCATE settlements_{table} CASCADE")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("message_id", "msg_" + "0" * 32),
        ("audit_event_id", None),
        ("settlement_id", None),
        ("event_type", "settlement.settled"),
        ("created_at", "2020-01-01T00:00:00Z"),
    ],
)
def test_a_message_keeps_what_it_is(news: Delivery, refused: Refused, column: str, value: Any) -> None:
    with refused("a message keeps its id, its subscriber and what it tells of"):
        change(news, **{column: value})


def test_a_prepared_payload_never_changes(news: Delivery, refused: Refused) -> None:
    change(news, payload="{}")
    for other in ("", "{ }"):
        with refused("a message that was prepared stays as it is, byte for byte"):
            change(news, payload=other)


def test_attempts_are_counted_upwards(news: Delivery, refused: Refused) -> None:
    change(news, attempts=3, failures=2)
    with refused("attempts are only ever added"):
        change(news, attempts=2)
    for failures in (-1, 4):
        with refused("failures_are_attempts"):
            change(news, failures=failures)


def test_a_message_follows_its_states(news: Delivery, refused: Refused) -> None:
    with refused("delivered_was_sent"):
        change(news, state="DELIVERED")
    with refused("delivered_was_sent"):
        change(news, state="DELIVERED", attempts=1, delivered_at=now())
    with refused("state"):
        change(news, state="LOST")
    change(news, state="DELIVERED", attempts=1, delivered_at=now(), payload="{}")
    with refused("Invalid transition"):
        change(news, state="PARKED")
    redelivery.again(news.pk, actor="test", now=now())


def test_news_tell_of_an_audit_event_once_and_a_test_message_of_none(
    news: Delivery, sql: Sql, refused: Refused
) -> None:
    copy = """
        INSERT INTO settlements_delivery (message_id, subscriber_id, audit_event_id, settlement_id, event_type, state,
            payload, attempts, failures, next_attempt_at, give_up_at, last_error, created_at)
        SELECT %s, subscriber_id, {audit_event}, settlement_id, {event_type}, state, payload, attempts, failures,
            next_attempt_at, give_up_at, last_error, created_at FROM settlements_delivery WHERE id = %s
    """
    as_it_is = {"audit_event": "audit_event_id", "event_type": "event_type"}
    for wanted, message_id, words in (
        ({}, "a" * 32, "one_message_per_subscriber_and_event"),
        ({"audit_event": "NULL"}, "b" * 32, "news_tell_of_an_audit_event"),
        ({"audit_event": "9000000000"}, "e" * 32, "a message tells of an audit event that happened"),
        ({"event_type": "'ping'"}, "c" * 32, "news_tell_of_an_audit_event"),
        ({"event_type": "'settlement.exploded'"}, "d" * 32, "news_tell_of_an_audit_event"),
        ({"event_type": "'settlement.settled'"}, "a.b", "message_id_is_one_of_ours"),
    ):
        with refused(words):
            sql(copy.format(**{**as_it_is, **wanted}), f"msg_{message_id}", news.pk)


def test_a_subscriber_keeps_its_name_and_carrier_and_is_told_of_what_there_is(
    subscriber: Subscriber, refused: Refused
) -> None:
    for column in ("name", "carrier_id", "created_by"):
        with refused("these columns never change"):
            change(subscriber, **{column: "other"})
    for words in ([], ["settlement.exploded"], ["ping"]):
        with refused("a_subscriber_is_told_of_known_events"):
            change(subscriber, event_types=words)
    with refused("a_subscriber_has_an_address"):
        change(subscriber, url="")


def test_a_revoked_secret_stays_revoked_and_an_end_is_never_put_off(
    subscriber: Subscriber, sql: Sql, refused: Refused
) -> None:
    secret = subscriber.secrets.get()
    sql("UPDATE settlements_subscribersecret SET expires_at = now(), revoked_at = now()")
    with refused("what is revoked stays revoked"):
        change(secret, revoked_at=None)
    with refused("an end that was set is never put off"):
        change(secret, expires_at=None)
    with refused("these columns never change"):
        change(secret, hint="abcd")


def test_secrets_are_stored_sealed(subscriber: Subscriber) -> None:
    key = subscribers.signing_keys(subscriber.pk, now=now())[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM settlements_subscribersecret")
        (sealed,) = cursor.fetchone()
    assert "whsec_" not in sealed
    assert key.hex() not in sealed
