"""Payouts of connected accounts to their banks."""

from typing import Any, Final

from tests.stripe_fake.accounts import known
from tests.stripe_fake.errors import ApiError, no_such
from tests.stripe_fake.pages import expanded, page
from tests.stripe_fake.world import Object, World

# What may follow what: some payouts are paid first and fail later (https://docs.stripe.com/api/payouts/object).
_FOLLOWS: Final = {
    "pending": {"in_transit", "paid", "failed", "canceled"},
    "in_transit": {"paid", "failed", "canceled"},
    "paid": {"failed"},
    "failed": set[str](),
    "canceled": set[str](),
}
_BACK: Final = {"failed": "payout_failure", "canceled": "payout_cancel"}


def pay_out(world: World, account: str, currency: str = "usd") -> Object | None:
    """Stripe's own payout of everything that is available; None when that is nothing."""
    with world.lock:
        contained = [
            entry
            for entry in world.entries_of.get(account, [])
            if entry["currency"] == currency and entry["id"] not in world.paid_out_by and entry["type"] != "payout"
        ]
        amount = sum(entry["net"] for entry in contained)
        if amount <= 0:
            return None
        payout = _written(world, account, amount, currency, automatic=True)
        for entry in contained:
            world.paid_out_by[entry["id"]] = payout["id"]
        return payout


def advance(world: World, number: str, status: str, *, failure: str = "account_closed") -> Object:
    """Moves a payout on as its bank would, and tells of it."""
    with world.lock:
        account, payout = world.payouts[number]
        if status not in _FOLLOWS[payout["status"]]:
            raise ApiError(400, f"A payout that is {payout['status']} does not become {status}.", code=None)
        previous = {"status": payout["status"]}
        payout["status"] = status
        if status in _BACK:
            entry = world.book(account, payout["amount"], payout["currency"], kind=_BACK[status], source=number)
            payout["failure_balance_transaction"] = entry["id"]
        if status == "failed":
            payout["failure_code"] = failure
            payout["failure_message"] = f"The bank refused the payout: {failure}."
        world.emit("payout.updated" if status == "in_transit" else f"payout.{status}", payout, account=account)
        if status != "in_transit":
            world.emit("payout.updated", payout, account=account, previous=previous)
        return payout


def create(world: World, account: str, params: dict[str, Any]) -> Object:
    """POST /v1/payouts: by hand, so that Stripe will not say what it contains."""
    known(world, account)
    if world.balances[account, params["currency"]] < params["amount"]:
        raise ApiError(400, "You have insufficient funds.", code="balance_insufficient", stored=True)
    return _written(world, account, params["amount"], params["currency"], automatic=False)


def cancel(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """POST /v1/payouts/{payout}/cancel"""
    _known(world, account, number)
    return advance(world, number, "canceled")


def retrieve(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/payouts/{payout}"""
    return expanded(world, _known(world, account, number), params)


def listed(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/payouts"""
    chosen = [
        each
        for whose, each in world.payouts.values()
        if whose == account
        and all(each[name] == params[name] for name in ("status", "destination") if name in params)
        and _arrives(each, params.get("arrival_date"))
    ]
    return page(world, chosen, params, url="/v1/payouts")


def entries(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/balance_transactions"""
    payout = params.get("payout")
    if payout is not None and not _known(world, account, payout)["automatic"]:
        raise ApiError(
            400,
            "Balance transaction history can only be filtered on automatic transfers, not manual.",
            param="payout",
        )
    chosen = [
        each
        for each in world.entries_of.get(account, [])
        if all(each[name] == params[name] for name in ("currency", "source", "type") if name in params)
        and (payout is None or world.paid_out_by.get(each["id"]) == payout)
    ]
    return page(world, chosen, params, url="/v1/balance_transactions")


def entry(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/balance_transactions/{id}"""
    whose, shown = world.entries.get(number, ("", None))
    if shown is None or whose != account:
        raise no_such("balance transaction", number, param="id")
    return expanded(world, shown, params)


def _written(world: World, account: str, amount: int, currency: str, *, automatic: bool) -> Object:
    number = world.new_id("po")
    moment = int(world.now())
    entry = world.book(account, -amount, currency, kind="payout", source=number)
    world.paid_out_by[entry["id"]] = number
    banks = known(world, account)["external_accounts"]["data"]
    payout: Object = {
        "id": number,
        "object": "payout",
        "amount": amount,
        "arrival_date": moment,
        "automatic": automatic,
        "balance_transaction": entry["id"],
        "created": moment,
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else None,
        "destination": banks[0]["id"] if banks else None,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "type": "bank_account",
    }
    world.payouts[number] = (account, payout)
    world.emit("payout.created", payout, account=account)
    return payout


def _known(world: World, account: str, number: str) -> Object:
    whose, shown = world.payouts.get(number, ("", None))
    if shown is None or whose != account:
        raise no_such("payout", number, param="id")
    return shown


def _arrives(payout: Object, wanted: Any) -> bool:
    at = payout["arrival_date"]
    return wanted is None or wanted == at or (isinstance(wanted, dict) and wanted.get("gte", at) <= at)
