"""Exactly one balanced file per window, and every payment in exactly one file."""

import logging
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from rails import destinations, handover, switches
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.base import Applied, NotYet, OutcomeUnknown, RailOutcome, SettlementProvider, SettlementResult
from rails.models import AchEntry, AchEntryKind, AchFile, AchOutcome
from rails.money import Money
from tests.rails.ach.bank import (
    MONDAY,
    OUR_ACCOUNT,
    at_the_bank,
    days_later,
    destination_of,
    order,
    paid,
    pay,
    payee,
    taken,
)
from tests.rails.rows import paid_before

pytestmark = pytest.mark.django_db


def test_a_windows_payments_are_one_balanced_file(ach: AchConfiguration) -> None:
    carrier, person = payee(), payee(sec_code="PPD", account_type="savings")
    answers = paid(*(order(number, (carrier, person)[number % 2], minor=100 + number) for number in range(1, 51)))
    (path,) = at_the_bank(ach)
    file = taken(path)
    assert [batch.sec for batch in file.batches] == ["CCD", "PPD"]
    assert file.totals.credits_minor == 50 * 100 + 1275
    row = AchFile.objects.get()
    assert (row.state, row.credits_minor, row.debits_minor) == ("HANDED_OVER", 6275, 6275)
    assert (row.entry_count, row.entry_hash) == (52, file.totals.entry_hash)
    assert {answer.released_at for answer in answers} == {row.handed_over_at} == {MONDAY}
    by_trace = {entry.record["trace_number"]: entry for _, entry in file.entries()}
    for number, answer in enumerate(answers, 1):
        entry = by_trace[answer.reference_id or ""]
        assert entry.amount_minor == 100 + number
        assert entry.transaction_code == ("22", "32")[number % 2]
        assert entry.record.trimmed("individual_identification") == f"{number}-1"
        assert answer.message == f"In ACH file {row.name}"


def test_what_we_pay_is_taken_from_our_own_account_batch_by_batch(ach: AchConfiguration) -> None:
    paid(order(1, payee(), 700), order(2, payee(sec_code="PPD"), 5))
    file = taken(at_the_bank(ach)[0])
    debits = [entry for _, entry in file.entries() if entry.transaction_code == "27"]
    assert [entry.amount_minor for entry in debits] == [700, 5]
    assert {entry.record.trimmed("account_number") for entry in debits} == {OUR_ACCOUNT}
    assert AchEntry.objects.filter(kind=AchEntryKind.OFFSET).count() == 2


def test_a_sum_that_no_entry_can_carry_is_taken_in_pieces(ach: AchConfiguration) -> None:
    most = 99_999_999_99
    paid(order(1, payee(), most), order(2, payee(), most), order(3, payee(), 5))
    file = taken(at_the_bank(ach)[0])
    debits = [entry.amount_minor for _, entry in file.entries() if entry.transaction_code == "27"]
    assert debits == [most, most, 5]


def test_more_than_a_file_can_carry_waits_for_the_next(ach: AchConfiguration) -> None:
    most, carrier = 99_999_999_99, payee()
    answers = pay(*(order(number, carrier, most) for number in range(1, 102)))
    assert sum(isinstance(answer, SettlementResult) for answer in answers) == 100
    assert isinstance(answers[-1], NotYet)
    assert "at most 9999999999.99 USD" in answers[-1].detail


def test_dates_are_those_of_the_window(ach: AchConfiguration) -> None:
    friday = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)
    paid(order(1, payee()), now=friday)
    file = taken(at_the_bank(ach)[0])
    assert file.header is not None
    assert file.header["file_creation_date"] == "261127"
    assert file.header["file_creation_time"] == "1730"
    assert file.batches[0].header["effective_entry_date"] == "261130"
    row = AchFile.objects.get()
    assert (row.window_day, row.window_cut_off) == (date(2026, 11, 27), time(17))


def test_a_second_run_in_a_window_makes_no_second_file(ach: AchConfiguration) -> None:
    carrier = payee()
    paid(order(1, carrier))
    assert not AchRail().is_open(now=MONDAY)
    (late,) = pay(order(2, carrier), now=MONDAY + timedelta(minutes=10))
    assert isinstance(late, NotYet)
    assert late.detail == "the next ACH file is made at 2026-12-01 17:00 (America/New_York)"
    assert len(at_the_bank(ach)) == 1
    paid(order(2, carrier), now=days_later(1))
    assert len(at_the_bank(ach)) == 2


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (MONDAY, True),
        (datetime(2026, 11, 30, 21, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 28, 22, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 26, 22, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 22, 0, tzinfo=UTC), True),
    ],
)
def test_it_takes_payments_in_the_window_alone(ach: AchConfiguration, moment: datetime, is_open: bool) -> None:
    assert AchRail().is_open(now=moment) is is_open
    (answer,) = pay(order(1, payee()), now=moment)
    assert isinstance(answer, SettlementResult if is_open else NotYet)
    assert len(at_the_bank(ach)) == is_open


