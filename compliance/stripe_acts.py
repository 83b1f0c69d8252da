"""What people do about events of Stripe's that nobody could understand."""

from collections.abc import Callable
from typing import Final

from compliance.row_acts import ActRefused, By, Facts, RowAct
from rails.models import StripeEvent
from rails.stripe import deciding
from settlements.permissions import Permission


def _decided(decide: Callable[..., None], told: str) -> Callable[..., str]:
    def perform(event: StripeEvent, *, by: By, reason: str) -> str:
        try:
            decide(event, reason=reason, user=by.user, actor=by.actor, now=by.now)
        except deciding.EventDecided as refused:
            raise ActRefused(refused.detail, status=409) from refused
        return told

    return perform


def _facts(event: StripeEvent) -> Facts:
    about = [("About", event.about_id)] if event.about_id else []
    return [("Event", event.type), *about, ("Unclear, because", event.detail)]


OF_EVENT: Final = (
    RowAct(
        name="again",
        label="Process again",
        explanation="It is understood within seconds, as if it had just come. What it told before is not applied a "
        "second time; if it is unclear still, it comes back to the work list.",
        permission=Permission.RESOLVE_PAYMENT,
        is_possible=lambda event, user: deciding.may_be_clear(event),
        about=_facts,
        perform=_decided(deciding.again, "It is processed again, within seconds."),
    ),
    RowAct(
        name="deal",
        label="Dealt with",
        explanation="Nobody has to look at this event any more, and nothing of it is applied. Compare the payment with "
        "Stripe's dashboard first.",
        permission=Permission.RESOLVE_PAYMENT,
        is_possible=lambda event, user: deciding.waits(event),
        about=_facts,
        perform=_decided(deciding.deal_with, "Dealt with."),
    ),
)
