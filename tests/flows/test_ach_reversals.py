"""A payment that is taken back, returned, or both, in any order: the books are right, and nothing is paid twice."""

from itertools import permutations, product

import pytest
from django.db import DatabaseError, transaction

from rails.models import AchFile, RailAttempt, Recipient
from settlements.statuses import SettlementStatus as S
from settlements.statuses import WorkKind
from tests.flows.ach_reversals import (
    LATE,
    PAID,
    Case,
    balances,
    bank,
    case,
    hear,
    kinds,
    owes,
    proven,
    recipient,
    status,
)

__all__ = ["bank", "case", "recipient"]

pytestmark = pytest.mark.django_db


def _orders() -> list[tuple[str, ...]]:
    facts = ("payment_returned", "went_through", "reversal_returned")
    found = {order for count in (1, 2, 3) for order in permutations(facts, count)}
    # What came back can not be said to have gone through: that is refused.
    return sorted(
        order
        for order in found
        if not {"went_through", "reversal_returned"} <= set(order)
        or order.index("went_through") < order.index("reversal_returned")
    )


@pytest.mark.parametrize("settled", [False, True], ids=["in transit", "settled"])
@pytest.mark.parametrize("told", list(product([False, True], repeat=2)), ids=str)
@pytest.mark.parametrize("order", _orders(), ids=lambda order: ", ".join(order))
def test_in_whatever_order_it_comes_back_and_not_the_books_say_what_the_bank_would(
    case: Case, recipient: Recipient, order: tuple[str, ...], told: tuple[bool, bool], settled: bool
) -> None:
    """`told`: whether anybody listened after the first word, and after the second."""
    if settled:
        hear(4)
        assert status(case.settlement) == S.SETTLED
    back = 0
    through = False
    for fact, listened in zip(order, (*told, True), strict=False):
        getattr(case, fact)()
        back += {"payment_returned": 1, "went_through": 1, "reversal_returned": -1 if through else 0}[fact]
        through = through or fact == "went_through"
        if listened:
            hear(10)
    hear(10)
    # What the account at the bank holds, by counting what moved: paid once, back so many times.
    assert balances(recipient).get("bank", 0) == (back - 1) * PAID
    counted = "payment_returned" in order or "went_through" in order
    if not counted:
        assert status(case.settlement) in {S.APPROVED, S.SETTLED}
        assert owes(case.settlement) == 0
    else:
        assert status(case.settlement) == S.RETURNED
        assert owes(case.settlement) == (1 - back) * PAID
        expected = {
            0: [WorkKind.KEPT],
            1: [WorkKind.RETURNED],
            2: [WorkKind.BACK_TWICE, WorkKind.RETURNED],
        }[back]
        assert kinds(case.settlement) == expected
        assert (
            balances(recipient)
            == {
                0: {"bank": -PAID, "receivable": PAID},
                1: {},
                2: {"bank": PAID, "payable": PAID},
            }[back]
        )
    proven()
    # Then silence speaks for a reversal of which nobody has said anything.
    hear(200)
    hear(200)
    back += not {"went_through", "reversal_returned"} & set(order)
    assert balances(recipient).get("bank", 0) == (back - 1) * PAID
    assert owes(case.settlement) == ((1 - back) * PAID if status(case.settlement) == S.RETURNED else 0)
    proven()


def test_by_silence_it_comes_back_only_after_the_last_day(case: Case, recipient: Recipient) -> None:
    for days in (2, 9, 30, 62, LATE - 1):
        hear(days)
        assert status(case.settlement) in {S.APPROVED, S.SETTLED}
    hear(LATE)
    assert status(case.settlement) == S.RETURNED
    assert balances(recipient) == {}
    hear(LATE + 1)
    proven()


def test_a_refused_file_of_reversals_undoes_what_was_said_of_them(case: Case, recipient: Recipient) -> None:
    case.went_through()
    hear(8)
    assert status(case.settlement) == S.RETURNED
    case.file_refused()
    hear(9)
    assert kinds(case.settlement) == [WorkKind.KEPT]
    assert balances(recipient) == {"bank": -PAID, "receivable": PAID}
    assert AchFile.objects.get(purpose="REVERSALS").state == "REFUSED"
    proven()


def test_what_is_owed_is_never_more_than_what_came_back_by_the_database(case: Case) -> None:
    with pytest.raises(DatabaseError, match="owed_is_what_counted_as_returned"), transaction.atomic():
        RailAttempt.objects.update(owed_minor=1)
    hear(LATE)
    with pytest.raises(DatabaseError, match="owed_is_what_counted_as_returned"), transaction.atomic():
        RailAttempt.objects.update(owed_minor=PAID + 1)
    with transaction.atomic():
        RailAttempt.objects.update(owed_minor=PAID)
    with pytest.raises(Exception, match="owed by the recipient"):
        proven()
