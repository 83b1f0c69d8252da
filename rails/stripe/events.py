"""What an event of Stripe's says, of the little that this service reads; whatever else it holds is not kept.

https://docs.stripe.com/api/events/types. Events carry names, dates of birth and bank details of people: of each object
only the fields below are stored, of objects that we do not know nothing but their id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

TRANSFERS: Final = frozenset({"transfer.created", "transfer.updated", "transfer.reversed"})
PAYOUTS: Final = frozenset(
    {
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.failed",
        "payout.canceled",
        "payout.reconciliation_completed",
    }
)
ACCOUNTS: Final = frozenset(
    {
        "account.updated",
        "account.application.deauthorized",
        "account.external_account.created",
        "account.external_account.updated",
        "account.external_account.deleted",
        "capability.updated",
    }
)
READ: Final = TRANSFERS | PAYOUTS | ACCOUNTS

_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "transfer": (
        "id", "object", "amount", "amount_reversed", "created", "currency", "destination", "destination_payment",
        "metadata", "reversed", "transfer_group",
    ),
    "payout": (
        "id", "object", "amount", "arrival_date", "automatic", "created", "currency", "failure_code",
        "failure_message", "status",
    ),
    "account": ("id", "object", "charges_enabled", "payouts_enabled"),
    "capability": ("id", "object", "account", "status"),
    "bank_account": ("id", "object", "account", "status"),
    "card": ("id", "object", "account"),
}  # fmt: skip
_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,249}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z0-9_]{1,60}(?:\.[a-z0-9_]{1,60}){0,5}", re.ASCII)
_ACCOUNT: Final = re.compile(r"acct_[0-9A-Za-z]{8,60}", re.ASCII)
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


class NotAnEvent(ValueError):
    """What was sent is no event as Stripe's API has them; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `about` is what is kept of its object."""

    event_id: str
    type: str
    account: str
    about_id: str
    about: Mapping[str, Any]
    occurred_at: datetime
    live: bool

    @property
    def is_read(self) -> bool:
        """Whether anything follows from events of this type."""
        return self.type in READ


def read(shown: Mapping[str, Any]) -> Event:
    """The event in a webhook's body or in a list. Raises NotAnEvent."""
    data = shown.get("data")
    about = data.get("object") if isinstance(data, Mapping) else None
    if shown.get("object") != "event" or not isinstance(about, Mapping):
        raise NotAnEvent("it is no event with an object in its data")
    created = shown.get("created")
    if type(created) is not int or not 0 <= created <= _LAST_SECOND:
        raise NotAnEvent("it does not say when it was created")
    kept = _KEPT.get(_word(about.get("object")), ("id", "object"))
    return Event(
        event_id=_matching(shown.get("id"), _ID, "its id is none"),
        type=_matching(shown.get("type"), _TYPE, "its type is none"),
        account=_matching(shown["account"], _ACCOUNT, "its account is none") if shown.get("account") else "",
        about_id=_word(about.get("id")),
        about={name: about[name] for name in kept if name in about},
        occurred_at=datetime.fromtimestamp(created, UTC),
        live=shown.get("livemode") is True,
    )


def _matching(value: object, pattern: re.Pattern[str], otherwise: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise NotAnEvent(otherwise)
    return value


def _word(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""
