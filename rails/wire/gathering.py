"""Which of the instructions become wires now, which are wires already, and which can not be."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from rails.attempts import PAID_BEFORE
from rails.base import Answer, Instruction, NotYet, SettlementProvider, SettlementResult
from rails.models import Destination, DestinationState, WireFileState, WireWord
from rails.money import Money
from rails.sealing import CannotUnseal
from rails.wire import pain001
from rails.wire.configuration import WireConfiguration
from rails.wire.files import Known
from rails.wire.pain001 import Initiation, NotValid
from rails.wire.transfers import Transfer, Unpayable, reference_of, transfer_of

_WIRE = SettlementProvider.WIRE
_USABLE = "SELECT id, rails_destination_of(id, 'wire') FROM unnest(%s::bigint[]) AS wanted (id)"

# Milestone and attempt: what names a wire.
Attempt = tuple[int, int]
# Of each instruction the wire that it is or becomes, or the answer when it is none.
Verdict = Attempt | Answer


@dataclass(slots=True)
class Gathered:
    """The verdicts in the order of the instructions, and the transfers that are to be made, by attempt."""

    verdicts: list[Verdict] = field(default_factory=list)
    transfers: dict[Attempt, Transfer] = field(default_factory=dict)


def attempt_of(instruction: Instruction) -> Attempt:
    """What names the wire of an instruction."""
    return (instruction.milestone_id, instruction.attempt_number)


def gather(
    configuration: WireConfiguration,
    instructions: Sequence[Instruction],
    known: Iterable[Known],
    barred: Collection[int] = (),
    *,
    now: datetime,
) -> Gathered:
    """Judges each instruction by itself: one that is refused leaves the others. Account numbers are unsealed here.

    `barred`: milestones of which a provider says that it paid an earlier attempt; nothing new is made of them.
    """
    wires = {(each.entry.milestone_id, each.entry.attempt_number): each for each in known}
    out = {each.entry.milestone_id: each.entry.end_to_end_id for each in wires.values() if _is_out(each)}
    amounts = {attempt: each.amount for attempt, each in wires.items()}
    places = _Destinations([each for each in instructions if attempt_of(each) not in wires])
    gathered = Gathered()
    for instruction in instructions:
        attempt = attempt_of(instruction)
        if attempt not in amounts:
            try:
                if instruction.milestone_id in barred:
                    raise Unpayable(f"Not handed over: {PAID_BEFORE}")
                transfer = _transfer(configuration, instruction, places, out, now=now)
            except Unpayable as error:
                gathered.verdicts.append(SettlementResult.refused(_WIRE, error=str(error)))
                continue
            except (CannotUnseal, _Waits) as error:
                gathered.verdicts.append(NotYet(_WIRE, instruction.milestone_id, str(error)))
                continue
            gathered.transfers[attempt] = transfer
            amounts[attempt] = transfer.amount
            out[instruction.milestone_id] = transfer.end_to_end_id
        gathered.verdicts.append(_same(attempt, amounts[attempt], instruction.amount))
    return gathered


def _same(attempt: Attempt, before: Money, now: Money) -> Verdict:
    if before == now:
        return attempt
    return SettlementResult.refused(
        _WIRE, error=f"{reference_of(*attempt)} is a wire of {before} already, not of {now}"
    )


def _is_out(known: Known) -> bool:
    """Whether the bank may still pay, or has paid and not returned, something of it."""
    said = list(known.entry.answers.all())
    if known.file.state == WireFileState.NEVER_SENT and not said:
        return False
    if any(answer.word == WireWord.REFUSED for answer in said):
        return False
    return sum(answer.amount_minor or 0 for answer in said) < known.amount.minor


def _transfer(
    configuration: WireConfiguration,
    instruction: Instruction,
    places: "_Destinations",
    out: dict[int, str],
    *,
    now: datetime,
) -> Transfer:
    account = configuration.accounts.get(instruction.amount.currency)
    if account is None:
        raise Unpayable(f"there is no account in {instruction.amount.currency} to wire from")
    if instruction.kept:
        raise Unpayable("the recipient has the money of an earlier attempt, which counted as returned")
    if instruction.milestone_id in out:
        raise Unpayable(f"{out[instruction.milestone_id]} of the same milestone is neither refused nor returned")
    transfer = transfer_of(instruction, places.of(instruction))
    if instruction.look_up_only:
        raise _Waits("its destination could not be paid when it was claimed; only looked up")
    try:
        # Alone, so that one whose file no bank would read spoils no other's.
        pain001.write(
            Initiation(
                message_id="ALONE",
                created_at=now,
                execution_date=now.date(),
                debtor=configuration.debtor,
                account=account,
                transfers=[transfer],
            )
        )
    except NotValid as error:
        raise Unpayable(f"the destination of the recipient: {error}") from error
    return transfer


class _Waits(Exception):
    """The destination is in force and may not be paid to just now: a change of it is open, or was at the claim."""


class _Destinations:
    """Where the instructions go: the destination each one has frozen, else the recipient's usable one of now."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        recipients = [each.recipient_id for each in instructions if each.recipient_id is not None]
        self._usable: dict[int, int | None] = {}
        if recipients:
            with connection.cursor() as cursor:
                cursor.execute(_USABLE, [recipients])
                self._usable = dict(cursor.fetchall())
        frozen = {each.destination_id for each in instructions}
        self._rows = Destination.objects.in_bulk(list((frozen | set(self._usable.values())) - {None}))

    def of(self, instruction: Instruction) -> Destination | None:
        """Raises Unpayable when the frozen one was replaced, _Waits while a change of it is open."""
        usable = self._usable.get(instruction.recipient_id or 0)
        if instruction.destination_id in {None, usable}:
            return self._rows.get(usable or 0)
        frozen = self._rows.get(instruction.destination_id or 0)
        if frozen is not None and frozen.state == DestinationState.ACTIVE and usable is None:
            raise _Waits("the recipient's destination for wire may not be paid to while a change of it is open")
        raise Unpayable("the destination of this payment was replaced or closed, or is another recipient's")
