"""Rows of Stripe's as a busy week leaves them, for pages that show them."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from rails.models import (
    DifferenceKind,
    RailDifference,
    RailReconciliation,
    StripeAccount,
    StripeEvent,
    StripeEventDecision,
    StripeEventState,
    StripeListening,
    StripePayout,
    StripePayoutPart,
)
from rails.stripe import installation

ACCOUNT = "acct_1032D82eZvKYlo2C"


def load(now: datetime | None = None) -> None:
    """Events in every state, payouts in every status, an account in trouble, and two reconciliations."""
    now = now or datetime.now(UTC)
    installation.mark()
    StripeListening.objects.create(polled_at=now, events_seen_until=now)
    words = {
        StripeEventState.DONE: ("payout.paid", "already processed"),
        StripeEventState.WAITING: ("transfer.created", "there is no such attempt here"),
        StripeEventState.UNCLEAR: (
            "transfer.updated",
            f"it is not what attempt 1 ordered: tr_1PgqZx2eZvKYlo2CabcdEFGH of 0.01 USD to {ACCOUNT}",
        ),
        StripeEventState.IGNORED: ("invoice.paid", "nothing follows from this type"),
    }
    for place, (state, (kind, detail)) in enumerate(words.items()):
        StripeEvent.objects.create(
            event_id=f"evt_1PgqZx2eZvKYlo2Cabcd{place:04d}",
            type=kind,
            account=ACCOUNT if kind.startswith("payout") else "",
            about_id="po_1PgqZx2eZvKYlo2CabcdEFGH",
            about={"id": "po_1PgqZx2eZvKYlo2CabcdEFGH", "object": "payout", "status": "paid", "amount": 3_840_000},
            came_by="poll" if place % 2 else "webhook",
            occurred_at=now - timedelta(hours=place),
            received_at=now - timedelta(hours=place) + timedelta(seconds=2),
            state=state,
            detail=detail,
            done_at=None if state == StripeEventState.WAITING else now,
        )
    unclear = StripeEvent.objects.get(state=StripeEventState.UNCLEAR)
    officer, _ = User.objects.get_or_create(username="olga")
    StripeEventDecision.objects.create(
        event=unclear,
        unclear_since=now,
        detail=unclear.detail,
        decision="DEALT_WITH",
        decided_by=officer,
        actor="user:olga",
        reason="It was a test of Stripe's support; they have taken it back",
    )
    for place, status in enumerate(["pending", "in_transit", "paid", "failed"]):
        payout = StripePayout.objects.create(
            payout_id=f"po_1PgqZx2eZvKYlo2Cabcd{place:04d}",
            account=ACCOUNT,
            status=status,
            amount=3_840_000 + place,
            currency="usd",
            automatic=True,
            arrives_on=now.date(),
            failure="account_closed The bank account has been closed." if status == "failed" else "",
            contents_known=status in {"paid", "failed"},
            made_at=now - timedelta(days=1),
            status_at=now,
        )
        if payout.contents_known:
            told = {"paid": "CONFIRMED", "failed": "PAYOUT_FAILED"}[status]
            for number in (17, 18):
                StripePayoutPart.objects.create(
                    payout=payout,
                    transfer_id=f"tr_1PgqZx2eZvKYlo2Cabcd{place}{number:03d}",
                    milestone_id=number,
                    attempt_number=1,
                    told=told,
                )
    StripeAccount.objects.create(
        account=ACCOUNT,
        trouble="Stripe has switched its payouts off (requirements.past_due)",
        looked_at=now,
        payouts_seen_at=now,
    )
    StripeAccount.objects.create(account="acct_1032D82eZvKYlo2D", looked_at=now)
    run = {"provider": "STRIPE", "since": now - timedelta(days=90), "actor": "beat", "started_at": now}
    RailReconciliation.objects.create(**run, ours=1_204, theirs=1_204)
    RailReconciliation.objects.create(**run, error="Stripe's transfers could not be read: no answer in time")
    differing = RailReconciliation.objects.create(**run, ours=1_204, theirs=1_205, differences=2)
    for kind, ours, theirs, days in (
        (DifferenceKind.MISSING_HERE, "", f"tr_1PgqZx2eZvKYlo2C: 70.00 USD to {ACCOUNT}", 12),
        (
            DifferenceKind.RETURNED,
            f"tr_1PgqZx2eZvKYlo2D: 7,000.00 USD to {ACCOUNT}, accepted",
            f"tr_1PgqZx2eZvKYlo2D: 7,000.00 USD to {ACCOUNT}, 100.00 USD came back",
            0,
        ),
    ):
        RailDifference.objects.create(
            reconciliation=differing,
            kind=kind,
            milestone_id=17 if ours else None,
            attempt_number=1 if ours else None,
            reference="tr_1PgqZx2eZvKYlo2C",
            ours=ours,
            theirs=theirs,
            occurred_at=now - timedelta(days=days),
            first_seen_at=now,
        )
