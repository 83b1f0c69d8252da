"""What people say of a file that its outbox has lost: proposed by one, confirmed by another, and on record."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from rails import staged_files
from rails.models import FileVerdict, Verdict
from rails.staged_files import StagedFile, VerdictRefused
from settlements import office_log, reasons
from settlements.office_log import OfficeAction, OfficeDraft
from settlements.refusals import Kind, Refusal


class LostFileRefused(Refusal):
    """The file is not lost, somebody judged it already, or this person may not."""

    code = "lost_file_refused"
    kind = Kind.CONFLICT


def propose(
    file: StagedFile, verdict: Verdict, *, bank_reference: str = "", reason: str, user: User, now: datetime
) -> FileVerdict:
    """One person says how it is; from now on the file is not handed over. Raises LostFileRefused, ReasonRefused."""
    act = partial(staged_files.propose, file, verdict, bank_reference=bank_reference)
    return _on_record(OfficeAction.LOST_FILE_PROPOSED, act, reason=reason, user=user, now=now)


def confirm(verdict: FileVerdict, *, reason: str, user: User, now: datetime) -> FileVerdict:
    """Another person says so too, and it counts: what the bank never got may be paid again, by others still.

    Raises LostFileRefused, ReasonRefused.
    """
    act = partial(staged_files.confirm, verdict)
    return _on_record(OfficeAction.LOST_FILE_CONFIRMED, act, reason=reason, user=user, now=now)


def take_back(verdict: FileVerdict, *, reason: str, user: User, now: datetime) -> FileVerdict:
    """The proposal is void, and the file is handed over if it turns up. Raises LostFileRefused, ReasonRefused."""
    act = partial(staged_files.take_back, verdict)
    return _on_record(OfficeAction.LOST_FILE_TAKEN_BACK, act, reason=reason, user=user, now=now)


def _on_record(
    action: OfficeAction, act: Callable[..., FileVerdict], *, reason: str, user: User, now: datetime
) -> FileVerdict:
    reasons.check(reason)
    actor = f"user:{user.get_username()}"
    with transaction.atomic():
        try:
            row = act(reason=reason, user=user, actor=actor, now=now)
        except VerdictRefused as refused:
            raise LostFileRefused(refused.detail, field=refused.field) from refused
        data = {
            "verdict": row.verdict,
            "bank_reference": row.bank_reference,
            "sha256": row.file.sha256,
            "proposed_by": row.proposed_actor,
        }
        office_log.record(
            OfficeDraft(action=action, subject=row.file.name, actor=actor, reason=reason, data=data), now=now
        )
    return row
