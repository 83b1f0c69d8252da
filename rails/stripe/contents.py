"""Which of our transfers are in a payout, by what Stripe says of the connected account's balance.

https://docs.stripe.com/payouts/reconciliation: the balance transactions of an automatic payout. One of type `payment`
is what the account received of a transfer; `payout_failure` and `payout_cancel` bring back what an earlier payout had.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rails.base import SettlementProvider
from rails.models import RailAttempt, StripePayout, StripePayoutPart
from rails.stripe import installation, payouts
from rails.stripe.client import Deadline, StripeClient
from rails.stripe.failures import CallFailed, Lost
from rails.stripe.transfers import Transfer, id_of

_DEEPEST: Final = 30  # payouts that failed one after the other
_CAME_BACK: Final = frozenset({"payout_failure", "payout_cancel"})
_IN_PROGRESS: Final = "in_progress"


def open_payouts(client: StripeClient, *, deadline: Deadline, now: datetime) -> None:
    """Asks what is in the payouts that were paid or failed, as far as time goes; what fails is asked again later."""
    for payout in payouts.to_open(now=now):
        try:
            shown = client.get(f"/v1/payouts/{payout.payout_id}", {}, account=payout.account, deadline=deadline)
            payouts.save(shown, account=payout.account, at=now, now=now)
            if shown.get("reconciliation_status") == _IN_PROGRESS:
                payouts.put_off(payout, now=now)
                continue
            found = set(_transfers_in(client, payout.account, payout.payout_id, deadline=deadline, now=now))
            payouts.opened(payout, list(_parts(client, payout, found, deadline=deadline)))
        except CallFailed:
            payouts.put_off(payout, now=now)


def _transfers_in(
    client: StripeClient, account: str, payout_id: str, *, deadline: Deadline, now: datetime, depth: int = 0
) -> Iterator[str]:
    """The ids of all transfers whose money is in a payout. Raises CallFailed."""
    if depth > _DEEPEST:
        raise Lost(f"more than {_DEEPEST} payouts of {account} failed one after the other")
    asked = {"payout": payout_id, "expand": ["data.source"]}
    for entry in client.all("/v1/balance_transactions", asked, account=account, deadline=deadline):
        kind, source = entry.get("type"), entry.get("source")
        if kind in _CAME_BACK:
            if isinstance(source, Mapping):
                payouts.save(source, account=account, at=now, now=now)
            yield from _transfers_in(client, account, id_of(source), deadline=deadline, now=now, depth=depth + 1)
        elif kind == "payment":
            transfer = id_of(_charge(client, account, source, deadline).get("source_transfer"))
            if transfer:
                yield transfer


def _charge(client: StripeClient, account: str, source: Any, deadline: Deadline) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    return client.get(f"/v1/charges/{id_of(source)}", {}, account=account, deadline=deadline)


def _parts(
    client: StripeClient, payout: StripePayout, transfer_ids: set[str], *, deadline: Deadline
) -> Iterator[StripePayoutPart]:
    """Those that are ours, with their settlements: as we recorded them, else as their own metadata say."""
    known = {
        reference: (milestone_id, number)
        for reference, milestone_id, number in RailAttempt.objects.filter(
            provider=SettlementProvider.STRIPE, reference__in=transfer_ids
        ).values_list("reference", "milestone_id", "number")
    }
    mark = installation.mark()
    for transfer_id in sorted(transfer_ids):
        settlement = known.get(transfer_id)
        if settlement is None:
            transfer = Transfer.read(client.get(f"/v1/transfers/{transfer_id}", {}, deadline=deadline))
            settlement = transfer.settlement_of(mark)
        if settlement is not None:
            yield StripePayoutPart(
                payout=payout, transfer_id=transfer_id, milestone_id=settlement[0], attempt_number=settlement[1]
            )
