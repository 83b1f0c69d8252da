"""How Stripe lists: newest first, a page at a time, by cursor."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.stripe_fake.errors import ApiError, no_such
from tests.stripe_fake.world import Object, World


def page(world: World, objects: Iterable[Object], params: Mapping[str, Any], *, url: str) -> Object:
    """One page of the objects (oldest first) that lists show by now."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise ApiError(400, "Invalid limit: must be between 1 and 100", param="limit")
    rows = [each for each in objects if world.is_shown(each) and _created_within(each, params.get("created"))][::-1]
    backwards = "ending_before" in params
    if "starting_after" in params:
        rows = rows[_place(rows, params["starting_after"], "starting_after") + 1 :]
    elif backwards:
        rows = rows[: _place(rows, params["ending_before"], "ending_before")]
    chosen = rows[-limit:] if backwards else rows[:limit]
    data = [expanded(world, each, params, within="data") for each in chosen]
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": data}


def expanded(world: World, shown: Object, params: Mapping[str, Any], *, within: str = "") -> Object:
    """The object with what the request wants to see in full instead of as an id."""
    shown = dict(shown)
    for path in params.get("expand", []):
        name = path.removeprefix(f"{within}.") if within else path
        if (within and name == path) or "." in name:
            raise ApiError(400, f"This property cannot be expanded ({path}).", param="expand")
        inner = world.found(shown[name]) if isinstance(shown.get(name), str) else None
        if inner is not None:
            shown[name] = dict(inner)
    return shown


def _place(rows: list[Object], cursor: str, param: str) -> int:
    for place, each in enumerate(rows):
        if each["id"] == cursor:
            return place
    raise no_such("object", cursor, param=param, status=400)


def _created_within(shown: Object, wanted: Any) -> bool:
    if wanted is None:
        return True
    at = shown["created"]
    if isinstance(wanted, int):
        return bool(at == wanted)
    return bool(
        wanted.get("gte", at) <= at <= wanted.get("lte", at)
        and at > wanted.get("gt", at - 1)
        and at < wanted.get("lt", at + 1)
    )
