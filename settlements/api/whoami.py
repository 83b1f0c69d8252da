"""GET /whoami: what we take the caller for, and what it may do."""

from django.http import HttpResponse
from rest_framework.request import Request

from settlements.api.callers import CallerKind
from settlements.api.endpoint import Endpoint
from settlements.api.rendering import answer
from settlements.permissions import PERMISSION_OF_SCOPE, Scope
from settlements.statuses import EVENT_WORDS


class Whoami(Endpoint):
    """The caller's source or key, its scopes and limits; a source signs the empty body."""

    scopes = {"GET": Scope.ANYONE}
    signed = True
    looks_afresh = True

    def get(self, request: Request) -> HttpResponse:
        caller = self.caller
        allowed = caller.source.allowed_event_types if caller.source else None
        return answer(
            {
                "kind": caller.kind,
                "name": caller.name,
                "actor": caller.actor,
                "scopes": [scope for scope in PERMISSION_OF_SCOPE if caller.may(scope)],
                "carrier_id": caller.carrier_id or None,
                "allowed_event_types": [word for word in EVENT_WORDS if allowed is None or word in allowed]
                if caller.may(Scope.EVENTS_WRITE)
                else [],
                "expires_at": caller.expires_at,
                "rate_limit": {
                    "requests_per_second": caller.allowance.per_second,
                    "remaining": self.spent.remaining if self.spent else caller.allowance.per_second,
                },
                "demo": caller.kind is CallerKind.DEMO,
            }
        )
