"""What the environment says about ACH: read once, checked, and refused by name when it is wrong."""

from datetime import time, timedelta
from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from chainpay import ach
from rails.money import Money

COMPLETE = {
    "ACH_OUTBOX_DIR": "/srv/ach/outbox",
    "ACH_INBOX_DIR": "/srv/ach/inbox",
    "ACH_COMPANY_NAME": "Bozza Freight",
    "ACH_COMPANY_ID": "1234567890",
    "ACH_ODFI_ROUTING": "121042882",
    "ACH_IMMEDIATE_DESTINATION_NAME": "First Bank",
    "ACH_OFFSET_ACCOUNT": "4412345678",
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*COMPLETE, "ACH_IMMEDIATE_ORIGIN", "ACH_OFFSET_ACCOUNT_TYPE"):
        monkeypatch.delenv(name, raising=False)


def read(monkeypatch, tmp_path, *, demo=False, **given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return ach.read(environ.Env(), tmp_path, demo=demo)


def test_without_an_outbox_the_rail_is_not_enabled(monkeypatch, tmp_path):
    assert read(monkeypatch, tmp_path) is None


def test_in_the_demo_it_works_at_once_every_hour_of_every_day(monkeypatch, tmp_path):
    configuration = read(monkeypatch, tmp_path, demo=True)
    assert configuration.outbox == tmp_path / "ach" / "outbox"
    assert configuration.outbox.is_dir()
    assert configuration.inbox.is_dir()
    assert len(configuration.timetable.cut_offs) == 24
    assert configuration.timetable.every_day


def test_what_is_set_is_taken_and_the_rest_has_defaults(monkeypatch, tmp_path):
    configuration = read(monkeypatch, tmp_path, **COMPLETE)
    assert configuration.outbox == Path("/srv/ach/outbox")
    assert configuration.immediate_origin == "1234567890"
    assert configuration.immediate_destination == configuration.offset.routing_number == "121042882"
    assert configuration.offset.account_type == "checking"
    assert configuration.timetable.cut_offs == (time(17),)
    assert configuration.timetable.same_day_cut_offs == ()
    assert str(configuration.timetable.zone) == "America/New_York"
    assert configuration.timetable.open_for == timedelta(hours=2)
    assert not configuration.timetable.every_day
    assert configuration.same_day_limit == Money(100_000_000, "USD")
    assert configuration.settled_after_days == 3


def test_cut_offs_are_times_of_day(monkeypatch, tmp_path):
    given = COMPLETE | {
        "CHAINPAY_ACH_CUT_OFFS": "17:00, 12:30",
        "CHAINPAY_ACH_SAME_DAY_CUT_OFFS": "10:00",
        "CHAINPAY_ACH_TIME_ZONE": "America/Chicago",
        "CHAINPAY_ACH_SAME_DAY_LIMIT": "25000",
    }
    configuration = read(monkeypatch, tmp_path, **given)
    assert configuration.timetable.cut_offs == (time(12, 30), time(17))
    assert configuration.timetable.same_day_cut_offs == (time(10),)
    assert str(configuration.timetable.zone) == "America/Chicago"
    assert configuration.same_day_limit == Money(2_500_000, "USD")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ACH_OUTBOX_DIR", "outbox"),
        ("ACH_INBOX_DIR", ""),
        ("ACH_INBOX_DIR", "inbox"),
        ("ACH_INBOX_DIR", "/srv/ach/outbox"),
        ("ACH_COMPANY_NAME", ""),
        ("ACH_COMPANY_NAME", "A name of seventeen"),
        ("ACH_COMPANY_NAME", "Spedition Müller"),
        ("ACH_COMPANY_ID", ""),
        ("ACH_COMPANY_ID", "12345678901"),
        ("ACH_ODFI_ROUTING", ""),
        ("ACH_ODFI_ROUTING", "121042883"),
        ("ACH_OFFSET_ROUTING", "121042883"),
        ("ACH_OFFSET_ACCOUNT", ""),
        ("ACH_OFFSET_ACCOUNT", "123456789012345678"),
        ("ACH_OFFSET_ACCOUNT_TYPE", "loan"),
        ("ACH_IMMEDIATE_ORIGIN", "12345678901"),
        ("ACH_IMMEDIATE_ORIGIN_NAME", "x" * 24),
        ("ACH_IMMEDIATE_DESTINATION", "12345678901"),
        ("ACH_IMMEDIATE_DESTINATION_NAME", ""),
        ("CHAINPAY_ACH_CUT_OFFS", "25:00"),
        ("CHAINPAY_ACH_CUT_OFFS", "17:00,17:00"),
        ("CHAINPAY_ACH_CUT_OFFS", "five"),
        ("CHAINPAY_ACH_SAME_DAY_CUT_OFFS", "17:00"),
        ("CHAINPAY_ACH_TIME_ZONE", "Mars/Olympus"),
        ("CHAINPAY_ACH_TIME_ZONE", "../etc/passwd"),
        ("CHAINPAY_ACH_WINDOW_MINUTES", "0"),
        ("CHAINPAY_ACH_CALENDAR", "never"),
        ("CHAINPAY_ACH_SAME_DAY_LIMIT", "0"),
        ("CHAINPAY_ACH_SAME_DAY_LIMIT", "much"),
        ("CHAINPAY_ACH_SETTLED_AFTER_DAYS", "0"),
        ("CHAINPAY_ACH_SETTLED_AFTER_DAYS", "-1"),
    ],
)
def test_a_wrong_one_is_refused_by_name(monkeypatch, tmp_path, name, wrong):
    with pytest.raises(ImproperlyConfigured) as refused:
        read(monkeypatch, tmp_path, **(COMPLETE | {name: wrong}))
    assert name in str(refused.value)
    assert "4412345678" not in str(refused.value)


def test_our_own_account_number_is_in_no_printed_form(monkeypatch, tmp_path):
    assert "4412345678" not in repr(read(monkeypatch, tmp_path, **COMPLETE))