def test_same_day_is_for_small_amounts_alone(ach: AchConfiguration, settings: Any) -> None:
    table = replace(ach.timetable, same_day_cut_offs=(time(10),))
    settings.ACH = replace(ach, timetable=table, same_day_limit=Money(1_000_00, "USD"))
    carrier, morning = payee(), datetime(2026, 11, 30, 15, 0, 5, tzinfo=UTC)
    small, also_small, large = pay(
        order(1, carrier, 1_000_00), order(2, carrier, 1), order(3, carrier, 1_000_01), now=morning
    )
    assert isinstance(small, SettlementResult)
    assert isinstance(also_small, SettlementResult)
    assert isinstance(large, NotYet)
    assert large.detail == "same-day entries carry at most 1000.00 USD; it goes with the next other file"
    file = taken(at_the_bank(ach)[0])
    assert file.batches[0].header["effective_entry_date"] == "261130"
    assert max(entry.amount_minor for _, entry in file.entries()) == 1_000_00  # of our own account, too
    paid(order(3, carrier, 1_000_01), now=MONDAY)
    assert AchFile.objects.filter(same_day=False).count() == 1


def test_ach_pays_dollars_alone_and_no_more_than_an_entry_carries(ach: AchConfiguration) -> None:
    rail, carrier = AchRail(), payee()
    assert rail.cannot_pay(Money(99_999_999_99, "USD")) == ""
    assert rail.cannot_pay(Money(100_000_000_00, "USD")) == "an ACH entry carries at most 99,999,999.99 USD"
    assert rail.cannot_pay(Money(1, "EUR")) == "ACH pays in USD only"
    euros, good, too_much = pay(order(1, carrier, 1, "EUR"), order(2, carrier), order(3, carrier, 100_000_000_00))
    assert isinstance(euros, SettlementResult)
    assert euros.error == "ACH pays in USD only"
    assert isinstance(good, SettlementResult)
    assert good.success
    assert isinstance(too_much, SettlementResult)
    assert not too_much.success


def test_a_payment_that_can_not_be_written_spoils_no_other(ach: AchConfiguration) -> None:
    nobody, good, unknown = pay(order(1, None), order(2, payee()), order(3, 404))
    assert isinstance(good, SettlementResult)
    assert good.success
    for bad in (nobody, unknown):
        assert isinstance(bad, SettlementResult)
        assert bad.error == "the recipient has no usable destination for ach"


def test_a_frozen_destination_is_the_one_that_is_paid(ach: AchConfiguration) -> None:
    carrier, other = payee(), payee()
    frozen = destination_of(carrier)
    paid(order(1, carrier, destination_id=frozen.pk))
    assert AchEntry.objects.get(kind=AchEntryKind.PAYMENT).destination_id == frozen.pk
    (strangers,) = pay(order(2, other, destination_id=frozen.pk), now=days_later(1))
    assert isinstance(strangers, SettlementResult)
    assert strangers.error == "the destination is not one of the recipient for ach"


def test_a_blocked_destination_waits_even_after_a_crash(ach: AchConfiguration) -> None:
    carrier = payee()
    frozen = destination_of(carrier)
    destinations.block(frozen.pk, notice="C05", actor="bank:ach", now=MONDAY)
    (answer,) = pay(order(1, carrier, destination_id=frozen.pk, submitted_at=MONDAY))
    assert isinstance(answer, NotYet)
    assert "C05" in answer.detail
    destinations.close(carrier, "ach", reason="closed", actor="officer", now=MONDAY)
    (refused,) = pay(order(1, carrier, destination_id=frozen.pk, submitted_at=MONDAY))
    assert isinstance(refused, SettlementResult)
    assert not refused.success


def test_what_may_only_be_looked_up_comes_into_no_file(ach: AchConfiguration) -> None:
    carrier = payee()
    frozen = destination_of(carrier).pk
    (answer,) = pay(order(1, carrier, destination_id=frozen, submitted_at=MONDAY, look_up_only=True))
    assert isinstance(answer, NotYet)
    assert not AchFile.objects.exists()
    made = paid(order(1, carrier, destination_id=frozen, submitted_at=MONDAY))
    assert paid(order(1, carrier, destination_id=frozen, submitted_at=MONDAY, look_up_only=True)) == made


