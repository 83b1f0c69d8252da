import tracemalloc
from decimal import Decimal
from itertools import pairwise

import pycountry
import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from rails.money import EXPONENTS, MAX_MAJOR, CurrencyMismatch, Money, MoneyError, SharesNotWhole

ONE_OF_EACH_EXPONENT = st.sampled_from(["JPY", "USD", "KWD"])


def short(value: object) -> str:
    """A test's name for a value that may have thousands of digits."""
    return f"{value.bit_length()} bits" if isinstance(value, int) else ascii(value)[:24]


@st.composite
def schedules(draw: st.DrawFn) -> list[Decimal]:
    """Any split of 1 into shares of up to six digits, zeros among them."""
    cuts = sorted(draw(st.lists(st.integers(0, 10**6), max_size=7)))
    edges = [0, *cuts, 10**6]
    return [Decimal(end - start) / 10**6 for start, end in pairwise(edges)]


@pytest.mark.parametrize("currency", EXPONENTS)
def test_every_exponent_agrees_with_the_currency_libraries(currency: str) -> None:
    assert pycountry.currencies.get(alpha_3=currency) is not None
    assert get_currency_precision(currency) == EXPONENTS[currency]


@pytest.mark.parametrize(
    ("raw", "currency", "minor", "text"),
    [
        (10000, "USD", 1_000_000, "10000.00"),
        (Decimal("10000.00"), "USD", 1_000_000, "10000.00"),
        ("10000.00", "USD", 1_000_000, "10000.00"),
        ("10.1000", "USD", 1010, "10.10"),
        (Decimal("1e4"), "USD", 1_000_000, "10000.00"),
        (Decimal("10000.0"), "JPY", 10000, "10000"),
        ("1.234", "KWD", 1234, "1.234"),
        (Decimal("0.01"), "EUR", 1, "0.01"),
        ("0.001", "KWD", 1, "0.001"),
        ("1", "JPY", 1, "1"),
        ("99999999999.99", "USD", 9_999_999_999_999, "99999999999.99"),
        ("99999999999", "JPY", 99_999_999_999, "99999999999"),
        ("99999999999.990", "KWD", 99_999_999_999_990, "99999999999.990"),
    ],
)
def test_an_amount_is_read_exactly(raw: object, currency: str, minor: int, text: str) -> None:
    money = Money.parse(raw, currency)
    assert (money.minor, money.text, str(money.major)) == (minor, text, text)


@pytest.mark.parametrize(
    ("raw", "currency", "code"),
    [
        (None, "USD", "amount_missing"),
        (True, "USD", "amount_not_a_number"),
        (False, "USD", "amount_not_a_number"),
        ([], "USD", "amount_not_a_number"),
        ({"amount": 1}, "USD", "amount_not_a_number"),
        (0, "USD", "amount_not_positive"),
        (-1, "USD", "amount_not_positive"),
        (-(10**5000), "USD", "amount_not_positive"),
        (Decimal("0.00"), "USD", "amount_not_positive"),
        (Decimal("-0"), "USD", "amount_not_positive"),
        (Decimal("0e999999999"), "USD", "amount_not_positive"),
        (Decimal("-1e999999999"), "USD", "amount_not_positive"),
        ("0", "USD", "amount_not_positive"),
        ("-5", "USD", "amount_not_positive"),
        (Decimal("NaN"), "USD", "amount_not_a_number"),
        (Decimal("sNaN"), "USD", "amount_not_a_number"),
        (Decimal("Infinity"), "USD", "amount_not_a_number"),
        (Decimal("-Infinity"), "USD", "amount_not_a_number"),
        (float("nan"), "USD", "amount_not_a_number"),
        (float("inf"), "USD", "amount_not_a_number"),
        (Decimal("1e400"), "USD", "amount_too_large"),
        (Decimal("1e999999999"), "USD", "amount_too_large"),
        (Decimal("1e-999999999"), "USD", "amount_too_precise"),
        (int("1" * 4000), "USD", "amount_too_large"),
        (10**5000, "USD", "amount_too_large"),
        ("1" * 5000, "USD", "amount_too_long"),
        (Decimal("1" * 5000), "USD", "amount_too_large"),
        (Decimal("1." + "1" * 5000), "USD", "amount_too_long"),
        (Decimal("1.001"), "USD", "amount_too_precise"),
        ("1.5", "JPY", "amount_too_precise"),
        ("1.2345", "KWD", "amount_too_precise"),
        (MAX_MAJOR + Decimal("0.01"), "USD", "amount_too_large"),
        (100_000_000_000, "JPY", "amount_too_large"),
        (Decimal("99999999999.991"), "KWD", "amount_too_large"),
        *(
            (text, "USD", "amount_not_a_number")
            for text in [
                "",
                " ",
                " 1",
                "1 ",
                "1\n",
                "1 000",
                "+1",
                "--1",
                "1e4",
                "1E4",
                "1_000",
                "1,000",
                "1.",
                ".5",
                ".",
                "1.2.3",
                "0x10",
                "NaN",
                "Infinity",
                "-Infinity",
                "٣",
                "１",
                "1.٣",
                "½",
                "$1",
                "ten",
                "1\x00",
            ]
        ),
    ],
    ids=short,
)
def test_what_is_no_amount_is_refused_with_its_code(raw: object, currency: str, code: str) -> None:
    with pytest.raises(MoneyError) as refusal:
        Money.parse(raw, currency)
    assert (refusal.value.code, refusal.value.field) == (code, "amount")
    assert refusal.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("currency", "code"),
    [
        (None, "currency_missing"),
        ("", "currency_unknown"),
        ("usd", "currency_unknown"),
        (" USD", "currency_unknown"),
        ("XXX", "currency_unknown"),
        (840, "currency_unknown"),
        (["USD"], "currency_unknown"),
        ({}, "currency_unknown"),
        (True, "currency_unknown"),
    ],
)
def test_what_is_no_currency_is_refused_with_its_code(currency: object, code: str) -> None:
    with pytest.raises(MoneyError) as refusal:
        Money.parse(1, currency)
    assert (refusal.value.code, refusal.value.field) == (code, "currency")


