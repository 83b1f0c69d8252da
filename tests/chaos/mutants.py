"""Mistakes that the harness has to catch, planted into real workers: `--include tests.chaos.mutants`, `CHAOS_MUTANT`.

Each is what somebody might write, or leave out, and that no test with a friendly provider would notice.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.chaos.judging import Wrong
from tests.chaos.points import put


def no_idempotency_key() -> None:
    """Stripe is asked without a key of ours."""
    from rails.stripe.client import StripeClient

    def without(act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: act(*args, **{**options, "key": ""})

    put(StripeClient, "_once", without)


def another_key_per_try() -> None:
    """Each hand-in has a new key, and nothing is looked up first: retried blindly."""
    from rails.stripe.transfers import Order

    Order.key = property(lambda order: f"{order.group}-{secrets.token_hex(8)}")  # type: ignore[assignment, method-assign]
    no_look_up()


def called_inside_the_transaction() -> None:
    """The claim is committed with the record: until then nobody else sees that Stripe was asked."""
    from django.db import transaction

    from settlements import submitting

    def within(act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*args: Any, **options: Any) -> Any:
            whole = transaction.atomic()
            whole._from_testcase = True  # type: ignore[attr-defined]  # else Django sees the mistake by itself
            with whole:
                return act(*args, **options)

        return acted

    put(submitting, "submit", within)


def acknowledged_early() -> None:
    """Accepted before Stripe has answered."""
    from rails.base import Notice, RailOutcome
    from rails.stripe.rail import StripeRail
    from settlements import outcomes

    def early(act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(rail: Any, instructions: Sequence[Any], *, now: datetime) -> Any:
            surely = [
                Notice(
                    provider=rail.get_provider(),
                    outcome=RailOutcome.ACCEPTED,
                    source="surely",
                    occurred_at=now,
                    milestone_id=each.milestone_id,
                    attempt_number=each.attempt_number,
                    reference_id=f"tr_early_{each.milestone_id}_{each.attempt_number}",
                )
                for each in instructions
            ]
            outcomes.apply(surely, actor="mutant", now=now)
            return act(rail, instructions, now=now)

        return acted

    put(StripeRail, "process_settlements", early)


def unknown_taken_for_a_no() -> None:
    """No answer is no transfer."""
    from rails.base import OutcomeUnknown, SettlementResult

    _answers(lambda each: SettlementResult.refused(each.provider, error=each.detail)
             if isinstance(each, OutcomeUnknown) else each)  # fmt: skip


def unknown_taken_for_a_yes() -> None:
    """It will have arrived."""
    from rails.base import OutcomeUnknown, SettlementResult

    def believed(each: Any) -> Any:
        if not isinstance(each, OutcomeUnknown):
            return each
        reference = f"tr_believed_{each.milestone_id}"
        return SettlementResult.accepted(
            each.provider, reference_id=reference, message="Believed", released_at=datetime.now(UTC)
        )

    _answers(believed)


def no_look_up() -> None:
    """What may have arrived is submitted again without a look at Stripe's list."""
    from rails.stripe.paying import Payer

    Payer._looked_up = lambda self, order, *, may_be_there: None  # type: ignore[method-assign]


def no_lease() -> None:
    """What one worker has in hand is taken by the next one."""
    from rails import attempts

    def without(act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: act(*args, **{**options, "lease_seconds": 0})

    put(attempts, "claim", without)


def cents_taken_for_dollars() -> None:
    """Stripe's unit is taken for ours, times a hundred."""
    from rails.stripe import currencies

    def hundredfold(act: Callable[..., Any]) -> Callable[..., Any]:
        def found(amount: Any) -> tuple[int, str]:
            integer, currency = act(amount)
            return integer * 100, currency

        return found

    put(currencies, "to_stripe", hundredfold)


@dataclass(frozen=True, slots=True)
class Mutant:
    """How a mistake is made, and by what it shows."""

    plant: Callable[[], None]
    shows: frozenset[Wrong]

    @property
    def says(self) -> str:
        return (self.plant.__doc__ or "").strip()


MUTANTS: Final[Mapping[str, Mutant]] = {
    name: Mutant(plant, frozenset(shows))
    for name, plant, *shows in (
        ("no-key", no_idempotency_key, Wrong.TWICE),
        ("inside-the-transaction", called_inside_the_transaction, Wrong.UNSEEN),
        ("acknowledged-early", acknowledged_early, Wrong.UNPAID, Wrong.OTHERWISE),
        ("another-key-per-try", another_key_per_try, Wrong.TWICE),
        ("no-look-up", no_look_up, Wrong.REFUSED),
        ("unknown-is-a-no", unknown_taken_for_a_no, Wrong.REFUSED),
        ("unknown-is-a-yes", unknown_taken_for_a_yes, Wrong.UNPAID, Wrong.OTHERWISE),
        ("no-lease", no_lease, Wrong.UNLEASED),
        ("wrong-unit", cents_taken_for_dollars, Wrong.OTHERWISE),
    )
}


def _answers(changed: Callable[[Any], Any]) -> None:
    """What the rail answers is changed before it is recorded."""
    from rails.stripe.rail import StripeRail

    def with_changes(act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: [changed(each) for each in act(*args, **options)]

    put(StripeRail, "process_settlements", with_changes)


if "CHAOS_MUTANT" in os.environ:
    MUTANTS[os.environ["CHAOS_MUTANT"]].plant()
