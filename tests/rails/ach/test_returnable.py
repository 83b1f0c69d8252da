"""Until when a bank may send back what it has, and until when we may reverse it: the days of the returns' table."""

from datetime import date, timedelta

import pytest

from rails.ach import returnable
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.models import AchFilePurpose
from tests.rails.ach.bank import days_later, order, paid, payee, sends
from tests.rails.ach.samples import bank_file, returned

pytestmark = pytest.mark.django_db
# Handed over on a Monday evening, settled on the banking day after.
SETTLED = date(2026, 12, 1)
HANDED_OVER = date(2026, 11, 30)
ORDINARY, LONGEST = date(2026, 12, 3), date(2027, 2, 1)


def deadlines(on: date) -> list[tuple[date, int, int]]:
    return [(each.until, each.count, each.minor) for each in returnable.returnable(on)]


def test_each_group_of_codes_has_its_last_day(ach: AchConfiguration) -> None:
    paid(order(1, payee(), 700), order(2, payee(), 300))
    first, last = returnable.returnable(HANDED_OVER)
    assert (first.settled_on, first.purpose, first.count, first.minor) == (SETTLED, AchFilePurpose.PAYMENTS, 2, 1000)
    assert (first.until, last.until) == (ORDINARY, LONGEST)
    assert first.codes.startswith("2 banking days: R01, R02, R03, R04")
    assert last.codes.startswith("60 calendar days: R05, R07, R10")
    assert str(first.amount) == "10.00 USD"


def test_a_deadline_ends_with_its_last_day(ach: AchConfiguration) -> None:
    paid(order(1, payee(), 700))
    both = [(ORDINARY, 1, 700), (LONGEST, 1, 700)]
    one = timedelta(days=1)
    assert deadlines(HANDED_OVER - one) == []
    assert deadlines(ORDINARY - one) == both
    assert deadlines(ORDINARY) == both[1:]
    assert deadlines(LONGEST - one) == both[1:]
    assert deadlines(LONGEST) == []


def test_what_came_back_does_not_come_back_again(ach: AchConfiguration) -> None:
    (answer, _) = paid(order(1, payee(), 100), order(2, payee(), 300))
    sends(ach, bank_file(("CCD", [returned("R03", trace=answer.reference_id or "")])))
    AchRail().hear(now=days_later(2))
    assert deadlines(date(2026, 12, 2)) == [(ORDINARY, 1, 300), (LONGEST, 1, 300)]


def test_a_payment_may_be_reversed_for_five_banking_days(ach: AchConfiguration) -> None:
    paid(order(1, payee(), 700))
    until = date(2026, 12, 8)
    assert [each.until for each in returnable.reversible(until - timedelta(days=1))] == [until]
    assert returnable.reversible(until) == []
