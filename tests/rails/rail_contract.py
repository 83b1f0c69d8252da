"""What every rail must keep: subclass `RailContract`, give it a `rail`, and run it.

A rail that pays through windows overrides `open_again`, which is called before each call that hands something over;
one that needs a recipient with a destination overrides `recipient_id`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest

from rails.base import (
    Answer,
    Instruction,
    OutcomeUnknown,
    PaymentRail,
    RailOutcome,
    SettlementProvider,
    SettlementResult,
)
from rails.money import CurrencyMismatch, Money, MoneyError

NOW = datetime(2025, 11, 7, 15, 30, 15, 123456, tzinfo=UTC)
# Numbers of milestones that no other table knows.
unheard_of = count(9_000_000)


@pytest.mark.django_db
class RailContract:
    """Tests of the plug-in contract."""

    @pytest.fixture
    def rail(self) -> PaymentRail:
        raise LookupError("a rail's tests say which rail they test")

    @pytest.fixture
    def recipient_id(self) -> int | None:
        return None

    @pytest.fixture
    def milestone_id(self) -> int:
        return next(unheard_of)

    @pytest.fixture
    def open_again(self) -> Callable[[], None]:
        """Lets the rail take instructions that were never handed over, as at its next window."""
        return lambda: None

    def test_it_names_its_provider_the_same_in_every_answer(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        result = rail.process_settlement(milestone_id, Decimal("70.00"), "USD", recipient_id)
        assert isinstance(rail.get_provider(), SettlementProvider)
        assert result.provider is rail.get_provider()

    def test_it_says_whether_it_is_local(self, rail: PaymentRail) -> None:
        assert isinstance(rail.is_local, bool)

    def test_an_accepted_payment_has_a_reference_and_a_time_and_no_error(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        result = rail.process_settlement(
            milestone_id=milestone_id, amount=Decimal("7000.00"), currency="USD", recipient_id=recipient_id
        )
        assert isinstance(result, SettlementResult)
        assert result.success is True
        assert result.outcome is RailOutcome.ACCEPTED
        assert result.reference_id
        assert result.message
        assert result.error is None
        assert result.released_at is not None
        assert result.released_at.tzinfo is not None

    @pytest.mark.parametrize(("amount", "currency"), [(Decimal("0.01"), "USD"), (5, "JPY"), (Decimal("0.001"), "KWD")])
    def test_the_smallest_amount_of_a_currency_is_paid_unless_the_rail_never_pays_such(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, amount: Decimal | int, currency: str
    ) -> None:
        result = rail.process_settlement(milestone_id, amount, currency, recipient_id)
        never = rail.cannot_pay(Money.from_major(amount, currency))
        assert result.success is not bool(never)
        if never:
            self._is_refused(result)

    def test_an_amount_may_be_money_already(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        assert rail.process_settlement(milestone_id, Money(700, "USD"), "USD", recipient_id).success
        with pytest.raises(CurrencyMismatch):
            rail.process_settlement(milestone_id, Money(700, "USD"), "EUR", recipient_id)

    @pytest.mark.parametrize("amount", [7000.0, True, None])
    def test_a_float_is_never_money(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, amount: object
    ) -> None:
        with pytest.raises(TypeError):
            rail.process_settlement(milestone_id, amount, "USD", recipient_id)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [
            (Decimal(0), "USD"),
            (Decimal(-1), "USD"),
            (Decimal("0.001"), "USD"),
            (Decimal("0.5"), "JPY"),
            (Decimal("NaN"), "USD"),
            (Decimal("1e999999999"), "USD"),
            (Decimal(1), "XXX"),
            (Decimal(1), "usd"),
        ],
    )
    def test_what_is_no_amount_is_not_paid(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, amount: Decimal, currency: str
    ) -> None:
        with pytest.raises(MoneyError):
            rail.process_settlement(milestone_id, amount, currency, recipient_id)

    def test_the_same_instruction_twice_is_one_payment_with_one_reference(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        first = rail.process_settlement(milestone_id, Decimal("70.00"), "USD", recipient_id)
        second = rail.process_settlement(milestone_id, Decimal("70.00"), "USD", recipient_id)
        assert first.success
        assert second.success
        assert (second.reference_id, second.released_at) == (first.reference_id, first.released_at)

    def test_an_instruction_handed_in_again_after_a_crash_is_one_payment_with_one_reference(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        instruction = self._instruction(milestone_id, recipient_id)
        (first,) = self._results(rail, [instruction])
        (again,) = self._results(rail, [replace(instruction, submitted_at=datetime.now(UTC))])
        assert first.success
        assert (again.reference_id, again.released_at) == (first.reference_id, first.released_at)

    def test_an_instruction_whose_first_call_never_arrived_is_paid_when_it_is_handed_in_again(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        (result,) = self._results(
            rail, [replace(self._instruction(milestone_id, recipient_id), submitted_at=datetime.now(UTC))]
        )
        assert result.success

    def test_the_same_milestone_with_another_amount_is_not_paid(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, open_again: Callable[[], None]
    ) -> None:
        assert rail.process_settlement(milestone_id, Decimal("70.00"), "USD", recipient_id).success
        open_again()
        (other,) = rail.process_settlements([self._instruction(milestone_id, recipient_id, minor=7001)])
        self._is_not_paid(other)

    def test_a_second_attempt_is_not_paid_while_the_first_is_out(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, open_again: Callable[[], None]
    ) -> None:
        first, second = (self._instruction(milestone_id, recipient_id, attempt_number=number) for number in (1, 2))
        assert self._results(rail, [first])[0].success
        open_again()
        self._is_not_paid(rail.process_settlements([second])[0])

    def test_a_batch_is_answered_one_by_one_in_its_order(self, rail: PaymentRail, recipient_id: int | None) -> None:
        batch = [self._instruction(next(unheard_of), recipient_id, minor=100 + place) for place in range(50)]
        results = self._results(rail, batch)
        assert all(result.success for result in results)
        assert len({result.reference_id for result in results}) == 50
        again = self._results(rail, list(reversed(batch)))
        assert [result.reference_id for result in reversed(again)] == [result.reference_id for result in results]

    def test_one_refusal_leaves_the_rest_of_its_batch(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None, open_again: Callable[[], None]
    ) -> None:
        self._results(rail, [self._instruction(milestone_id, recipient_id, minor=500)])
        open_again()
        first, contradiction, last = rail.process_settlements(
            [
                self._instruction(next(unheard_of), recipient_id),
                self._instruction(milestone_id, recipient_id, minor=501),
                self._instruction(next(unheard_of), recipient_id),
            ]
        )
        assert isinstance(first, SettlementResult)
        assert first.success
        assert isinstance(last, SettlementResult)
        assert last.success
        self._is_not_paid(contradiction)

    def test_a_repetition_within_a_batch_is_one_payment(
        self, rail: PaymentRail, milestone_id: int, recipient_id: int | None
    ) -> None:
        one = self._instruction(milestone_id, recipient_id)
        first, second = self._results(rail, [one, one])
        assert first.success
        assert second.reference_id == first.reference_id

    def test_an_empty_batch_is_answered_with_nothing(self, rail: PaymentRail) -> None:
        assert list(rail.process_settlements([])) == []

    @staticmethod
    def _results(rail: PaymentRail, instructions: Sequence[Instruction]) -> list[SettlementResult]:
        """Answers that are all definite."""
        answers = rail.process_settlements(instructions)
        assert all(isinstance(answer, SettlementResult) for answer in answers), answers
        return [answer for answer in answers if isinstance(answer, SettlementResult)]

    @staticmethod
    def _instruction(
        milestone_id: int, recipient_id: int | None, *, minor: int = 7000, attempt_number: int = 1
    ) -> Instruction:
        return Instruction(
            milestone_id=milestone_id,
            amount=Money(minor, "USD"),
            recipient_id=recipient_id,
            attempt_number=attempt_number,
        )

    @staticmethod
    def _is_refused(result: SettlementResult) -> None:
        assert result.success is False
        assert result.outcome is RailOutcome.REFUSED
        assert result.error
        assert result.reference_id is None
        assert result.released_at is None

    @classmethod
    def _is_not_paid(cls, answer: Answer) -> None:
        """A definite no, or a question for a person: nothing that would be handed in again by itself."""
        if isinstance(answer, OutcomeUnknown):
            assert answer.needs_person
        else:
            assert isinstance(answer, SettlementResult)
            cls._is_refused(answer)
