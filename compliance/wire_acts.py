"""What people take down about wires: the bank's word, once, and money that comes back later."""

from collections.abc import Mapping
from typing import Any, Final

from compliance.row_acts import ActRefused, By, Facts, RowAct
from compliance.wire_forms import BankReferenceForm, ReturnForm
from rails.models import WireAnswer, WireEntry, WireEvidence, WireFileState, WireWord
from rails.money import Money, MoneyError
from settlements import wires
from settlements.permissions import Permission
from settlements.reasons import ReasonRefused
from settlements.wires import WireWordRefused


def _confirm(row: WireEntry, *, by: By, bank_reference: str, reason: str) -> str:
    return _said(row, wires.confirm, by, "confirmed", bank_reference=bank_reference, reason=reason)


def _refuse(row: WireEntry, *, by: By, bank_reference: str, reason: str) -> str:
    return _said(row, wires.refuse, by, "refused", bank_reference=bank_reference, reason=reason)


def _take_back(row: WireEntry, *, by: By, bank_reference: str, amount: str, reason: str) -> str:
    try:
        back = Money.from_major(amount, row.currency) if amount else None
    except MoneyError as refused:
        raise ActRefused(refused.detail, field="amount") from refused
    return _said(row, wires.take_back, by, "returned", bank_reference=bank_reference, reason=reason, amount=back)


def _said(row: WireEntry, say: Any, by: By, word: str, **given: Any) -> str:
    try:
        answer: WireAnswer = say(row.pk, user=by.user, now=by.now, **given)
    except WireWordRefused as refused:
        raise ActRefused(refused.detail, field=refused.field, status=409) from refused
    except ReasonRefused as refused:
        raise ActRefused(refused.detail, field="reason") from refused
    return f"Wire {row.end_to_end_id} is {word} under {answer.bank_reference}."


def _is_at_the_bank(row: WireEntry) -> bool:
    return row.file.state == WireFileState.HANDED_OVER


def _decided(row: WireEntry) -> str:
    return row.answers.exclude(word=WireWord.RETURNED).values_list("word", flat=True).first() or ""


def _back(row: WireEntry) -> Money:
    back = row.answers.filter(word=WireWord.RETURNED).values_list("amount_minor", flat=True)
    return Money(sum(minor or 0 for minor in back), row.currency)


def _waits(row: WireEntry) -> bool:
    return _is_at_the_bank(row) and not _decided(row)


def _may_be_paid(row: WireEntry) -> bool:
    """Also what counts as never sent: the bank may have had it after all."""
    return (_is_at_the_bank(row) or row.file.state == WireFileState.NEVER_SENT) and not _decided(row)


def _may_come_back(row: WireEntry) -> bool:
    return _decided(row) == WireWord.CONFIRMED and _back(row).minor < row.amount_minor


def _facts(row: WireEntry) -> Facts:
    payee = row.destination.recipient.name
    sent = Money(row.amount_minor, row.currency)
    facts = [("Wire", f"{row.end_to_end_id} of {sent} to {payee}")]
    if _back(row).minor:
        facts.append(("Back by now", str(_back(row))))
    return facts + [("The bank's files", _told(each)) for each in row.evidence.order_by("-id")[:3]]


def _told(evidence: WireEvidence) -> str:
    amount = "" if evidence.amount_minor is None else f" {Money(evidence.amount_minor, evidence.currency)}"
    under = f" under {evidence.bank_reference}" if evidence.bank_reference else ""
    return f"{evidence.message.kind}: {evidence.status}{amount}{under} {evidence.reason}".strip()


def _proposed(word: WireWord) -> Any:
    """What the bank's files say stands in the form already; a person still sends it."""

    def filled(row: WireEntry) -> Mapping[str, Any]:
        newest = row.evidence.filter(proposes=word).order_by("-id").first()
        if newest is None:
            return {}
        given: dict[str, Any] = {"bank_reference": newest.bank_reference}
        if word != WireWord.CONFIRMED and newest.reason:
            given["reason"] = newest.reason
        if word == WireWord.RETURNED and newest.amount_minor is not None and newest.currency == row.currency:
            given["amount"] = Money(newest.amount_minor, newest.currency).text
        return given

    return filled


OF_WIRE: Final = (
    RowAct(
        name="confirm",
        label="Confirm",
        explanation="The bank has paid. The settlement is settled, and this can not be taken back: if the money comes "
        "back later, that is a word of its own.",
        permission=Permission.CONFIRM_WIRE,
        form=BankReferenceForm,
        is_possible=lambda row, user: _may_be_paid(row),
        about=_facts,
        filled=_proposed(WireWord.CONFIRMED),
        perform=_confirm,
    ),
    RowAct(
        name="refuse",
        label="Bank refused it",
        explanation="The bank will not pay. Make sure of it: what you take down here lets the money be sent again, and "
        "can not be taken back.",
        permission=Permission.CONFIRM_WIRE,
        form=BankReferenceForm,
        is_possible=lambda row, user: _waits(row),
        about=_facts,
        filled=_proposed(WireWord.REFUSED),
        perform=_refuse,
        ends=True,
    ),
    RowAct(
        name="take_back",
        label="Money came back",
        explanation="It was booked on our account again, all of it or a part. Once all of it is back the settlement is "
        "returned, and may be sent again when people have approved that.",
        permission=Permission.CONFIRM_WIRE,
        form=ReturnForm,
        is_possible=lambda row, user: _may_come_back(row),
        about=_facts,
        filled=_proposed(WireWord.RETURNED),
        perform=_take_back,
        ends=True,
    ),
)
