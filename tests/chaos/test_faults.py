"""The table of faults, and who counts for it; the faults themselves are made by `make chaos`."""

import pytest

from rails.models import JournalEntry
from settlements.models import MilestoneSettlement
from settlements.statuses import RiskTier
from tests.chaos import orders
from tests.chaos.faults import NAMES, RELEASES, counting
from tests.chaos.faults.catalogue import FAULTS
from tests.chaos.faults.upstream import Event
from tests.chaos.faults.verdict import Verdict, table
from tests.factories import PICKUP, POD, post_event

GOOD = Verdict(fault="redis", done="10 events", away=0.26, seconds=3.4)


def counted(events: list[Event], taken: set[str]) -> tuple[int, int]:
    """(lost, twice) on the test's own database."""
    from django.db import connection

    settings = connection.settings_dict
    url = f"postgresql://postgres@/{settings['NAME']}?host={settings['OPTIONS'].get('host', '')}"
    found = counting.count(url, events, taken=taken)
    return found.lost, found.twice


def test_every_fault_can_be_chosen_and_made() -> None:
    assert NAMES.keys() == {RELEASES, *FAULTS}


def test_a_fault_that_violated_nothing_is_a_line_of_zeros() -> None:
    assert GOOD.passed
    assert table([GOOD]).splitlines()[2] == "| redis | 10 events | 0 | 0 | 0 | 0.3 | proven | 3 |"


@pytest.mark.parametrize(
    "changed", [{"lost": 1}, {"twice": 1}, {"wrong": 1}, {"books": "they differ"}, {"not_run": "no root"}]
)
def test_one_violation_or_a_fault_that_was_not_made_is_no_pass(changed: dict[str, object]) -> None:
    verdict = Verdict(fault="redis", complaints=["it was"], **changed)  # type: ignore[arg-type]
    assert not verdict.passed
    assert verdict.told()
    assert "NOT RUN" in table([verdict]) if "not_run" in changed else "NOT RUN" not in table([verdict])


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_and_is_paid_once_is_neither_lost_nor_twice() -> None:
    (shipment,) = orders.lay(1, orders.Kind(tier=RiskTier.LOW))
    event = Event(shipment, POD)
    post_event(shipment, POD, message_id=f"webhook-id:{event.message_id}")
    assert counted([event], {event.message_id}) == (0, 0)
    assert (MilestoneSettlement.objects.count(), JournalEntry.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_and_is_not_there_is_lost() -> None:
    (shipment,) = orders.lay(1, orders.Kind(tier=RiskTier.LOW))
    event = Event(shipment, POD)
    assert counted([event], set()) == (1, 0)
    assert counted([event], {event.message_id}) == (2, 0)


@pytest.mark.django_db(transaction=True)
def test_what_is_not_released_in_the_end_is_lost() -> None:
    (shipment,) = orders.lay(1, orders.Kind(tier=RiskTier.MEDIUM))
    event = Event(shipment, PICKUP)
    post_event(shipment, PICKUP, message_id=f"webhook-id:{event.message_id}")
    assert counted([event], {event.message_id}) == (1, 0)
