"""The bank's word on a wire, as a person takes it down: with what it changes of the settlement, or not at all."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from rails.base import Applied
from rails.models import WireAnswer, WireFileState, WireWord
from rails.money import Money
from rails.wire import answers
from rails.wire.answers import AnswerRefused
from settlements import outcomes, reasons
from settlements.refusals import Kind, Refusal


class WireWordRefused(Refusal):
    """The bank's word on this wire can not be taken down: it was decided before, or the reference is not one."""

    code = "wire_word_refused"
    kind = Kind.CONFLICT


def confirm(entry_id: int, *, bank_reference: str, reason: str, user: User, now: datetime) -> WireAnswer:
    """The bank has paid: the settlement is settled, for ever unless the money comes back later.

    Raises WireWordRefused, ReasonRefused.
    """
    return _say(entry_id, WireWord.CONFIRMED, bank_reference=bank_reference, reason=reason, user=user, now=now)


def refuse(entry_id: int, *, bank_reference: str, reason: str, user: User, now: datetime) -> WireAnswer:
    """The bank will not pay: what was booked as sent is ours again. Raises WireWordRefused, ReasonRefused."""
    return _say(entry_id, WireWord.REFUSED, bank_reference=bank_reference, reason=reason, user=user, now=now)


def take_back(
    entry_id: int, *, bank_reference: str, reason: str, amount: Money | None = None, user: User, now: datetime
) -> WireAnswer:
    """Money of a confirmed wire came back, all that was left of it or this amount, under a reference of its own.

    Raises WireWordRefused, ReasonRefused.
    """
    return _say(
        entry_id,
        WireWord.RETURNED,
        bank_reference=bank_reference,
        reason=reason,
        amount=amount,
        user=user,
        now=now,
    )


def _say(
    entry_id: int,
    word: WireWord,
    *,
    bank_reference: str,
    reason: str,
    amount: Money | None = None,
    user: User,
    now: datetime,
) -> WireAnswer:
    reasons.check(reason)
    actor = f"user:{user.get_username()}"
    with transaction.atomic(durable=True):
        try:
            answer = answers.take_down(
                entry_id,
                word,
                bank_reference=bank_reference,
                reason=reason,
                amount=amount,
                user=user,
                actor=actor,
                now=now,
            )
        except AnswerRefused as refusal:
            raise WireWordRefused(refusal.detail, field=refusal.field or None) from refusal
        notice = answers.notice_of(answer)
        (applied,) = outcomes.apply([notice], actor=actor, now=now)
        # What counts as never sent and was paid after all stays on record against what it contradicts.
        never_sent = answer.entry.file.state == WireFileState.NEVER_SENT
        taken = {Applied.APPLIED, Applied.ALREADY_PROCESSED} | ({Applied.CONTRADICTED} if never_sent else set())
        if applied not in taken:
            raise WireWordRefused(_UNTOLD[applied])
        answers.mark_heard([notice], now=now)
    return answer


_UNTOLD = {
    Applied.NOT_FOUND: "No settlement waits for this wire; ask whoever operates ChainPay.",
    Applied.CONTRADICTED: "The settlement of this wire is in a state that this word contradicts; open it and look.",
    Applied.FAILED: "The word could not be booked; try again, and tell whoever operates ChainPay if it stays so.",
}
