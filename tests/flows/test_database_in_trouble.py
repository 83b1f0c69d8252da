"""PostgreSQL has no room, no memory, no connection, or is a standby: the sender is told so, and nothing is lost."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from rails.models import JournalEntry
from settlements import reprocessing
from settlements.models import MilestoneSettlement, ShipmentEvent
from tests.factories import now
from tests.flows.conftest import Api, live

__all__ = ["live"]

# Disk full, out of memory, too many connections, query cancelled, shut down, I/O error, lock not available, read-only.
TROUBLES = ("53100", "53200", "53300", "57014", "57P01", "58030", "55P03", "25006")
Trouble = Callable[..., None]


@pytest.fixture
def trouble(live: Api) -> Iterator[Trouble]:
    """Writing to a table fails with that SQLSTATE from now on; without one it works again."""

    def make(table: str, sqlstate: str = "", *, at_commit: bool = False) -> None:
        kind = "CONSTRAINT TRIGGER trouble AFTER" if at_commit else "TRIGGER trouble BEFORE"
        later = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER IF EXISTS trouble ON {table}")
            cursor.execute("DROP FUNCTION IF EXISTS trouble()")
            if sqlstate:
                cursor.execute(
                    "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
                    f"'could not extend file: No space left on secret-device' USING ERRCODE = '{sqlstate}'; END $$"
                )
                cursor.execute(f"CREATE {kind} INSERT ON {table} {later} FOR EACH ROW EXECUTE FUNCTION trouble()")

    yield make
    for table in ("settlements_shipmentevent", "settlements_milestonesettlement", "rails_posting"):
        make(table)


@pytest.mark.parametrize("sqlstate", TROUBLES)
def test_an_event_that_can_not_be_stored_is_503_and_taken_later(live: Api, trouble: Trouble, sqlstate: str) -> None:
    token, shipment = live.token()
    live.intent(token)
    trouble("settlements_shipmentevent", sqlstate)
    refused = live.event(shipment, event_id="1")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "5"
    assert b"secret-device" not in refused.content
    assert not ShipmentEvent.objects.exists()
    trouble("settlements_shipmentevent")
    taken = live.event(shipment, event_id="1")
    assert (taken.status_code, taken.json()["milestone_settlements_created"]) == (200, 1)
    assert JournalEntry.objects.count() == 1


def test_what_can_not_be_committed_is_503_and_leaves_nothing(live: Api, trouble: Trouble) -> None:
    token, shipment = live.token()
    live.intent(token)
    trouble("rails_posting", "53100", at_commit=True)
    assert live.event(shipment, event_id="1").status_code == 503
    assert [model.objects.count() for model in (ShipmentEvent, MilestoneSettlement, JournalEntry)] == [0, 0, 0]
    trouble("rails_posting")
    assert live.event(shipment, event_id="1").json()["milestone_settlements_created"] == 1


def test_an_event_without_room_for_its_settlement_is_never_taken_for_done(live: Api, trouble: Trouble) -> None:
    """503 and nothing stored, or 202 and stored to be processed; with room again it is paid once."""
    token, shipment = live.token()
    live.intent(token)
    trouble("settlements_milestonesettlement", "53100")
    answer = live.event(shipment, event_id="1")
    assert answer.status_code in {202, 503}
    assert ShipmentEvent.objects.filter(state="WAITING").exists() == (answer.status_code == 202)
    trouble("settlements_milestonesettlement")
    reprocessing.sweep(now=now())
    live.event(shipment, event_id="1")
    assert (MilestoneSettlement.objects.count(), JournalEntry.objects.count()) == (1, 1)
