"""Exactly one file per currency and window, and every payment in exactly one file."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from rails import handover
from rails.base import NotYet, OutcomeUnknown, SettlementResult
from rails.models import WireEntry, WireFile
from rails.money import EXPONENTS, Money
from rails.wire.configuration import WireConfiguration
from rails.wire.rail import WireRail
from tests.rails.rows import paid_before
from tests.rails.wire.bank import MONDAY, at_the_bank, look, next_day, order, paid, pay, payee, read

pytestmark = pytest.mark.django_db


def test_a_windows_payments_are_one_file(wires: WireConfiguration) -> None:
    carrier = payee()
    answers = paid(*(order(number, carrier, minor=100 + number) for number in range(1, 51)))
    (file,) = at_the_bank(wires)
    assert look(read(file), "GrpHdr/NbOfTxs") == ["50"]
    assert look(read(file), "PmtId/EndToEndId") == [answer.reference_id for answer in answers]
    assert answers[6].reference_id == "CP-7-1"
    row = WireFile.objects.get()
    assert (row.state, row.entry_count, row.amount_minor) == ("HANDED_OVER", 50, 50 * 100 + 1275)
    assert f"In wire file {row.name}" == answers[0].message
    assert {answer.released_at for answer in answers} == {row.handed_over_at} == {MONDAY}


def test_each_currency_has_a_file_of_its_own_with_its_own_digits(wires: WireConfiguration) -> None:
    carrier = payee()
    paid(*(order(number, carrier, 1234, currency) for number, currency in enumerate(EXPONENTS, 1)))
    files = {file.name.split("-")[1]: read(file) for file in at_the_bank(wires)}
    assert set(files) == set(EXPONENTS)
    for currency, file in files.items():
        assert look(file, "InstdAmt") == look(file, "GrpHdr/CtrlSum") == [Money(1234, currency).text]
    assert look(files["JPY"], "InstdAmt") == ["1234"]
    assert look(files["KWD"], "InstdAmt") == ["1.234"]


def test_a_second_run_in_a_window_makes_no_second_file(wires: WireConfiguration) -> None:
    carrier = payee()
    paid(order(1, carrier))
    (late,) = pay(order(2, carrier), now=MONDAY + timedelta(minutes=10))
    assert isinstance(late, NotYet)
    assert "2026-12-01 21:30 UTC" in late.detail
    assert len(at_the_bank(wires)) == 1
    paid(order(2, carrier), now=next_day())
    assert len(at_the_bank(wires)) == 2


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (MONDAY, True),
        (datetime(2026, 11, 30, 21, 29, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 21, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 22, 29, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 22, 30, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 21, 30, tzinfo=UTC), False),
        (datetime(2027, 1, 1, 21, 30, tzinfo=UTC), False),
    ],
)
def test_it_takes_payments_in_the_window_alone(wires: WireConfiguration, moment: datetime, is_open: bool) -> None:
    assert WireRail().is_open(now=moment) is is_open
    (answer,) = pay(order(1, payee()), now=moment)
    assert isinstance(answer, SettlementResult if is_open else NotYet)
    assert len(at_the_bank(wires)) == is_open


def test_it_closes_once_every_currency_has_its_file(wires: WireConfiguration, settings: Any) -> None:
    settings.WIRE = replace(wires, accounts={name: wires.accounts[name] for name in ("USD", "EUR")})
    paid(order(1, payee()))
    assert WireRail().is_open(now=MONDAY)
    paid(order(2, payee(), currency="EUR"))
    assert not WireRail().is_open(now=MONDAY)


def test_a_payment_that_can_not_be_written_spoils_no_other(wires: WireConfiguration) -> None:
    carrier = payee()
    nobody, good, no_account = pay(order(1, None), order(2, carrier), order(3, 404))
    assert isinstance(good, SettlementResult)
    assert good.success
    for bad in (nobody, no_account):
        assert isinstance(bad, SettlementResult)
        assert bad.error == "the recipient has no usable destination for wire"


def test_a_currency_without_an_account_is_never_paid(wires: WireConfiguration, settings: Any) -> None:
    settings.WIRE = replace(wires, accounts={"USD": wires.accounts["USD"]})
    assert WireRail().cannot_pay(Money(1, "EUR")) == "there is no account in EUR to wire from"
    assert WireRail().cannot_pay(Money(1, "USD")) == ""
    (answer,) = pay(order(1, payee(), currency="EUR"))
    assert isinstance(answer, SettlementResult)
    assert answer.error == "there is no account in EUR to wire from"


def test_a_frozen_destination_is_the_one_that_is_paid(wires: WireConfiguration) -> None:
    carrier, other = payee(), payee()
    paid(order(1, carrier))
    frozen_id = WireEntry.objects.get().destination_id
    (strangers,) = pay(order(2, other, destination_id=frozen_id), now=next_day())
    assert isinstance(strangers, SettlementResult)
    assert "another recipient" in (strangers.error or "")


def test_what_may_only_be_looked_up_comes_into_no_file(wires: WireConfiguration) -> None:
    carrier = payee()
    (answer,) = pay(order(1, carrier, submitted_at=MONDAY, look_up_only=True))
    assert isinstance(answer, NotYet)
    assert not WireFile.objects.exists()
    made = paid(order(1, carrier, submitted_at=MONDAY))
    assert paid(order(1, carrier, submitted_at=MONDAY, look_up_only=True)) == made


def test_an_outbox_that_is_lost_pays_nothing_and_later_everything(wires: WireConfiguration) -> None:
    carrier = payee()
    wires.outbox.rmdir()
    (answer,) = pay(order(1, carrier))
    assert isinstance(answer, NotYet)
    assert not WireFile.objects.exists()
    wires.outbox.mkdir()
    paid(order(1, carrier))
    assert len(at_the_bank(wires)) == 1


def test_a_hand_over_that_fails_is_unknown_until_it_is_done(
    wires: WireConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = payee()
    with monkeypatch.context() as broken:

        def fails(*arguments: Any) -> None:
            raise handover.OutboxUnusable("no space left")

        broken.setattr(handover, "hand_over", fails)
        (answer,) = pay(order(1, carrier))
        assert isinstance(answer, OutcomeUnknown)
        assert not answer.needs_person
        (again,) = pay(order(1, carrier, submitted_at=MONDAY), now=next_day())
        assert isinstance(again, OutcomeUnknown)
    assert at_the_bank(wires) == []
    (result,) = paid(order(1, carrier, submitted_at=MONDAY), now=next_day())
    assert result.released_at == next_day()
    assert len(at_the_bank(wires)) == 1


def test_what_was_staged_by_a_process_that_died_is_removed_in_time(wires: WireConfiguration) -> None:
    """Nothing less than two hours old: somebody may be about to write its row. Nothing that has one, or is not ours."""
    abandoned, fresh, another = "CPWIRE-USD-20261127-998.xml", "CPWIRE-USD-20261127-999.xml", "ACH-somebody-elses.txt"
    for name in (abandoned, fresh, another):
        handover.stage(wires.outbox, name, b"account numbers")
    for name in (abandoned, another):
        os.utime(wires.outbox / handover.STAGING / name, (1, 1))
    paid(order(1, payee()))
    assert {each.name for each in handover.staged(wires.outbox)} == {fresh, another}
    assert abandoned not in {path.name for path in at_the_bank(wires)}


def test_the_statements_of_a_file_do_not_grow_with_its_payments(
    wires: WireConfiguration, django_assert_max_num_queries: Any
) -> None:
    carrier = payee()
    with django_assert_max_num_queries(24):
        paid(*(order(number, carrier) for number in range(1, 201)))


def test_account_numbers_are_nowhere_but_in_the_file(
    wires: WireConfiguration, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        paid(order(1, payee()))
    assert "532013000" in at_the_bank(wires)[0].read_text()
    assert "532013000" not in caplog.text
    assert "532013000" not in repr(wires)
    with connection.cursor() as cursor:
        for table in ("rails_wirefile", "rails_wireentry", "rails_destination"):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")
            assert "532013000" not in cursor.fetchone()[0]


def test_a_milestone_that_another_provider_says_it_paid_comes_into_no_file(wires: WireConfiguration) -> None:
    carrier = payee()
    paid_before(1, MONDAY)
    refused, good = pay(order(1, carrier, attempt_number=2), order(2, carrier))
    assert isinstance(refused, SettlementResult)
    assert refused.error == "Not handed over: the provider says that it paid an earlier attempt"
    assert isinstance(good, SettlementResult)
    assert good.success
    assert WireEntry.objects.get().milestone_id == 2


def test_the_database_takes_no_wire_of_a_milestone_that_another_provider_says_it_paid(
    wires: WireConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = payee()
    paid_before(1, MONDAY)
    monkeypatch.setattr("rails.attempts.paid_though_refused", lambda milestones: set())
    (answer,) = pay(order(1, carrier, attempt_number=2))
    assert isinstance(answer, OutcomeUnknown)
    assert not WireEntry.objects.exists()
