"""Killed again and again while a failed reversal is told and evened out: it counts once, and the books are right."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db import connections

from rails import attempts, books, notices
from rails.ach import inbox, intake, items, rail, words
from rails.ach.configuration import AchConfiguration
from rails.models import AchEntry, Recipient
from settlements import outcomes, owed, submitting
from settlements.models import AuditEvent
from settlements.statuses import SettlementStatus as S
from tests.factories import a_user, now, officer
from tests.flows.ach_reversals import LATE, PAID, Case, a_payable_recipient, balances, hear, owes, proven, status
from tests.rails.ach.bank import configured, sends
from tests.rails.ach.samples import bank_file, returned
from tests.rails.killed import killed_before_line

pytestmark = pytest.mark.django_db(transaction=True)
_STEP = 4  # each fourth line, to be done in reasonable time


@pytest.fixture
def bank(tmp_path: Path, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def recipient(bank: AchConfiguration) -> Recipient:
    return a_payable_recipient()


def until_it_gets_through(act: Callable[[], object], modules: list[ModuleType], check: Callable[[], object]) -> int:
    """Each run is killed a few lines later than the one before; what is left behind is looked at every time."""
    line = 1
    while True:
        connections.close_all()
        killed = killed_before_line(line, modules, act)
        check()
        if not killed:
            return line
        line += _STEP


def test_a_reversal_that_counted_and_came_back_counts_once(bank: AchConfiguration, recipient: Recipient) -> None:
    """Its file is assumed, the bank's file is read, and both are told, in one look that never gets far."""
    case = Case(bank, recipient)
    hear(LATE)
    trace = AchEntry.objects.get(kind="REVERSAL").trace_number
    back = returned("R31", trace=trace, amount_minor=PAID, transaction_code="26")
    sends(bank, bank_file(("CCD", [back])))

    def check() -> None:
        assert balances(recipient).get("bank", 0) in {0, -PAID}
        assert owes(case.settlement) in {0, PAID}
        proven()

    modules = [inbox, intake, items, rail, words, outcomes, notices, attempts, books, submitting]
    assert until_it_gets_through(partial(hear, LATE + 14), modules, check) > 60
    hear(LATE + 15)
    assert balances(recipient) == {"bank": -PAID, "receivable": PAID}
    assert AuditEvent.objects.filter(settlement_id=case.settlement.pk, action="reclaim_failed").count() == 1
    assert AuditEvent.objects.filter(settlement_id=case.settlement.pk, action="returned").count() == 1
    proven()


def test_silence_that_is_killed_counts_once(bank: AchConfiguration, recipient: Recipient) -> None:
    case = Case(bank, recipient)
    until_it_gets_through(partial(hear, LATE), [rail, words, outcomes, notices, attempts, books, submitting], proven)
    hear(LATE)
    assert status(case.settlement) == S.RETURNED
    assert balances(recipient) == {}
    proven()


@pytest.mark.parametrize("act", [owed.recovered, owed.leave], ids=lambda act: act.__name__)
def test_what_a_person_records_is_recorded_whole_or_not_at_all(
    bank: AchConfiguration, recipient: Recipient, act: Callable[..., str]
) -> None:
    case = Case(bank, recipient)
    hear(LATE)
    case.reversal_returned()
    hear(LATE + 14)
    given: dict[str, Any] = {"reference": "ADV 9"} if act is owed.recovered else {}

    def record() -> None:
        try:
            act(case.settlement.pk, number=1, officer=by, reason="as agreed", now=now(), **given)
        except owed.NothingOwed:
            assert owes(case.settlement) == 0

    by = officer(a_user())
    until_it_gets_through(record, [owed, outcomes, notices, attempts, books], proven)
    assert owes(case.settlement) == 0
    assert status(case.settlement) == (S.CANCELLED if act is owed.leave else S.RETURNED)
    assert balances(recipient) == ({"cost": PAID, "bank": -PAID} if act is owed.leave else {})
    proven()
