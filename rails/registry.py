"""Which rail a payment method means."""

from collections.abc import Iterator

from rails.ach.rail import AchRail
from rails.base import LocalRail, PaymentRail, RemoteRail, SettlementProvider
from rails.internal.rail import InternalLedgerRail
from rails.stripe.rail import StripeRail
from rails.wire.rail import WireRail

_RAILS: dict[SettlementProvider, PaymentRail] = {
    rail.get_provider(): rail for rail in (InternalLedgerRail(), StripeRail(), AchRail(), WireRail())
}


class UnknownRail(ValueError):
    """A word that is no payment method."""

    code = "payment_method_unknown"
    field = "payment_method"

    def __init__(self) -> None:
        words = ", ".join(provider.method for provider in SettlementProvider)
        self.detail = f"Unknown payment method; the methods are {words}."
        super().__init__(self.detail)


class RailNotEnabled(ValueError):
    """A payment method that is known and not enabled in this installation."""

    code = "payment_method_not_enabled"
    field = "payment_method"

    def __init__(self, provider: SettlementProvider) -> None:
        self.provider = provider
        self.detail = f"Payment method {provider.method} is not enabled."
        super().__init__(self.detail)


def provider_of(*, method: object) -> SettlementProvider:
    """The provider behind a method's word ("internal_ledger"); raises UnknownRail."""
    for provider in SettlementProvider:
        if method == provider.method:
            return provider
    raise UnknownRail


def rail_of(*, provider: SettlementProvider) -> PaymentRail:
    """The rail of a provider; raises RailNotEnabled."""
    rail = _RAILS.get(provider)
    if rail is None or not rail.is_configured():
        raise RailNotEnabled(provider)
    return rail


def local_rail_for(*, method: object) -> LocalRail:
    """The rail of a method whose books are ours; raises UnknownRail, and TypeError for a remote one."""
    rail = rail_for(method=method)
    if not isinstance(rail, LocalRail):
        raise TypeError(f"rail {method} is remote")
    return rail


def rail_for(*, method: object) -> PaymentRail:
    """The rail of a method's word; raises UnknownRail or RailNotEnabled."""
    return rail_of(provider=provider_of(method=method))


def is_local(*, method: object) -> bool:
    """Whether a method's books are ours, set up in this installation or not; raises UnknownRail."""
    return _RAILS[provider].is_local if (provider := provider_of(method=method)) in _RAILS else False


def is_implemented(*, provider: SettlementProvider) -> bool:
    """Whether this installation has the rail at all."""
    return any(rail.get_provider() is provider for rail in _configured())


def enabled_methods() -> list[str]:
    """The words of the methods that can be chosen."""
    return [rail.get_provider().method for rail in _configured()]


def remote_rails() -> list[RemoteRail]:
    """The rails whose money is at a provider."""
    return [rail for rail in _configured() if isinstance(rail, RemoteRail)]


def _configured() -> Iterator[PaymentRail]:
    return (rail for rail in _RAILS.values() if rail.is_configured())
