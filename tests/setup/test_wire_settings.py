"""What the environment says about wires: read once, checked, and refused by name when it is wrong."""

import json
from datetime import time
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import wire
from rails.wire.configuration import WireConfiguration

DEBTOR = {"name": "Bozza Freight Inc", "town": "New York", "country": "US", "street": "Harbor Street"}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "USD": {"account_number": "4412345678", "routing_number": "021000021", "cut_offs": ["16:30", "11:00"]},
    "EUR": {
        "iban": "DE89 3704 0044 0532 0130 00",
        "bic": "COBADEFFXXX",
        "time_zone": "Europe/Berlin",
        "charges": "SLEV",
    },
}
COMPLETE = {
    "WIRE_OUTBOX_DIR": "/srv/wire/outbox",
    "WIRE_DEBTOR": json.dumps(DEBTOR),
    "WIRE_ACCOUNTS": json.dumps(ACCOUNTS),
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*COMPLETE, "WIRE_INBOX_DIR", "WIRE_WINDOW_MINUTES", "WIRE_CALENDAR"):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, place: Path, *, demo: bool = False, **given: Any) -> WireConfiguration | None:
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    return wire.read(environ.Env(), place, demo=demo)


def test_without_an_outbox_the_rail_is_not_enabled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read(monkeypatch, tmp_path) is None


def test_in_the_demo_it_works_at_once_every_five_minutes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configuration = read(monkeypatch, tmp_path, demo=True)
    assert configuration is not None
    assert configuration.outbox == tmp_path / "wire" / "outbox"
    assert configuration.outbox.is_dir()
    assert configuration.every_day
    assert {len(account.cut_offs) for account in configuration.accounts.values()} == {288}


def test_what_is_set_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configuration = read(monkeypatch, tmp_path, demo=True, **dict[str, Any](COMPLETE), WIRE_INBOX_DIR="/srv/wire/inbox")
    assert configuration is not None
    assert (configuration.outbox, configuration.inbox) == (Path("/srv/wire/outbox"), Path("/srv/wire/inbox"))
    assert configuration.debtor.name == "Bozza Freight Inc"
    dollars, euros = configuration.accounts["USD"], configuration.accounts["EUR"]
    assert dollars.cut_offs == (time(11), time(16, 30))
    assert str(dollars.zone) == "America/New_York"
    assert (euros.account.number, euros.account.is_iban) == ("DE89370400440532013000", True)
    assert (str(euros.zone), euros.charges, euros.cut_offs) == ("Europe/Berlin", "SLEV", (time(16),))
    assert (configuration.window_minutes, configuration.every_day) == (60, False)


def account(**changes: Any) -> str:
    return json.dumps({"USD": {**ACCOUNTS["USD"], **changes}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WIRE_OUTBOX_DIR", "relative/outbox"),
        ("WIRE_INBOX_DIR", "relative/inbox"),
        ("WIRE_DEBTOR", ""),
        ("WIRE_DEBTOR", "{"),
        ("WIRE_DEBTOR", "[]"),
        ("WIRE_DEBTOR", json.dumps({**DEBTOR, "country": "USA"})),
        ("WIRE_DEBTOR", json.dumps({**DEBTOR, "name": "株式会社"})),
        ("WIRE_DEBTOR", json.dumps({"name": "x"})),
        ("WIRE_ACCOUNTS", ""),
        ("WIRE_ACCOUNTS", "{}"),
        ("WIRE_ACCOUNTS", json.dumps({"XXX": ACCOUNTS["USD"]})),
        ("WIRE_ACCOUNTS", account(routing_number="021000022")),
        ("WIRE_ACCOUNTS", account(iban="DE89370400440532013000")),
        ("WIRE_ACCOUNTS", account(cut_offs=[])),
        ("WIRE_ACCOUNTS", account(cut_offs="16:30")),
        ("WIRE_ACCOUNTS", account(cut_offs=["16:30", "16:30"])),
        ("WIRE_ACCOUNTS", account(cut_offs=["24:00"])),
        ("WIRE_ACCOUNTS", account(time_zone="Mars/Olympus")),
        ("WIRE_ACCOUNTS", account(time_zone="../etc")),
        ("WIRE_ACCOUNTS", account(charges="OURS")),
        ("WIRE_ACCOUNTS", account(color="red")),
        ("WIRE_WINDOW_MINUTES", "0"),
        ("WIRE_WINDOW_MINUTES", "721"),
        ("WIRE_WINDOW_MINUTES", "ten"),
        ("WIRE_CALENDAR", "never"),
    ],
)
def test_a_wrong_one_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="WIRE_"):
        read(monkeypatch, tmp_path, **dict[str, Any]({**COMPLETE, name: value}))


def test_account_numbers_are_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        read(
            monkeypatch,
            tmp_path,
            **dict[str, Any]({**COMPLETE, "WIRE_ACCOUNTS": account(account_number="4412345678!!")}),
        )
    assert "4412345678" not in str(refusal.value)
    assert "4412345678" not in repr(read(monkeypatch, tmp_path, **dict[str, Any](COMPLETE)))
