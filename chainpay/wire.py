"""What the environment says about paying by wire; nothing unless `WIRE_OUTBOX_DIR` is set, or in the demo."""

import json
from pathlib import Path
from typing import Final

import environ
from django.core.exceptions import ImproperlyConfigured

from rails.wire.configuration import ConfigurationRefused, WireConfiguration

# A debtor that does not exist and a file every five minutes on every day: for the demo.
_DEMO_DEBTOR: Final = {
    "name": "ChainPay Demo Inc",
    "street": "Harbor Street",
    "building_number": "1",
    "postal_code": "10004",
    "town": "New York",
    "country": "US",
}
_OFTEN: Final = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(0, 60, 5)]
_DEMO_ACCOUNTS: Final = {
    "USD": {"account_number": "4412345678", "routing_number": "021000021", "cut_offs": _OFTEN},
    "EUR": {"iban": "DE02120300000000202051", "bic": "BYLADEM1001", "cut_offs": _OFTEN},
}


def read(env: environ.Env, var: Path, *, demo: bool) -> WireConfiguration | None:
    """Raises ImproperlyConfigured, naming the variable; account numbers are not repeated."""
    outbox = _directory(env, "WIRE_OUTBOX_DIR")
    inbox = _directory(env, "WIRE_INBOX_DIR")
    if outbox is None:
        return _of_the_demo(var) if demo else None
    try:
        return WireConfiguration.read(
            outbox=outbox,
            inbox=inbox,
            debtor=_json(env, "WIRE_DEBTOR"),
            accounts=_json(env, "WIRE_ACCOUNTS"),
            window_minutes=_minutes(env),
            every_day=_calendar(env) == "every-day",
        )
    except ConfigurationRefused as error:
        raise ImproperlyConfigured(f"WIRE_DEBTOR and WIRE_ACCOUNTS: {error}.") from None


def _of_the_demo(var: Path) -> WireConfiguration:
    """Its directories are made here: they are nobody's mount."""
    places = [var / "wire" / name for name in ("outbox", "inbox")]
    for place in places:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return WireConfiguration.read(
        outbox=places[0],
        inbox=places[1],
        debtor=_DEMO_DEBTOR,
        accounts=_DEMO_ACCOUNTS,
        window_minutes=5,
        every_day=True,
    )


def _directory(env: environ.Env, name: str) -> Path | None:
    given = str(env.str(name, default="")).strip()
    if not given:
        return None
    if not Path(given).is_absolute():
        raise ImproperlyConfigured(f"{name} must be an absolute path, not {given!r}.")
    return Path(given)


def _json(env: environ.Env, name: str) -> object:
    text = str(env.str(name, default="")).strip()
    try:
        return json.loads(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a JSON object (docs/wire.md has an example).") from None


def _minutes(env: environ.Env) -> int:
    word = str(env.str("WIRE_WINDOW_MINUTES", default="60")).strip()
    if not (word.isascii() and word.isdigit() and len(word) <= 3 and 1 <= int(word) <= 720):
        raise ImproperlyConfigured(f"WIRE_WINDOW_MINUTES must be a whole number from 1 to 720, not {word!r}.")
    return int(word)


def _calendar(env: environ.Env) -> str:
    word = str(env.str("WIRE_CALENDAR", default="banking")).strip()
    if word not in {"banking", "every-day"}:
        raise ImproperlyConfigured(f"WIRE_CALENDAR must be banking or every-day, not {word!r}.")
    return word
