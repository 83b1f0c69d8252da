"""The bank's word on a wire, taken down by a person: confirmed or refused for ever, and what came back later."""

import re
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Sum

from rails.base import Notice, RailOutcome, SettlementProvider
from rails.models import WireAnswer, WireEntry, WireFileState, WireWord
from rails.money import Money

_REFERENCE: Final = re.compile(r"\S(?:[^\n\r]{0,68}\S)?")
_SOURCE: Final = "wire answer "


class AnswerRefused(ValueError):
    """A word on a wire that is not taken down; `code` is stable, `field` the field at fault if there is one."""

    def __init__(self, code: str, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


def check_reference(text: str) -> str:
    """The bank's reference, without the spaces around it. Raises AnswerRefused."""
    reference = text.strip()
    if not _REFERENCE.fullmatch(reference) or not reference.isprintable():
        raise AnswerRefused(
            "bank_reference_invalid", "The bank's reference is 1 to 70 printable characters.", field="bank_reference"
        )
    return reference


def take_down(
    entry_id: int,
    word: WireWord,
    *,
    bank_reference: str,
    reason: str,
    amount: Money | None = None,
    user: User,
    actor: str,
    now: datetime,
) -> WireAnswer:
    """Writes the bank's word, in the caller's transaction. `amount`: what came back of a RETURNED one (None: all).

    The same word under the same reference again answers with the first one. Raises AnswerRefused.
    """
    reference = check_reference(bank_reference)
    entry = WireEntry.objects.select_related("file").select_for_update(of=("self",)).filter(pk=entry_id).first()
    if entry is None:
        raise AnswerRefused("wire_unknown", "There is no such wire.")
    said = list(entry.answers.all())
    for answer in said:
        if (answer.word, answer.bank_reference) == (word, reference) and _same_amount(answer, amount):
            return answer
    _demand(entry, word, said)
    back = _coming_back(entry, amount) if word == WireWord.RETURNED else None
    try:
        with transaction.atomic():
            return WireAnswer.objects.create(
                entry=entry,
                word=word,
                bank_reference=reference,
                amount_minor=None if back is None else back.minor,
                reason=reason,
                said_by=user,
                actor=actor,
                said_at=now,
            )
    except IntegrityError as error:
        raise AnswerRefused(
            "bank_reference_taken",
            "This reference of the bank stands for another word already.",
            field="bank_reference",
        ) from error


def notice_of(answer: WireAnswer) -> Notice:
    """The answer as every rail tells it; a refused wire is one whose money came back whole."""
    entry = answer.entry
    returned = answer.word != WireWord.CONFIRMED
    amount = None
    if answer.word == WireWord.RETURNED:
        minor = WireAnswer.objects.filter(entry=entry, word=WireWord.RETURNED, pk__lte=answer.pk).aggregate(
            sum=Sum("amount_minor")
        )["sum"]
        amount = Money(minor, entry.currency)
    return Notice(
        provider=SettlementProvider.WIRE,
        outcome=RailOutcome.RETURNED if returned else RailOutcome.CONFIRMED,
        source=f"{_SOURCE}{answer.pk}",
        occurred_at=answer.said_at,
        milestone_id=entry.milestone_id,
        attempt_number=entry.attempt_number,
        reference_id=entry.end_to_end_id,
        amount=amount,
        reason=f"{_WORDS[WireWord(answer.word)]} under {answer.bank_reference}: {answer.reason}",
    )


def unheard() -> list[Notice]:
    """The words that no settlement was told of yet, in their order."""
    answers = WireAnswer.objects.filter(heard_at__isnull=True).select_related("entry").order_by("id")
    return [notice_of(answer) for answer in answers]


def mark_heard(notices: list[Notice], *, now: datetime) -> None:
    """Takes down that these words were told, once."""
    ids = [int(notice.source.removeprefix(_SOURCE)) for notice in notices]
    WireAnswer.objects.filter(pk__in=ids, heard_at__isnull=True).update(heard_at=now)


_WORDS: Final = {
    WireWord.CONFIRMED: "Confirmed by the bank",
    WireWord.REFUSED: "Refused by the bank",
    WireWord.RETURNED: "Returned by the payee's bank",
}


def _same_amount(answer: WireAnswer, amount: Money | None) -> bool:
    return amount is None or answer.amount_minor == amount.minor


def _demand(entry: WireEntry, word: WireWord, said: list[WireAnswer]) -> None:
    if entry.file.state == WireFileState.NEVER_SENT and word == WireWord.REFUSED:
        raise AnswerRefused("wire_never_sent", "This wire counts as never sent: there is nothing to refuse.")
    if entry.file.state == WireFileState.STAGED:
        raise AnswerRefused("wire_not_handed_over", "The file of this wire is not at the bank yet.")
    decided = next((answer for answer in said if answer.word != WireWord.RETURNED), None)
    if word == WireWord.RETURNED:
        if decided is None or decided.word != WireWord.CONFIRMED:
            raise AnswerRefused("wire_not_confirmed", "Only a wire that the bank confirmed can come back.")
    elif decided is not None:
        detail = f"The bank's word is irrevocable: this wire was {decided}."
        raise AnswerRefused("wire_decided", detail)


def _coming_back(entry: WireEntry, amount: Money | None) -> Money:
    before = entry.answers.filter(word=WireWord.RETURNED).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    rest = Money(entry.amount_minor - before, entry.currency)
    back = rest if amount is None else amount
    if back.minor <= 0 or back > rest:
        raise AnswerRefused("returned_amount_invalid", f"At most {rest} of this wire can come back.", field="amount")
    return back
