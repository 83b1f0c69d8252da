"""Messages to subscribers: signed, repeated until they are taken, parked in the end, the same under every attempt."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from standardwebhooks import WebhookVerificationError

from settlements import calling, deliveries, redelivery, signatures, subscribers, tasks
from settlements.deliveries import BACKOFF, CALL_SECONDS, LEASE, Report, next_attempt
from settlements.models import Delivery, Subscriber
from settlements.outbox import GIVE_UP_AFTER
from tests.factories import now
from tests.flows.conftest import Api, at_once
from tests.flows.receiver import Clock, Receiver, approved, deliver, listening, only_approved, subscribe


def test_a_subscriber_gets_what_get_returns_signed_so_that_the_published_library_reads_it(
    live: Api, receiver: Receiver
) -> None:
    _, secret = subscribe(f"{receiver.url}/hooks?from=chainpay")
    settlement = approved(live)
    assert deliver() == Report(delivered=2)
    created, news = receiver.received
    assert receiver.types == ["settlement.created", "settlement.approved"]
    assert news.path == "/hooks?from=chainpay"
    assert news.headers["content-type"] == "application/json"
    assert news.headers["user-agent"] == "ChainPay"
    assert news.verified(secret) == news.json
    assert live.send("GET", f"/audit/milestones/{settlement}").content in news.body
    assert {name: news.json[name] for name in news.json if name != "data"} == {
        "type": "settlement.approved",
        "timestamp": news.json["data"]["created_at"],
        "sequence": 2,
        "from_status": None,
        "to_status": "approved",
    }
    with pytest.raises(WebhookVerificationError):
        created.verified(signatures.new_secret())
    assert deliver() == Report()
    assert {row.message_id for row in Delivery.objects.filter(state="DELIVERED", attempts=1, last_status=200)} == {
        created.id,
        news.id,
    }


def test_a_message_that_is_refused_comes_again_with_the_same_id_and_the_same_bytes(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    _, secret = only_approved(receiver.url)
    settlement = approved(live)
    receiver.answers += [500, 503, 404]
    for failures in (1, 2, 3):
        assert deliveries.deliver(clock=clock) == Report(failed=1)
        row = Delivery.objects.get()
        assert (row.state, row.attempts, row.failures) == ("WAITING", failures, failures)
        assert deliveries.deliver(clock=clock) == Report()
        clock.forward(row.next_attempt_at)
    assert (row.last_status, row.last_error) == (404, "answered 404")
    # What the settlement becomes meanwhile changes nothing of what is said.
    intent = live.get(f"/audit/milestones/{settlement}")["payment_intent_id"]
    assert live.post(f"/payment_intents/{intent}/complete").json()["status"] == "settled"
    assert deliveries.deliver(clock=clock) == Report(delivered=1)
    assert len({(each.id, each.body) for each in receiver.received}) == 1
    assert len({each.headers["webhook-timestamp"] for each in receiver.received}) > 1
    assert receiver.received[0].verified(secret)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_status, row.last_error) == ("DELIVERED", 4, 200, "")


def test_the_waits_grow_to_twelve_hours_and_end_after_three_days() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    end, tried, at = began + timedelta(days=3), [timedelta(0)], began
    while (following := next_attempt(len(tried), now=at, give_up_at=end)) is not None:
        at = following
        tried.append(at - began)
    gaps = [later - earlier for earlier, later in pairwise(tried)]
    assert gaps[:-1] == [*BACKOFF, *[timedelta(hours=12)] * (len(gaps) - 1 - len(BACKOFF))]
    assert [*map(timedelta.total_seconds, BACKOFF)] == [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 43_200]
    assert tried[-1] == timedelta(days=3)
    just_before = end - timedelta(microseconds=1)
    assert next_attempt(1, now=just_before, give_up_at=end) == end
    assert next_attempt(1, now=end, give_up_at=end) is None
    assert timedelta(days=3) == GIVE_UP_AFTER
    assert timedelta(seconds=CALL_SECONDS) < LEASE


def test_after_three_days_a_message_is_parked_and_goes_out_again_when_asked_with_the_same_id(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    only_approved(receiver.url)
    approved(live)
    row = Delivery.objects.get()
    receiver.answers += [500, 500]
    assert deliveries.deliver(clock=clock) == Report(failed=1)
    clock.forward(row.give_up_at)
    assert deliveries.deliver(clock=clock) == Report(parked=1)
    row.refresh_from_db()
    assert (row.state, row.last_status, row.attempts) == ("PARKED", 500, 2)
    assert deliveries.deliver(clock=clock) == Report()
    for state in ("PARKED", "DELIVERED"):
        assert Delivery.objects.get().state == state
        redelivery.again(row.pk, actor="test", now=clock())
        assert deliveries.deliver(clock=clock) == Report(delivered=1)
    assert len({(each.id, each.body) for each in receiver.received}) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("DELIVERED", 4)


def test_a_redelivered_message_has_three_days_again(live: Api, receiver: Receiver, clock: Clock) -> None:
    only_approved(receiver.url)
    approved(live)
    receiver.answers += [500] * 3
    clock.forward(Delivery.objects.get().give_up_at)
    assert deliveries.deliver(clock=clock) == Report(parked=1)
    row = redelivery.again(Delivery.objects.get().pk, actor="test", now=clock())
    assert deliveries.deliver(clock=clock) == Report(failed=1)
    row.refresh_from_db()
    assert (row.attempts, row.failures) == (2, 1)
    assert row.next_attempt_at < clock() + timedelta(seconds=6)


@pytest.mark.parametrize(
    ("status", "report", "words"),
    [
        (410, Report(parked=1), "answered 410 Gone: it is not tried again"),
        (302, Report(failed=1), "answered 302: redirects are not followed"),
        (307, Report(failed=1), "answered 307: redirects are not followed"),
        (400, Report(failed=1), "answered 400"),
        (204, Report(delivered=1), ""),
    ],
)
def test_what_an_answer_means(live: Api, receiver: Receiver, status: int, report: Report, words: str) -> None:
    only_approved(receiver.url)
    approved(live)
    receiver.answers.append(status)
    assert deliver() == report
    row = Delivery.objects.get()
    assert (row.last_status, row.last_error) == (status, words)
    assert [each.path for each in receiver.received] == ["/"]


EVENT_AND_DEATH = """
import os, signal
from tests.factories import POD, post_event
post_event({shipment!r}, POD)
os.kill(os.getpid(), signal.SIGKILL)
"""
DISPATCHER = """
from django.utils import timezone
from settlements import deliveries
deliveries.deliver(clock=timezone.now)
"""


def a_process(program: str) -> "subprocess.Popen[bytes]":
    """A process of ours on the test's own database."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
        "CHAINPAY_DEMO": "1",
        "CHAINPAY_LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen([sys.executable, "-c", f"import django; django.setup()\n{program}"], env=environment)


