"""What return codes and notifications of change mean for the next payment."""

from datetime import date

import pytest

from rails.ach.calendar import last_timely_day
from rails.ach.changes import CHANGES, REFUSED_CHANGES, CorrectionUnreadable, correction
from rails.ach.codes import AccountType
from rails.ach.returns import CONTESTED, DISHONORED, RETURNS, Days, FollowUp, Stage


def test_the_table_has_all_the_codes_that_a_bank_may_send():
    numbers = [*range(1, 48), *range(50, 54), 61, 62, *range(67, 78), *range(80, 86)]
    assert sorted(RETURNS) == [f"R{number:02}" for number in numbers]
    assert sorted(DISHONORED) == ["R61", "R62", "R67", "R68", "R69", "R70"]
    assert sorted(CONTESTED) == ["R71", "R72", "R73", "R74", "R75", "R76", "R77"]


@pytest.mark.parametrize("code", ["R05", "R07", "R10", "R11", "R33", "R37", "R38", "R51", "R52", "R53"])
def test_what_a_consumer_disputes_may_come_for_sixty_days(code):
    assert str(RETURNS[code].deadline) == "60 calendar days"


@pytest.mark.parametrize("code", ["R01", "R02", "R03", "R04", "R14", "R15", "R16", "R20", "R23", "R24", "R29"])
def test_most_returns_come_within_two_banking_days(code):
    assert str(RETURNS[code].deadline) == "2 banking days"


@pytest.mark.parametrize("code", sorted(RETURNS))
def test_each_code_reads_as_words_and_says_what_follows(code):
    reason = RETURNS[code]
    assert str(reason).startswith(f"{code} ")
    assert reason.title
    assert reason.follow_up.value.endswith(".")
    assert str(reason.deadline)


@pytest.mark.parametrize(
    ("code", "follow_up"),
    [
        ("R02", FollowUp.STOP_DESTINATION),
        ("R03", FollowUp.FIX_DESTINATION),
        ("R04", FollowUp.FIX_DESTINATION),
        ("R15", FollowUp.STOP_DESTINATION),
        ("R16", FollowUp.STOP_DESTINATION),
        ("R24", FollowUp.NEVER_AGAIN),
        ("R23", FollowUp.ASK_RECIPIENT),
        ("R18", FollowUp.CORRECT_OURS),
        ("R68", FollowUp.DISPUTED),
        ("R73", FollowUp.RETURN_STANDS),
    ],
)
def test_what_follows_a_return(code, follow_up):
    assert RETURNS[code].follow_up is follow_up


def test_an_account_that_is_wrong_or_closed_is_not_paid_again():
    stopped = {code for code, reason in RETURNS.items() if reason.follow_up.stops_destination}
    assert {"R02", "R03", "R04", "R12", "R13", "R14", "R15", "R16", "R20", "R28", "R34"} <= stopped
    again = {code for code, reason in RETURNS.items() if reason.follow_up.may_pay_again}
    assert not stopped & again
    assert "R24" not in again


def test_a_dishonored_return_is_no_return():
    assert {reason.stage for code, reason in RETURNS.items() if code in DISHONORED} == {Stage.DISHONORED}
    assert {reason.stage for code, reason in RETURNS.items() if code in CONTESTED} == {Stage.CONTESTED}


@pytest.mark.parametrize(
    ("code", "settled_on", "last"),
    [
        ("R03", date(2025, 11, 10), date(2025, 11, 13)),  # Veterans Day lies between
        ("R03", date(2025, 12, 24), date(2025, 12, 29)),
        ("R10", date(2025, 11, 10), date(2026, 1, 12)),  # the sixtieth day is a Friday
        ("R06", date(2025, 11, 10), None),
        ("R28", date(2025, 11, 10), None),
    ],
)
def test_until_when_a_return_is_timely(code, settled_on, last):
    assert last_timely_day(RETURNS[code].deadline, settled_on) == last


def test_deadlines_without_a_day_say_so():
    assert str(RETURNS["R13"].deadline) == Days.NEXT_FILE
    assert str(RETURNS["R06"].deadline) == Days.NONE


def test_the_table_of_changes():
    assert sorted(CHANGES) == [*(f"C0{number}" for number in range(1, 10)), "C13", "C14"]
    assert sorted(REFUSED_CHANGES) == [f"C6{number}" for number in range(1, 10)]


@pytest.mark.parametrize(
    ("code", "data", "routing_number", "account_number", "name", "account_type"),
    [
        ("C01", "1918171614", "", "1918171614", "", None),
        ("C02", "121042882", "121042882", "", "", None),
        ("C03", "121042882   744-5678-99", "121042882", "744-5678-99", "", None),
        ("C04", "New Name Haulage", "", "", "New Name Haulage", None),
        ("C05", "32", "", "", "", AccountType.SAVINGS),
        ("C05", "27", "", "", "", AccountType.CHECKING),
        ("C06", "744-5678-99         37", "", "744-5678-99", "", AccountType.SAVINGS),
        ("C07", "121042882744-5678-99      22", "121042882", "744-5678-99", "", AccountType.CHECKING),
        ("C08", "COBADEFFXXX", "", "", "", None),
        ("C09", "ID-77", "", "", "", None),
        ("C13", "", "", "", "", None),
        ("C14", "", "", "", "", None),
    ],
)
def test_how_corrected_data_is_laid_out(code, data, routing_number, account_number, name, account_type):
    found = correction(code, data)
    assert (found.routing_number, found.account_number, found.holder_name, found.account_type) == (
        routing_number,
        account_number,
        name,
        account_type,
    )
    assert found.changes_destination == (code not in {"C08", "C09", "C13", "C14"})


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("C01", ""),
        ("C02", "121042883"),
        ("C02", "12104288"),
        ("C03", "121042882"),
        ("C05", "42"),
        ("C05", "99"),
        ("C06", "744-5678-99"),
        ("C07", "121042882744-5678-99"),
    ],
)
def test_corrected_data_that_can_not_be_right_is_told_and_never_repeated(code, data):
    with pytest.raises(CorrectionUnreadable) as refused:
        correction(code, data)
    assert "744" not in str(refused.value)


def test_a_correction_is_printed_without_account_number_and_name():
    assert "744" not in repr(correction("C03", "121042882   744-5678-99"))
    assert "Haulage" not in repr(correction("C04", "New Name Haulage"))
