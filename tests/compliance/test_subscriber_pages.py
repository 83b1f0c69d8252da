"""Subscribers and deliveries in the admin: secrets shown once, acts by POST alone, for who manages integrations."""

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance.roles import Role
from settlements import redelivery, signatures, subscribers
from settlements.models import Delivery, Subscriber, SubscriberSecret
from settlements.statuses import SETTLEMENT_NEWS
from tests.compliance.conftest import Staff, logged_in, waiting

URL = "https://tms.example.com/hooks/T0KEN-IN-PATH?key=T0KEN-IN-QUERY"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{40,}")
NEW = "/admin/settlements/subscriber/new/"
GIVEN = {"name": "tms", "url": URL, "carrier_id": "", "event_types": list(SETTLEMENT_NEWS)}


@pytest.fixture
def ops(staff: Staff) -> Client:
    return logged_in(staff(Role.OPERATIONS, "ops"))


@pytest.fixture
def subscriber() -> Subscriber:
    return subscribers.create("carrier-tms", URL, actor="test", now=timezone.now())[0]


def page(name: str, *args: object) -> str:
    return reverse(f"admin:settlements_{name}", args=args)


def shown(response: Any) -> str:
    return str(response.content.decode())


def test_a_new_subscribers_secret_is_shown_once_in_an_answer_that_nobody_keeps(ops: Client) -> None:
    assert "Add subscriber" in shown(ops.get(page("subscriber_changelist")))
    answer = ops.post(NEW, GIVEN)
    (secret,) = set(SECRET.findall(shown(answer)))
    assert "no-store" in answer["Cache-Control"]
    row = Subscriber.objects.get()
    assert (row.name, row.url, row.created_by, row.event_types) == ("tms", URL, "user:ops", list(SETTLEMENT_NEWS))
    assert subscribers.signing_keys(row.pk, now=timezone.now()) == [signatures.key_of(secret)]
    later = [page("subscriber_change", row.pk), page("subscribersecret_change", row.secrets.get().pk)]
    for address in [*later, page("subscriber_changelist"), page("subscribersecret_changelist")]:
        text = shown(ops.get(address))
        assert secret not in text
        assert row.secrets.get().sealed not in text
    assert secret[-4:] in shown(ops.get(later[0]))
    assert LogEntry.objects.get().user.username == "ops"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "https://127.0.0.1/"}, "not reachable from everywhere"),
        ({"url": "https://10.0.0.8/hooks"}, "not reachable from everywhere"),
        ({"url": "http://tms.example.com/"}, "must begin with https://"),
        ({"url": "https://user:pw@tms.example.com/"}, "user name or password"),
        ({"url": "javascript:alert(1)"}, "must look like https://host/path"),
        ({"url": ""}, "This field is required"),
        ({"event_types": []}, "Tick at least one"),
        ({"event_types": ["settlement.exploded"]}, "not one of the available choices"),
        ({"name": "carrier-tms"}, "There is a subscriber carrier-tms already"),
        ({"name": "a b"}, "valid “slug”"),
        ({"name": "<script>"}, "valid “slug”"),
    ],
)
def test_what_can_not_be_a_subscriber_is_refused_at_its_field(
    ops: Client, subscriber: Subscriber, wrong: dict[str, Any], words: str
) -> None:
    answer = ops.post(NEW, GIVEN | wrong)
    assert answer.status_code == 400
    assert words in shown(answer)
    assert Subscriber.objects.get() == subscriber
    assert SubscriberSecret.objects.count() == 1


