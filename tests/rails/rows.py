"""A row of each table of the rails, for tests that look at every page there is."""

import uuid
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from rails import choosing, destinations, recipients
from rails.choosing import Payments
from rails.models import RailAttempt, RailNotice, WireAnswer, WireEntry, WireEvidence, WireFile, WireMessage
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
        _a_wire(number, destination.pk, now)


def paid_before(milestone_id: int, now: datetime) -> None:
    """A first attempt by Stripe that was refused, and of which Stripe says later that it paid it."""
    recipient, _ = recipients.put(f"PAID-{milestone_id}", "Paid Haulage", actor="user:ops1", now=now)
    account = destinations.read("stripe", {"account": f"acct_1PaidBefore{milestone_id}"})
    (destination,) = destinations.propose(recipient.pk, [account], actor="user:ops1", now=now)
    attempt = RailAttempt.objects.create(
        milestone_id=milestone_id,
        number=1,
        provider="STRIPE",
        amount_minor=700_000,
        currency="USD",
        recipient=recipient,
        destination=destination,
    )
    RailAttempt.objects.filter(pk=attempt.pk).update(state="REFUSED", error="no such account")
    RailNotice.objects.create(
        attempt=attempt,
        source="stripe event evt_1",
        outcome="ACCEPTED",
        applied="CONTRADICTED",
        reference="tr_1",
        occurred_at=now,
        created_at=now,
    )


def _a_wire(number: int, destination_id: int, now: datetime) -> None:
    """One that the bank has confirmed by its file and by its word."""
    file = WireFile.objects.create(
        name=f"CPWIRE-USD-20261130-{number}.xml",
        message_id=f"CPWIRE-USD-20261130-{number}",
        currency="USD",
        window_opens=now + timedelta(days=number),
        execution_date=now.date(),
        sha256=f"{number}" * 64,
        entry_count=1,
        amount_minor=700_000,
        created_at=now,
    )
    wire = WireEntry.objects.create(
        file=file,
        milestone_id=9_100_000 + number,
        attempt_number=1,
        end_to_end_id=f"CP-{9_100_000 + number}-1",
        uetr=uuid.uuid4(),
        destination_id=destination_id,
        currency="USD",
        amount_minor=700_000,
    )
    WireFile.objects.filter(pk=file.pk).update(state="HANDED_OVER", handed_over_at=now)
    message = WireMessage.objects.create(
        sha256=f"{number}" * 64, name=f"camt-{number}.xml", size=1, kind="camt.054.001.08", message_id=f"N-{number}"
    )
    WireEvidence.objects.create(
        message=message, entry=wire, place=1, end_to_end_id=wire.end_to_end_id, status="booked: debit",
        proposes="CONFIRMED", bank_reference=f"IMAD-{number}", currency="USD", amount_minor=700_000,
    )  # fmt: skip
    WireAnswer.objects.create(
        entry=wire,
        word="CONFIRMED",
        bank_reference=f"IMAD-{number}",
        reason="on the statement",
        said_by=User.objects.order_by("pk")[0],
        actor="user:ops1",
    )
