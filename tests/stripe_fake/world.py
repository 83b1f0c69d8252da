"""What the fake Stripe knows: its clock, its objects, and what it tells of them. Everything is under one lock."""

import random
import string
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

Object = dict[str, Any]
PLATFORM: Final = "acct_1ChainPayPlatform"
VERSION: Final = "2023-08-16"
_LETTERS: Final = string.ascii_letters + string.digits


class World:
    """The state of one Stripe: a platform, its connected accounts, and the money between them.

    `account` is an account's id, or "" for the platform. Objects are what the API shows, by id, oldest first.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.lock = threading.RLock()
        self.seconds_ahead = 0.0
        self.accounts: dict[str, Object] = {}
        self.transfers: dict[str, Object] = {}
        self.reversals: dict[str, Object] = {}
        self.charges: dict[str, tuple[str, Object]] = {}
        self.payouts: dict[str, tuple[str, Object]] = {}
        self.entries: dict[str, tuple[str, Object]] = {}
        self.entries_of: dict[str, list[Object]] = {}
        self.balances: Counter[tuple[str, str]] = Counter()
        self.paid_out_by: dict[str, str] = {}
        self.events: dict[str, tuple[str, Object]] = {}
        self.shown_from: dict[str, float] = {}
        self.told: list[Callable[[Object], None]] = []
        self._random = random.Random(seed)
        self._count = 0

    def now(self) -> float:
        """Stripe's own time, in seconds since 1970."""
        return time.time() + self.seconds_ahead

    def new_id(self, prefix: str) -> str:
        """An id that no other object has."""
        with self.lock:
            self._count += 1
            return f"{prefix}_{self._count:06d}{''.join(self._random.choices(_LETTERS, k=14))}"

    def emit(self, kind: str, shown: Object, *, account: str = "", previous: Object | None = None) -> Object:
        """Records an event about an object as it is now, and tells whoever listens."""
        data: Object = {"object": dict(shown)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Object = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": VERSION,
            "created": int(self.now()),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": self.new_id("req"), "idempotency_key": None},
            "type": kind,
        }
        if account:
            event["account"] = account
        self.events[event["id"]] = (account, event)
        for tell in self.told:
            tell(event)
        return event

    def book(self, account: str, amount: int, currency: str, *, kind: str, source: str | None) -> Object:
        """A balance transaction, available at once."""
        moment = int(self.now())
        entry: Object = {
            "id": self.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": moment,
            "created": moment,
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": 0,
            "fee_details": [],
            "net": amount,
            "reporting_category": kind,
            "source": source,
            "status": "available",
            "type": kind,
        }
        self.entries[entry["id"]] = (account, entry)
        self.entries_of.setdefault(account, []).append(entry)
        self.balances[account, currency] += amount
        return entry

    def fund(self, currency: str, amount: int) -> None:
        """Puts money onto the platform's balance."""
        with self.lock:
            self.book("", amount, currency, kind="topup", source=None)

    def found(self, number: str) -> Object | None:
        """Any object by its id, for expanding."""
        for table in (self.charges, self.payouts, self.entries):
            if number in table:
                return table[number][1]
        return self.transfers.get(number) or self.reversals.get(number) or self.accounts.get(number)

    def is_shown(self, shown: Object) -> bool:
        """Whether lists have it already; they may lag behind."""
        return self.shown_from.get(shown["id"], 0.0) <= self.now()
