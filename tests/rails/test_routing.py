"""What a bank would take as a destination, and what it would send back."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rails import destinations
from rails.routing import aba
from rails.routing.details import DestinationRefused, Details

ACH = {
    "routing_number": "021000021",
    "account_number": "12345678901234567",
    "account_type": "checking",
    "holder_name": "BOZZA HAULAGE LLC",
    "sec_code": "CCD",
}
WIRE = {
    "iban": "DE89370400440532013000",
    "bic": "COBADEFFXXX",
    "creditor_name": "Bozza Spedition GmbH",
    "street": "Hafenstr.",
    "building_number": "7",
    "postal_code": "20457",
    "town": "Hamburg",
    "country": "DE",
}
FEDWIRE = {
    "routing_number": "026009593",
    "account_number": "004005600789",
    "creditor_name": "Bozza Haulage LLC",
    "town": "New York",
    "country": "US",
}


def faults_of(rail: str, given: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(DestinationRefused) as refusal:
        destinations.read(rail, given)
    return [(fault.field, fault.code) for fault in refusal.value.faults]


@pytest.mark.parametrize("number", ["021000021", "011401533", "026009593", "322271627", "121000358", "091000019"])
def test_routing_numbers_of_banks_are_right(number: str) -> None:
    assert aba.is_routing_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "021000022",  # check digit
        "02100002",
        "0210000210",
        "02100002a",
        "٠٢١٠٠٠٠٢١",
        "000000000",  # US Treasury
        "131000000",
        "800000000",  # traveller's cheques
        "991000000",
    ],
)
def test_other_numbers_are_no_routing_numbers(number: str) -> None:
    assert not aba.is_routing_number(number)


@given(st.integers(1, 12), st.integers(0, 999_999), st.integers(0, 8), st.integers(1, 9))
def test_no_single_wrong_digit_passes(district: int, rest: int, place: int, off: int) -> None:
    eight = f"{district:02}{rest:06}"
    right = f"{eight}{aba.check_digit(eight)}"
    assert aba.is_routing_number(right)
    wrong = right[:place] + str((int(right[place]) + off) % 10) + right[place + 1 :]
    assert not aba.is_routing_number(wrong)


def test_a_bank_account_is_shown_without_its_number() -> None:
    details = destinations.read("ach", ACH)
    assert details.number == "12345678901234567"
    assert details.shown == {
        "routing_number": "021000021",
        "account_type": "checking",
        "holder_name": "BOZZA HAULAGE LLC",
        "sec_code": "CCD",
        "last4": "4567",
    }
    assert destinations.in_words(details) == "checking account ••4567 at 021000021, BOZZA HAULAGE LLC, CCD"
    assert "12345678901234567" not in repr(details)


@pytest.mark.parametrize(("number", "shown"), [("12345678", "5678"), ("1234567", "67"), ("1234", "34"), ("123", "")])
def test_of_a_short_number_less_is_shown(number: str, shown: str) -> None:
    assert destinations.read("ach", {**ACH, "account_number": number}).shown["last4"] == shown


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("routing_number", "021000022"),
        ("routing_number", 21000021),
        ("account_number", ""),
        ("account_number", "123456789012345678"),
        ("account_number", "12 34"),
        ("account_number", "-1234"),
        ("account_number", "1234-"),
        ("account_number", "0000000"),
        ("account_number", "12é4"),
        ("account_number", 12345678),
        ("account_number", "1234\n"),
        ("account_type", "Checking"),
        ("account_type", "loan"),
        ("account_type", ["checking"]),
        ("holder_name", ""),
        ("holder_name", " BOZZA"),
        ("holder_name", "BOZZA "),
        ("holder_name", "TRÄGER GMBH"),
        ("holder_name", "BOZZA INTERNATIONAL LLC"),
        ("holder_name", "BOZZA\x00"),
        ("holder_name", "BOZZA\n"),
        ("sec_code", "WEB"),
        ("sec_code", "ccd"),
        ("sec_code", None),
    ],
)
def test_what_nacha_does_not_allow_is_refused_with_its_field(field: str, value: Any) -> None:
    ending = "missing" if value is None else "invalid"
    assert faults_of("ach", {**ACH, field: value}) == [(field, f"{field}_{ending}")]


def test_all_faults_are_told_at_once_and_none_repeats_a_value() -> None:
    wrong = {"routing_number": "999999999", "account_number": "secret number", "sort_code": "12-34-56"}
    with pytest.raises(DestinationRefused) as refusal:
        destinations.read("ach", wrong)
    assert [fault.code for fault in refusal.value.faults] == [
        "unknown_field",
        "routing_number_invalid",
        "account_number_invalid",
        "account_type_missing",
        "holder_name_missing",
        "sec_code_missing",
    ]
    assert not any(value in str(refusal.value) for value in wrong.values())


@pytest.mark.parametrize("account", ["acct_1032D82eZvKYlo2C", "acct_TEST0001"])
def test_a_stripe_account_is_shown(account: str) -> None:
    details = destinations.read("stripe", {"account": account})
    assert details == Details(rail="stripe", shown={"account": account}, number=account)


@pytest.mark.parametrize(
    "account", ["", "acct_", "cus_1032D82eZvKYlo2C", "acct_1032 D82eZvKYlo2C", "ACCT_1032D82eZv", 7]
)
def test_another_id_is_no_stripe_account(account: Any) -> None:
    assert faults_of("stripe", {"account": account}) == [("account", "account_invalid")]


def test_an_iban_may_be_written_in_groups() -> None:
    details = destinations.read("wire", {**WIRE, "iban": "de89 3704 0044 0532 0130 00", "bic": "cobadeff"})
    assert details.number == "DE89370400440532013000"
    assert details.shown["bic"] == "COBADEFF"
    assert destinations.in_words(details) == "IBAN ••3000 at COBADEFF, Bozza Spedition GmbH, Hamburg DE"


def test_a_us_account_goes_by_fedwire() -> None:
    details = destinations.read("wire", FEDWIRE)
    assert (details.number, details.shown["number_kind"], details.shown["last4"]) == (
        "004005600789",
        "account_number",
        "0789",
    )
    assert destinations.in_words(details) == "account ••0789 at 026009593, Bozza Haulage LLC, New York US"


def test_where_there_are_no_ibans_an_account_number_goes_with_a_bic() -> None:
    japan = {
        "bic": "BOTKJPJT",
        "account_number": "1234567",
        "creditor_name": "Nippon",
        "town": "Tokyo",
        "country": "JP",
    }
    assert destinations.read("wire", japan).shown["bic"] == "BOTKJPJT"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"iban": "DE89370400440532013001"}, ("iban", "iban_invalid")),
        ({"iban": "DE8937040044053201300"}, ("iban", "iban_invalid")),
        ({"iban": "US89370400440532013000"}, ("iban", "iban_invalid")),
        ({"bic": "COBADEF"}, ("bic", "bic_invalid")),
        ({"bic": "COBAXXFF"}, ("bic", "bic_invalid")),
        ({"bic": "C0BADEFF"}, ("bic", "bic_invalid")),
        ({"bic": "BNPAFRPP"}, ("bic", "bic_invalid")),
        ({"bic": None}, ("iban", "account_ambiguous")),
        ({"routing_number": "026009593"}, ("iban", "account_ambiguous")),
        ({"iban": None, "account_number": "123"}, ("account_number", "account_number_invalid")),
        ({"iban": None}, ("account_number", "account_ambiguous")),
        ({"country": "DEU"}, ("country", "country_invalid")),
        ({"country": "de"}, ("country", "country_invalid")),
        ({"country": "XX"}, ("country", "country_invalid")),
        ({"creditor_name": "Träger GmbH"}, ("creditor_name", "creditor_name_invalid")),
        ({"creditor_name": "x" * 141}, ("creditor_name", "creditor_name_invalid")),
        ({"town": "x" * 36}, ("town", "town_invalid")),
        ({"town": None}, ("town", "town_missing")),
        ({"street": "a_b"}, ("street", "street_invalid")),
        ({"postal_code": ""}, ("postal_code", "postal_code_invalid")),
    ],
)
def test_a_wire_that_no_bank_would_take_is_refused(changed: dict[str, Any], fault: tuple[str, str]) -> None:
    assert faults_of("wire", {**WIRE, **changed}) == [fault]


def test_banks_of_a_country_s_territories_share_its_ibans() -> None:
    guernsey = {**WIRE, "iban": "GB33BUKB20201555555555", "bic": "BUKBGGSP", "country": "GG"}
    assert destinations.read("wire", guernsey).shown["bic"] == "BUKBGGSP"


@pytest.mark.parametrize("rail", ["internal_ledger", "paypal", ""])
def test_other_rails_have_no_destinations(rail: str) -> None:
    assert faults_of(rail, {}) == [("", "payment_method_unknown")]


@given(
    st.dictionaries(st.text(max_size=20), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))
)
@pytest.mark.parametrize("rail", destinations.RAILS)
def test_whatever_is_written_is_read_or_refused(rail: str, given: dict[str, Any]) -> None:
    with suppress(DestinationRefused):
        assert destinations.read(rail, given).number
