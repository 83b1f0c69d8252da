"""Files that we write: every total right, judged by two validators that are not ours."""

import random
from datetime import date

import achkit
import pytest
from achlens.core.validator import validate
from hypothesis import given
from hypothesis import strategies as st

from rails.ach.calendar import next_banking_day
from rails.ach.codes import AccountType, Direction, ServiceClass, transaction_code
from rails.ach.reader import read
from rails.ach.writer import DoesNotFit, plain, write
from tests.rails.ach.samples import BANK, batch, entry, file


def is_valid(content: bytes) -> bool:
    """Whether the two others have nothing to say against it, not even a warning."""
    text = content.decode("ascii")
    report = validate(text)
    assert not report.findings, report.findings
    told = achkit.validate(text)
    assert not told["errors"], told["errors"]
    return bool(report.valid and told["ok"])


@pytest.mark.parametrize("count", [1, 4, 5, 6, 7, 8, 16, 17])
def test_a_file_is_valid_at_every_filling_of_its_last_block(count):
    content = write(file([batch([entry(number) for number in range(1, count + 1)])])).content
    assert is_valid(content)
    assert len(content) % (95 * 10) == 0


def test_a_balanced_file_of_two_classes_is_valid():
    credits_ = [entry(number, amount_minor=number * 1_000_001) for number in range(1, 4)]
    debit = entry(
        9,
        transaction_code=transaction_code(AccountType.CHECKING, Direction.DEBIT),
        routing_number=BANK,
        amount_minor=6_000_006,
    )
    other = entry(10, transaction_code="32", amount_minor=5)
    back = entry(11, transaction_code="37", amount_minor=5)
    written = write(file([batch([*credits_, debit]), batch([other, back], sec="CCD", number=2)]))
    assert is_valid(written.content)
    assert written.totals.debits_minor == written.totals.credits_minor == 6_000_011
    assert read(written.content).totals == written.totals


def test_ten_thousand_entries_are_valid():
    entries = [entry(number, amount_minor=number) for number in range(1, 10_001)]
    written = write(file([batch(entries, service_class=ServiceClass.CREDITS_ONLY)]))
    assert is_valid(written.content)
    assert written.totals.entry_hash == 23_138_010 * 10_000 % 10**10


def test_the_hash_drops_what_is_above_ten_digits():
    entries = [entry(number, routing_number="999999992") for number in range(1, 202)]
    written = write(file([batch(entries)]))
    assert written.totals.entry_hash == 99_999_999 * 201 % 10**10
    assert read(written.content).totals == written.totals
    assert is_valid(written.content)


@given(
    st.lists(
        st.tuples(st.integers(1, 10**10 - 1), st.sampled_from(["22", "27", "32", "37"]), st.text(max_size=40)),
        min_size=1,
        max_size=40,
    )
)
def test_what_is_written_is_read_back_with_the_same_totals(rows):
    entries = [
        entry(number, amount_minor=amount, transaction_code=code, name=f"A{name}")
        for number, (amount, code, name) in enumerate(rows, 1)
    ]
    written = write(file([batch(entries)]))
    found = read(written.content)
    assert found.totals == written.totals
    assert [item.amount_minor for _, item in found.entries()] == [amount for amount, _, _ in rows]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 10**10},
        {"account_number": "1" * 18},
        {"account_number": ""},
        {"account_number": "12é"},
        {"account_number": "1\n2"},
        {"transaction_code": "20"},
        {"identification": "X" * 16},
        {"trace_number": "12104288000000"},
        {"trace_number": "1210428800000012"},
    ],
)
def test_what_does_not_fit_is_never_cut_off(wrong):
    with pytest.raises(DoesNotFit) as refused:
        write(file([batch([entry(1, **wrong)])]))
    assert "1" * 18 not in str(refused.value)


def test_a_batch_without_entries_is_not_written():
    with pytest.raises(DoesNotFit):
        write(file([batch([])]))


@pytest.mark.parametrize("modifier", ["", "a", "AB", "-"])
def test_the_file_id_modifier_is_one_letter_or_digit(modifier):
    with pytest.raises(DoesNotFit):
        write(file([batch([entry()])], id_modifier=modifier))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("José Ærø & Söhne GmbH", "Jose AEro & Sohne GmbH"),
        ("Łódź Spedycja", "Lodz Spedycja"),
        ("Weiß  Straße", "Weiss Strasse"),
        ("O’Brien – Haulage", "O'Brien - Haulage"),
        ("A\tB\nC", "A B C"),
        ("運送", ""),
    ],
)
def test_names_are_written_in_the_characters_of_the_format(name, written):
    assert plain(name) == written


@given(st.text())
def test_no_name_brings_a_character_that_the_format_does_not_know(name):
    assert all(" " <= sign <= "~" for sign in plain(name))


def test_account_numbers_and_names_are_in_no_printed_form_of_an_entry():
    printed = repr(file([batch([entry(1, account_number="987654321", name="Zaphod")])]))
    assert "987654321" not in printed
    assert "Zaphod" not in printed


def test_many_random_files_are_valid():
    chance = random.Random(5)
    for _ in range(30):
        entries = [
            entry(number, amount_minor=chance.randint(1, 10**9), transaction_code=chance.choice(["22", "32"]))
            for number in range(1, chance.randint(2, 40))
        ]
        day = next_banking_day(date(2025, 11, chance.randint(1, 28)))
        assert is_valid(write(file([batch(entries, effective_entry_date=day)])).content)
