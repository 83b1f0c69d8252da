"""Everything dies, and every payment is made once; and what would have been wrong is seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import judging, plan
from tests.chaos.judging import Balances, Found, Settlement, Wrong
from tests.chaos.mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
# On servers of its own: they are killed, and durable, as those of the other tests are not.
VAR = Path(os.environ.get("CHAINPAY_VAR") or ROOT / "var" / "test") / "chaos"


def chaos(*words: str) -> str:
    """What a run says; a run that finds anything wrong fails the test with all of it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--var", str(VAR), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_is_lost_and_nothing_paid_twice_while_everything_is_killed() -> None:
    said = chaos(
        "--only",
        "releases",
        "--releases",
        "100",
        "--seed",
        "11",
        "--minutes",
        "0.35",
        "--every",
        "2",
        "--patience",
        "180",
    )
    assert "Nothing lost, nothing paid twice, books balanced, nothing stuck." in said
    assert "PostgreSQL killed 1" in said
    assert "Redis killed 1" in said


def test_the_three_classical_mistakes_are_caught() -> None:
    said = chaos("--seed", "11", "--mutants", "no-key", "inside-the-transaction", "acknowledged-early")
    assert "3 of 3 mutants caught." in said


def test_every_mutant_says_by_what_it_shows() -> None:
    assert all(mutant.shows <= judging.FOR_GOOD and mutant.says for mutant in MUTANTS.values())


# The judge, on cases made by hand

ORDER = plan.Planned(number=1, risk="0.81", minor=10_000, currency="USD", recipient=3, events=["POD_CONFIRMED"])
OWED = {"POD_CONFIRMED": 8_000, "CLAIM_WINDOW_CLOSED": 2_000}
INTENTS = {1: 77}


def settlement(number: int, event: str, status: str = "SETTLED") -> Settlement:
    reference = "" if status == "FAILED" else f"tr_{number}"
    return Settlement(number, 77, event, OWED[event], "USD", status, reference, "")


def transfer(number: int, minor: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"tr_{number}",
        "amount": minor,
        "amount_reversed": 0,
        "currency": "usd",
        "destination": plan.account_of(3),
        "metadata": {"chainpay_settlement": str(number)},
        **changes,
    }


GOOD = (settlement(1, "POD_CONFIRMED"), settlement(2, "CLAIM_WINDOW_CLOSED"))
PAID = (transfer(1, 8_000), transfer(2, 2_000))


def wrongs(settlements: tuple[Settlement, ...] = GOOD, transfers: tuple[dict[str, object], ...] = PAID) -> list[Wrong]:
    found = Found(settlements=settlements, transfers=transfers)
    return [violation.wrong for violation in judging.judge([ORDER], INTENTS, found)]


def test_what_was_planned_and_paid_is_right() -> None:
    assert ORDER.owed == OWED
    assert wrongs() == []


@pytest.mark.parametrize(
    ("settlements", "transfers", "wrong"),
    [
        (GOOD, (*PAID, transfer(1, 8_000, id="tr_again")), Wrong.TWICE),
        (GOOD, PAID[:1], Wrong.UNPAID),
        (GOOD[:1], PAID[:1], Wrong.LOST),
        (GOOD, (*PAID, transfer(9, 5)), Wrong.NOBODYS),
        (GOOD, (PAID[0], transfer(2, 2_001)), Wrong.OTHERWISE),
        (GOOD, (PAID[0], transfer(2, 2_000, destination="acct_other")), Wrong.OTHERWISE),
        (GOOD, (PAID[0], transfer(2, 2_000, currency="eur")), Wrong.OTHERWISE),
        (GOOD, (PAID[0], transfer(2, 2_000, id="tr_unknown_here")), Wrong.OTHERWISE),
        ((GOOD[0], settlement(2, "CLAIM_WINDOW_CLOSED", "FAILED")), PAID, Wrong.REFUSED),
        ((GOOD[0], settlement(2, "CLAIM_WINDOW_CLOSED", "RELEASING")), PAID, Wrong.STUCK),
        ((GOOD[0], settlement(2, "CLAIM_WINDOW_CLOSED", "APPROVED")), PAID, Wrong.STUCK),
    ],
)
def test_what_is_wrong_is_called_by_its_name(
    settlements: tuple[Settlement, ...], transfers: tuple[dict[str, object], ...], wrong: Wrong
) -> None:
    assert wrongs(settlements, transfers) == [wrong]


def test_a_refusal_without_a_transfer_is_no_loss() -> None:
    assert wrongs((GOOD[0], settlement(2, "CLAIM_WINDOW_CLOSED", "FAILED")), PAID[:1]) == []


def test_the_worst_comes_first() -> None:
    assert wrongs(GOOD[:1], (PAID[0], transfer(1, 8_000, id="tr_again"))) == [Wrong.TWICE, Wrong.LOST]


@pytest.mark.parametrize(("sent", "on_its_way", "right"), [(10_000, 0, True), (9_999, 0, False), (10_000, 1, False)])
def test_the_books_are_held_against_the_providers_list(sent: int, on_its_way: int, right: bool) -> None:
    found = Found(settlements=GOOD, transfers=PAID)
    assert bool(judging.judge_books(found, [Balances("USD", sent, on_its_way)])) is not right


def test_a_currency_that_the_books_do_not_know_is_missing_there() -> None:
    assert judging.judge_books(Found(settlements=GOOD, transfers=PAID), [])
