"""What a request's caller is and may do, however it was recognised."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import User

from settlements.api.errors import Refused
from settlements.permissions import PERMISSION_OF_SCOPE, Scope
from settlements.rates import Allowance
from settlements.sources import Source


class CallerKind(StrEnum):
    """How a caller was recognised."""

    KEY = "api_key"
    SOURCE = "event_source"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request: `actor` is what the audit trail names, `carrier_id` whose shipments alone it reaches.

    `source` is in whose name it posts events, `user` the member of staff it acts as.
    """

    kind: CallerKind
    name: str
    actor: str
    user: User | None
    scopes: frozenset[Scope]
    allowance: Allowance
    carrier_id: str = ""
    expires_at: datetime | None = None
    source: Source | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds a scope; one who acts as a member of staff needs that person's permission too."""
        if scope is Scope.ANYONE:
            return True
        if scope not in self.scopes:
            return False
        return self.user is None or self.user.has_perm(PERMISSION_OF_SCOPE[scope].full_name)

    def require(self, scope: Scope) -> None:
        """Raises Refused (403) unless the caller holds the scope."""
        if self.may(scope):
            return
        if self.kind is CallerKind.DEMO and self.user is None:
            raise Refused(
                "demo_client_may_not_decide",
                "The demo client may not decide; act as a demo login with the header X-Demo-User: officer1.",
                403,
            )
        raise Refused("permission_denied", self._lacks(scope), 403)

    def _lacks(self, scope: Scope) -> str:
        if scope in self.scopes and self.user is not None:
            return f"The roles of {self.user.get_username()} do not include {scope}."
        return f"This {'source' if self.kind is CallerKind.SOURCE else 'key'} does not hold the scope {scope}."
