"""Payments that the bank has, and what is told of its answers."""

from collections.abc import Sequence
from typing import Any

from rails.ach.rail import AchRail
from rails.base import Notice
from rails.models import AchEntry, AchInboundItem
from tests.rails.ach.bank import days_later, order, paid, payee

THURSDAY = days_later(3)


def one_paid(milestone_id: int = 1, minor: int = 100, **details: str) -> str:
    """A payment that the bank has; its trace number."""
    (answer,) = paid(order(milestone_id, payee(**details), minor))
    assert answer.reference_id
    return answer.reference_id


def told(now: Any = THURSDAY) -> Sequence[Notice]:
    return AchRail().hear(now=now)


def recipient_of(milestone_id: int) -> int:
    destination = AchEntry.objects.get(milestone_id=milestone_id).destination
    assert destination is not None
    return destination.recipient_id


def item() -> AchInboundItem:
    return AchInboundItem.objects.get()
