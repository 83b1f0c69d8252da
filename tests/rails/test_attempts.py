"""What the database itself refuses about attempts, and what claiming them keeps apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from rails import attempts, destinations, recipients
from rails.attempts import Claimed, Order, Step, Unanswered
from rails.base import SettlementProvider
from rails.models import AttemptState, Destination, RailAttempt, Recipient
from rails.models.attempt import ATTEMPT_EDGES
from rails.money import Money
from tests.flows.conftest import at_once
from tests.flows.pretend_provider import a_payable_recipient

STRIPE = SettlementProvider.STRIPE
NOW = datetime(2025, 11, 7, 15, 30, tzinfo=UTC)
milestones = count(5_000_000)


@pytest.fixture
def recipient(db: None) -> Recipient:
    return a_payable_recipient()


def order(recipient: Recipient, milestone_id: int | None = None, minor: int = 700_000) -> Order:
    milestone = next(milestones) if milestone_id is None else milestone_id
    return Order(milestone_id=milestone, provider=STRIPE, amount=Money(minor, "USD"), recipient_id=recipient.pk)


def prepared(recipient: Recipient, milestone_id: int | None = None) -> RailAttempt:
    wanted = order(recipient, milestone_id)
    assert attempts.prepare([wanted], now=NOW) == {wanted.milestone_id: ""}
    return RailAttempt.objects.filter(milestone_id=wanted.milestone_id).latest("number")


def claim(limit: int = 100, *, is_open: bool = True, lease: int = 30) -> list[Claimed]:
    return attempts.claim(STRIPE, limit=limit, lease_seconds=lease, is_open=is_open)


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(DatabaseError, match=words), transaction.atomic():
        yield


def change(attempt: RailAttempt, **columns: Any) -> None:
    RailAttempt.objects.filter(pk=attempt.pk).update(**columns)


def destination_of(recipient: Recipient) -> Destination:
    found = destinations.usable(recipient.pk, "stripe")
    assert found is not None
    return found


def over(attempt: RailAttempt, state: AttemptState) -> None:
    """As a provider would have it: refused, or taken and sent back."""
    claim()
    if state is AttemptState.RETURNED:
        change(attempt, state=AttemptState.ACCEPTED, reference=f"tr_{attempt.pk}")
        change(attempt, state=state, returned_minor=attempt.amount_minor)
    else:
        change(attempt, state=state, error="closed")


WHOLE: dict[AttemptState, dict[str, Any]] = {
    AttemptState.PREPARED: {},
    AttemptState.SUBMITTED: {"submitted_at": NOW},
    AttemptState.ACCEPTED: {"submitted_at": NOW, "reference": "tr_1"},
    AttemptState.CONFIRMED: {"submitted_at": NOW, "reference": "tr_1"},
    AttemptState.RETURNED: {"submitted_at": NOW, "reference": "tr_1", "returned_minor": 700_000},
    AttemptState.REFUSED: {"error": "closed"},
}


@pytest.mark.parametrize("new", AttemptState)
@pytest.mark.parametrize("old", AttemptState)
def test_the_database_allows_exactly_the_steps_of_the_table(
    old: AttemptState, new: AttemptState, recipient: Recipient
) -> None:
    attempt = prepared(recipient)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        change(attempt, state=old, **WHOLE[old])
        cursor.execute("SET LOCAL session_replication_role = origin")
    keeps = {} if old is AttemptState.RETURNED else WHOLE[new]
    if old is new or new in ATTEMPT_EDGES[old]:
        change(attempt, state=new, **keeps)
    else:
        with refused("Invalid transition|never changes|is not undone|stays as it is|all_of_it|refused_says_why"):
            change(attempt, state=new, **keeps)


class TestAnAttempt:
    def test_is_the_only_one_while_it_is_open_or_out(self, recipient: Recipient) -> None:
        first = prepared(recipient)
        for state in (None, AttemptState.SUBMITTED, AttemptState.ACCEPTED, AttemptState.CONFIRMED):
            if state:
                change(first, state=state, submitted_at=NOW, reference="" if state == "SUBMITTED" else "tr_1")
            with refused("not known to be refused or returned"):
                attempts.prepare([order(recipient, first.milestone_id)], now=NOW)

    @pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.RETURNED])
    def test_is_followed_by_the_next_number_once_it_is_over(self, recipient: Recipient, state: AttemptState) -> None:
        first = prepared(recipient)
        over(first, state)
        assert prepared(recipient, first.milestone_id).number == 2

    def test_that_came_back_in_part_is_not_over(self, recipient: Recipient) -> None:
        first = prepared(recipient)
        claim()
        change(first, state=AttemptState.ACCEPTED, reference="tr_1")
        change(first, returned_minor=699_999)
        with refused("not known to be refused or returned"):
            attempts.prepare([order(recipient, first.milestone_id)], now=NOW)
        with refused("returned_means_all_of_it"):
            change(first, returned_minor=700_000)
        with refused("is not undone"):
            change(first, returned_minor=1)

    @pytest.mark.parametrize(
        "columns",
        [
            {"amount_minor": 1},
            {"currency": "EUR"},
            {"milestone_id": 1},
            {"number": 2},
            {"provider": "ACH"},
            {"destination_id": None},
            {"prepared_at": datetime(2020, 1, 1, tzinfo=UTC)},
        ],
    )
    def test_never_changes_what_was_to_be_paid(self, recipient: Recipient, columns: dict[str, Any]) -> None:
        with refused("never changes|null value"):
            change(prepared(recipient), **columns)

    def test_keeps_the_reference_it_was_given(self, recipient: Recipient) -> None:
        attempt = prepared(recipient)
        claim()
        change(attempt, state=AttemptState.ACCEPTED, reference="tr_1")
        with refused("the reference it goes by never changes"):
            change(attempt, reference="tr_2")

    def test_shares_its_reference_with_no_other(self, recipient: Recipient) -> None:
        first, second = prepared(recipient), prepared(recipient)
        claim()
        change(first, state=AttemptState.ACCEPTED, reference="tr_1")
        with refused("a_reference_is_one_attempt"):
            change(second, state=AttemptState.ACCEPTED, reference="tr_1")

    def test_goes_to_the_destination_of_now_and_no_other(self, recipient: Recipient) -> None:
        other = a_payable_recipient()
        stranger = destination_of(other)
        with refused("it goes to the destination that the recipient can be paid at now"):
            RailAttempt.objects.create(
                milestone_id=1, number=1, provider="STRIPE", amount_minor=1, currency="USD", recipient=recipient,
                destination=stranger,
            )  # fmt: skip

    @pytest.mark.parametrize(
        "columns", [{"state": "SUBMITTED", "submitted_at": NOW}, {"tries": 1}, {"reference": "tr_1"}]
    )
    def test_begins_before_the_provider_is_called(self, recipient: Recipient, columns: dict[str, Any]) -> None:
        with refused("begins before the provider is called"):
            RailAttempt.objects.create(
                milestone_id=1, number=1, provider="STRIPE", amount_minor=1, currency="USD", recipient=recipient,
                destination=destination_of(recipient), **columns,
            )  # fmt: skip

    def test_is_never_removed(self, recipient: Recipient) -> None:
        with refused("Cannot delete"):
            prepared(recipient).delete()

    def test_of_the_internal_ledger_does_not_exist(self, recipient: Recipient) -> None:
        with refused("attempt_provider_is_remote|goes to the destination"):
            RailAttempt.objects.create(
                milestone_id=1, number=1, provider="INTERNAL_LEDGER", amount_minor=1, currency="USD",
                recipient=recipient, destination=destination_of(recipient),
            )  # fmt: skip


class TestPreparing:
    def test_tells_what_stands_in_the_way_and_writes_the_others(self, recipient: Recipient) -> None:
        nobody, _ = recipients.put("NOBODY", "Without a destination", actor="test", now=NOW)
        good, bad = order(recipient), order(nobody)
        obstacles = attempts.prepare([bad, good], now=NOW)
        assert obstacles == {bad.milestone_id: "recipient has no destination for stripe", good.milestone_id: ""}
        assert list(RailAttempt.objects.values_list("milestone_id", flat=True)) == [good.milestone_id]


class TestClaiming:
    def test_takes_each_attempt_once_until_its_lease_is_over(self, recipient: Recipient) -> None:
        attempt = prepared(recipient)
        (claimed,) = claim()
        assert (claimed.instruction.milestone_id, claimed.instruction.submitted_at) == (attempt.milestone_id, None)
        assert claim() == []
        change(attempt, leased_until=datetime(2020, 1, 1, tzinfo=UTC))
        (again,) = claim(is_open=False)
        assert again.tries == 2
        assert again.instruction.submitted_at is not None

    def test_tells_whether_the_destination_may_still_be_paid_and_how_long_it_waits(self, recipient: Recipient) -> None:
        attempt = prepared(recipient)
        (first,) = claim()
        assert (first.instruction.look_up_only, first.instruction.waiting) == (False, None)
        change(attempt, leased_until=datetime(2020, 1, 1, tzinfo=UTC))
        (again,) = claim()
        assert not again.instruction.look_up_only
        assert again.instruction.waiting is not None
        assert again.instruction.waiting < timedelta(minutes=1)
        destinations.close(recipient.pk, "stripe", reason="stolen", actor="test", now=NOW)
        change(attempt, leased_until=datetime(2020, 1, 1, tzinfo=UTC))
        (closed,) = claim()
        assert closed.instruction.look_up_only

    def test_an_answer_that_comes_too_late_does_not_put_off_the_next_try(self, recipient: Recipient) -> None:
        attempt = prepared(recipient)
        (first,) = claim()
        change(attempt, leased_until=datetime(2020, 1, 1, tzinfo=UTC))
        claim()
        late = Unanswered(claimed=first, error="reset", wait=1, handed_over=False)
        assert attempts.leave([late]) == 0
        attempt.refresh_from_db()
        assert attempt.state == AttemptState.SUBMITTED

    def test_a_step_from_where_an_attempt_no_longer_is_is_lost(self, recipient: Recipient) -> None:
        attempt = prepared(recipient)
        step = Step(
            milestone_id=attempt.milestone_id,
            number=1,
            old=AttemptState.SUBMITTED,
            new=AttemptState.ACCEPTED,
            reference="tr_1",
        )
        with pytest.raises(attempts.LostAttempt):
            attempts.step([step], now=NOW)

    @pytest.mark.django_db(transaction=True)
    def test_many_submitters_at_once_never_take_the_same_one(self, transactional_db: None) -> None:
        recipient = a_payable_recipient()
        with transaction.atomic():
            attempts.prepare([order(recipient) for _ in range(200)], now=NOW)

        def take() -> list[int]:
            with transaction.atomic(durable=True):
                return [each.instruction.milestone_id for each in claim(limit=7)]

        taken = [milestone for batch in at_once([partial(take)] * 40, threads=8) for milestone in batch]
        assert sorted(taken) == sorted(RailAttempt.objects.values_list("milestone_id", flat=True))
