"""What an event of Stripe's says, of the little that this service reads; whatever else it holds is not kept.

https://docs.stripe.com/api/events/types. Events carry names, dates of birth and bank details of people: of each object
only the fields below are stored, of objects that we do not know nothing but their id.

One that has an id and a type is an event, whatever else is wrong with it: it is stored once like any other, with what
is wrong in words, so that neither Stripe nor the poll brings it for ever. A person looks at it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rails.stripe import fields
from rails.stripe.transfers import ATTEMPT, INSTALLATION, SETTLEMENT

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
# Under which name `about` says what is wrong with the event: it is not understood, this time or any other.
WRONG: Final = "what_is_wrong"
_TYPE: Final = re.compile(r"[a-z0-9_]{1,60}(?:\.[a-z0-9_]{1,60}){0,5}", re.ASCII)
_ACCOUNT: Final = re.compile(r"acct_[0-9A-Za-z]{8,60}", re.ASCII)


class NotAnEvent(ValueError):
    """What was sent has not even an id and a type of an event's; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `about` is what is kept of its object, `occurred_at` is None where it does not say when it was."""

    event_id: str
    type: str
    account: str
    about_id: str
    about: Mapping[str, Any]
    occurred_at: datetime | None
    live: bool

    @property
    def is_read(self) -> bool:
        """Whether anything follows from events of this type."""
        return self.type in READ


def read(shown: object) -> Event:
    """The event in a webhook's body or in a list. Raises NotAnEvent."""
    if not isinstance(shown, Mapping) or shown.get("object") != "event":
        raise NotAnEvent("it is no event")
    event_id, kind = _matching(shown, "id", fields.ID), _matching(shown, "type", _TYPE)
    about, wrong = _about(shown.get("data"))
    account, occurred_at = "", None
    try:
        occurred_at = fields.moment(shown, "created")
    except fields.Nonsense as error:
        wrong.append(str(error))
    if kind in ACCOUNTS:
        wrong = []  # of an account nothing is read but which one it is
    try:
        account = _account(shown)
    except fields.Nonsense as error:
        wrong.append(str(error))
    if wrong:
        about[WRONG] = "; ".join(wrong)
    return Event(
        event_id=event_id,
        type=kind,
        account=account,
        about_id=_word(about.get("id")),
        about=about,
        occurred_at=occurred_at,
        live=shown.get("livemode") is True,
    )


def _matching(shown: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = shown.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise NotAnEvent(f"its {name} is none")
    return value


def _word(value: object) -> str:
    return value if isinstance(value, str) and fields.ID.fullmatch(value) else ""


def _account(shown: Mapping[str, Any]) -> str:
    value = shown.get("account")
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
        raise fields.Nonsense("its account is none")
    return value


def _about(data: object) -> tuple[dict[str, Any], list[str]]:
    """What is kept of the object, and what of it can not be, in words."""
    shown = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(shown, Mapping):
        return {}, ["it tells of no object"]
    kind = shown.get("object")
    about: dict[str, Any] = {}
    wrong = []
    for name in _KEPT.get(kind, ("id", "object")) if isinstance(kind, str) else ("id",):
        if name not in shown:
            continue
        value, why = _kept(name, shown[name])
        if why:
            wrong.append(f"its {name} is {why}")
        else:
            about[name] = value
    return about, wrong


def _kept(name: str, value: object) -> tuple[Any, str]:
    """The value as it is kept, or why it can not be; an object that is shown in full is kept by its id."""
    if isinstance(value, Mapping) and name == "metadata":
        ours = {key: value[key] for key in (SETTLEMENT, ATTEMPT, INSTALLATION) if key in value}
        return ours, next(filter(None, map(fields.unkeepable, ours.values())), "")
    if isinstance(value, Mapping) and isinstance(value.get("id"), str):
        value = value["id"]
    return value, fields.unkeepable(value)
