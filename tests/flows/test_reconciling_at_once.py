"""Many people resolve one difference at the same moment, with real threads: one of them does, and one event says so."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from settlements.models import BooksDifference, Comparison, DifferenceResolution, OfficeEvent
from settlements.reconciliation import comparing, resolving
from settlements.refusals import Refusal
from settlements.verification import office
from tests.factories import a_user, now, officer
from tests.flows.conftest import at_once

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 8


def a_difference() -> BooksDifference:
    return BooksDifference.objects.create(
        identity="0" * 64,
        kind="CLEARING",
        provider="STRIPE",
        currency="USD",
        expected_minor=0,
        found_minor=int(Decimal("12.50") * 100),
        occurred_at=now(),
        found_at=now(),
    )


def tried(difference_id: int, person: object) -> str:
    try:
        resolving.resolve(difference_id, officer=person, reason="a fee", now=now())  # type: ignore[arg-type]
    except Refusal as refusal:
        return refusal.code
    return "resolved"


def test_one_of_eight_resolves_it() -> None:
    difference = a_difference()
    answers = at_once([partial(tried, difference.pk, officer(a_user())) for _ in range(PEOPLE)])
    assert sorted(answers) == ["difference_already_resolved"] * 7 + ["resolved"]
    assert (DifferenceResolution.objects.count(), OfficeEvent.objects.count()) == (1, 1)


def test_eight_differences_become_eight_events_in_one_chain() -> None:
    with_each = [BooksDifference.objects.create(
        identity=f"{number:064}", kind="CLEARING", provider="STRIPE", occurred_at=now(), found_at=now()
    ) for number in range(PEOPLE)]  # fmt: skip
    assert at_once([partial(tried, each.pk, officer(a_user())) for each in with_each]) == ["resolved"] * PEOPLE
    assert office.check() == PEOPLE


def test_resolving_while_it_is_found_gone_ends_one_way_or_the_other() -> None:
    difference = a_difference()
    person = officer(a_user())
    calls: list[Callable[[], object]] = [
        partial(tried, difference.pk, person),
        partial(comparing.compare, actor="test", now=now()),
    ]
    answers = at_once(calls)
    difference.refresh_from_db()
    assert difference.gone_at is not None
    assert answers[0] in {"resolved", "difference_gone"}
    assert DifferenceResolution.objects.exists() is (answers[0] == "resolved")


def test_comparisons_at_once_find_the_same_once() -> None:
    comparisons = at_once([partial(comparing.compare, actor="test", now=now()) for _ in range(4)])
    assert len({each.pk for each in comparisons if isinstance(each, Comparison)}) == 4
    assert not BooksDifference.objects.exists()
