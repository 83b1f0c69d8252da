"""A provider in memory: it takes instructions as told, keeps what it took, and says what it is asked to say."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from rails import destinations, registry
from rails.base import (
    Answer,
    Applied,
    Instruction,
    Notice,
    NotYet,
    OutcomeUnknown,
    RailOutcome,
    RemoteRail,
    SettlementProvider,
    SettlementResult,
)
from rails.models import Recipient
from tests.factories import a_recipient

Behaviour = Callable[[Instruction], Answer]


class PretendProvider(RemoteRail):
    """`taken` is the provider's own list: (milestone, attempt) to reference; `behave` answers what is new to it."""

    most = 50
    lease_seconds = 30

    def __init__(self) -> None:
        self.taken: dict[tuple[int, int], str] = {}
        self.calls: list[Instruction] = []
        self.told: list[Notice] = []
        self.open = True
        self.behave: Behaviour = self.accept
        self.during: Callable[[], None] = lambda: None

    def get_provider(self) -> SettlementProvider:
        return SettlementProvider.STRIPE

    def is_open(self, *, now: datetime) -> bool:
        return self.open

    def process_settlements(self, instructions: Sequence[Instruction], *, now: datetime | None = None) -> list[Answer]:
        self.during()
        return [self._one(instruction) for instruction in instructions]

    def _one(self, instruction: Instruction) -> Answer:
        self.calls.append(instruction)
        known = self.taken.get((instruction.milestone_id, instruction.attempt_number))
        if known and instruction.submitted_at:
            return self._accepted(known)
        if instruction.look_up_only:
            return OutcomeUnknown(SettlementProvider.STRIPE, instruction.milestone_id, "only looked up")
        return self.behave(instruction)

    def take(self, instruction: Instruction) -> str:
        """The money moves, at most once per attempt."""
        key = (instruction.milestone_id, instruction.attempt_number)
        return self.taken.setdefault(key, f"tr_{key[0]}_{key[1]}")

    def accept(self, instruction: Instruction) -> Answer:
        return self._accepted(self.take(instruction))

    def refuse(self, instruction: Instruction) -> Answer:
        return SettlementResult.refused(SettlementProvider.STRIPE, error="The account is closed")

    def lose_the_answer(self, instruction: Instruction) -> Answer:
        self.take(instruction)
        return OutcomeUnknown(SettlementProvider.STRIPE, instruction.milestone_id, "the connection was reset")

    def lose_the_request(self, instruction: Instruction) -> Answer:
        return OutcomeUnknown(SettlementProvider.STRIPE, instruction.milestone_id, "the connection was reset")

    def ask_a_person(self, instruction: Instruction) -> Answer:
        return OutcomeUnknown(
            SettlementProvider.STRIPE, instruction.milestone_id, "another payment has this key", needs_person=True
        )

    def not_yet(self, instruction: Instruction) -> Answer:
        return NotYet(SettlementProvider.STRIPE, instruction.milestone_id, "too many requests")

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        return self.told

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        self.told = [notice for notice, applied in told if applied in {Applied.NOT_FOUND, Applied.FAILED}]

    def _accepted(self, reference: str) -> SettlementResult:
        return SettlementResult.accepted(
            SettlementProvider.STRIPE, reference_id=reference, message="Taken", released_at=datetime.now(UTC)
        )


@contextmanager
def pretend_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    """The provider stands in for Stripe."""
    provider = PretendProvider()
    with monkeypatch.context() as patch:
        patch.setitem(registry._RAILS, SettlementProvider.STRIPE, provider)
        yield provider


def a_payable_recipient() -> Recipient:
    """A recipient with a connected account, usable at once."""
    recipient = a_recipient()
    account = destinations.read("stripe", {"account": f"acct_1Pretend{recipient.pk:08d}"})
    destinations.propose(recipient.pk, [account], actor="test", now=datetime.now(UTC))
    return recipient


def notice(outcome: RailOutcome, reference: str, *, source: str = "", **others: object) -> Notice:
    """A word of the provider about the payment under a reference."""
    values = {
        "provider": SettlementProvider.STRIPE,
        "outcome": outcome,
        "source": source or f"{outcome.value} of {reference}",
        "occurred_at": datetime.now(UTC),
        "reference_id": reference,
        **others,
    }
    return Notice(**values)  # type: ignore[arg-type]