def test_a_lower_case_currency_is_told_its_spelling() -> None:
    with pytest.raises(MoneyError, match="write EUR"):
        Money.parse(1, "eur")


@pytest.mark.parametrize(
    "raw", [Decimal("1e999999999"), Decimal("1e-999999999"), Decimal("0e999999999"), 10**5000], ids=short
)
def test_a_monstrous_number_costs_no_memory(raw: Decimal | int) -> None:
    tracemalloc.start()
    with pytest.raises(MoneyError):
        Money.parse(raw, "USD")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("amount", [1.0, 0.1, True, None, b"1"])
def test_money_is_never_made_of_a_float_or_a_bool(amount: object) -> None:
    with pytest.raises(TypeError):
        Money.from_major(amount, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(amount, "USD")  # type: ignore[arg-type]


def test_a_finite_float_from_a_decoder_is_a_bug() -> None:
    with pytest.raises(TypeError):
        Money.parse(1.5, "USD")


def test_zero_is_only_had_by_name() -> None:
    assert Money.zero("JPY").text == "0"
    with pytest.raises(MoneyError):
        Money.from_major(0, "JPY")


def test_a_negative_balance_is_written_with_its_sign() -> None:
    assert [Money(minor, "USD").text for minor in (-1, -100, -12345)] == ["-0.01", "-1.00", "-123.45"]


def test_arithmetic_stays_in_one_currency() -> None:
    dollars, yen = Money(150, "USD"), Money(150, "JPY")
    assert dollars + Money(50, "USD") == Money(200, "USD")
    assert dollars - Money(200, "USD") == Money(-50, "USD")
    assert dollars != yen
    for forbidden in (lambda: dollars + yen, lambda: dollars - yen, lambda: dollars < yen, lambda: dollars >= yen):
        with pytest.raises(CurrencyMismatch):
            forbidden()
    with pytest.raises(TypeError):
        dollars + 1  # type: ignore[operator]


def test_amounts_of_one_currency_have_an_order() -> None:
    one, two = Money(1, "USD"), Money(2, "USD")
    assert one < two <= two
    assert two > one >= one
    assert max(one, two) == two


def test_ten_thousand_dollars_of_a_low_risk_intent_split_20_70_10() -> None:
    parts = Money.from_major(10000, "USD").allocate([Decimal("0.2"), Decimal("0.7"), Decimal("0.1")])
    assert [part.text for part in parts] == ["2000.00", "7000.00", "1000.00"]


@pytest.mark.parametrize(
    ("minor", "shares", "expected"),
    [
        (1, ["0.5", "0.5"], [1, 0]),
        (1, ["0.2", "0.7", "0.1"], [0, 1, 0]),
        (100, ["0.333", "0.333", "0.334"], [33, 33, 34]),
        (3, ["0.25", "0.25", "0.25", "0.25"], [1, 1, 1, 0]),
        (5, ["0", "0.5", "0.5", "0"], [0, 3, 2, 0]),
        (0, ["0.5", "0.5"], [0, 0]),
        (7, ["1"], [7]),
        (7, ["0E-999999", "1.0"], [0, 7]),
    ],
)
def test_left_over_units_go_to_the_largest_remainder_then_the_first(
    minor: int, shares: list[str], expected: list[int]
) -> None:
    parts = Money(minor, "USD").allocate([Decimal(share) for share in shares])
    assert [part.minor for part in parts] == expected


@given(minor=st.integers(0, 99_999_999_999_990), currency=ONE_OF_EACH_EXPONENT, shares=schedules())
def test_allocated_parts_always_sum_to_the_amount(minor: int, currency: str, shares: list[Decimal]) -> None:
    parts = Money(minor, currency).allocate(shares)
    assert sum(part.minor for part in parts) == minor
    for part, share in zip(parts, shares, strict=True):
        assert abs(part.minor - minor * share) < 1
        assert part.minor == 0 or share > 0


@given(minor=st.integers(1, 99_999_999_999), currency=ONE_OF_EACH_EXPONENT)
def test_writing_and_reading_an_amount_gives_it_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.text, currency) == money
    assert Money.parse(money.major, currency) == money


@pytest.mark.parametrize(
    "shares",
    [[], ["0.5"], ["0.5", "0.6"], ["-0.5", "1.5"], ["1.1", "-0.1"], ["NaN"], ["Infinity"], ["0.999999999999999999"],
     ["1", "1e-999999999"], ["1", "-0.0000001"]],
)  # fmt: skip
def test_shares_that_are_not_a_whole_are_refused(shares: list[str]) -> None:
    with pytest.raises(SharesNotWhole):
        Money(100, "USD").allocate([Decimal(share) for share in shares])


def test_a_share_is_never_a_float() -> None:
    with pytest.raises(TypeError):
        Money(100, "USD").allocate([0.5, 0.5])  # type: ignore[list-item]


@pytest.mark.parametrize(("currency", "digits"), [("JPY", "no"), ("USD", "at most 2"), ("KWD", "at most 3")])
def test_an_amount_too_precise_is_told_how_many_digits_its_currency_has(currency: str, digits: str) -> None:
    with pytest.raises(MoneyError, match=f"^{currency} amounts have {digits} digits after the point.$"):
        Money.parse(Decimal("1.23456"), currency)
