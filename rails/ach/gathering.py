"""Which of the instructions become entries now, which are entries already, and which can not be."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from rails import destinations
from rails.ach.calendar import Window
from rails.ach.configuration import AchConfiguration
from rails.ach.payments import CURRENCY, Payment, Unpayable, of_instruction
from rails.ach.writer import MAX_FILE_MINOR
from rails.attempts import PAID_BEFORE
from rails.base import Answer, Instruction, NotYet, SettlementProvider, SettlementResult
from rails.models import AchEntry, Destination, DestinationState
from rails.money import Money
from rails.sealing import CannotUnseal

_ACH = SettlementProvider.ACH
KEPT = "the recipient has the money of an earlier attempt, which counted as returned"
_NOT_BACK = """
    SELECT e.milestone_id, e.trace_number FROM rails_achentry e
    WHERE e.milestone_id = ANY(%s::bigint[]) AND e.kind = 'PAYMENT' AND NOT rails_ach_payment_is_over(e.id)
"""
_USABLE = "SELECT id, rails_destination_of(id, 'ach') FROM unnest(%s::bigint[]) AS wanted (id)"

# Milestone and attempt: what names an entry.
Attempt = tuple[int, int]
# Of each instruction the entry that it is or becomes, or the answer when it is none.
Verdict = Attempt | Answer


@dataclass(slots=True)
class Gathered:
    """The verdicts in the order of the instructions, and the payments that are to be made, by attempt."""

    verdicts: list[Verdict] = field(default_factory=list)
    payments: dict[Attempt, Payment] = field(default_factory=dict)


def gather(
    configuration: AchConfiguration,
    instructions: Sequence[Instruction],
    known: Iterable[AchEntry],
    window: Window | None,
    barred: Collection[int] = (),
) -> Gathered:
    """Judges each instruction by itself: one that is refused leaves the others. Unseals account numbers.

    `barred`: milestones of which a provider says that it paid an earlier attempt; nothing new is made of them.
    """
    return _Gathering(configuration, instructions, list(known), window, barred).run()


class _Gathering:
    def __init__(
        self,
        configuration: AchConfiguration,
        instructions: Sequence[Instruction],
        known: Sequence[AchEntry],
        window: Window | None,
        barred: Collection[int],
    ) -> None:
        self.configuration = configuration
        self.instructions = instructions
        self.window = window
        self.barred = barred
        self.amounts: dict[Attempt, Money] = {}
        self.out = not_back({instruction.milestone_id for instruction in instructions})
        self.total = 0
        for entry in known:
            assert entry.milestone_id is not None
            assert entry.attempt_number is not None
            self.amounts[entry.milestone_id, entry.attempt_number] = Money(entry.amount_minor, CURRENCY)
        new = [each for each in instructions if (each.milestone_id, each.attempt_number) not in self.amounts]
        self.places = _Destinations(new)
        self.gathered = Gathered()

    def run(self) -> Gathered:
        for instruction in self.instructions:
            self.gathered.verdicts.append(self._verdict(instruction))
        return self.gathered

    def _verdict(self, instruction: Instruction) -> Verdict:
        attempt = (instruction.milestone_id, instruction.attempt_number)
        before = self.amounts.get(attempt)
        if before is None:
            return self._new(instruction, attempt)
        if before == instruction.amount:
            return attempt
        error = f"this attempt is an ACH entry of {before} already, not of {instruction.amount}"
        return SettlementResult.refused(_ACH, error=error)

    def _new(self, instruction: Instruction, attempt: Attempt) -> Verdict:
        if instruction.kept:
            return SettlementResult.refused(_ACH, error=KEPT)
        if instruction.milestone_id in self.out:
            error = f"ACH entry {self.out[instruction.milestone_id]} of the same milestone has not come back"
            return SettlementResult.refused(_ACH, error=error)
        if instruction.milestone_id in self.barred:
            return SettlementResult.refused(_ACH, error=f"Not handed over: {PAID_BEFORE}")
        try:
            payment = of_instruction(instruction, self.places.of(instruction))
        except Unpayable as error:
            return SettlementResult.refused(_ACH, error=str(error))
        except CannotUnseal as error:
            return NotYet(_ACH, instruction.milestone_id, str(error))
        if wait := self.places.obstacle(instruction) or _only_looked_up(instruction) or self._no_room(payment):
            return NotYet(_ACH, instruction.milestone_id, wait)
        self.gathered.payments[attempt] = payment
        self.amounts[attempt] = payment.amount
        self.out[instruction.milestone_id] = "in this file"
        self.total += payment.amount.minor
        return attempt

    def _no_room(self, payment: Payment) -> str:
        """Why the payment can not go into this window's file."""
        limit = self.configuration.same_day_limit
        if self.window is not None and self.window.same_day and payment.amount > limit:
            return f"same-day entries carry at most {limit}; it goes with the next other file"
        if self.total + payment.amount.minor > MAX_FILE_MINOR:
            return f"a file carries at most {Money(MAX_FILE_MINOR, CURRENCY)}; it goes with the next one"
        return ""


def not_back(milestone_ids: Iterable[int]) -> dict[int, str]:
    """By milestone the trace number of its payment that the recipient has, or may get."""
    with connection.cursor() as cursor:
        cursor.execute(_NOT_BACK, [sorted(milestone_ids)])
        return dict(cursor.fetchall())


def _only_looked_up(instruction: Instruction) -> str:
    """There is no entry of it, so nothing was handed over; another try is claimed with what its destination is then."""
    return "its destination could not be paid when it was claimed; only looked up" if instruction.look_up_only else ""


class _Destinations:
    """Where the instructions go: the destination each one has frozen, else the recipient's usable one of now."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        recipients = sorted({each.recipient_id for each in instructions if each.recipient_id is not None})
        self._usable: dict[int, int | None] = {}
        if recipients:
            with connection.cursor() as cursor:
                cursor.execute(_USABLE, [recipients])
                self._usable = dict(cursor.fetchall())
        wanted = {self._id(each) for each in instructions} - {None}
        self._rows = Destination.objects.in_bulk(list(wanted))

    def of(self, instruction: Instruction) -> Destination | None:
        """The destination; none as well when the frozen one was replaced or closed since."""
        found = self._rows.get(self._id(instruction) or 0)
        return found if found is None or found.state == DestinationState.ACTIVE else None

    def obstacle(self, instruction: Instruction) -> str:
        """Why a destination that is in force is not to be paid just now: a change of it waits, or a notification."""
        recipient_id = instruction.recipient_id
        if recipient_id is None or self._usable.get(recipient_id) == self._id(instruction):
            return ""
        return destinations.obstacle(recipient_id, _ACH.method)

    def _id(self, instruction: Instruction) -> int | None:
        if instruction.destination_id is not None:
            return instruction.destination_id
        return None if instruction.recipient_id is None else self._usable.get(instruction.recipient_id)