def test_an_outbox_that_is_lost_pays_nothing_and_later_everything(ach: AchConfiguration) -> None:
    carrier = payee()
    ach.outbox.rmdir()
    (answer,) = pay(order(1, carrier))
    assert isinstance(answer, NotYet)
    assert not AchFile.objects.exists()
    ach.outbox.mkdir()
    paid(order(1, carrier))
    assert len(at_the_bank(ach)) == 1


def test_a_hand_over_that_fails_is_unknown_until_it_is_done(
    ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = payee()

    def fails(*arguments: Any) -> None:
        raise handover.OutboxUnusable("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(handover, "hand_over", fails)
        (answer,) = pay(order(1, carrier))
        assert isinstance(answer, OutcomeUnknown)
        assert not answer.needs_person
    assert at_the_bank(ach) == []
    (result,) = paid(order(1, carrier, submitted_at=MONDAY), now=days_later(1))
    assert result.released_at == days_later(1)
    assert len(at_the_bank(ach)) == 1


def test_listening_finishes_what_was_staged(ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> None:
        raise handover.OutboxUnusable("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(handover, "hand_over", fails)
        pay(order(1, payee()))
    AchRail().hear(now=MONDAY)
    assert AchFile.objects.get().state == "HANDED_OVER"
    assert len(at_the_bank(ach)) == 1


def test_a_file_that_the_bank_took_away_at_once_is_not_made_again(ach: AchConfiguration) -> None:
    carrier = payee()
    (first,) = paid(order(1, carrier))
    at_the_bank(ach)[0].unlink()
    (again,) = paid(order(1, carrier, submitted_at=MONDAY), now=days_later(1))
    assert (again.reference_id, again.released_at) == (first.reference_id, first.released_at)
    assert at_the_bank(ach) == []


def test_numbers_are_never_used_again(ach: AchConfiguration) -> None:
    carrier = payee()
    for number in range(1, 6):
        paid(order(number, carrier), now=days_later((0, 1, 2, 3, 4)[number - 1]))
    files = [taken(path) for path in at_the_bank(ach)]
    traces = [entry.record["trace_number"] for file in files for _, entry in file.entries()]
    batches = [batch.header["batch_number"] for file in files for batch in file.batches]
    assert len(set(traces)) == len(traces) == 10
    assert len(set(batches)) == len(batches) == 5


def test_a_days_files_are_told_apart_by_their_modifier(ach: AchConfiguration, settings: Any) -> None:
    cut_offs = tuple(time(hour, minute) for hour in range(6, 24) for minute in (0, 30))
    settings.ACH = replace(ach, timetable=replace(ach.timetable, cut_offs=cut_offs))
    carrier = payee()
    first = datetime(2026, 11, 30, 11, 0, 5, tzinfo=UTC)
    for number in range(36):
        paid(order(number + 1, carrier), now=first + timedelta(minutes=30 * number))
    modifiers = list(AchFile.objects.order_by("pk").values_list("id_modifier", flat=True))
    assert "".join(modifiers) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    settings.ACH = replace(ach, timetable=replace(ach.timetable, cut_offs=(time(5, 59), *cut_offs[:-1], time(23, 45))))
    (answer,) = pay(order(99, carrier), now=datetime(2026, 12, 1, 4, 45, 5, tzinfo=UTC))
    assert isinstance(answer, NotYet)
    assert "modifiers of 2026-11-30 are used up" in answer.detail


@pytest.fixture
def one_trace_number_left() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM rails_ach_trace_number")
        (before,) = cursor.fetchone()
        cursor.execute("SELECT setval('rails_ach_trace_number', 9999998)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('rails_ach_trace_number', %s)", [before])


@pytest.mark.usefixtures("one_trace_number_left")
def test_trace_numbers_that_are_used_up_are_told_and_nothing_is_sent(ach: AchConfiguration) -> None:
    (answer,) = pay(order(1, payee()))
    assert isinstance(answer, NotYet)
    assert "no further number" in answer.detail
    assert at_the_bank(ach) == []


def test_nothing_came_back_so_it_counts_as_settled(ach: AchConfiguration) -> None:
    (answer,) = paid(order(1, payee()))
    rail = AchRail()
    for days in (1, 2, 3):  # effective on Tuesday; Friday is the third banking day after it
        assert list(rail.hear(now=days_later(days))) == []
    (notice,) = rail.hear(now=days_later(4))
    assert notice.outcome is RailOutcome.CONFIRMED
    assert (notice.milestone_id, notice.attempt_number) == (1, 1)
    assert notice.reference_id == answer.reference_id
    (again,) = rail.hear(now=days_later(5))
    assert again.source == notice.source
    rail.heard([(notice, Applied.NOT_FOUND)], now=days_later(5))
    assert len(rail.hear(now=days_later(5))) == 1
    rail.heard([(notice, Applied.APPLIED)], now=days_later(5))
    assert list(rail.hear(now=days_later(6))) == []


def test_silence_says_nothing_while_the_inbox_is_lost(ach: AchConfiguration) -> None:
    paid(order(1, payee()))
    ach.inbox.rmdir()
    assert list(AchRail().hear(now=days_later(9))) == []
    ach.inbox.mkdir()
    assert len(AchRail().hear(now=days_later(9))) == 1


def test_ten_thousand_payments_are_one_valid_file_and_quick(ach: AchConfiguration) -> None:
    carriers = [payee() for _ in range(20)]
    orders = [order(number, carriers[number % 20], minor=number) for number in range(1, 10_001)]
    began = clock.monotonic()
    paid(*orders)
    took = clock.monotonic() - began
    file = taken(at_the_bank(ach)[0])
    assert file.totals.entries_and_addenda == 10_001
    assert took < 60, f"{took:.1f} s"


def test_account_numbers_are_in_the_file_alone(ach: AchConfiguration, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    carrier = payee(account_number="98765432101")
    paid(order(1, carrier))
    assert "98765432101" in at_the_bank(ach)[0].read_text()
    assert "98765432101" not in caplog.text
    assert OUR_ACCOUNT not in caplog.text
    with connection.cursor() as cursor:
        for table in ("rails_achfile", "rails_achentry", "rails_achoutcome", "rails_destination"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%%98765432101%%'")
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE rails_achfile SET credits_minor = 1, debits_minor = 1", "what was written stays so"),
        ("UPDATE rails_achfile SET state = 'STAGED'", "Invalid transition"),
        ("UPDATE rails_achentry SET amount_minor = 1", "Cannot update"),
        ("DELETE FROM rails_achentry", "Cannot delete"),
        ("DELETE FROM rails_achfile", "Cannot delete"),
        (
            "INSERT INTO rails_achentry (file_id, kind, milestone_id, attempt_number, trace_number, batch_number, sec,"
            " transaction_code, rdfi, destination_id, amount_minor) SELECT file_id, kind, 2, 1, '000000000000001', 1,"
            " sec, transaction_code, rdfi, destination_id, amount_minor FROM rails_achentry WHERE kind = 'PAYMENT'",
            "its file is closed",
        ),
    ],
)
def test_the_database_refuses_what_would_change_a_file(ach: AchConfiguration, statement: str, said: str) -> None:
    paid(order(1, payee()))
    with pytest.raises(DatabaseError, match=said), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_outcome_is_written_once_and_heard_once(ach: AchConfiguration) -> None:
    paid(order(1, payee()))
    AchRail().hear(now=days_later(9))
    with pytest.raises(DatabaseError, match="stays as it was written"):
        AchOutcome.objects.update(reason="other")


def test_nothing_is_handed_over_while_the_rail_is_off(ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(handover, "hand_over", _full)
        carrier = payee()
        pay(order(1, carrier))
    switches.turn_off(provider=SettlementProvider.ACH, reason="the bank asks", actor="user:x", now=MONDAY)
    AchRail().hear(now=MONDAY)
    assert at_the_bank(ach) == []
    assert AchFile.objects.get().state == "STAGED"
    (answer,) = pay(order(1, carrier, submitted_at=MONDAY))
    assert isinstance(answer, OutcomeUnknown)
    assert "rail ach is switched off" in str(answer)
    switches.turn_on(provider=SettlementProvider.ACH, reason="it is well", actor="user:x", now=MONDAY)
    AchRail().hear(now=MONDAY)
    assert len(at_the_bank(ach)) == 1


def _full(*_: Any) -> Any:
    raise handover.HandOverError("the disk is full")


def test_a_milestone_that_another_provider_says_it_paid_comes_into_no_file(ach: AchConfiguration) -> None:
    carrier = payee()
    paid_before(1, MONDAY)
    refused, good = pay(order(1, carrier, attempt_number=2), order(2, payee()))
    assert isinstance(refused, SettlementResult)
    assert refused.error == "Not handed over: the provider says that it paid an earlier attempt"
    assert isinstance(good, SettlementResult)
    assert good.success
    assert AchEntry.objects.get(kind=AchEntryKind.PAYMENT).milestone_id == 2


def test_the_database_takes_no_entry_of_a_milestone_that_another_provider_says_it_paid(
    ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = payee()
    paid_before(1, MONDAY)
    monkeypatch.setattr("rails.attempts.paid_though_refused", lambda milestones: set())
    (answer,) = pay(order(1, carrier, attempt_number=2))
    assert isinstance(answer, OutcomeUnknown)
    assert not AchEntry.objects.exists()