def test_what_was_committed_is_sent_though_its_process_died_right_after(live: Api, receiver: Receiver) -> None:
    only_approved(receiver.url)
    token, shipment = live.token()
    live.intent(token)
    assert a_process(EVENT_AND_DEATH.format(shipment=shipment)).wait() == -signal.SIGKILL
    assert deliver() == Report(delivered=1)


def test_a_dispatcher_killed_in_the_middle_loses_nothing_and_repeats_under_the_same_id(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    only_approved(receiver.url)
    approved(live)
    receiver.hold.clear()
    process = a_process(DISPATCHER)
    try:
        assert receiver.arrived.wait(60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.hold.set()
    row = Delivery.objects.get()
    assert (row.state, row.attempts) == ("WAITING", 1)
    assert deliver() == Report()  # its lease has not run out
    clock.forward(row.next_attempt_at)
    assert deliveries.deliver(clock=clock) == Report(delivered=1)
    assert len(receiver.received) == 2
    assert len({(each.id, each.body) for each in receiver.received}) == 1


def test_two_dispatchers_at_once_send_each_message_once(live: Api, receiver: Receiver) -> None:
    subscribe(receiver.url)
    for _ in range(10):
        approved(live)
    reports = at_once([deliver, deliver])
    assert sum(report.delivered for report in reports) == 20
    assert len(receiver.received) == 20
    assert len({each.id for each in receiver.received}) == 20


def test_a_claim_passes_over_what_another_is_claiming(live: Api, receiver: Receiver) -> None:
    row, _ = subscribe(receiver.url)
    approved(live)

    def claim_impatiently() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        return [deliveries._claim(row.pk, now=now()), deliveries._claim(row.pk, now=now())]

    with transaction.atomic():
        first = deliveries._claim(row.pk, now=now())
        ((second, third),) = at_once([claim_impatiently])
    assert first
    assert second
    assert {first.id, second.id} == set(Delivery.objects.values_list("pk", flat=True))
    assert third is None


def test_the_clocks_dispatcher_leaves_the_work_to_one_that_is_at_it(live: Api, receiver: Receiver) -> None:
    only_approved(receiver.url)
    approved(live)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [deliveries._ALONE])
        (beside,) = at_once([tasks.deliver])
        cursor.execute("SELECT pg_advisory_unlock(%s)", [deliveries._ALONE])
    assert (beside["delivered"], receiver.received) == (0, [])
    assert at_once([tasks.deliver])[0]["delivered"] == 1
    assert tasks.deliver()["delivered"] == 0


def test_an_outcome_that_comes_after_its_lease_changes_nothing(live: Api, receiver: Receiver, clock: Clock) -> None:
    only_approved(receiver.url)
    approved(live)
    late = deliveries._claim(Subscriber.objects.get().pk, now=clock())
    assert late is not None
    clock.forward(Delivery.objects.get().next_attempt_at)
    assert deliveries.deliver(clock=clock) == Report(delivered=1)
    assert deliveries._record(late, deliveries._Outcome(500, "answered 500"), now=clock()) == Report()
    assert Delivery.objects.get().state == "DELIVERED"


def test_a_slow_subscriber_holds_up_nobody(live: Api, receiver: Receiver) -> None:
    with listening() as slow:
        slow.hold.clear()
        only_approved(slow.url, name="a-slow-one")
        only_approved(receiver.url, name="quick")
        approved(live)
        quick: list[int] = []

        def more_while_the_slow_one_waits() -> Report:
            assert slow.arrived.wait(30)
            for _ in range(3):
                approved(live)
            patience = time.monotonic() + 60
            while len(receiver.received) < 4 and time.monotonic() < patience:
                time.sleep(0.05)
            quick.append(len(receiver.received))
            slow.hold.set()
            return Report()

        reports = at_once([deliver, more_while_the_slow_one_waits])
        assert quick == [4]
        assert sum(report.delivered for report in reports) == 8
        assert len(slow.received) == len(receiver.received) == 4


def test_no_transaction_is_open_while_a_message_is_sent(
    live: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_approved(receiver.url)
    approved(live)
    seen = []
    post = calling.post

    def looked_at(*args: Any, **kwargs: Any) -> Any:
        seen.append(connection.in_atomic_block)
        return post(*args, **kwargs)

    monkeypatch.setattr(calling, "post", looked_at)
    assert deliver() == Report(delivered=1)
    assert seen == [False]


def test_an_inactive_subscriber_is_sent_nothing_until_it_is_active_again(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    row, _ = only_approved(receiver.url)
    approved(live)
    switch(row, active=False)
    assert deliver() == Report()
    switch(row, active=True)
    assert deliver() == Report(delivered=1)
    approved(live)
    switch(row, active=False)
    clock.forward(Delivery.objects.latest("pk").give_up_at)
    assert deliveries.deliver(clock=clock) == Report(parked=1)
    with pytest.raises(redelivery.DeliveryRefused):
        redelivery.again(Delivery.objects.latest("pk").pk, actor="test", now=clock())
    with pytest.raises(redelivery.DeliveryRefused):
        redelivery.ping(row.pk, actor="test", now=clock())
    assert len(receiver.received) == 1


def switch(row: Subscriber, *, active: bool) -> None:
    subscribers.change(row.pk, url=row.url, event_types=row.event_types, active=active, actor="test")


def test_a_test_message_is_one_like_any_other(live: Api, receiver: Receiver) -> None:
    row, secret = only_approved(receiver.url)
    sent = redelivery.ping(row.pk, actor="test", now=now())
    assert deliver() == Report(delivered=1)
    (message,) = receiver.received
    assert message.id == sent.message_id
    assert message.verified(secret)["type"] == "ping"
    assert message.json["data"] == {"subscriber": "tms"}


def test_a_milestone_by_itself_is_what_the_intents_list_has(live: Api) -> None:
    settlement = approved(live)
    milestone = live.get(f"/audit/milestones/{settlement}")
    assert live.milestones(milestone["payment_intent_id"])["POD_CONFIRMED"] == milestone
    missing = live.send("GET", "/audit/milestones/999999999")
    assert (missing.status_code, missing.json()["code"]) == (404, "milestone_not_found")
