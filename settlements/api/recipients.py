"""/recipients/{recipient_id}: who is paid."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from rails import recipients, registry
from rails.models import Recipient
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused
from settlements.api.fields import Fields
from settlements.api.rendering import answer
from settlements.permissions import Scope


class RecipientDetail(Endpoint):
    """PUT creates or renames, GET reads; every edit is recorded with its editor."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "PUT": Scope.RECIPIENTS_WRITE}

    def get(self, request: Request, recipient_id: str) -> HttpResponse:
        try:
            return answer(_recipient(recipients.find(recipient_id=recipient_id)))
        except recipients.RecipientUnknown as error:
            raise Refused("recipient_unknown", error.detail, 404) from error

    def put(self, request: Request, recipient_id: str) -> HttpResponse:
        with Fields(self.body, allowed=("name", "destinations")) as fields:
            name = fields.text("name")
            _check_destinations(fields)
        try:
            recipient, created = recipients.put(
                recipient_id, name, actor=self.caller.actor, user=self.caller.user, now=timezone.now()
            )
        except recipients.RecipientError as error:
            raise Refused(error.code, error.detail, 400, error.field) from error
        return answer(_recipient(recipient), status=201 if created else 200)


def _check_destinations(fields: Fields) -> None:
    """The internal ledger needs no destination, and the rails that do are not enabled."""
    given: Any = fields.maybe("destinations", lambda value: value, nullable=True)
    if given is None:
        return
    if not isinstance(given, dict):
        fields.fault("destinations", "destinations_not_an_object", "destinations must be an object.")
        return
    for method in given:
        place = f"destinations.{method[:40]}"
        try:
            registry.rail_for(method=method)
        except (registry.UnknownRail, registry.RailNotEnabled) as error:
            fields.fault(place, error.code, error.detail)
        else:
            fields.fault(place, "destination_not_needed", f"Payment method {method} needs no destination.")


def _recipient(recipient: Recipient) -> dict[str, Any]:
    return {
        "recipient_id": recipient.recipient_id,
        "name": recipient.name,
        "destinations": {},
        "payouts_enabled": recipient.payouts_enabled,
        "created_at": recipient.created_at,
        "updated_at": recipient.updated_at,
    }
