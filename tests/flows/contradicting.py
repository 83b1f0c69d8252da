"""A payment that was refused and is tried again, and a word of its provider about the first attempt."""

from decimal import Decimal
from typing import Any

from rails.base import Notice, RailOutcome
from rails.models import RailAttempt, RailNotice, Recipient
from settlements import work
from settlements.models import MilestoneSettlement
from settlements.statuses import WorkKind
from settlements.work import Asked
from tests.factories import a_user, now
from tests.flows.pretend_provider import PretendProvider, notice
from tests.flows.resolving import as_if_committed, attempt_of, failed, retry

SMALL = {"amount": Decimal("1000")}


def says(settlement: MilestoneSettlement, outcome: RailOutcome, reference: str = "tr_first", **others: Any) -> Notice:
    """A word about the first attempt."""
    return notice(outcome, reference, milestone_id=settlement.pk, attempt_number=1, **others)


def again(provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
    """Refused, approved again, and its second attempt not handed over yet."""
    settlement = failed(provider, recipient, **SMALL)
    as_if_committed()
    assert retry(settlement, a_user()) == "A new attempt is on its way to the provider"
    as_if_committed()
    return settlement


def kinds(settlement: MilestoneSettlement) -> list[WorkKind]:
    return [item.kind for item in work.listed(Asked(settlement_id=settlement.pk))[1]]


def stands(settlement: MilestoneSettlement) -> tuple[str, str, int]:
    """Status, state and number of the last attempt."""
    settlement.refresh_from_db()
    last = attempt_of(settlement)
    return (settlement.status, last.state, last.number)


def notice_row(attempt: RailAttempt) -> None:
    """The word as a bare row, past the domain."""
    RailNotice.objects.create(
        attempt=attempt, source="by hand", outcome="ACCEPTED", applied="CONTRADICTED", reference="tr_first",
        occurred_at=now(), created_at=now(),
    )  # fmt: skip
