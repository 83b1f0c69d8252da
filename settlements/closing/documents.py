"""The frozen figures of a day as text: canonical JSON whose SHA-256 stands in the office's log.

UTF-8 without spaces, keys sorted. Amounts are strings in major units with the currency's digits, balances what an
account was debited less what it was credited, times RFC 3339 in UTC with six decimals, days `2026-11-28`.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from rails.ach.payments import CURRENCY
from rails.ach.returnable import Returnable, Reversible
from rails.days import AccountDay
from rails.models import AchFilePurpose
from rails.money import Money
from settlements.closing.confirmed import Seen
from settlements.closing.figures import DayFigures, RailFigures, Sum
from settlements.closing.open_items import OpenItem, OpenKind

VERSION: Final = 1

_COLUMNS: Final = ("released", "settled", "unsettled", "returned")


class NotADocument(ValueError):
    """What is stored is not a day's figures of this version."""


def written(figures: DayFigures) -> str:
    """The figures as they are frozen."""
    document = {
        "version": VERSION,
        "day": figures.day.isoformat(),
        "as_of": _time(figures.as_of),
        "entries": figures.entries,
        "accounts": [_account(each) for each in figures.accounts],
        "rails": [_rail(each) for each in figures.rails],
        "open_items": [_item(each, figures.day) for each in figures.open_items],
        "returnable": [_returnable(each) for each in figures.returnable],
        "reversible": [_reversible(each) for each in figures.reversible],
        "confirmed": {
            on.isoformat(): {
                currency: {"count": count, "amount": Money(minor, currency).text}
                for currency, (count, minor) in by_currency.items()
            }
            for on, by_currency in figures.confirmed.items()
        },
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(text: str) -> DayFigures:
    """The figures that `written` made a text of. Raises NotADocument."""
    try:
        document = orjson.loads(text)
        if document["version"] != VERSION:
            raise NotADocument(f"version {document['version']} of a day's figures is not known")
        return _read(document)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # Valid JSON of another shape fails wherever its shape is met.
        raise NotADocument(f"these are no figures of a day: {error}") from error


def _read(document: Mapping[str, Any]) -> DayFigures:
    return DayFigures(
        day=date.fromisoformat(document["day"]),
        as_of=datetime.fromisoformat(document["as_of"]),
        entries=document["entries"],
        accounts=[_read_account(each) for each in document["accounts"]],
        rails=[_read_rail(each) for each in document["rails"]],
        open_items=[_read_item(each) for each in document["open_items"]],
        returnable=[_read_returnable(each) for each in document["returnable"]],
        reversible=[_read_reversible(each) for each in document["reversible"]],
        confirmed=_read_confirmed(document["confirmed"]),
    )


def minor(amount: str, currency: str) -> int:
    """The minor units of an amount with its currency's digits, of either sign."""
    found = int(amount.replace(".", ""))
    if Money(found, currency).text != amount:
        raise NotADocument(f"{amount} is no amount in {currency}")
    return found


def _account(each: AccountDay) -> dict[str, Any]:
    amounts = {
        name: Money(getattr(each, name), each.currency).text for name in ("opening", "debits", "credits", "closing")
    }
    return {
        "account_id": each.account_id,
        "account": each.code,
        "currency": each.currency,
        "recipient": each.recipient_pk,
        "recipient_id": each.recipient_id,
        "recipient_name": each.recipient_name,
        **amounts,
    }


def _read_account(each: Mapping[str, Any]) -> AccountDay:
    currency = each["currency"]
    return AccountDay(
        account_id=each["account_id"],
        code=each["account"],
        currency=currency,
        recipient_pk=each["recipient"],
        recipient_id=each["recipient_id"],
        recipient_name=each["recipient_name"],
        opening=minor(each["opening"], currency),
        debits=minor(each["debits"], currency),
        credits=minor(each["credits"], currency),
    )


def _rail(each: RailFigures) -> dict[str, Any]:
    def column(name: str) -> dict[str, Any]:
        count, amount = getattr(each, name)
        return {"count": count, "amount": Money(amount, each.currency).text}

    return {"rail": each.rail, "currency": each.currency, **{name: column(name) for name in _COLUMNS}}


def _read_rail(each: Mapping[str, Any]) -> RailFigures:
    def column(name: str) -> Sum:
        return each[name]["count"], minor(each[name]["amount"], each["currency"])

    return RailFigures(rail=each["rail"], currency=each["currency"], **{name: column(name) for name in _COLUMNS})


def _item(each: OpenItem, day: date) -> dict[str, Any]:
    return {
        "kind": each.kind.value,
        "rail": each.rail,
        "currency": each.currency,
        "amount": Money(each.minor, each.currency).text,
        "settlement": each.settlement_id,
        "since": _time(each.since),
        "until": _time(each.until) if each.until else None,
        "days": (day - each.since.astimezone(UTC).date()).days,
        "words": each.words,
    }


def _read_item(each: Mapping[str, Any]) -> OpenItem:
    return OpenItem(
        kind=OpenKind(each["kind"]),
        rail=each["rail"],
        currency=each["currency"],
        minor=minor(each["amount"], each["currency"]),
        settlement_id=each["settlement"],
        since=datetime.fromisoformat(each["since"]),
        until=datetime.fromisoformat(each["until"]) if each["until"] else None,
        words=each["words"],
    )


def _returnable(each: Returnable) -> dict[str, Any]:
    return {
        "rail": "ach",
        "file": each.file,
        "purpose": each.purpose.value,
        "settled_on": each.settled_on.isoformat(),
        "count": each.count,
        "currency": CURRENCY,
        "amount": Money(each.minor, CURRENCY).text,
        "codes": each.codes,
        "until": each.until.isoformat(),
    }


def _read_returnable(each: Mapping[str, Any]) -> Returnable:
    return Returnable(
        file=each["file"],
        purpose=AchFilePurpose(each["purpose"]),
        settled_on=date.fromisoformat(each["settled_on"]),
        count=each["count"],
        minor=minor(each["amount"], each["currency"]),
        codes=each["codes"],
        until=date.fromisoformat(each["until"]),
    )


def _reversible(each: Reversible) -> dict[str, Any]:
    return {
        "rail": "ach",
        "file": each.file,
        "settled_on": each.settled_on.isoformat(),
        "until": each.until.isoformat(),
    }


def _read_reversible(each: Mapping[str, Any]) -> Reversible:
    return Reversible(
        file=each["file"], settled_on=date.fromisoformat(each["settled_on"]), until=date.fromisoformat(each["until"])
    )


def _read_confirmed(stored: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Seen:
    return {
        date.fromisoformat(on): {
            currency: (each["count"], minor(each["amount"], currency)) for currency, each in by_currency.items()
        }
        for on, by_currency in stored.items()
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
