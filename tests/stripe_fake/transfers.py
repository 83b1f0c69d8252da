"""Transfers to connected accounts, and their reversals."""

from typing import Any, Final

from tests.stripe_fake.errors import ApiError, missing, no_such
from tests.stripe_fake.pages import expanded, page
from tests.stripe_fake.world import Object, World

# Of what the fake holds: https://docs.stripe.com/currencies
CURRENCIES: Final = frozenset({"usd", "eur", "gbp", "cad", "mxn", "chf", "aud", "sek", "jpy", "kwd"})
_LAST_DIGIT_ZERO: Final = frozenset({"kwd"})


def create(world: World, account: str, params: dict[str, Any]) -> Object:
    """POST /v1/transfers"""
    if "amount" not in params:
        raise missing("amount")
    amount, currency = _amount(params["amount"]), _currency(params["currency"], params["amount"])
    destination = world.accounts.get(params["destination"])
    if destination is None:
        raise no_such("destination", params["destination"], param="destination", status=400)
    if destination["capabilities"].get("transfers") != "active":
        raise ApiError(
            400,
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
            "crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
            stored=True,
        )
    if world.balances[account, currency] < amount:
        raise ApiError(
            400,
            "You have insufficient available funds in your Stripe account.",
            code="balance_insufficient",
            stored=True,
        )
    transfer = _written(world, account, params, amount, currency)
    world.emit("transfer.created", transfer, account=account)
    return expanded(world, transfer, params)


def retrieve(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/transfers/{transfer}"""
    return expanded(world, _known(world, number), params)


def update(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """POST /v1/transfers/{transfer}"""
    transfer = _known(world, number)
    previous: Object = {name: transfer[name] for name in ("description", "metadata") if name in params}
    transfer.update({name: params[name] for name in previous})
    world.emit("transfer.updated", transfer, account=account, previous=previous)
    return transfer


def listed(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/transfers"""
    chosen = [
        each
        for each in world.transfers.values()
        if all(each[name] == params[name] for name in ("destination", "transfer_group") if name in params)
    ]
    return page(world, chosen, params, url="/v1/transfers")


def reverse(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """POST /v1/transfers/{id}/reversals"""
    transfer = _known(world, number)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = _amount(params.get("amount", left or 1))
    if amount > left:
        raise ApiError(400, f"Refund amount ({amount}) is greater than unrefunded amount on transfer ({left})")
    reversal: Object = {
        "id": world.new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": int(world.now()),
        "currency": transfer["currency"],
        "destination_payment_refund": world.new_id("pyr"),
        "metadata": params.get("metadata") or {},
        "source_refund": None,
        "transfer": number,
    }
    entry = world.book(account, amount, transfer["currency"], kind="transfer_refund", source=reversal["id"])
    reversal["balance_transaction"] = entry["id"]
    world.book(
        transfer["destination"],
        -amount,
        transfer["currency"],
        kind="payment_refund",
        source=reversal["destination_payment_refund"],
    )
    world.reversals[reversal["id"]] = reversal
    previous = {"amount_reversed": transfer["amount_reversed"], "reversed": False}
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"] = {**transfer["reversals"], "data": [reversal, *transfer["reversals"]["data"]][:10]}
    world.emit("transfer.reversed", transfer, account=account, previous=previous)
    return reversal


def reversals(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/transfers/{id}/reversals"""
    chosen = [each for each in world.reversals.values() if each["transfer"] == _known(world, number)["id"]]
    return page(world, chosen, params, url=f"/v1/transfers/{number}/reversals")


def _written(world: World, account: str, params: dict[str, Any], amount: int, currency: str) -> Object:
    number, payment = world.new_id("tr"), world.new_id("py")
    moment = int(world.now())
    transfer: Object = {
        "id": number,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": world.book(account, -amount, currency, kind="transfer", source=number)["id"],
        "created": moment,
        "currency": currency,
        "description": params.get("description"),
        "destination": params["destination"],
        "destination_payment": payment,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "reversals": {"object": "list", "data": [], "has_more": False, "url": f"/v1/transfers/{number}/reversals"},
        "reversed": False,
        "source_transaction": None,
        "source_type": "card",
        "transfer_group": params.get("transfer_group"),
    }
    entry = world.book(params["destination"], amount, currency, kind="payment", source=payment)
    charge = _payment(payment, transfer, entry["id"])
    world.charges[payment] = (params["destination"], charge)
    world.transfers[number] = transfer
    world.emit("payment.created", charge, account=params["destination"])
    return transfer


def _payment(number: str, transfer: Object, entry: str) -> Object:
    """What the connected account sees of a transfer."""
    return {
        "id": number,
        "object": "charge",
        "amount": transfer["amount"],
        "amount_captured": transfer["amount"],
        "amount_refunded": 0,
        "balance_transaction": entry,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": True,
        "created": transfer["created"],
        "currency": transfer["currency"],
        "disputed": False,
        "livemode": False,
        "metadata": {},
        "paid": True,
        "refunded": False,
        "source_transfer": transfer["id"],
        "status": "succeeded",
    }


def _known(world: World, number: str) -> Object:
    transfer = world.transfers.get(number)
    if transfer is None:
        raise no_such("transfer", number, param="id")
    return transfer


def _amount(amount: int) -> int:
    if amount < 1:
        raise ApiError(
            400,
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    return amount


def _currency(currency: str, amount: int) -> str:
    if currency.lower() not in CURRENCIES:
        raise ApiError(400, f"Invalid currency: {currency}.", param="currency")
    if currency.lower() in _LAST_DIGIT_ZERO and amount % 10:
        raise ApiError(400, f"Invalid amount: {amount}; its last digit must be 0 in {currency}.", param="amount")
    return currency.lower()
