"""Messages to subscribers, of audit events that lie in an archive by now."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from settlements import redelivery
from settlements.archiving import eligible
from settlements.archiving.archiving import Step
from settlements.models import AuditArchive, AuditEvent, Delivery
from tests.compliance.conftest import logged_in
from tests.factories import now
from tests.flows.conftest import Api
from tests.flows.receiver import Receiver, deliver, subscribe
from tests.settlements.archived import MONTH, a_cancelled_intent, an_intent_that_is_over, archived, ready, sequences
from tests.settlements.lived_in import verified


def test_a_message_goes_out_again_byte_for_byte_when_its_event_lies_in_an_archive(
    live_staff: Api, receiver: Receiver, archives_dir: Path, settings: Settings
) -> None:
    subscribe(receiver.url)
    over = an_intent_that_is_over()
    deliver()
    sent = {each.id: each.body for each in receiver.received}
    assert len(sent) > 1
    ready()
    archived()
    assert len(sequences(over)) == 1
    gone = [row for row in Delivery.objects.order_by("pk") if not AuditEvent.objects.filter(pk=row.audit_event_id or 0)]
    assert gone
    for row in gone:
        redelivery.again(row.pk, actor="test", now=now())
    deliver()
    again = receiver.received[len(sent) :]
    assert {each.id: each.body for each in again} == {row.message_id: sent[row.message_id] for row in gone}
    assert "All is proven." in verified()
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    client = logged_in(User.objects.get(username="root1"))
    for address in ("/admin/settlements/delivery/", f"/admin/settlements/delivery/{gone[0].pk}/change/"):
        assert client.get(address, SERVER_NAME="localhost").status_code == 200


def test_an_intent_stays_whole_until_every_message_of_it_was_made(
    live: Api, receiver: Receiver, archives_dir: Path
) -> None:
    untold = a_cancelled_intent()
    subscribe(receiver.url)
    over = an_intent_that_is_over()
    ready()
    assert Delivery.objects.filter(payload="").exists()
    assert eligible.counted(MONTH).staying == {"a message to a subscriber was not made yet": 1}
    archived()
    assert len(sequences(untold)) == 1
    assert sequences(over)[0] == 1
    deliver()
    archived()
    assert len(sequences(over)) == 1
    assert AuditArchive.objects.count() == 2


def test_the_database_lets_no_event_go_of_which_a_message_has_still_to_be_made(
    live: Api, receiver: Receiver, archives_dir: Path
) -> None:
    subscribe(receiver.url)
    an_intent_that_is_over()
    deliver()
    ready()

    class Killed(Exception):
        pass

    def stop(step: Step, events: int) -> None:
        if step is Step.RECORDED:
            raise Killed

    with pytest.raises(Killed):
        archived(progress=stop)
    told = Delivery.objects.filter(audit_event__isnull=False).order_by("pk")[0]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE settlements_delivery DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE settlements_delivery SET payload = '', state = 'WAITING', delivered_at = NULL, "
            "next_attempt_at = now() WHERE id = %s",
            [told.pk],
        )
        cursor.execute("ALTER TABLE settlements_delivery ENABLE TRIGGER USER")
    with pytest.raises(DatabaseError, match="but what an archive has"), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM settlements_remove_archived(%s, 0, 100)", [AuditArchive.objects.get().pk])
    deliver()
    archived()
    assert not AuditEvent.objects.filter(pk=told.audit_event_id or 0).exists()
