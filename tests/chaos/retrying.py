"""People who look at what Stripe refused, and approve that it goes out once more."""

from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import connections

from settlements import retries
from settlements.models import MilestoneSettlement
from settlements.statuses import SettlementStatus
from tests.chaos.ground import OFFICERS
from tests.factories import officer, version_of


def retry_what_failed() -> int:
    """Each of them by a new attempt, approved by as many as it needs; how many there were."""
    connections.close_all()  # they have seen the server die
    officers = [officer(User.objects.get(username=name)) for name in OFFICERS]
    failed = MilestoneSettlement.objects.filter(status=SettlementStatus.FAILED).values_list("pk", "approvals_required")
    for settlement_id, needed in list(failed):
        version = version_of(settlement_id)
        for each in officers[:needed]:
            retries.retry(
                settlement_id, officer=each, reason="Stripe has no transfer", version=version, now=datetime.now(UTC)
            )
    return len(failed)