def test_a_subscriber_is_changed_by_post_alone(ops: Client, subscriber: Subscriber) -> None:
    address = page("subscriber_edit", subscriber.pk)
    assert URL in shown(ops.get(address))
    assert ops.get(address, {"url": "https://other.example.com"}).status_code == 200
    assert Subscriber.objects.get().url == URL
    given = {"url": "https://other.example.com/", "event_types": ["settlement.settled"]}
    assert ops.post(address, given, follow=True).status_code == 200
    row = Subscriber.objects.get()
    assert (row.url, row.event_types, row.active) == ("https://other.example.com/", ["settlement.settled"], False)
    assert LogEntry.objects.get().get_change_message() == "Change: url, event_types, active"
    refused = ops.post(address, {**given, "url": "https://localhost/"})
    assert (refused.status_code, "localhost is not reachable" in shown(refused)) == (400, True)


def test_rotation_shows_the_new_secret_and_revocation_ends_the_old_one(ops: Client, subscriber: Subscriber) -> None:
    old = subscriber.secrets.get()
    assert ops.get(page("subscriber_rotate", subscriber.pk)).status_code == 200
    assert subscriber.secrets.count() == 1
    answer = ops.post(page("subscriber_rotate", subscriber.pk), {"overlap_hours": 2})
    assert SECRET.search(shown(answer))
    assert "no-store" in answer["Cache-Control"]
    assert LogEntry.objects.get().get_change_message() == "Rotate secret: overlap_hours"
    old.refresh_from_db()
    assert old.expires_at
    assert ops.post(page("subscriber_rotate", subscriber.pk), {"overlap_hours": 10_000}).status_code == 400
    revoke = page("subscriber_revoke", subscriber.pk, old.pk)
    assert "signs nothing any more" in shown(ops.get(revoke))
    assert len(subscribers.signing_keys(subscriber.pk, now=timezone.now())) == 2
    ops.post(revoke)
    assert len(subscribers.signing_keys(subscriber.pk, now=timezone.now())) == 1
    last = page("subscriber_revoke", subscriber.pk, subscriber.secrets.latest("pk").pk)
    assert "It is the last one" in shown(ops.get(last))
    assert ops.get(page("subscriber_revoke", subscriber.pk, 10**9)).status_code == 404


def test_a_test_message_waits_in_the_outbox(ops: Client, subscriber: Subscriber) -> None:
    ops.get(page("subscriber_ping", subscriber.pk))
    assert not Delivery.objects.exists()
    assert "on its way" in shown(ops.post(page("subscriber_ping", subscriber.pk), follow=True))
    row = Delivery.objects.get()
    assert (row.event_type, row.state) == ("ping", "WAITING")
    Subscriber.objects.update(active=False)
    refused = ops.post(page("subscriber_ping", subscriber.pk))
    assert (refused.status_code, "is inactive" in shown(refused)) == (400, True)


def test_parked_and_delivered_messages_go_out_again_with_a_result_for_each(ops: Client, subscriber: Subscriber) -> None:
    waiting()
    idle, _ = subscribers.create("idle", URL, actor="test", now=timezone.now())
    redelivery.ping(idle.pk, actor="test", now=timezone.now())
    Subscriber.objects.filter(pk=idle.pk).update(active=False)
    Delivery.objects.update(payload='{"amount": 700.00}', attempts=3, state="PARKED", last_error="answered 500")
    delivered = Delivery.objects.earliest("pk")
    Delivery.objects.filter(pk=delivered.pk).update(state="WAITING")
    Delivery.objects.filter(pk=delivered.pk).update(state="DELIVERED", delivered_at=timezone.now())
    rows = {row.pk: row for row in Delivery.objects.all()}
    assert len(rows) == 3
    listed = page("delivery_changelist")
    assert "answered 500" in shown(ops.get(listed, {"state": "PARKED", "subscriber__id__exact": str(subscriber.pk)}))
    detail = shown(ops.get(page("delivery_change", delivered.pk)))
    assert "{&quot;amount&quot;: 700.00}" in detail
    assert "Deliver again" in detail
    asked = {"action": "deliver_again", "_selected_action": list(rows)}
    assert "3 messages will be sent again" in shown(ops.post(listed, asked))
    assert not Delivery.objects.filter(state="WAITING").exists()
    results = shown(ops.post(listed, {**asked, "confirmed": "yes"}, follow=True))
    for row in Delivery.objects.all():
        assert row.message_id == rows[row.pk].message_id
        if row.subscriber_id == idle.pk:
            assert f"Message {row.message_id} to idle: Subscriber idle is inactive; activate it first." in results
            assert row.state == "PARKED"
        else:
            assert f"Message {row.message_id} to carrier-tms: due now, under the same id." in results
            assert (row.state, row.failures) == ("WAITING", 0)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OPERATIONS])
