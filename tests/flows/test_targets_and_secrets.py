"""Where messages may go, and by which secrets they are signed."""

import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from settlements import deliveries, signatures, subscribers
from settlements.deliveries import Report
from settlements.models import Delivery, Subscriber
from tests.factories import now
from tests.flows.conftest import Api
from tests.flows.receiver import Clock, Receiver, approved, deliver, only_approved

PUBLIC, PRIVATE = "1.1.1.1", "127.0.0.1"


def test_while_a_secret_is_rotated_both_sign_and_a_revoked_one_never_again(
    live: Api, receiver: Receiver, clock: Clock
) -> None:
    row, old = only_approved(receiver.url)
    new = subscribers.rotate(row.pk, overlap=timedelta(hours=1), actor="test", now=now())
    approved(live)
    deliveries.deliver(clock=clock)
    (message,) = receiver.received
    assert len(message.headers["webhook-signature"].split(" ")) == 2
    assert message.verified(old) == message.verified(new)
    newest = row.secrets.latest("pk")
    third = subscribers.rotate(row.pk, overlap=timedelta(hours=1), actor="test", now=now())
    assert subscribers.revoke(row.pk, newest.pk, actor="test", now=now())
    clock.ahead = timedelta(minutes=59)
    assert len(subscribers.signing_keys(row.pk, now=clock())) == 2
    clock.ahead = timedelta(minutes=61)
    assert subscribers.signing_keys(row.pk, now=clock()) == [signatures.key_of(third)]


def test_nothing_is_sent_unsigned(live: Api, receiver: Receiver) -> None:
    row, _ = only_approved(receiver.url)
    approved(live)
    subscribers.revoke(row.pk, row.secrets.get().pk, actor="test", now=now())
    assert deliver() == Report(failed=1)
    assert Delivery.objects.get().last_error == "the subscriber has no live secret to sign with"
    assert receiver.received == []


def test_a_secret_that_can_not_be_opened_stops_that_subscriber_alone(live: Api, receiver: Receiver) -> None:
    broken, _ = only_approved(receiver.url, name="broken")
    only_approved(receiver.url, name="sound")
    broken.secrets.update(sealed="lost-key:AAAA")
    approved(live)
    assert deliver() == Report(delivered=1, failed=1)
    assert "none of the subscriber's secrets can be read" in Delivery.objects.get(subscriber=broken).last_error


def test_a_secret_that_can_not_be_opened_is_left_out_beside_one_that_can(
    live: Api, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    row, _ = only_approved(receiver.url)
    row.secrets.update(sealed="lost-key:AAAA")
    sound = subscribers.rotate(row.pk, actor="test", now=now())
    approved(live)
    assert deliver() == Report(delivered=1)
    (message,) = receiver.received
    assert message.verified(sound)
    assert len(message.headers["webhook-signature"].split(" ")) == 1
    assert "lost-key" in caplog.text


def test_the_python_of_the_guide_reads_a_message(live: Api, receiver: Receiver) -> None:
    guide = (Path(__file__).parents[2] / "docs/webhooks.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    _, secret = only_approved(receiver.url)
    approved(live)
    deliver()
    (message,) = receiver.received
    assert names["receive"](secret, message.body, dict(message.headers)) == message.json


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "localhost"])
def test_outside_the_demo_private_targets_are_refused_with_a_stored_reason(
    live: Api, receiver: Receiver, settings: Any, host: str
) -> None:
    row, _ = only_approved(receiver.url)
    approved(live)
    port = receiver.url.rpartition(":")[2]
    settings.CHAINPAY_DEMO = False
    with pytest.raises(subscribers.SubscriberRefused) as refused:
        subscribers.change(
            row.pk, url=f"https://{host}:{port}/", event_types=row.event_types, active=True, actor="test"
        )
    assert refused.value.field == "url"
    Subscriber.objects.filter(pk=row.pk).update(url=f"https://{host}:{port}/")
    assert deliver() == Report(failed=1)
    assert "not reachable from everywhere" in Delivery.objects.get().last_error
    assert receiver.received == []


def test_a_name_that_leads_elsewhere_at_the_second_look_up_is_called_where_it_was_judged(
    live: Api, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: asked twice, the name would be public for the judge and our own machine for the caller."""
    row, _ = only_approved(receiver.url)
    approved(live)
    port = int(receiver.url.rpartition(":")[2])
    settings.CHAINPAY_DEMO = False
    Subscriber.objects.filter(pk=row.pk).update(url=f"https://rebinding.example.com:{port}/")
    answers, connected = [PUBLIC, PRIVATE, PRIVATE], list[Any]()

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(self: socket.socket, at: Any) -> None:
        connected.append(at)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    report = deliver_over_an_open_connection(row)
    monkeypatch.undo()
    assert report == Report(failed=1)
    assert connected == [(PUBLIC, port)]
    assert receiver.received == []


def deliver_over_an_open_connection(row: Subscriber) -> Report:
    claimed = deliveries._claim(row.pk, now=now())
    assert claimed is not None
    return deliveries._record(claimed, deliveries._attempt(claimed, now=now()), now=now())
