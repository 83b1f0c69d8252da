"""What fails is kept, told, put off and made up for; what does not is not held up by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from rails.internal.rail import InternalLedgerRail
from rails.models import JournalEntry
from settlements import inbox, release, reprocessing
from settlements.models import MilestoneSettlement, ShipmentEvent
from tests.flows.conftest import Api
from tests.flows.test_sweep import delayed, sweep


@contextmanager
def broken(table: str, condition: str = "true", *, at_commit: bool = False) -> Iterator[None]:
    """The database itself fails on inserts into a table that meet a condition, at once or at COMMIT."""
    trigger = f"CONSTRAINT TRIGGER break_some AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
    if not at_commit:
        trigger = f"TRIGGER break_some BEFORE INSERT ON {table}"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION break_some() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {condition} THEN RAISE 'broken'; END IF; RETURN NEW; END $$;"
            f"CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION break_some()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER break_some ON {table}; DROP FUNCTION break_some()")


def test_one_bad_row_never_stops_the_others(live: Api, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    delayed(live, 3)
    bad = MilestoneSettlement.objects.earliest("pk")
    with broken("rails_journalentry", f"NEW.milestone_id = {bad.pk}"):
        assert sweep() == release.SweepReport(released=2, failed=1)
        bad.refresh_from_db()
        assert bad.status == "DELAYED"
        assert "broken" in bad.error
        assert sweep() == release.SweepReport(), "put off, so that it is not in the way of the next ones"
    MilestoneSettlement.objects.filter(pk=bad.pk).update(retry_at=None)
    assert sweep() == release.SweepReport(released=1)


def test_processing_that_fails_keeps_the_event_and_the_sweep_makes_up_for_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, shipment = api.token()
    intent = api.intent(token)

    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the ledger is upset")

    with monkeypatch.context() as broken:
        broken.setattr(InternalLedgerRail, "process_settlements", breaks)
        answer = api.event(shipment, event_id="m")
        assert (answer.status_code, answer.json()["processed_at"]) == (202, None)
        event = ShipmentEvent.objects.get()
        assert (event.state, event.error) == ("WAITING", "RuntimeError: the ledger is upset")
        assert api.milestones(intent) == {}
        assert reprocessing.sweep(now=timezone.now()) == 0
        assert api.event(shipment, event_id="m").status_code == 202
    assert reprocessing.sweep(now=timezone.now()) == 1
    assert api.milestones(intent)["POD_CONFIRMED"]["status"] == "approved"
    assert api.event(shipment, event_id="m").json()["milestone_settlements_created"] == 1
    assert ShipmentEvent.objects.get().error == ""


@pytest.mark.parametrize("at_commit", [False, True])
@pytest.mark.parametrize("table", ["rails_journalentry", "settlements_milestonesettlement", "settlements_auditevent"])
def test_processing_that_the_database_refuses_keeps_the_event_too(live: Api, table: str, at_commit: bool) -> None:
    token, shipment = live.token()
    intent = live.intent(token)
    with broken(table, at_commit=at_commit):
        answer = live.event(shipment, event_id="m")
        assert (answer.status_code, answer.json()["processed_at"]) == (202, None)
        event = ShipmentEvent.objects.get()
        assert (event.state, event.processed_at, "broken" in event.error) == ("WAITING", None, True)
        assert reprocessing.sweep(now=timezone.now()) == 0
    assert JournalEntry.objects.count() == 0
    assert reprocessing.sweep(now=timezone.now()) == 1
    assert live.milestones(intent)["POD_CONFIRMED"]["status"] == "approved"


def test_after_ten_sweeps_an_event_is_marked_failed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    token, shipment = api.token()
    api.intent(token)
    monkeypatch.setattr(InternalLedgerRail, "process_settlements", lambda *_, **__: 1 // 0)
    api.event(shipment)
    for _ in range(9):
        reprocessing.sweep(now=timezone.now())
    assert ShipmentEvent.objects.get().state == "WAITING"
    reprocessing.sweep(now=timezone.now())
    assert (ShipmentEvent.objects.get().state, ShipmentEvent.objects.get().sweeps) == ("FAILED", 10)


def test_a_failure_told_late_never_undoes_what_another_sweep_has_processed(api: Api) -> None:
    token, shipment = api.token()
    api.intent(token)
    first = api.event(shipment, event_id="m").content
    inbox.note_failure(ShipmentEvent.objects.get().pk, RuntimeError("deadlock"), swept=True)
    assert (ShipmentEvent.objects.get().state, ShipmentEvent.objects.get().sweeps) == ("PROCESSED", 0)
    assert api.event(shipment, event_id="m").content == first
