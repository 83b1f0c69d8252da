"""Payments at the pretended provider that failed, came back or hang, and what people say of them."""

from typing import Any

from django.db import connection

from rails.base import RailOutcome
from rails.models import RailAttempt, Recipient
from settlements import outcomes, retries, submitting
from settlements.models import MilestoneSettlement
from tests.factories import POD, a_user, an_intent, now, officer, settlement_of, version_of
from tests.flows.pretend_provider import Behaviour, PretendProvider, notice


def releasing(recipient: Recipient | None, **others: Any) -> MilestoneSettlement:
    """A settlement on its way to the provider: claimed, not handed over."""
    return settlement_of(an_intent(recipient=recipient, payment_method="stripe", **others), POD)


def handed_over(provider: PretendProvider, recipient: Recipient, behave: Behaviour, **others: Any) -> Any:
    """The same, after the provider was asked once and behaved like that."""
    settlement = releasing(recipient, **others)
    usual, provider.behave = provider.behave, behave
    submit(provider)
    provider.behave = usual
    settlement.refresh_from_db()
    return settlement


def failed(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    settlement: MilestoneSettlement = handed_over(provider, recipient, provider.refuse, **others)
    return settlement


def paid(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    settlement: MilestoneSettlement = handed_over(provider, recipient, provider.accept, **others)
    return settlement


def returned(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    settlement = paid(provider, recipient, **others)
    tell(notice(RailOutcome.RETURNED, settlement.reference, reason="Reversed"))
    settlement.refresh_from_db()
    as_if_committed()
    return settlement


def kept(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    """Taken back by us, and then it was not: the recipient has what counts as returned."""
    settlement = reclaimed(provider, recipient, **others)
    tell(notice(RailOutcome.RECLAIM_FAILED, settlement.reference, reason="The reversal came back"))
    return settlement


def overpaid(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    """The same, after it was paid again."""
    settlement = reclaimed(provider, recipient, **others)
    first, missing = settlement.reference, settlement.approvals_required
    for _ in range(missing):
        retry(settlement, a_user())
    submit(provider)
    tell(notice(RailOutcome.RECLAIM_FAILED, first, reason="The reversal came back"))
    settlement.refresh_from_db()
    as_if_committed()
    return settlement


def back_twice(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    """Taken back by us, and returned by the provider as well."""
    settlement = reclaimed(provider, recipient, **others)
    tell(notice(RailOutcome.RETURNED, settlement.reference, reason="R06 Returned at the request of our bank"))
    return settlement


def reclaimed(provider: PretendProvider, recipient: Recipient, **others: Any) -> MilestoneSettlement:
    settlement = paid(provider, recipient, **others)
    tell(notice(RailOutcome.RECLAIMED, settlement.reference, reason="Reversed"))
    settlement.refresh_from_db()
    as_if_committed()
    return settlement


def as_if_committed() -> None:
    """What is judged at commit is judged now: later moves come with transactions of their own."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def in_question(provider: PretendProvider, recipient: Recipient) -> MilestoneSettlement:
    settlement: MilestoneSettlement = handed_over(provider, recipient, provider.ask_a_person)
    return settlement


def submit(provider: PretendProvider) -> submitting.Report:
    return submitting.submit(provider, clock=now)


def tell(*words: Any) -> None:
    outcomes.apply(list(words), actor="rail:stripe", now=now())


def attempt_of(settlement: MilestoneSettlement) -> RailAttempt:
    return RailAttempt.objects.filter(milestone_id=settlement.pk).latest("number")


def retry(settlement: MilestoneSettlement, user: Any, reason: str = "the bank has mended it") -> str:
    """A person's approval of another attempt, at the version of this moment."""
    return retries.retry(
        settlement.pk, officer=officer(user), reason=reason, version=version_of(settlement.pk), now=now()
    )


def turn(settlement: MilestoneSettlement, method: str, user: Any, reason: str = "faster that way") -> str:
    """A person's choice of another rail for one settlement."""
    version = version_of(settlement.pk)
    return retries.pay_elsewhere(
        settlement.pk, method=method, officer=officer(user), reason=reason, version=version, now=now()
    )


def write_off(settlement: MilestoneSettlement, user: Any, reason: str = "the carrier waived it") -> str:
    """A person's decision that nothing more is paid."""
    return retries.write_off(
        settlement.pk, officer=officer(user), reason=reason, version=version_of(settlement.pk), now=now()
    )
