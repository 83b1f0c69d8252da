"""What the domain refuses to people who act on a settlement that waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rails import recipients, switches
from rails.base import SettlementProvider
from rails.models import RecipientEdit
from settlements import approvals, holds, intents
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement
from settlements.reasons import ReasonRefused
from tests.factories import (
    HIGH,
    MEDIUM,
    PICKUP,
    POD,
    a_recipient,
    a_user,
    an_intent,
    approve,
    now,
    officer,
    settlement_of,
    version_of,
)

pytestmark = pytest.mark.django_db

BLANKS = ["", "  ", "\n\t", "\u200b", "\u3164"]
Act = Callable[[MilestoneSettlement, str], object]


def waiting() -> MilestoneSettlement:
    return settlement_of(an_intent(risk=HIGH), POD)


def delayed() -> MilestoneSettlement:
    return settlement_of(an_intent(risk=MEDIUM), PICKUP)


def _lift(settlement: MilestoneSettlement, reason: str) -> None:
    holds.place(settlement.pk, reason="dispute", actor="test", now=now())
    holds.lift(settlement.pk, reason=reason, actor="test", now=now())


ACTS: dict[str, Act] = {
    "approve": lambda one, reason: approve(one, a_user(), reason),
    "reject": lambda one, reason: approvals.reject(
        one.pk, officer=officer(a_user()), reason=reason, version=version_of(one.pk), now=now()
    ),
    "hold": lambda one, reason: holds.place(one.pk, reason=reason, actor="test", now=now()),
    "lift": _lift,
    "extend": lambda one, reason: holds.extend(
        one.pk, until=now() + timedelta(days=2), reason=reason, actor="test", now=now()
    ),
    "cancel": lambda one, reason: intents.cancel(one.intent_id, reason=reason, actor="test", now=now()),
}


@pytest.mark.parametrize("reason", [*BLANKS, "x" * 2_001, "\x00"], ids=repr)
@pytest.mark.parametrize("act", ACTS)
def test_every_act_has_a_reason_that_can_be_read(act: str, reason: str) -> None:
    settlement = waiting()
    with pytest.raises(ReasonRefused):
        ACTS[act](settlement, reason)
    assert not Approval.objects.exists()
    assert not Hold.objects.filter(lifted_at__isnull=False).exists()
    assert MilestoneSettlement.objects.get(pk=settlement.pk).status == "PENDING"
    assert {"approval_recorded", "rejected", "hold_lifted", "intent_cancelled"}.isdisjoint(
        AuditEvent.objects.values_list("action", flat=True)
    )


@pytest.mark.parametrize("lacking", ["is_active", "is_staff"])
@pytest.mark.parametrize("act", ["approve", "reject"])
def test_who_left_decides_nothing(act: str, lacking: str) -> None:
    settlement, nobody = waiting(), officer(a_user(is_superuser=True, **{lacking: False}))
    decide = getattr(approvals, act)
    with pytest.raises(approvals.NotStaff):
        decide(settlement.pk, officer=nobody, reason="ok", version=version_of(settlement.pk), now=now())


@pytest.mark.parametrize("days", [-1, 0, 91, 2_000_000])
def test_a_release_is_put_off_to_a_time_ahead_and_not_for_ever(days: int) -> None:
    with pytest.raises(holds.DateRefused):
        holds.extend(delayed().pk, until=now() + timedelta(days=days), reason="bank closed", actor="test", now=now())


def test_what_officers_have_released_already_is_not_put_off() -> None:
    settlement = delayed()
    switches.turn_off(provider=SettlementProvider.INTERNAL_LEDGER, reason="test", actor="test", now=now())
    assert "switched off" in approve(settlement, a_user()).reason
    with pytest.raises(holds.HoldRefused, match="put it on hold instead"):
        holds.extend(settlement.pk, until=now() + timedelta(days=3), reason="wait", actor="test", now=now())
    holds.place(settlement.pk, reason="wait", actor="test", now=now())


def test_nothing_is_held_where_nothing_is_to_release() -> None:
    zero = settlement_of(an_intent(risk=HIGH), PICKUP)
    with pytest.raises(holds.HoldRefused, match="amount of this settlement is zero"):
        holds.place(zero.pk, reason="dispute", actor="test", now=now())


def test_an_edit_that_waited_behind_a_payment_comes_after_it() -> None:
    """Its request began before the payment; only the moment at which it had the recipient counts."""
    editor, recipient, asked_at = a_user(), a_recipient(), now()
    paid = settlement_of(an_intent(recipient=recipient), POD)
    recipients.put(recipient.recipient_id, "My Own Account", actor="test", user=editor, now=asked_at)
    assert paid.released_at is not None
    assert RecipientEdit.objects.get(edited_by=editor).created_at > paid.released_at
    later = settlement_of(an_intent(risk=HIGH, recipient=recipient), POD)
    with pytest.raises(approvals.NotIndependent):
        approve(later, editor)
