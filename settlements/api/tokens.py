"""/freight_tokens/{id}: what the upstream pushes and reads back."""

import re
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from settlements import tokens, values
from settlements.api.endpoint import Endpoint
from settlements.api.fields import Fields
from settlements.api.rendering import answer, number
from settlements.models import FreightToken
from settlements.permissions import Scope
from settlements.policy import tier_of
from settlements.tokens import UNSET, TokenPush
from settlements.values import InvalidValue

_FIELDS = frozenset({"shipment_id", "status", "risk_score", "risk_category", "carrier_id", "recipient_id"})
_STATUS = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)


class FreightTokenDetail(Endpoint):
    """PUT creates or updates (absent fields keep their value); GET reads."""

    scopes = {"GET": Scope.TOKENS_READ, "PUT": Scope.TOKENS_WRITE}

    def get(self, request: Request, token_id: int) -> HttpResponse:
        return answer(_token(tokens.find(token_id, carrier_id=self.caller.carrier_id)))

    def put(self, request: Request, token_id: int) -> HttpResponse:
        with Fields(self.body, allowed=_FIELDS) as fields:
            push = TokenPush(
                shipment_id=fields.text_or_integer("shipment_id") if fields.given("shipment_id") else UNSET,
                status=fields.need("status", _status) if fields.given("status") else UNSET,
                risk_score=fields.score("risk_score") if fields.given("risk_score") else UNSET,
                risk_category=(fields.maybe_text("risk_category") or "") if fields.given("risk_category") else UNSET,
                carrier_id=(_carrier(fields) or "") if fields.given("carrier_id") else UNSET,
                recipient_id=fields.maybe_text("recipient_id") if fields.given("recipient_id") else UNSET,
            )
        token, created = tokens.put(token_id, push, actor=self.caller.actor, now=timezone.now())
        return answer(_token(token), status=201 if created else 200)


def _carrier(fields: Fields) -> str | None:
    return fields.maybe("carrier_id", values.text_or_integer, nullable=True)


def _status(value: object) -> str:
    """The upstream's own vocabulary; only active and locked let money go."""
    if isinstance(value, str) and _STATUS.fullmatch(value.lower()):
        return value.lower()
    raise InvalidValue("invalid", "must be a word like active, locked or cancelled")


def _token(token: FreightToken) -> dict[str, Any]:
    return {
        "freight_token_id": token.pk,
        "shipment_id": token.shipment.shipment_id,
        "status": token.status,
        "risk_score": number(token.risk_score),
        "risk_tier": tier_of(token.risk_score).lower(),
        "risk_category": token.risk_category or None,
        "carrier_id": token.carrier_id or None,
        "recipient_id": token.recipient.recipient_id if token.recipient else None,
        "created_at": token.created_at,
        "updated_at": token.updated_at,
    }
