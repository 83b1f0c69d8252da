"""What people do about events of Stripe's that nobody could understand."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms

from compliance.forms import ReasonForm
from compliance.row_acts import ActRefused, By, Facts, RowAct
from rails.models import StripeEvent
from rails.stripe import deciding
from settlements.permissions import Permission


class EventForm(ReasonForm):
    """Why, and since when the event on the screen is unclear: it may be so anew, for another reason."""

    unclear_since = forms.CharField(
        max_length=40,
        widget=forms.HiddenInput,
        error_messages={"required": "Open the event's page again: it is not known what you saw."},
    )


def _seen(event: StripeEvent) -> Mapping[str, Any]:
    return {} if event.done_at is None else {"unclear_since": event.done_at.isoformat()}


def _decided(decide: Callable[..., None], told: str) -> Callable[..., str]:
    def perform(event: StripeEvent, *, by: By, unclear_since: str, reason: str) -> str:
        if _seen(event) != {"unclear_since": unclear_since}:
            raise ActRefused("It has become unclear anew since you looked; read it again.", status=409)
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
        form=EventForm,
        filled=_seen,
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
        form=EventForm,
        filled=_seen,
        is_possible=lambda event, user: deciding.waits(event),
        about=_facts,
        perform=_decided(deciding.deal_with, "Dealt with."),
    ),
)
