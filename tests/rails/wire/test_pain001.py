"""Whether a bank would take the file: held against the published schema, and against what banks ask beyond it."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import xmlschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from rails.money import EXPONENTS, CurrencyMismatch, Money
from rails.wire import pain001
from rails.wire.characters import CannotBeWritten, written
from rails.wire.configuration import WireConfiguration
from rails.wire.pain001 import Initiation, NotValid
from rails.wire.parties import BankAccount, Party
from rails.wire.transfers import Transfer, as_banks_write
from tests.rails.wire.bank import MONDAY, configured, look

# Read by another implementation of XML Schema than the one that the writer uses.
SCHEMA = Path(pain001.__file__).with_name("schema") / "pain.001.001.09.xsd"
BLNS = json.loads((Path(__file__).parents[2] / "data" / "blns" / "blns.json").read_text())
PARTY = Party(name="Bozza Spedition GmbH", town="Hamburg", country="DE", street="Hafenstrasse", building_number="12")
IBAN = BankAccount(number="DE89370400440532013000", is_iban=True, bic="COBADEFFXXX")
SEVEN_THOUSAND = Money(700_000, "USD")
FEDWIRE = BankAccount(number="5512345678", is_iban=False, routing_number="121000248")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMA))


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> WireConfiguration:
    return configured(tmp_path_factory.mktemp("wire"))


def transfer(number: int = 1, amount: Money = SEVEN_THOUSAND, **changes: Any) -> Transfer:
    made = Transfer(
        milestone_id=number,
        attempt_number=1,
        destination_id=1,
        amount=amount,
        uetr=UUID("b91d993d-76d3-49a2-bf82-7486b4593fe3"),
        creditor=PARTY,
        account=IBAN,
    )
    return replace(made, **changes)


def initiation(configuration: WireConfiguration, *transfers: Transfer) -> Initiation:
    return Initiation(
        message_id="CPWIRE-USD-20261130-1",
        created_at=MONDAY,
        execution_date=date(2026, 11, 30),
        debtor=configuration.debtor,
        account=configuration.accounts[transfers[0].amount.currency],
        transfers=transfers,
    )


def parsed(content: bytes) -> Any:
    return etree.fromstring(content)


def test_the_file_says_what_is_to_be_paid(configuration: WireConfiguration, schema: xmlschema.XMLSchema) -> None:
    content = pain001.write(initiation(configuration, transfer(17), transfer(18, account=FEDWIRE)))
    schema.validate(content.decode())
    file = parsed(content)
    assert content.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n")
    assert look(file, "GrpHdr/MsgId") == ["CPWIRE-USD-20261130-1"]
    assert look(file, "GrpHdr/CreDtTm") == ["2026-11-30T21:30:05+00:00"]
    assert look(file, "GrpHdr/NbOfTxs") == look(file, "PmtInf/NbOfTxs") == ["2"]
    assert look(file, "GrpHdr/CtrlSum") == look(file, "PmtInf/CtrlSum") == ["14000.00"]
    assert look(file, "ReqdExctnDt/Dt") == ["2026-11-30"]
    assert look(file, "Dbtr/Nm") == look(file, "InitgPty/Nm") == ["ChainPay Inc"]
    assert look(file, "DbtrAcct/Id/Othr/Id") == ["4412345678"]
    assert look(file, "DbtrAgt/FinInstnId/ClrSysMmbId/MmbId") == ["021000021"]
    assert look(file, "PmtId/EndToEndId") == look(file, "PmtId/InstrId") == ["CP-17-1", "CP-18-1"]
    assert look(file, "PmtId/UETR")[0] == "b91d993d-76d3-49a2-bf82-7486b4593fe3"
    assert look(file, "CdtrAgt/FinInstnId/BICFI") == ["COBADEFFXXX"]
    assert look(file, "CdtrAgt/FinInstnId/ClrSysMmbId/ClrSysId/Cd") == ["USABA"]
    assert look(file, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") == ["121000248"]
    assert look(file, "CdtrAcct/Id/IBAN") == ["DE89370400440532013000"]
    assert look(file, "CdtrAcct/Id/Othr/Id") == ["5512345678"]
    assert look(file, "Cdtr/PstlAdr/TwnNm") == ["Hamburg", "Hamburg"]
    assert look(file, "Cdtr/PstlAdr/Ctry") == ["DE", "DE"]
    assert look(file, "Cdtr/PstlAdr/AdrLine") == []
    assert look(file, "RmtInf/Ustrd") == ["Freight CP-17-1", "Freight CP-18-1"]


@pytest.mark.parametrize("currency", EXPONENTS)
@pytest.mark.parametrize("minor", [1, 10, 9_999, 1_234_567_890])
def test_each_currency_has_its_digits(
    configuration: WireConfiguration, schema: xmlschema.XMLSchema, currency: str, minor: int
) -> None:
    amount = Money(minor, currency)
    content = pain001.write(initiation(configuration, transfer(amount=amount), transfer(2, amount)))
    schema.validate(content.decode())
    assert look(parsed(content), "InstdAmt") == [amount.text] * 2
    assert look(parsed(content), "GrpHdr/CtrlSum") == [(amount + amount).text]
    (places,) = {len(text.partition(".")[2]) for text in look(parsed(content), "InstdAmt")}
    assert places == EXPONENTS[currency]


def test_currencies_do_not_mix_in_a_file(configuration: WireConfiguration) -> None:
    with pytest.raises(CurrencyMismatch):
        pain001.write(initiation(configuration, transfer(), transfer(2, Money(1, "EUR"))))


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": replace(IBAN, number="no iban")},
        {"account": replace(IBAN, bic="NOBIC")},
        {"creditor": replace(PARTY, name="x" * 141)},
        {"creditor": replace(PARTY, country="Germany")},
        {"creditor": replace(PARTY, town="x" * 36)},
    ],
)
def test_what_no_bank_would_read_is_not_written_and_its_content_not_told(
    configuration: WireConfiguration, wrong: dict[str, Any]
) -> None:
    with pytest.raises(NotValid) as refusal:
        pain001.write(initiation(configuration, transfer(**wrong)))
    for value in ("no iban", "NOBIC", "xxx", "Germany"):
        assert value not in str(refusal.value)


def names(text: str) -> Party | None:
    try:
        return as_banks_write(replace(PARTY, name=text[:140], street=text[:70], town=text[:35] or "x"))
    except CannotBeWritten:
        return None


@pytest.mark.parametrize("text", BLNS)
def test_a_naughty_string_is_written_as_banks_write_or_refused(
    configuration: WireConfiguration, schema: xmlschema.XMLSchema, text: str
) -> None:
    party = names(text)
    if party is None:
        return
    content = pain001.write(initiation(configuration, transfer(creditor=party)))
    schema.validate(content.decode())
    assert look(parsed(content), "Cdtr/Nm") == [party.name]
    assert len(look(parsed(content), "CdtTrfTxInf/PmtId/EndToEndId")) == 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=160))
def test_any_text_is_written_as_banks_write_or_refused(configuration: WireConfiguration, text: str) -> None:
    party = names(text)
    if party is not None:
        assert re.fullmatch(r"[0-9A-Za-z/?:().,'+ -]{1,140}", party.name)
        file = parsed(pain001.write(initiation(configuration, transfer(creditor=party))))
        assert look(file, "Cdtr/Nm") == [party.name]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("Bozza Spedition GmbH", "Bozza Spedition GmbH"),
        ("Müller & Söhne", "Muller + Sohne"),
        ("Ørsted Łódź Straße", "Orsted Lodz Strasse"),
        ("O\u2019Neill \u2013 Sons", "O'Neill - Sons"),
        ("Café  de\u00a0Paris ", "Cafe de Paris"),
        ("Æther \u201cFast\u201d", "AEther 'Fast'"),
    ],
)
def test_letters_lose_their_marks(text: str, becomes: str) -> None:
    assert written(text, what="the name", longest=140) == becomes


@pytest.mark.parametrize(
    "text",
    ["", " ", "...", "株式会社", "Перевозки", "a\nb", "a\x00b", "a\u202eb", "😀", "<Nm>", "a;b", "x" * 141, "a\tb"],
)
def test_what_banks_do_not_carry_is_refused_and_not_guessed_at(text: str) -> None:
    with pytest.raises(CannotBeWritten):
        written(text, what="the name", longest=140)
