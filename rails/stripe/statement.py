"""All transfers that Stripe has of us, for comparing: with our mark, or without any to accounts of ours."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rails.base import StatementFailed, Theirs
from rails.models import Destination
from rails.stripe import configuration, currencies, installation
from rails.stripe.client import Deadline, client_of
from rails.stripe.currencies import NotStripes
from rails.stripe.failures import CallFailed
from rails.stripe.transfers import Transfer

_SECONDS: Final = 500.0


def transfers(*, since: datetime) -> Iterator[Theirs]:
    """Transfers made since then; those of another installation are not ours to judge. Raises StatementFailed."""
    configured, mark = configuration.current(), installation.mark()
    accounts = set(Destination.objects.filter(rail="stripe").values_list("details__account", flat=True))
    asked = {"created": {"gte": int(since.timestamp())}}
    try:
        for shown in client_of(configured).all("/v1/transfers", asked, deadline=Deadline(_SECONDS)):
            transfer = Transfer.read(shown)
            if transfer.mark == mark or (not transfer.mark and transfer.account in accounts):
                yield _theirs(transfer, mark)
    except (CallFailed, NotStripes) as error:
        raise StatementFailed(f"Stripe's transfers could not be read: {error}") from error


def _theirs(transfer: Transfer, mark: str) -> Theirs:
    settlement = transfer.settlement_of(mark)
    return Theirs(
        reference=transfer.id,
        amount=currencies.from_stripe(transfer.integer, transfer.currency),
        returned=currencies.from_stripe(transfer.reversed, transfer.currency),
        made_at=transfer.created,
        milestone_id=settlement[0] if settlement else None,
        attempt_number=settlement[1] if settlement else None,
        destination=transfer.account,
    )
