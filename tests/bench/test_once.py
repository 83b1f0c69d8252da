"""The bench notices what is missing, waits, or is there without its booking."""

from decimal import Decimal

import pytest

from bench import once
from tests.bench.test_bench import url_of_the_server
from tests.factories import LOW, MEDIUM, PICKUP, POD, an_intent, settlement_of


def paid(risk: Decimal = LOW, event_type: str = POD) -> None:
    settlement_of(an_intent(risk=risk), event_type)


@pytest.mark.django_db(transaction=True)
def test_settlements_that_were_paid_and_booked_once_are_accepted() -> None:
    paid()
    paid()
    once.verify(url_of_the_server(), settlements=2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wanted", [1, 3])
def test_one_too_many_or_too_few_is_told(wanted: int) -> None:
    paid()
    paid()
    with pytest.raises(once.NotOnce, match=f"{wanted} settlements were to be made"):
        once.verify(url_of_the_server(), settlements=wanted)


@pytest.mark.django_db(transaction=True)
def test_one_that_waits_is_told() -> None:
    paid()
    paid(MEDIUM, PICKUP)
    with pytest.raises(once.NotOnce):
        once.verify(url_of_the_server(), settlements=2)