def test_others_look_and_change_nothing(staff: Staff, subscriber: Subscriber, role: Role) -> None:
    client = logged_in(staff(role))
    secret = subscriber.secrets.get()
    delivery = redelivery.ping(subscriber.pk, actor="test", now=timezone.now())
    for name, args in (("subscriber_change", subscriber.pk), ("delivery_change", delivery.pk)):
        text = shown(client.get(page(name, args)))
        assert "Rotate" not in text
        assert "Deliver again" not in text
    assert "Add subscriber" not in shown(client.get(page("subscriber_changelist")))
    acts = [page(f"subscriber_{name}", subscriber.pk) for name in ("edit", "rotate", "ping")]
    for address in (NEW, *acts, page("subscriber_revoke", subscriber.pk, secret.pk)):
        assert client.get(address).status_code == 403
        assert client.post(address, GIVEN | {"overlap_hours": 0}).status_code == 403
    asked = {"action": "deliver_again", "_selected_action": [delivery.pk], "confirmed": "yes"}
    client.post(page("delivery_changelist"), asked)
    delivery.refresh_from_db()
    assert (Subscriber.objects.count(), SubscriberSecret.objects.count(), Delivery.objects.count()) == (1, 1, 1)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("role", Role)
def test_an_address_that_may_be_a_secret_is_shown_to_who_manages_it_alone(
    staff: Staff, subscriber: Subscriber, role: Role
) -> None:
    client = logged_in(staff(role))
    listed, changed = shown(client.get(page("subscriber_changelist"))), page("subscriber_change", subscriber.pk)
    for text in (listed, shown(client.get(changed))):
        assert "https://tms.example.com" in text
    assert "T0KEN" not in listed
    assert ("T0KEN-IN-PATH" in shown(client.get(changed))) is (role is Role.OPERATIONS)
    # Nor can it be found out letter by letter.
    for question in ("url__contains", "url__startswith", "url"):
        assert client.get(page("subscriber_changelist"), {question: "https"}).status_code == 400


def test_a_superuser_manages_too_and_a_form_of_another_site_does_not(staff: Staff, subscriber: Subscriber) -> None:
    root = staff(None, is_superuser=True)
    assert logged_in(root).get(NEW).status_code == 200
    assert logged_in(root, csrf=True).post(page("subscriber_ping", subscriber.pk)).status_code == 403
    assert Client().post(NEW, GIVEN).status_code == 302
    assert not Delivery.objects.exists()


def test_the_command_makes_a_subscriber_and_prints_its_secret_alone(db: None) -> None:
    out = StringIO()
    call_command("create_subscriber", "tms", URL, event=["settlement.settled"], carrier="BOZZA", stdout=out)
    row = Subscriber.objects.get()
    assert (row.event_types, row.carrier_id) == (["settlement.settled"], "BOZZA")
    assert SECRET.fullmatch(out.getvalue().strip())
    for wrong in (["tms", URL], ["a b", URL], ["x" * 51, URL], ["other", "https://127.0.0.1/"]):
        with pytest.raises(CommandError):
            call_command("create_subscriber", *wrong, stdout=out)
    with pytest.raises(CommandError, match=r"settlement\.exploded is nothing we tell of"):
        call_command("create_subscriber", "other", URL, event=["settlement.exploded"], stdout=out)
    assert Subscriber.objects.count() == 1
