"""How ACH pays: gathered at the cut-off into one balanced file, which is handed to the bank once."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.db import IntegrityError

from rails import attempts, bank_inboxes, staged_files
from rails.ach import files, inbox, payments, reversals, words
from rails.ach.configuration import AchConfiguration
from rails.ach.gathering import Attempt, Gathered, Verdict, gather
from rails.ach.numbers import NumbersUsedUp
from rails.base import (
    Answer,
    Applied,
    Instruction,
    Notice,
    NotYet,
    OutcomeUnknown,
    RemoteRail,
    SettlementProvider,
    SettlementResult,
)
from rails.handover import HandOverError
from rails.models import AchEntry, AchFile, AchFileState, AttemptState, RailAttempt
from rails.money import Money

logger = logging.getLogger(__name__)

_ACH = SettlementProvider.ACH
_TELL_AGAIN = {Applied.NOT_FOUND, Applied.FAILED}
# Why nothing was handed over now: provably not yet, or perhaps it was by another process.
_Trouble = tuple[type[NotYet] | type[OutcomeUnknown], str]


class AchRail(RemoteRail):
    """A file is with the bank or it is not, and the database knows which: no outcome is lost with an answer.

    The bank says nothing when all is well, so an entry counts as settled after some banking days; it may still come
    back later.
    """

    most = 50_000
    lease_seconds = 600
    one_at_a_time = True

    def get_provider(self) -> SettlementProvider:
        return _ACH

    def is_configured(self) -> bool:
        return settings.ACH is not None

    def cannot_pay(self, amount: Money) -> str:
        return payments.cannot_pay(amount)

    def cannot_pay_in(self, currency: str) -> str:
        return payments.cannot_pay_in(currency)

    def is_open(self, *, now: datetime) -> bool:
        configuration = configured()
        window = configuration.timetable.open_window(now)
        if window is None or files.is_made(window):
            return False
        # A same-day window is none for those that are too large for it.
        return not window.same_day or _waiting_up_to(configuration.same_day_limit)

    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> Sequence[Answer]:
        if not instructions:
            return []
        moment = now or datetime.now(UTC)
        configuration = configured()
        milestone_ids = [instruction.milestone_id for instruction in instructions]
        window = configuration.timetable.open_window(moment)
        known = files.of_milestones(milestone_ids)
        barred = attempts.paid_though_refused([each.milestone_id for each in instructions if each.attempt_number > 1])
        gathered = gather(configuration, instructions, known, window, barred)
        not_made = _make(configuration, gathered, now=moment) if gathered.payments else None
        known = files.of_milestones(milestone_ids)
        not_finished = finish_staged(configuration, {entry.file_id: entry.file for entry in known}, now=moment)
        entries = {(entry.milestone_id or 0, entry.attempt_number or 0): entry for entry in known}
        return [
            _answer(instruction, verdict, entries, not_made, not_finished)
            for instruction, verdict in zip(instructions, gathered.verdicts, strict=True)
        ]

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        configuration = configured()
        staged = AchFile.objects.filter(state=AchFileState.STAGED)
        finish_staged(configuration, {file.pk: file for file in staged}, now=now)
        reversals.send_due(configuration, now=now)
        looked = inbox.read(configuration, now=now)
        bank_inboxes.tell_troubles(_ACH, looked.troubles)
        # Silence means that all is well only where the bank could have spoken.
        if looked.nothing_unread:
            words.assume_settled(configuration, now=now, except_files=looked.spoken_of)
        words.take_down_what_was_never_sent(now=now)
        return words.unheard(now=now)

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        words.mark_heard([notice for notice, applied in told if applied not in _TELL_AGAIN], now=now)


def configured() -> AchConfiguration:
    """What the installation says about ACH."""
    configuration: AchConfiguration | None = settings.ACH
    if configuration is None:
        raise RuntimeError("ACH is not configured in this installation")
    return configuration


def _waiting_up_to(limit: Money) -> bool:
    waiting = RailAttempt.objects.filter(provider=_ACH, state=AttemptState.PREPARED)
    return waiting.filter(amount_minor__lte=limit.minor).exists()


def finish_staged(configuration: AchConfiguration, staged: Mapping[int, AchFile], *, now: datetime) -> dict[int, str]:
    """Hands over what lies staged; by file why it could not be."""
    troubles = {}
    for file in staged.values():
        try:
            staged_files.finish(file, configuration.outbox, now=now)
        except HandOverError as error:
            logger.error("ACH file %s is not handed over: %s", file.name, error)
            troubles[file.pk] = str(error)
    return troubles


def _make(configuration: AchConfiguration, gathered: Gathered, *, now: datetime) -> _Trouble | None:
    """Makes the file of the window that is open; why there is none."""
    window = configuration.timetable.open_window(now)
    if window is None or files.is_made(window):
        upcoming = configuration.timetable.next_window(now)
        return (NotYet, f"the next ACH file is made at {upcoming.name} ({configuration.timetable.zone})")
    try:
        files.make(configuration, window, list(gathered.payments.values()), now=now)
    except (HandOverError, NumbersUsedUp) as error:
        logger.error("No ACH file is made: %s", error)
        return (NotYet, str(error))
    except IntegrityError:
        logger.warning("Another process made the ACH file of window %s", window.name)
        return (OutcomeUnknown, "another process makes the file of this window")
    return None


def _answer(
    instruction: Instruction,
    verdict: Verdict,
    entries: Mapping[Attempt, AchEntry],
    not_made: _Trouble | None,
    not_finished: Mapping[int, str],
) -> Answer:
    if not isinstance(verdict, tuple):
        return verdict
    entry = entries.get(verdict)
    if entry is None:
        kind, detail = not_made or (OutcomeUnknown, "its entry was not found again")
        return kind(_ACH, instruction.milestone_id, detail)
    if entry.file.state == AchFileState.NEVER_SENT:
        return SettlementResult.refused(
            _ACH, error=f"ACH file {entry.file.name} never reached the bank, two people say"
        )
    if entry.file_id in not_finished:
        return OutcomeUnknown(_ACH, instruction.milestone_id, not_finished[entry.file_id])
    return SettlementResult.accepted(
        _ACH,
        reference_id=entry.trace_number,
        message=f"In ACH file {entry.file.name}",
        released_at=entry.file.handed_over_at,
    )
