"""What two people do about a file that its outbox has lost: one says how it is, another confirms it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib.auth.models import User

from compliance.forms import ReasonForm
from compliance.row_acts import ActRefused, By, Facts, RowAct
from compliance.wire_forms import BankReferenceForm
from rails import staged_files
from rails.ach.payments import CURRENCY
from rails.models import AchFile, AchFilePurpose, FileVerdict, Verdict
from rails.money import Money
from rails.staged_files import StagedFile
from settlements import lost_files
from settlements.lost_files import LostFileRefused
from settlements.permissions import Permission
from settlements.reasons import ReasonRefused


class VerdictForm(ReasonForm):
    """Why, and which verdict stood on the screen."""

    verdict = forms.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        widget=forms.HiddenInput,
        error_messages={"required": "Open the file's page again: it is not known which verdict you saw."},
    )


_NEVER_AGAIN: Final = "The file is not handed over any more, wherever it turns up."


def _has_it(file: StagedFile, *, by: By, bank_reference: str, reason: str) -> str:
    given = {"bank_reference": bank_reference, "reason": reason}
    _done(lost_files.propose, file, Verdict.AT_THE_BANK, by=by, **given)
    return "Taken down. Another person confirms it; until then the file waits."


def _never_got_it(file: StagedFile, *, by: By, reason: str) -> str:
    _done(lost_files.propose, file, Verdict.NEVER_SENT, by=by, reason=reason)
    return "Taken down. Another person confirms it; until then the file waits."


def _confirm(file: StagedFile, *, by: By, verdict: int, reason: str) -> str:
    row = _done(lost_files.confirm, _verdict(file, verdict), by=by, reason=reason)
    if row.verdict == Verdict.AT_THE_BANK:
        return "Confirmed: its payments count as handed over, within seconds."
    if _takes_back(file):
        return "Confirmed: none of its reversals was sent, and they come to nothing. The recipients have the money."
    return "Confirmed: its payments count as not sent, within seconds; others approve that they are paid again."


def _take_back(file: StagedFile, *, by: By, verdict: int, reason: str) -> str:
    _done(lost_files.take_back, _verdict(file, verdict), by=by, reason=reason)
    return "Taken back. The file is handed over if it turns up."


def _done(act: Callable[..., FileVerdict], *about: Any, by: By, **given: str) -> FileVerdict:
    now: datetime = by.now
    try:
        return act(*about, user=by.user, now=now, **given)
    except LostFileRefused as refused:
        raise ActRefused(refused.detail, field=refused.field, status=409) from refused
    except ReasonRefused as refused:
        raise ActRefused(refused.detail, field="reason") from refused


def _verdict(file: StagedFile, seen: int) -> FileVerdict:
    """The verdict that was on the screen, if it still stands."""
    row = staged_files.standing(file)
    if row is None or row.pk != seen:
        raise ActRefused("What is said of the file has changed since you looked; read it again.", status=409)
    return row


def _seen(file: StagedFile) -> Mapping[str, Any]:
    row = staged_files.standing(file)
    return {} if row is None else {"verdict": row.pk}


def _takes_back(file: StagedFile) -> bool:
    return isinstance(file, AchFile) and file.purpose == AchFilePurpose.REVERSALS


def _to_be_judged(file: StagedFile, user: User) -> bool:
    return staged_files.is_lost(file) and staged_files.standing(file) is None


def _to_be_confirmed(file: StagedFile, user: User) -> bool:
    return staged_files.is_lost(file) and staged_files.standing(file) is not None


def _own(file: StagedFile, user: User) -> str:
    row = staged_files.standing(file)
    own = row is not None and row.proposed_by_id == user.pk
    return "You said so yourself: another person confirms it." if own else ""


def _facts(file: StagedFile) -> Facts:
    if isinstance(file, AchFile):
        total = Money(file.credits_minor, CURRENCY)
    else:
        total = Money(file.amount_minor, file.currency)
    what = "Reversals" if _takes_back(file) else "Payments"
    facts = [("File", file.name), (what, f"{total.major:,} {total.currency}"), ("Trouble", file.lost_words)]
    sent = staged_files.known_sent(file)
    if sent:
        facts.append(("The bank has it", sent))
    row = staged_files.standing(file)
    if row is not None:
        under = f" under {row.bank_reference}" if row.bank_reference else ""
        who = row.proposed_by.get_username()
        facts.append(("Said", f"{row.get_verdict_display()}{under}, says {who}: {row.reason}"))
    return facts


OF_LOST: Final = (
    RowAct(
        name="at_the_bank",
        label="The bank has it",
        explanation="The bank has the file and gave you a reference for it. Once another person confirms that, its "
        f"payments count as handed over. {_NEVER_AGAIN}",
        permission=Permission.HANDLE_BANK_FILES,
        form=BankReferenceForm,
        is_possible=_to_be_judged,
        about=_facts,
        perform=_has_it,
    ),
    RowAct(
        name="never_sent",
        label="The bank never got it",
        explanation="The bank has looked for the file by name and total, and has none of it. Once another person "
        "confirms that, its payments count as not sent and may be paid again; reversals come to nothing. "
        f"{_NEVER_AGAIN}",
        permission=Permission.HANDLE_BANK_FILES,
        is_possible=_to_be_judged,
        about=_facts,
        perform=_never_got_it,
        ends=True,
    ),
    RowAct(
        name="confirm_verdict",
        label="Confirm what was said",
        explanation="You asked the bank yourself and it says the same. This is final: a wrong word here pays twice, or "
        "pays nobody.",
        permission=Permission.HANDLE_BANK_FILES,
        form=VerdictForm,
        filled=_seen,
        is_possible=_to_be_confirmed,
        objection=_own,
        about=_facts,
        perform=_confirm,
        ends=True,
    ),
    RowAct(
        name="take_back_verdict",
        label="Take back what was said",
        explanation="What was said of the file is void. It is handed over if it turns up, and may be judged again.",
        permission=Permission.HANDLE_BANK_FILES,
        form=VerdictForm,
        filled=_seen,
        is_possible=_to_be_confirmed,
        about=_facts,
        perform=_take_back,
    ),
)
