"""Connected accounts, and the balances of all."""

from typing import Any

from tests.stripe_fake.errors import ApiError, no_such
from tests.stripe_fake.world import PLATFORM, Object, World


def add(world: World, *, number: str | None = None, currency: str = "usd", country: str = "US") -> Object:
    """A new connected account that can be paid."""
    with world.lock:
        number = number or world.new_id("acct")
        bank = {
            "id": world.new_id("ba"),
            "object": "bank_account",
            "account": number,
            "country": country,
            "currency": currency,
            "last4": "6789",
            "routing_number": "110000000",
            "status": "new",
        }
        account: Object = {
            "id": number,
            "object": "account",
            "business_type": "company",
            "capabilities": {"transfers": "active"},
            "charges_enabled": True,
            "country": country,
            "created": int(world.now()),
            "default_currency": currency,
            "details_submitted": True,
            "external_accounts": {
                "object": "list",
                "data": [bank],
                "has_more": False,
                "url": f"/v1/accounts/{number}/external_accounts",
            },
            "metadata": {},
            "payouts_enabled": True,
            "requirements": {
                "alternatives": [],
                "current_deadline": None,
                "currently_due": [],
                "disabled_reason": None,
                "errors": [],
                "eventually_due": [],
                "past_due": [],
                "pending_verification": [],
            },
            "type": "express",
        }
        world.accounts[number] = account
        return account


def change(world: World, number: str, **changes: Any) -> Object:
    """Changes an account, as Stripe does by itself, and tells of it."""
    with world.lock:
        account = known(world, number)
        previous = {name: account.get(name) for name in changes}
        account.update(changes)
        world.emit("account.updated", account, account=number, previous=previous)
        return account


def set_transfers(world: World, number: str, status: str) -> None:
    """Gives or takes the capability to be paid: `active`, `inactive` or `pending`."""
    with world.lock:
        change(world, number, capabilities={"transfers": status})
        world.emit(
            "capability.updated",
            {
                "id": "transfers",
                "object": "capability",
                "account": number,
                "requested": True,
                "status": status,
            },
            account=number,
        )


def deauthorize(world: World, number: str) -> None:
    """The account leaves the platform: it can be neither paid nor read any more."""
    with world.lock:
        del world.accounts[number]
        world.emit(
            "account.application.deauthorized",
            {"id": "ca_ChainPay", "object": "application", "name": "ChainPay"},
            account=number,
        )


def remove_bank_account(world: World, number: str) -> None:
    """The account's bank account is gone."""
    with world.lock:
        account = known(world, number)
        bank = account["external_accounts"]["data"].pop()
        world.emit("account.external_account.deleted", bank, account=number)
        change(world, number, payouts_enabled=False)


def known(world: World, number: str) -> Object:
    """An account of the platform's; raises ApiError."""
    account = world.accounts.get(number)
    if account is None:
        raise ApiError(
            403,
            f"The provided key does not have access to account '{number}' (or that account does not exist).",
            code="account_invalid",
        )
    return account


def retrieve(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/accounts/{account}"""
    if number not in world.accounts:
        raise ApiError(403, f"The provided key does not have access to account '{number}'.", code="account_invalid")
    return world.accounts[number]


def retrieve_own(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/account"""
    return world.accounts[account] if account else {"id": PLATFORM, "object": "account", "type": "standard"}


def balance(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/balance"""
    available = [
        {"amount": amount, "currency": currency}
        for (whose, currency), amount in sorted(world.balances.items())
        if whose == account
    ]
    return {"object": "balance", "available": available, "livemode": False, "pending": []}


def charge(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/charges/{charge}"""
    whose, shown = world.charges.get(number, ("", None))
    if shown is None or whose != account:
        raise no_such("charge", number, param="charge")
    return shown
