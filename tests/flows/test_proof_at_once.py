"""Checkpoints, dossiers and verifications beside a live system: real transactions, on connections of their own."""

import io
import threading
import zipfile
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from settlements import audit, verify
from settlements.dossier import making
from settlements.dossier import verify as program
from settlements.models import Checkpoint, OfficeEvent, PaymentIntent
from settlements.proof import checkpoints, publishing
from tests.factories import an_intent, now, platform_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def intent() -> PaymentIntent:
    platform_source()
    return an_intent()


def grow(intent_id: int) -> None:
    with transaction.atomic():
        audit.record([audit.Draft(intent_id=intent_id, action="note_added", triggered_by="system")], now=now())


def elsewhere(run: Callable[[], object]) -> None:
    """On another connection, to its end."""
    troubles: list[BaseException] = []

    def closing_connections() -> None:
        try:
            run()
        except BaseException as trouble:  # noqa: BLE001  # raised again below, in the test's own thread
            troubles.append(trouble)
        finally:
            connections.close_all()

    thread = threading.Thread(target=closing_connections)
    thread.start()
    thread.join()
    if troubles:
        raise troubles[0]


def checked(dossier: making.Dossier) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(dossier.content)) as archive:
        return program.check({name: archive.read(name) for name in archive.namelist()})


def test_a_dossier_is_of_one_moment_and_on_record_after_it(intent: PaymentIntent) -> None:
    dossier = making.make(intent.pk, by="user:auditor1", clock=now)
    assert checked(dossier)
    assert OfficeEvent.objects.get().data["sha256"] == dossier.sha256
    assert not connection.in_atomic_block
    assert [each.what for each in verify.everything()][-1] == "files of audit archives are those on record"


def test_an_event_between_checkpoint_and_reading_has_the_dossier_begun_again(
    intent: PaymentIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = publishing.publish
    grown: list[bool] = []

    def meanwhile() -> int:
        if not grown:
            grown.append(True)
            elsewhere(lambda: grow(intent.pk))
        return publish()

    monkeypatch.setattr("settlements.dossier.making.publishing.publish", meanwhile)
    dossier = making.make(intent.pk, by="user:auditor1", clock=now)
    assert dossier.checkpoint == 2
    assert checked(dossier)


def test_what_happens_while_a_dossier_is_read_is_not_in_it(
    intent: PaymentIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = checkpoints.newest
    seen: list[int] = []

    def meanwhile() -> Checkpoint | None:
        if connection.in_atomic_block and not seen:
            seen.append(OfficeEvent.objects.count())
            elsewhere(lambda: grow(intent.pk))
            elsewhere(lambda: checkpoints.make(now=now()))
        return newest()

    checkpoints.make(now=now())
    monkeypatch.setattr("settlements.dossier.making.checkpoints.newest", meanwhile)
    dossier = making.make(intent.pk, by="user:auditor1", clock=now)
    assert (dossier.checkpoint, seen) == (1, [0])
    assert checked(dossier)


def test_a_checkpoint_waits_for_nobody_and_leaves_out_what_is_not_committed(intent: PaymentIntent) -> None:
    with transaction.atomic():
        audit.record([audit.Draft(intent_id=intent.pk, action="note_added", triggered_by="system")], now=now())
        elsewhere(lambda: checkpoints.make(now=now()))
        assert Checkpoint.objects.count() == 1
    assert Checkpoint.objects.get().heads.get(chain=intent.pk).length == 1
    assert list(verify.everything())
    made = checkpoints.make(now=now())
    assert made is not None
    assert made.heads.get().length == 2


def test_a_checkpoint_made_and_published_while_the_books_are_verified_is_no_difference(
    intent: PaymentIntent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile() -> int:
        elsewhere(lambda: grow(intent.pk))
        elsewhere(lambda: (checkpoints.make(now=now()), publishing.publish()))
        return 0

    monkeypatch.setattr("settlements.verify.CHECKS", (*verify.CHECKS, ("meanwhile", meanwhile)))
    proven = {each.what: each.count for each in verify.everything()}
    assert proven["checkpoints are signed and their heads stand"] == 0
    assert proven["published checkpoints are those stored"] == 1
