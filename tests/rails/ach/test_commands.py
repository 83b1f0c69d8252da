"""What an operator may ask: the windows to come, and what is in a file."""

from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from rails.ach.configuration import AchConfiguration
from tests.rails.ach.bank import MONDAY, at_the_bank, order, paid, payee
from tests.rails.ach.samples import DATA, bank_file, returned

pytestmark = pytest.mark.django_db


def told(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_calendar_tells_windows_and_dates(ach: AchConfiguration) -> None:
    with time_machine.travel(MONDAY):
        text = told("ach_calendar", "--days", "2")
    assert "Window 2026-11-30 17:00 is open, and has no file yet." in text
    assert "2026-12-01 17:00           arrives Wed 2026-12-02, counts as settled Mon 2026-12-07" in text
    assert "2026-12-03" not in text.split("arrives")[0]


def test_without_ach_it_says_so(settings: object) -> None:
    settings.ACH = None  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="not enabled"):
        told("ach_calendar")


def test_a_file_is_shown_without_account_numbers(ach: AchConfiguration) -> None:
    (answer,) = paid(order(7, payee(account_number="98765432101"), 700))
    text = told("ach_file", str(at_the_bank(ach)[0]))
    assert f"{answer.reference_id} 22 23138010 ••2101 7.00 USD" in text
    assert "Debits 7.00 USD, credits 7.00 USD" in text
    assert "98765432101" not in text


def test_returns_are_shown_with_their_codes(tmp_path: Path) -> None:
    path = tmp_path / "returns.ach"
    path.write_bytes(bank_file(("CCD", [returned("R03", trace="121042880000001")])))
    assert "R03 of 121042880000001" in told("ach_file", str(path))


@pytest.mark.parametrize("path", sorted(DATA.glob("[gr]*/*.ach")), ids=lambda path: path.name)
def test_any_good_file_is_shown(path: Path) -> None:
    assert "Debits" in told("ach_file", str(path))


def test_a_broken_file_is_told_line_by_line() -> None:
    with pytest.raises(CommandError, match="line 5: the line has 74 characters"):
        told("ach_file", str(DATA / "corrupt" / "short-line.ach"))
