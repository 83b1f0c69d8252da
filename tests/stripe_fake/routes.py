"""Which function answers which endpoint, and the events one can read."""

from collections.abc import Callable
from typing import Any, Final

from tests.stripe_fake import accounts, payouts, transfers
from tests.stripe_fake.errors import ApiError, no_such
from tests.stripe_fake.pages import page
from tests.stripe_fake.spec import Operation
from tests.stripe_fake.world import Object, World

KEPT_DAYS: Final = 30  # https://docs.stripe.com/api/events


def events(world: World, account: str, params: dict[str, Any]) -> Object:
    """GET /v1/events"""
    if "type" in params and "types" in params:
        raise ApiError(400, "You may pass either type or types, but not both.", param="types")
    wanted = params.get("types", [params["type"]] if "type" in params else ["*"])
    oldest = world.now() - KEPT_DAYS * 86_400
    chosen = [
        each
        for whose, each in world.events.values()
        if whose == account and each["created"] >= oldest and any(_fits(each["type"], word) for word in wanted)
    ]
    return page(world, chosen, params, url="/v1/events")


def event(world: World, account: str, params: dict[str, Any], number: str) -> Object:
    """GET /v1/events/{id}"""
    whose, shown = world.events.get(number, ("", None))
    if shown is None or whose != account:
        raise no_such("event", number, param="id")
    return shown


def _fits(kind: str, word: str) -> bool:
    return kind.startswith(word.removesuffix("*")) if word.endswith("*") else kind == word


_ENDPOINTS: Final[dict[tuple[str, str], Callable[..., Object]]] = {
    ("get", "/v1/account"): accounts.retrieve_own,
    ("get", "/v1/accounts/{account}"): accounts.retrieve,
    ("get", "/v1/balance"): accounts.balance,
    ("get", "/v1/balance_transactions"): payouts.entries,
    ("get", "/v1/balance_transactions/{id}"): payouts.entry,
    ("get", "/v1/charges/{charge}"): accounts.charge,
    ("get", "/v1/events"): events,
    ("get", "/v1/events/{id}"): event,
    ("get", "/v1/payouts"): payouts.listed,
    ("post", "/v1/payouts"): payouts.create,
    ("get", "/v1/payouts/{payout}"): payouts.retrieve,
    ("post", "/v1/payouts/{payout}/cancel"): payouts.cancel,
    ("get", "/v1/transfers"): transfers.listed,
    ("post", "/v1/transfers"): transfers.create,
    ("get", "/v1/transfers/{transfer}"): transfers.retrieve,
    ("post", "/v1/transfers/{transfer}"): transfers.update,
    ("get", "/v1/transfers/{id}/reversals"): transfers.reversals,
    ("post", "/v1/transfers/{id}/reversals"): transfers.reverse,
}


def handle(world: World, account: str, operation: Operation, params: dict[str, Any]) -> Object:
    """What the endpoint does; raises ApiError."""
    endpoint = _ENDPOINTS.get((operation.method, operation.template))
    if endpoint is None:
        raise ApiError(501, f"The fake does not do {operation.method} {operation.template}", kind="api_error")
    return endpoint(world, account, params, *operation.in_path.values())
