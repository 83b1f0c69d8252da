"""Which rails may pay just now: a person's switch, off until the same or another person turns it on."""

from collections.abc import Iterable
from datetime import datetime

from rails import registry
from rails.base import SettlementProvider
from rails.models import RailSwitch


class SwitchWithoutReason(ValueError):
    """A switch is turned with a reason and by somebody."""

    code = "reason_missing"
    field = "reason"


def turn_off(*, provider: SettlementProvider, reason: str, actor: str, now: datetime) -> RailSwitch:
    """Let the rail pay nothing from now on; releases wait. Raises SwitchWithoutReason."""
    return _turn(provider, False, reason, actor, now)


def turn_on(*, provider: SettlementProvider, reason: str, actor: str, now: datetime) -> RailSwitch:
    """Let the rail pay again. Raises SwitchWithoutReason, RailNotEnabled for a rail that does not exist."""
    registry.rail_of(provider=provider)
    return _turn(provider, True, reason, actor, now)


def is_on(*, providers: Iterable[SettlementProvider]) -> dict[SettlementProvider, bool]:
    """For each provider whether it may pay: it exists, and nobody turned it off. One statement for any number."""
    wanted = set(providers)
    off = set(RailSwitch.objects.filter(rail__in=wanted, enabled=False).values_list("rail", flat=True))
    return {provider: registry.is_implemented(provider=provider) and provider.value not in off for provider in wanted}


def _turn(provider: SettlementProvider, enabled: bool, reason: str, actor: str, now: datetime) -> RailSwitch:
    if not reason.strip() or not actor.strip():
        raise SwitchWithoutReason("Turning a rail on or off needs a reason and an actor.")
    switch, _ = RailSwitch.objects.update_or_create(
        rail=provider.value,
        defaults={"enabled": enabled, "reason": reason.strip(), "actor": actor.strip(), "changed_at": now},
    )
    return switch
