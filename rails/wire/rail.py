"""How a wire pays: gathered at the cut-off into one file per currency, which is handed to the bank once."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.db import IntegrityError

from rails import attempts, bank_inboxes, staged_files
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
from rails.models import WireFile, WireFileState
from rails.money import Money
from rails.wire import answers, files, inbox, windows
from rails.wire.configuration import WireConfiguration
from rails.wire.files import Known
from rails.wire.gathering import Attempt, Gathered, Verdict, gather
from rails.wire.transfers import Transfer

logger = logging.getLogger(__name__)

_WIRE = SettlementProvider.WIRE
_TELL_AGAIN = {Applied.NOT_FOUND, Applied.FAILED}
# What was not handed over now, and why: provably not yet, or perhaps by another process.
_Trouble = tuple[type[NotYet] | type[OutcomeUnknown], str]


class WireRail(RemoteRail):
    """A file is with the bank or it is not, and the database knows which: no outcome is lost with an answer.

    What the bank does with it a person takes down (`answers`).
    """

    most = 5_000
    lease_seconds = 300
    one_at_a_time = True

    def get_provider(self) -> SettlementProvider:
        return _WIRE

    def is_configured(self) -> bool:
        return settings.WIRE is not None

    def cannot_pay(self, amount: Money) -> str:
        return self.cannot_pay_in(amount.currency)

    def cannot_pay_in(self, currency: str) -> str:
        return "" if currency in _configuration().accounts else f"there is no account in {currency} to wire from"

    def is_open(self, *, now: datetime) -> bool:
        return bool(self.open_currencies(now=now))

    def open_currencies(self, *, now: datetime) -> Collection[str]:
        configuration = _configuration()
        windows_now = (windows.open_window(configuration, currency, now=now) for currency in configuration.accounts)
        return [window.currency for window in windows_now if window is not None and not files.is_made(window)]

    def process_settlements(
        self, instructions: Sequence[Instruction], *, now: datetime | None = None
    ) -> Sequence[Answer]:
        if not instructions:
            return []
        moment = now or datetime.now(UTC)
        configuration = _configuration()
        milestone_ids = [instruction.milestone_id for instruction in instructions]
        known = files.of_milestones(milestone_ids)
        barred = attempts.paid_though_refused([each.milestone_id for each in instructions if each.attempt_number > 1])
        gathered = gather(configuration, instructions, known, barred, now=moment)
        not_made = _make(configuration, gathered, now=moment)
        known = files.of_milestones(milestone_ids)
        not_finished = _finish(configuration, {each.file.pk: each.file for each in known}, now=moment)
        wires = {(each.entry.milestone_id, each.entry.attempt_number): each for each in known}
        return [
            _answer(instruction, verdict, wires, not_made, not_finished)
            for instruction, verdict in zip(instructions, gathered.verdicts, strict=True)
        ]

    def hear(self, *, now: datetime) -> Sequence[Notice]:
        configuration = _configuration()
        staged = WireFile.objects.filter(state=WireFileState.STAGED)
        _finish(configuration, {file.pk: file for file in staged}, now=now)
        if configuration.inbox is not None:
            bank_inboxes.tell_troubles(_WIRE, inbox.read(configuration.inbox).troubles)
        return answers.unheard()

    def heard(self, told: Sequence[tuple[Notice, Applied]], *, now: datetime) -> None:
        answers.mark_heard([notice for notice, applied in told if applied not in _TELL_AGAIN], now=now)


def _configuration() -> WireConfiguration:
    configuration: WireConfiguration | None = settings.WIRE
    if configuration is None:
        raise RuntimeError("wires are not configured in this installation")
    return configuration


def _make(configuration: WireConfiguration, gathered: Gathered, *, now: datetime) -> dict[str, _Trouble]:
    """Makes the files of the windows that are open; by currency why there is none."""
    by_currency: dict[str, list[Transfer]] = {}
    for transfer in gathered.transfers.values():
        by_currency.setdefault(transfer.amount.currency, []).append(transfer)
    troubles: dict[str, _Trouble] = {}
    for currency, transfers in by_currency.items():
        window = windows.open_window(configuration, currency, now=now)
        if window is None or files.is_made(window):
            opens = windows.next_window(configuration, currency, now=now).opens
            troubles[currency] = (NotYet, f"the next {currency} file is made at {opens:%Y-%m-%d %H:%M} UTC")
            continue
        try:
            files.make(configuration, window, transfers, now=now)
        except HandOverError as error:
            logger.error("No %s wire file is made: %s", currency, error)
            troubles[currency] = (NotYet, str(error))
        except IntegrityError:
            logger.warning("Another process made the %s wire file of %s", currency, window.opens)
            troubles[currency] = (OutcomeUnknown, "another process was quicker to write this window's file")
    return troubles


def _finish(configuration: WireConfiguration, staged: Mapping[int, WireFile], *, now: datetime) -> dict[int, str]:
    """Hands over what lies staged; by file why it could not be."""
    troubles = {}
    for file in staged.values():
        try:
            staged_files.finish(file, configuration.outbox, now=now)
        except HandOverError as error:
            logger.error("Wire file %s is not handed over: %s", file.name, error)
            troubles[file.pk] = str(error)
    return troubles


def _answer(
    instruction: Instruction,
    verdict: Verdict,
    wires: Mapping[Attempt, Known],
    not_made: Mapping[str, _Trouble],
    not_finished: Mapping[int, str],
) -> Answer:
    if not isinstance(verdict, tuple):
        return verdict
    known = wires.get(verdict)
    if known is None:
        kind, detail = not_made[instruction.amount.currency]
        return kind(_WIRE, instruction.milestone_id, detail)
    if known.file.state == WireFileState.NEVER_SENT:
        error = f"wire file {known.file.name} never reached the bank, two people say"
        return SettlementResult.refused(_WIRE, error=error)
    if known.file.pk in not_finished:
        return OutcomeUnknown(_WIRE, instruction.milestone_id, not_finished[known.file.pk])
    return SettlementResult.accepted(
        _WIRE,
        reference_id=known.entry.end_to_end_id,
        message=f"In wire file {known.file.name}",
        released_at=known.file.handed_over_at,
    )
