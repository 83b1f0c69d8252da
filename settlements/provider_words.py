"""What a provider's word changes next, as an attempt stands: the rules, without a database."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from rails.attempts import PAID_BEFORE, Step
from rails.base import Applied, Notice, RailOutcome, SettlementProvider
from rails.books import Movement
from rails.models.attempt import OPEN, AttemptState
from rails.money import Money
from settlements import audit
from settlements.lifecycle import Move
from settlements.statuses import SettlementStatus


@dataclass(frozen=True, slots=True)
class Case:
    """An attempt under lock, and whose settlement it is."""

    attempt_id: int
    milestone_id: int
    number: int
    provider: SettlementProvider
    state: AttemptState
    reference: str
    amount: Money
    recipient_id: int
    returned: Money
    intent_id: int
    submitted: bool
    tries: int
    owed: Money
    reclaimed: bool


@dataclass(frozen=True, slots=True)
class Next:
    """One step that a notice makes: of the attempt, of the books (an outcome), of the settlement (None: it stays).

    `ends`: the notice has nothing more to say; another look at it would count it twice.
    """

    step: Step
    outcome: RailOutcome
    move: tuple[SettlementStatus, SettlementStatus] | None
    action: str
    amount: Money
    ends: bool = False


_S = SettlementStatus
_MOVES: Final = {
    RailOutcome.ACCEPTED: (_S.RELEASING, _S.APPROVED),
    RailOutcome.REFUSED: (_S.RELEASING, _S.FAILED),
    RailOutcome.CONFIRMED: (_S.APPROVED, _S.SETTLED),
    RailOutcome.PAYOUT_FAILED: (_S.SETTLED, _S.APPROVED),
}
_ACTIONS: Final = {
    RailOutcome.ACCEPTED: "released",
    RailOutcome.REFUSED: "refused_by_provider",
    RailOutcome.CONFIRMED: "settled",
    RailOutcome.PAYOUT_FAILED: "payout_failed",
    RailOutcome.RETURNED: "returned",
}
# What is owed of an attempt that counts as returned, as it becomes by each word: by whose doing, in the history.
_OWED_ACTIONS: Final = {
    RailOutcome.RECLAIMED: "came_back_again",
    RailOutcome.RECLAIM_FAILED: "reclaim_failed",
    RailOutcome.RECOVERED: "recovered",
    RailOutcome.FORGONE: "left_with_recipient",
    RailOutcome.REPAID: "repaid_otherwise",
}


def following(case: Case, notice: Notice) -> Next | Applied:
    """What the notice changes next, as the attempt stands: a step, or the end of it."""
    if case.reference and notice.reference_id and case.reference != notice.reference_id:
        return Applied.CONTRADICTED
    if notice.outcome is RailOutcome.WITHDRAWN:
        return _when_withdrawn(case, notice)
    if notice.outcome is RailOutcome.REFUSED:
        return _when_refused(case, notice)
    if case.state is AttemptState.REFUSED:
        return Applied.CONTRADICTED
    if notice.outcome in _OWED_ACTIONS and not (notice.outcome is RailOutcome.RECLAIMED and case.state in OPEN):
        return _when_reclaimed(case, notice)
    if case.state in OPEN:
        # Whatever it tells of the payment, the provider has it: acceptance comes first.
        return _step(case, notice, RailOutcome.ACCEPTED) if notice.reference_id else Applied.NOT_FOUND
    if notice.outcome is RailOutcome.RETURNED:
        return _when_returned(case, notice)
    from_state = {RailOutcome.CONFIRMED: AttemptState.ACCEPTED, RailOutcome.PAYOUT_FAILED: AttemptState.CONFIRMED}
    return _step(case, notice, notice.outcome) if case.state is from_state.get(notice.outcome) else _KNOWN


_KNOWN: Final = Applied.ALREADY_PROCESSED


def _when_withdrawn(case: Case, notice: Notice) -> Next | Applied:
    """Only what the provider has never been handed can be withdrawn."""
    if case.state is AttemptState.PREPARED and not case.submitted:
        return _step(case, notice, RailOutcome.REFUSED)
    return _KNOWN if case.state is AttemptState.REFUSED else Applied.NOT_FOUND


def _when_refused(case: Case, notice: Notice) -> Next | Applied:
    if case.state in OPEN:
        overtaken = notice.try_number not in {None, case.tries}
        return Applied.NOT_FOUND if overtaken else _step(case, notice, RailOutcome.REFUSED)
    return _KNOWN if case.state is AttemptState.REFUSED else Applied.CONTRADICTED


def _when_reclaimed(case: Case, notice: Notice) -> Next | Applied:
    """What counts as returned may come back once more, or turn out not to have come back; people even out the rest."""
    if case.state is not AttemptState.RETURNED:
        if notice.outcome is not RailOutcome.RECLAIMED:
            return Applied.NOT_FOUND
        return replace(_step(case, notice, RailOutcome.RETURNED, case.amount), ends=True)
    whole = case.amount.minor
    owed = {
        RailOutcome.RECLAIMED: case.owed.minor - whole,
        RailOutcome.RECLAIM_FAILED: case.owed.minor + whole,
        RailOutcome.RECOVERED: 0 if case.owed.minor > 0 else None,
        RailOutcome.FORGONE: 0 if case.owed.minor > 0 else None,
        RailOutcome.REPAID: 0 if case.owed.minor < 0 else None,
    }[notice.outcome]
    if owed is None:
        return _KNOWN
    if abs(owed) > whole:
        return Applied.CONTRADICTED
    return _owes(case, notice.outcome, owed)


def _owes(case: Case, outcome: RailOutcome, owed: int) -> Next:
    same = AttemptState.RETURNED
    return Next(
        step=Step(
            milestone_id=case.milestone_id,
            number=case.number,
            old=same,
            new=same,
            owed=Money(owed, case.amount.currency),
        ),
        outcome=outcome,
        move=None,
        action=_OWED_ACTIONS[outcome],
        amount=Money(abs(owed - case.owed.minor), case.amount.currency),
        ends=True,
    )


def _when_returned(case: Case, notice: Notice) -> Next | Applied:
    """`amount` is what came back in all, so an older notice that comes late tells nothing new.

    What we had taken back ourselves, and the bank returns too, came back once more.
    """
    if case.state is AttemptState.RETURNED and case.reclaimed:
        return _when_reclaimed(case, replace(notice, outcome=RailOutcome.RECLAIMED))
    back = notice.amount or case.amount
    if back.currency != case.amount.currency or back.minor > case.amount.minor:
        return Applied.CONTRADICTED
    if back.minor <= case.returned.minor:
        return _KNOWN
    return _step(case, notice, RailOutcome.RETURNED, back)


_STATES: Final = {
    RailOutcome.ACCEPTED: AttemptState.ACCEPTED,
    RailOutcome.REFUSED: AttemptState.REFUSED,
    RailOutcome.CONFIRMED: AttemptState.CONFIRMED,
    RailOutcome.PAYOUT_FAILED: AttemptState.ACCEPTED,
}


def _step(case: Case, notice: Notice, outcome: RailOutcome, back: Money | None = None) -> Next:
    whole = back is not None and back.minor == case.amount.minor
    returned_state = AttemptState.RETURNED if whole else case.state
    move = _MOVES.get(outcome)
    if whole:
        move = (_S.SETTLED if case.state is AttemptState.CONFIRMED else _S.APPROVED, _S.RETURNED)
    return Next(
        step=Step(
            milestone_id=case.milestone_id,
            number=case.number,
            old=case.state,
            new=_STATES.get(outcome, returned_state),
            reference=notice.reference_id if outcome is RailOutcome.ACCEPTED else "",
            error="" if outcome in {RailOutcome.ACCEPTED, RailOutcome.CONFIRMED} else notice.reason or outcome.value,
            returned=back,
        ),
        outcome=outcome,
        move=move,
        action=_action(outcome, notice, partly=back is not None and not whole),
        amount=case.amount if back is None else back - case.returned,
    )


def _action(outcome: RailOutcome, notice: Notice, *, partly: bool) -> str:
    if notice.outcome is RailOutcome.WITHDRAWN:
        return "withdrawn"
    return "partly_returned" if partly else _ACTIONS[outcome]


def movement(case: Case, notice: Notice, step: Next) -> Movement:
    return Movement(
        outcome=step.outcome,
        provider=case.provider,
        milestone_id=case.milestone_id,
        attempt_number=case.number,
        recipient_id=case.recipient_id,
        amount=step.amount,
        reference=step.step.reference or case.reference,
        description=notice.reason,
    )


def move(case: Case, notice: Notice, step: Next, *, actor: str) -> Move:
    assert step.move is not None
    old, new = step.move
    return Move(
        settlement_id=case.milestone_id,
        intent_id=case.intent_id,
        old=old,
        new=new,
        action=step.action,
        actor=actor,
        reason=notice.reason,
        reference=step.step.reference or None,
        data=_data(case, notice, step),
    )


def stays(case: Case, notice: Notice, step: Next, *, status: str, actor: str) -> audit.Draft:
    """What changes no status: a part of it came back, or what is owed of it."""
    return audit.Draft(
        intent_id=case.intent_id,
        settlement_id=case.milestone_id,
        action=step.action,
        triggered_by=actor,
        from_status=status,
        to_status=status,
        reason=notice.reason,
        data=_data(case, notice, step),
    )


def contradiction(case: Case, notice: Notice, *, status: str, actor: str) -> audit.Draft:
    """A word that can not be true of the attempt, for the history; nothing moves by it."""
    return audit.Draft(
        intent_id=case.intent_id,
        settlement_id=case.milestone_id,
        action="provider_contradicts",
        triggered_by=actor,
        from_status=status,
        to_status=status,
        reason=notice.reason,
        data={
            "provider": case.provider.value,
            "attempt": case.number,
            "attempt_state": case.state.value,
            "says": notice.outcome.value,
            "their_reference": notice.reference_id,
            "source": notice.source,
        },
    )


def withdrawal(case: Case, *, now: datetime) -> Notice:
    """Our own word that an attempt is not handed over, for an earlier one is said to be paid."""
    return Notice(
        provider=case.provider,
        outcome=RailOutcome.WITHDRAWN,
        source="withdrawal by a contradiction",
        occurred_at=now,
        milestone_id=case.milestone_id,
        attempt_number=case.number,
        reason=f"Withdrawn before it was handed over: {PAID_BEFORE}",
    )


def _data(case: Case, notice: Notice, step: Next) -> dict[str, str | int]:
    return {
        "provider": case.provider.value,
        "attempt": case.number,
        "amount": step.amount.text,
        "currency": step.amount.currency,
        "source": notice.source,
    }
