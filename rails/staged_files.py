"""Bank files from staged to handed over, and what people say of one that its outbox has lost.

A staged file is handed over as often as it takes. When the outbox knows nothing of it, or has other bytes under its
name, looking does not tell whether the bank has taken it: then one person says how it is and another confirms that.
From the proposal on it is not handed over, wherever it turns up. The outbox is looked at all the same, and so is what
the bank sends: a file that either of them knows was never "never sent".
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from rails import handover
from rails.base import SettlementProvider
from rails.models import AchFile, FileVerdict, RailSwitch, Verdict, WireEvidence, WireFile

logger = logging.getLogger(__name__)

StagedFile: TypeAlias = AchFile | WireFile
LONGEST_REFERENCE: Final = 70
_NO_LIMIT: Final = "0"


class BeingJudged(handover.HandOverError):
    """A file that people judge: it is not handed over until they have, or took it back."""

    def __init__(self, name: str) -> None:
        super().__init__(f"people judge whether the bank has {name}")


class VerdictRefused(ValueError):
    """What can not be said of a file, or not by this person; `code` is stable, `field` the one at fault."""

    def __init__(self, code: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


def rail_of(file: StagedFile) -> SettlementProvider:
    """The rail whose file it is."""
    return SettlementProvider.ACH if isinstance(file, AchFile) else SettlementProvider.WIRE


def is_lost(file: StagedFile) -> bool:
    """Whether its outbox has lost it, and nobody knows whether the bank has it."""
    return file.state == "STAGED" and file.lost_at is not None


def standing(file: StagedFile) -> FileVerdict | None:
    """The verdict on the file that was proposed or confirmed, and not taken back."""
    return FileVerdict.objects.filter(**_of(file), taken_back_at=None).first()


def finish(file: StagedFile, outbox: Path, *, now: datetime) -> None:
    """Hands the file over if that has not been done; any number of times, by any number of processes.

    The row is locked while the file is moved, on a disk of ours: no verdict comes between. Raises HandOverError.
    """
    if file.state != "STAGED":
        return
    verdict = standing(file)
    if verdict is not None:
        _look(file, verdict, outbox, now=now)
        raise BeingJudged(file.name)
    if RailSwitch.is_off(rail_of(file)):
        raise handover.SwitchedOff(rail_of(file).method)
    try:
        _hand_over(file, outbox, now=now)
    except (handover.NotStaged, handover.ContentChanged) as error:
        _tell_lost(file, str(error), now=now)
        raise
    file.refresh_from_db()


def names_in_use(names: list[str]) -> set[str]:
    """Which of these names are files that are still to be handed over; the others only hold account numbers."""
    found: set[str] = set()
    for model in (AchFile, WireFile):
        found.update(model.objects.filter(name__in=names, state="STAGED").values_list("name", flat=True))
    return found


def tell_sent(model: type[AchFile] | type[WireFile], file_ids: Iterable[int], words: str, *, now: datetime) -> None:
    """Takes down of files that count as staged that something knows them to be with the bank."""
    rows: Any = model.objects.filter(pk__in=list(file_ids), state="STAGED", known_sent_at=None)
    rows.update(known_sent_at=now, known_sent_words=words)


def known_sent(file: StagedFile) -> str:
    """What says that the bank has the file; empty when nothing does."""
    if file.known_sent_words:
        return file.known_sent_words
    if isinstance(file, WireFile):
        spoken_of = WireEvidence.objects.filter(entry__file=file).select_related("entry").first()
        if spoken_of is not None and spoken_of.entry is not None:
            return f"a file of the bank speaks of its wire {spoken_of.entry.end_to_end_id}"
    return ""


def propose(
    file: StagedFile, verdict: Verdict, *, bank_reference: str = "", reason: str, user: User, actor: str, now: datetime
) -> FileVerdict:
    """Writes down what one person says of a lost file; another has to confirm it. Raises VerdictRefused."""
    reference = bank_reference.strip()
    if verdict is Verdict.AT_THE_BANK and not reference:
        raise VerdictRefused("bank_reference_invalid", "Say under which reference it has it.", field="bank_reference")
    if not all(sign.isprintable() for sign in reference) or len(reference) > LONGEST_REFERENCE:
        detail = f"The bank's reference is at most {LONGEST_REFERENCE} printable characters."
        raise VerdictRefused("bank_reference_invalid", detail, field="bank_reference")
    with transaction.atomic():
        now_there = _at_hand(file)
        if not is_lost(now_there):
            raise VerdictRefused("bank_file_not_lost", "The file is not lost: nobody has to judge it.")
        _demand_unknown(now_there, verdict)
        try:
            with transaction.atomic():
                return FileVerdict.objects.create(
                    **_of(file),
                    verdict=verdict,
                    bank_reference=reference,
                    reason=reason,
                    proposed_by=user,
                    proposed_actor=actor,
                    proposed_at=now,
                )
        except IntegrityError as error:
            raise VerdictRefused("bank_file_judged", "Somebody has said already how it is.") from error


def confirm(verdict: FileVerdict, *, reason: str, user: User, actor: str, now: datetime) -> FileVerdict:
    """Makes the verdict of one person that of two: the file counts as it says from now on. Raises VerdictRefused."""
    with transaction.atomic():
        file = _at_hand(verdict.file)
        row = _open(verdict)
        if row.proposed_by_id == user.pk:
            raise VerdictRefused("four_eyes", "Who proposed it does not confirm it.")
        _demand_unknown(file, Verdict(row.verdict))
        if row.verdict == Verdict.NEVER_SENT and row.looked_at is None:
            detail = (
                "No worker has looked into the outbox since that was said. Try again in a minute; see that they run."
            )
            raise VerdictRefused("outbox_not_looked_at", detail)
        row.confirmed_by, row.confirmed_actor, row.confirmed_reason, row.confirmed_at = user, actor, reason, now
        row.save(update_fields=["confirmed_by", "confirmed_actor", "confirmed_reason", "confirmed_at"])
        _follow(file, Verdict(row.verdict), now=now)
    logger.warning("%s: %s", file.name, Verdict(row.verdict).label)
    return row


def take_back(verdict: FileVerdict, *, reason: str, user: User, actor: str, now: datetime) -> FileVerdict:
    """Ends a proposal, by whoever made it or anybody else who may judge. Raises VerdictRefused."""
    with transaction.atomic():
        _at_hand(verdict.file)
        row = _open(verdict)
        row.taken_back_by, row.taken_back_actor, row.taken_back_reason, row.taken_back_at = user, actor, reason, now
        row.save(update_fields=["taken_back_by", "taken_back_actor", "taken_back_reason", "taken_back_at"])
    return row


def _look(file: StagedFile, verdict: FileVerdict, outbox: Path, *, now: datetime) -> None:
    """Under a verdict nothing is moved, but the outbox may know by now that the file left it. Raises HandOverError."""
    if handover.was_handed_over(outbox, file.name, file.sha256):
        tell_sent(type(file), [file.pk], "the outbox is back, and the file had left it", now=now)
    FileVerdict.objects.filter(pk=verdict.pk, looked_at=None, confirmed_at=None, taken_back_at=None).update(
        looked_at=now
    )


def _demand_unknown(file: StagedFile, verdict: Verdict) -> None:
    words = known_sent(file) if verdict is Verdict.NEVER_SENT else ""
    if words:
        raise VerdictRefused("bank_file_sent", f"The bank has the file: {words}.")


def _hand_over(file: StagedFile, outbox: Path, *, now: datetime) -> None:
    with transaction.atomic():
        if _locked(file).state != "STAGED":
            return
        if standing(file) is not None:
            raise BeingJudged(file.name)
        handed = handover.hand_over(outbox, file.name, file.sha256)
        type(file).objects.filter(pk=file.pk).update(state="HANDED_OVER", handed_over_at=now)
    logger.info("%s handed over (%s)", file.name, handed.value.lower())


def _tell_lost(file: StagedFile, words: str, *, now: datetime) -> None:
    """So that people see it; kept when it turns up again, as what was once so."""
    rows = type(file).objects.filter(pk=file.pk, state="STAGED")
    rows.filter(lost_at=None).update(lost_at=now, lost_words=words)
    rows.exclude(lost_words=words).update(lost_words=words)


def _follow(file: StagedFile, verdict: Verdict, *, now: datetime) -> None:
    rows = type(file).objects.filter(pk=file.pk, state="STAGED")
    if verdict is Verdict.AT_THE_BANK:
        rows.update(state="HANDED_OVER", handed_over_at=now)
        return
    rows.update(state="NEVER_SENT")


def _locked(file: StagedFile) -> StagedFile:
    row: StagedFile = type(file).objects.select_for_update(no_key=True).get(pk=file.pk)
    return row


def _at_hand(file: StagedFile) -> StagedFile:
    """The same for a person, who does not wait for a disk that stands still. Raises VerdictRefused."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '5s', true)")
            row = _locked(file)
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_NO_LIMIT])
            return row
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise VerdictRefused("bank_file_busy", "It is being handed over at this moment; try again.") from error
        raise


def _open(verdict: FileVerdict) -> FileVerdict:
    """The verdict while another person may still confirm it."""
    row = FileVerdict.objects.select_for_update(of=("self",)).get(pk=verdict.pk)
    if row.confirmed_at is not None or row.taken_back_at is not None:
        raise VerdictRefused("bank_file_judged", "It was confirmed, or taken back, already.")
    return row


def _of(file: StagedFile) -> dict[str, StagedFile]:
    return {"ach_file": file} if isinstance(file, AchFile) else {"wire_file": file}
