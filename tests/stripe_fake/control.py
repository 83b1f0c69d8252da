"""What a test in another process may ask of the fake, and do to it: `/_fake/...`, JSON both ways."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.stripe_fake import accounts, payouts
from tests.stripe_fake.faults import Fault

if TYPE_CHECKING:
    from tests.stripe_fake.server import StripeFake


def answer(fake: "StripeFake", method: str, path: str, body: str) -> tuple[int, Any]:
    """Status and body; 404 for what there is not.

    GET transfers (all there ever were), payouts, events, state; POST accounts {id?, currency?}, fund {currency,
    amount}, clock {ahead}, faults {rate?, script?, method?}, keys {honoured}, payouts {account?, status, currency?}.
    """
    asked = json.loads(body) if body else {}
    act = _ACTS.get(f"{method} {path.removeprefix('/_fake/')}")
    if act is None:
        return 404, {"error": f"the fake has no {method} {path}"}
    with fake.world.lock:
        return 200, act(fake, asked)


def pay_everybody(
    fake: "StripeFake", *, status: str = "paid", account: str | None = None, currency: str = "usd"
) -> list[Any]:
    """Pays out what is available on all accounts, or on one, and moves the payouts on to a status."""
    done = []
    with fake.world.lock:
        for number in [account] if account else list(fake.world.accounts):
            payout = payouts.pay_out(fake.world, number, currency)
            if payout is not None:
                done.append(payout if status == "pending" else payouts.advance(fake.world, payout["id"], status))
    return done


def _state(fake: "StripeFake") -> dict[str, Any]:
    return {
        "transfers": len(fake.world.transfers),
        "payouts": len(fake.world.payouts),
        "events": len(fake.world.events),
        "requests": len(fake.requests),
        "faults": dict(Counter(f"{method} {fault}" for method, fault in fake.faults.struck)),
        "webhooks_waiting": fake.webhooks.waiting() if fake.webhooks else 0,
    }


def _clock(fake: "StripeFake", asked: dict[str, Any]) -> Any:
    fake.world.seconds_ahead = float(asked["ahead"])
    return {"now": fake.world.now()}


def _faults(fake: "StripeFake", asked: dict[str, Any]) -> Any:
    fake.faults.rate = float(asked.get("rate", fake.faults.rate))
    script = [Fault(word) if word else None for word in asked.get("script", [])]
    fake.faults.script(*script, method=asked.get("method", "POST"))
    return {}


def _keys(fake: "StripeFake", asked: dict[str, Any]) -> Any:
    fake.keys.honoured = bool(asked["honoured"])
    return {}


_ACTS: Final[Mapping[str, Callable[["StripeFake", dict[str, Any]], Any]]] = {
    "GET transfers": lambda fake, _: list(fake.world.transfers.values()),
    "GET payouts": lambda fake, _: [{**each, "account": whose} for whose, each in fake.world.payouts.values()],
    "GET events": lambda fake, _: [event for _, event in fake.world.events.values()],
    "GET state": lambda fake, _: _state(fake),
    "POST accounts": lambda fake, asked: accounts.add(
        fake.world, number=asked.get("id"), currency=asked.get("currency", "usd")
    ),
    "POST fund": lambda fake, asked: fake.world.fund(asked["currency"], asked["amount"]),
    "POST clock": _clock,
    "POST faults": _faults,
    "POST keys": _keys,
    "POST payouts": lambda fake, asked: pay_everybody(fake, **asked),
}
