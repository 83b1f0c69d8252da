"""What a person may do about money at a provider: each act one domain call, with permission and reason."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compliance.forms import ReasonForm
from compliance.work_cases import Case
from compliance.work_forms import AttemptForm, BankReferenceForm, CloseForm, MethodForm, ReferenceForm, VersionForm
from settlements import judging, owed, retries
from settlements.statuses import WorkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAct:
    """A button of the work list. `approves`: the rules of approvals apply, so one officer may be refused it.

    `about_owed`: it is about the attempt that something is owed of, and not about the last one.
    """

    name: str
    label: str
    explanation: str
    form: type[ReasonForm]
    is_possible: Callable[[Case], bool]
    perform: Callable[..., str]
    closes: WorkKind | None = None
    about_money: bool = False
    about_owed: bool = False
    approves: bool = False


def _about_owed(
    *,
    name: str,
    label: str,
    explanation: str,
    is_possible: Callable[[Case], bool],
    perform: Callable[..., str],
    form: type[ReasonForm] = AttemptForm,
) -> WorkAct:
    """An act about what is owed of an attempt that was thought to be over."""
    return WorkAct(
        name=name,
        label=label,
        explanation=explanation,
        form=form,
        is_possible=is_possible,
        perform=perform,
        about_owed=True,
        about_money=True,
    )


def _closing(kind: WorkKind, *, name: str, label: str, again: str) -> WorkAct:
    """An act that ends a piece of work which nothing but a person ends."""
    return WorkAct(
        name=name,
        label=label,
        explanation=f"It leaves the work list; nothing else changes. {again}",
        form=CloseForm,
        is_possible=lambda case: case.item(kind) is not None,
        perform=partial(judging.close, kind=kind),
        closes=kind,
    )


WORK_ACTS: dict[str, WorkAct] = {
    act.name: act
    for act in (
        WorkAct(
            name="retry",
            label="Approve a retry",
            explanation="It is paid by a new attempt as soon as enough officers have approved that.",
            form=VersionForm,
            is_possible=lambda case: case.to_resolve,
            perform=retries.retry,
            about_money=True,
            approves=True,
        ),
        WorkAct(
            name="elsewhere",
            label="Pay it another way",
            explanation="This one payment gets another rail. What was approved is void; a retry is approved next.",
            form=MethodForm,
            is_possible=lambda case: case.to_resolve,
            perform=retries.pay_elsewhere,
        ),
        WorkAct(
            name="write_off",
            label="Write off",
            explanation="Nothing is paid for this milestone any more. This is final.",
            form=VersionForm,
            is_possible=lambda case: case.to_write_off,
            perform=retries.write_off,
            about_money=True,
        ),
        WorkAct(
            name="look_again",
            label="Look it up again",
            explanation="The rail looks for it at its provider first, and hands it in only if it is not there.",
            form=AttemptForm,
            is_possible=lambda case: case.in_question,
            perform=judging.look_again,
        ),
        WorkAct(
            name="record_accepted",
            label="Record as accepted",
            explanation="The provider's own list has the payment. It is booked as on its way under that reference.",
            form=ReferenceForm,
            is_possible=lambda case: case.in_question,
            perform=judging.record_accepted,
            about_money=True,
        ),
        WorkAct(
            name="record_refused",
            label="Record as refused",
            explanation="The provider has not paid it and never will. Another officer approves the next attempt.",
            form=AttemptForm,
            is_possible=lambda case: case.in_question,
            perform=judging.record_refused,
            about_money=True,
        ),
        WorkAct(
            name="withdraw",
            label="Withdraw",
            explanation="It was not handed over yet, and it will not be. People decide what becomes of it then.",
            form=AttemptForm,
            is_possible=lambda case: case.withdrawable,
            perform=judging.withdraw,
        ),
        _about_owed(
            name="recovered",
            label="The recipient gave it back",
            explanation="The money is on our account again, all of it. It is booked there, and another officer may "
            "approve that it is paid again.",
            form=BankReferenceForm,
            is_possible=lambda case: case.kept is not None,
            perform=owed.recovered,
        ),
        _about_owed(
            name="leave",
            label="It stays with the recipient",
            explanation="The recipient keeps it. What was not paid again counts as paid by it, for good; what was paid "
            "again was paid twice, and the second one is our cost.",
            is_possible=lambda case: case.kept is not None,
            perform=owed.leave,
        ),
        _about_owed(
            name="repaid",
            label="Paid to the recipient by an intent",
            explanation="It came back twice, and a payment intent over it was made for the recipient. Nothing more is "
            "owed.",
            is_possible=lambda case: case.back_twice is not None,
            perform=owed.repaid,
        ),
        _closing(
            WorkKind.CONTRADICTED,
            name="close_contradiction",
            label="Contradiction dealt with",
            again="Another contradiction brings it back.",
        ),
        _closing(
            WorkKind.PARTLY_RETURNED,
            name="close_return",
            label="Partial return dealt with",
            again="More coming back brings it back.",
        ),
    )
}
