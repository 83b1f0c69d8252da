"""Whoever dies, wherever: each payment reaches the bank in one file, and none is lost."""

import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from rails import pickup
from rails.ach import files, inbox, items, rail
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.ach.reader import read
from rails.base import Answer, SettlementResult
from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem, AchOutcome
from tests.rails.ach.bank import MONDAY, order, paid, pay, payee, sends
from tests.rails.ach.samples import bank_file, returned
from tests.rails.killed import killed_before_line

pytestmark = pytest.mark.django_db(transaction=True)


_STEP = 3  # each third line, to be done in reasonable time


class Bank:
    """Takes every file away as soon as it finds it, and counts the milestones that it pays."""

    def __init__(self, configuration: AchConfiguration) -> None:
        self.outbox = configuration.outbox
        self.paid: Counter[int] = Counter()

    def look(self) -> None:
        for path in sorted(self.outbox.glob("[!.]*")):
            for _, entry in read(path.read_bytes()).entries():
                if entry.transaction_code == "22":
                    self.paid[int(entry.record.trimmed("individual_identification").split("-")[0])] += 1
            path.unlink()


@pytest.fixture
def daily(ach: AchConfiguration, settings: Any) -> AchConfiguration:
    """A window on each day of the calendar."""
    settings.ACH = replace(ach, timetable=replace(ach.timetable, every_day=True))
    configuration: AchConfiguration = settings.ACH
    return configuration


def _pay_one(number: int, carrier: int, now: datetime) -> None:
    pay(order(number, carrier), now=now)


def _read_inbox(configuration: AchConfiguration, now: datetime) -> None:
    inbox.read(configuration, now=now)


def until_paid(number: int, carrier: int, now: datetime) -> SettlementResult:
    """As the submitter does: handed in again, as one that may have arrived, in this window or the next."""
    for hours in (0, 24):
        (answer,) = pay(order(number, carrier, submitted_at=now), now=now + timedelta(hours=hours))
        if isinstance(answer, SettlementResult):
            assert answer.success, answer
            return answer
    raise AssertionError(answer)


@pytest.mark.parametrize("module", [files, rail], ids=lambda module: module.__name__)
def test_killed_before_any_line_a_payment_reaches_the_bank_once(daily: AchConfiguration, module: Any) -> None:
    bank, carrier, number = Bank(daily), payee(), 0
    while True:
        number += 1
        now = MONDAY + timedelta(days=2 * number)
        connections.close_all()
        for staged in (daily.outbox / ".staging").glob("*"):
            _age(staged)  # else each run has more to look at than the one before, and they never end
        killed = killed_before_line(_STEP * number, [module], partial(_pay_one, number, carrier, now))
        bank.look()
        first = until_paid(number, carrier, now)
        again = until_paid(number, carrier, now)
        assert again.reference_id == first.reference_id
        bank.look()
        if not killed:
            break
    assert number > 15
    assert bank.paid == {paid_once: 1 for paid_once in range(1, number + 1)}
    assert AchEntry.objects.filter(kind="PAYMENT").count() == AchFile.objects.count() == number


@pytest.mark.parametrize(("module", "step"), [(pickup, _STEP), (inbox, 1), (items, _STEP)])
def test_killed_before_any_line_a_file_of_the_bank_is_applied_once(
    daily: AchConfiguration, module: Any, step: int
) -> None:
    carrier, number, wanted = payee(), 0, []
    while True:
        number += 1
        now = MONDAY + timedelta(days=number)
        (answer,) = paid(order(number, carrier, 100), now=now)
        content = bank_file(("CCD", [returned("R01", trace=answer.reference_id or "")]), modifier="A")
        sends(daily, content, f"{number}.ach")
        wanted.append(number)
        connections.close_all()
        killed = killed_before_line(step * number, [module], partial(_read_inbox, daily, now))
        assert inbox.read(daily, now=now).nothing_unread
        if not killed:
            break
    assert number > 5
    assert AchInboundFile.objects.count() == AchInboundItem.objects.filter(standing="APPLIED").count() == number
    assert list(AchOutcome.objects.order_by("pk").values_list("entry__milestone_id", flat=True)) == wanted
    assert not [path for path in daily.inbox.iterdir() if not path.name.startswith(".")]
    assert not list((daily.inbox / pickup.TAKEN).iterdir())
    assert len(list((daily.inbox / pickup.Kept.DONE).iterdir())) == number


def test_two_workers_in_one_window_make_one_file(daily: AchConfiguration) -> None:
    bank, carrier = Bank(daily), payee()
    for day in range(1, 6):
        now, answers = MONDAY + timedelta(days=day), list[Answer]()

        def work(day: int = day, now: datetime = now, answers: list[Answer] = answers) -> None:
            answers.extend(pay(*(order(10 * day + place, carrier) for place in range(5)), now=now))

        together(work, 3)
        assert any(isinstance(answer, SettlementResult) and answer.success for answer in answers)
        for place in range(5):
            until_paid(10 * day + place, carrier, now)
        bank.look()
    assert set(bank.paid.values()) == {1}
    assert len(bank.paid) == 25


def test_two_workers_read_one_inbox_once(daily: AchConfiguration) -> None:
    carrier = payee()
    traces = [answer.reference_id or "" for answer in paid(*(order(number, carrier, 100) for number in range(1, 11)))]
    # The same returns in two files at once.
    batch = [returned("R01", trace=trace, number=number) for number, trace in enumerate(traces, 1)]
    for modifier in "AB":
        sends(daily, bank_file(("CCD", batch), modifier=modifier), f"{modifier}.ach")
    together(lambda: AchRail().hear(now=MONDAY), 4)
    assert AchInboundFile.objects.count() == 2
    assert AchInboundItem.objects.filter(standing="APPLIED").count() == 10
    assert AchInboundItem.objects.filter(standing="REPEATED").count() == 10
    assert AchOutcome.objects.count() == 10


def test_what_was_staged_by_a_process_that_died_is_removed_in_time(daily: AchConfiguration) -> None:
    carrier = payee()
    connections.close_all()
    # Killed after staging and before the rows: the bytes, with account numbers, are nobody's.
    for line in range(20, 200):
        killed_before_line(line, [files], partial(_pay_one, line, carrier, MONDAY + timedelta(days=line)))
        staged = [path for path in (daily.outbox / ".staging").glob("CPACH*") if not path.name.endswith(".receipt")]
        connections.close_all()
        if staged:
            break
    assert staged
    _age(staged[0])
    paid(order(999, carrier), now=MONDAY + timedelta(days=300))
    assert not staged[0].exists()


def _age(path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))


def together(work: Callable[[], object], count: int) -> None:
    """The same work by several threads at once, each on a connection of its own."""
    barrier, troubles = threading.Barrier(count), list[BaseException]()

    def run() -> None:
        try:
            barrier.wait()
            work()
        except BaseException as error:
            troubles.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
