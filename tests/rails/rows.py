"""A row of each table of the rails, for tests that look at every page there is."""

from datetime import datetime

from rails import choosing, destinations, recipients
from rails.choosing import Payments
from rails.models import RailAttempt, RailNotice
from tests.rails import ach_rows, stripe_rows


def a_row_of_each(now: datetime) -> None:
    """Two of what lists are compared by; what the demo's data has already is left to it."""
    for currency in ("USD", "EUR"):
        choosing.add(Payments(currency=currency), "internal_ledger", reason="test", actor="user:ops1", now=now)
    stripe_rows.load(now)
    ach_rows.load(now)
    for number in (1, 2):
        recipient, _ = recipients.put(f"ROWS-{number}", "Rows Haulage", actor="user:ops1", now=now)
        account = destinations.read("stripe", {"account": f"acct_1RowsRowsRows{number}"})
        (destination,) = destinations.propose(recipient.pk, [account], actor="user:ops1", now=now)
        attempt = RailAttempt.objects.create(
            milestone_id=9_000_000 + number,
            number=1,
            provider="STRIPE",
            amount_minor=700_000,
            currency="USD",
            recipient=recipient,
            destination=destination,
        )
        RailNotice.objects.create(
            attempt=attempt,
            source="stripe event evt_1",
            outcome="REFUSED",
            applied="CONTRADICTED",
            occurred_at=now,
            created_at=now,
        )
