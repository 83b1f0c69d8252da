"""POST /webhooks/stripe: what Stripe tells is verified and stored once; what follows from it is for the worker."""

from typing import Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from rails.stripe import inbox, webhooks
from rails.stripe.events import NotAnEvent, read
from rails.stripe.inbox import CameBy
from settlements.api.callers import Caller, CallerKind
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused, unauthenticated
from settlements.api.rendering import answer
from settlements.permissions import Scope
from settlements.rates import Allowance

NAME: Final = "stripe"


class StripeWebhook(Endpoint):
    """Stores one event of Stripe's; the caller is whoever holds one of Stripe's webhook secrets, in the demo too."""

    scopes = {"POST": Scope.ANYONE}
    keyed = False

    def identified(self, *, fresh: bool = False) -> Caller:
        """Stripe, by its signature of the body."""
        header = self.request._request.META.get("HTTP_STRIPE_SIGNATURE", "")
        try:
            webhooks.verify(self.raw_body(), header, now=timezone.now())
        except webhooks.NotSigned as error:
            raise unauthenticated("invalid_signature", str(error)) from None
        return Caller(
            kind=CallerKind.SOURCE,
            name=NAME,
            actor=f"rail:{NAME}",
            user=None,
            scopes=frozenset(),
            allowance=Allowance(f"rail:{NAME}", settings.CHAINPAY_REQUESTS_PER_SECOND),
        )

    def post(self, request: Request) -> HttpResponse:
        try:
            event = read(self.body)
        except NotAnEvent as error:
            raise Refused("stripe_event_invalid", f"This is not an event of Stripe's: {error}.", 400) from None
        new = inbox.store([event], came_by=CameBy.WEBHOOK, now=timezone.now())
        message = _STORED if event.is_read else _OF_NO_INTEREST
        return answer({"event_id": event.event_id, "message": message if new else _KNOWN})


_STORED: Final = "Stored; it is applied within seconds."
_OF_NO_INTEREST: Final = "Stored; nothing follows from events of this type."
_KNOWN: Final = "Known already; nothing changed."
