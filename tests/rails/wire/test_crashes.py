"""A process dies before any line, or two work at once: each payment is in exactly one file that the bank gets once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections
from django.test import override_settings

from rails import handover
from rails.base import Answer, Instruction, OutcomeUnknown, SettlementResult
from rails.models import WireEntry, WireFile
from rails.wire import files, rail
from rails.wire.configuration import WireConfiguration
from tests.rails.killed import killed_before_line
from tests.rails.wire.bank import MONDAY, at_the_bank, look, order, pay, payee, read

pytestmark = pytest.mark.django_db(transaction=True)

# The lines of handing over itself are killed one by one in tests/rails/test_handover.py.
_MODULES = (rail, files)


class Bank:
    """Takes away what it finds, as soon as it looks."""

    def __init__(self, configuration: WireConfiguration) -> None:
        self.configuration = configuration
        self.paid: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def look(self) -> None:
        for path in at_the_bank(self.configuration):
            document = read(path)
            self.messages.update(look(document, "GrpHdr/MsgId"))
            self.paid.update(look(document, "PmtId/EndToEndId"))
            path.unlink()


@pytest.fixture
def days() -> Iterator[datetime]:
    """A window after the other."""
    return (MONDAY + timedelta(days=number) for number in count())


@pytest.fixture
def every_day(wires: WireConfiguration, settings: Any) -> WireConfiguration:
    settings.WIRE = replace(wires, every_day=True, window_minutes=180)  # over a change of the clocks, too
    configuration: WireConfiguration = settings.WIRE
    return configuration


def test_killed_before_any_line_and_again_each_payment_is_made_once(
    every_day: WireConfiguration, days: Iterator[datetime]
) -> None:
    carrier = payee()
    paid, messages = Counter[str](), Counter[str]()
    killed, line = True, 0
    while killed and line < 1000:
        line += 1
        # An outbox of its own: what dead processes leave staged would add lines.
        configuration = replace(every_day, outbox=every_day.outbox / str(line))
        configuration.outbox.mkdir(mode=0o700)
        bank = Bank(configuration)
        with override_settings(WIRE=configuration):
            killed, answers = _twice_killed(line, carrier, bank, now=next(days))
        assert all(isinstance(answer, SettlementResult) and answer.success for answer in answers), (line, answers)
        assert dict(bank.paid) == {f"CP-{1000 * line}-1": 1, f"CP-{1000 * line + 1}-1": 1}, f"killed before line {line}"
        paid.update(bank.paid)
        messages.update(bank.messages)
    assert not killed
    assert line > 40
    assert set(paid.values()) == set(messages.values()) == {1}
    assert set(WireFile.objects.values_list("state", flat=True)) == {"HANDED_OVER"}


def _twice_killed(line: int, carrier: int, bank: Bank, *, now: datetime) -> tuple[bool, list[Answer]]:
    """The bank comes after every crash; the third process lives."""
    orders = [order(1000 * line, carrier), order(1000 * line + 1, carrier)]
    again = [replace(each, submitted_at=now) for each in orders]
    connections.close_all()
    killed = killed_before_line(line, _MODULES, partial(pay, *orders, now=now))
    bank.look()
    killed_before_line(line, _MODULES, partial(pay, *again, now=now))
    bank.look()
    answers = pay(*again, now=now)
    bank.look()
    return killed, answers


def test_two_workers_make_one_file(every_day: WireConfiguration, days: Iterator[datetime]) -> None:
    carrier, bank = payee(), Bank(every_day)
    for number in range(1, 11):
        now = next(days)
        orders = [order(100 * number + place, carrier) for place in range(5)]
        _together(orders, now)
        bank.look()
        answers = pay(*(replace(each, submitted_at=now) for each in orders), now=now)
        bank.look()
        assert all(isinstance(answer, SettlementResult) and answer.success for answer in answers)
        assert WireFile.objects.count() == number
    assert set(bank.paid.values()) == set(bank.messages.values()) == {1}
    assert len(bank.paid) == WireEntry.objects.count() == 50


def test_two_workers_with_different_payments_make_one_file(
    every_day: WireConfiguration, days: Iterator[datetime]
) -> None:
    """The one that comes too late has handed over nothing, and its payments are in the next window's file."""
    carrier, bank = payee(), Bank(every_day)
    for number in range(1, 11):
        now = next(days)
        halves = [[order(100 * number + 10 * half + place, carrier) for place in range(3)] for half in range(2)]
        _at_once(halves, now)
        bank.look()
    waiting = [each for half in _all_orders(carrier) for each in half if not _is_out(each)]
    assert len(waiting) == 30
    pay(*waiting, now=next(days))
    bank.look()
    assert len(bank.paid) == 60
    assert set(bank.paid.values()) == {1}


def _all_orders(carrier: int) -> list[list[Instruction]]:
    return [
        [order(100 * number + 10 * half + place, carrier) for half in range(2) for place in range(3)]
        for number in range(1, 11)
    ]


def _is_out(instruction: Instruction) -> bool:
    return WireEntry.objects.filter(milestone_id=instruction.milestone_id).exists()


def _together(orders: list[Instruction], now: datetime) -> None:
    answers = _at_once([orders, orders], now)
    assert any(isinstance(answer, SettlementResult) and answer.success for answer in answers)


def _at_once(batches: list[list[Instruction]], now: datetime) -> list[Answer]:
    barrier = Barrier(len(batches))

    def work(orders: list[Instruction]) -> list[Answer]:
        with closing(connection):
            connection.ensure_connection()
            barrier.wait()
            return pay(*orders, now=now)

    with ThreadPoolExecutor(len(batches)) as workers:
        answers = [answer for said in workers.map(work, batches) for answer in said]
    assert not any(isinstance(answer, OutcomeUnknown) and answer.needs_person for answer in answers)
    return answers


def test_a_file_staged_before_a_crash_waits_for_its_payments(every_day: WireConfiguration, tmp_path: Path) -> None:
    """Its rows are committed, so nothing else is made of them, however many days later they are handed in again."""
    carrier, bank = payee(), Bank(every_day)
    orders = [order(1, carrier)]
    connections.close_all()

    def dies() -> None:
        with patch.object(handover, "hand_over", side_effect=SystemExit):
            pay(*orders)

    with pytest.raises(AssertionError):
        killed_before_line(10_000, [handover], dies)
    assert WireFile.objects.get().state == "STAGED"
    assert at_the_bank(every_day) == []
    pay(order(2, carrier), now=MONDAY + timedelta(days=1))
    bank.look()
    assert dict(bank.paid) == {"CP-2-1": 1}
    pay(replace(orders[0], submitted_at=MONDAY), now=MONDAY + timedelta(days=30))
    bank.look()
    assert dict(bank.paid) == {"CP-2-1": 1, "CP-1-1": 1}
