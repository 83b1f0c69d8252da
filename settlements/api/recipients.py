"""/recipients/{recipient_id}: who is paid."""

from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from rails import destinations, recipients, registry
from rails.destinations import Details, OnRail
from rails.models import Destination, Recipient
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Refused
from settlements.api.fields import Fields
from settlements.api.rendering import answer
from settlements.permissions import Scope

_LONGEST_METHOD: Final = 40


class RecipientDetail(Endpoint):
    """PUT creates, renames and proposes destinations, GET reads; every edit is recorded with its editor."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "PUT": Scope.RECIPIENTS_WRITE}

    def get(self, request: Request, recipient_id: str) -> HttpResponse:
        try:
            return answer(_recipient(recipients.find(recipient_id=recipient_id)))
        except recipients.RecipientUnknown as error:
            raise Refused("recipient_unknown", error.detail, 404) from error

    def put(self, request: Request, recipient_id: str) -> HttpResponse:
        with Fields(self.body, allowed=("name", "destinations")) as fields:
            name = fields.text("name")
            wanted = _destinations(fields)
        try:
            recipient, created = destinations.push(
                recipient_id, name, wanted, actor=self.caller.actor, user=self.caller.user, now=timezone.now()
            )
        except recipients.RecipientError as error:
            raise Refused(error.code, error.detail, 400, error.field) from error
        return answer(_recipient(recipient), status=201 if created else 200)


def _destinations(fields: Fields) -> dict[str, Details | None]:
    """What is sent for each rail, whether or not it is enabled here by now; null closes what there is."""
    given: Any = fields.maybe("destinations", lambda value: value, nullable=True)
    if given is None:
        return {}
    if not isinstance(given, dict):
        fields.fault("destinations", "destinations_not_an_object", "destinations must be an object.")
        return {}
    wanted: dict[str, Details | None] = {}
    for method, details in given.items():
        place = f"destinations.{method[:_LONGEST_METHOD]}"
        if method not in destinations.RAILS:
            _refuse_method(fields, place, method)
        elif details is None:
            wanted[method] = None
        elif not isinstance(details, dict):
            fields.fault(place, f"{method}_not_an_object", f"{place} must be an object.")
        else:
            wanted[method] = _read(fields, place, method, details)
    return wanted


def _refuse_method(fields: Fields, place: str, method: str) -> None:
    try:
        registry.provider_of(method=method)
    except registry.UnknownRail as error:
        fields.fault(place, error.code, error.detail)
    else:
        fields.fault(place, "destination_not_needed", f"Payment method {method} needs no destination.")


def _read(fields: Fields, place: str, method: str, details: dict[str, Any]) -> Details | None:
    try:
        return destinations.read(method, details)
    except destinations.DestinationRefused as refused:
        for fault in refused.faults:
            fields.fault(f"{place}.{fault.field}", fault.code, fault.detail)
        return None


def _recipient(recipient: Recipient) -> dict[str, Any]:
    return {
        "recipient_id": recipient.recipient_id,
        "name": recipient.name,
        "destinations": {found.rail: _on_rail(found) for found in destinations.by_rail(recipient.pk)},
        "payouts_enabled": recipient.payouts_enabled,
        "created_at": recipient.created_at,
        "updated_at": recipient.updated_at,
    }


def _on_rail(found: OnRail) -> dict[str, Any]:
    return {
        "state": found.standing,
        "obstacle": found.obstacle or None,
        "in_force": _destination(found.in_force),
        "proposed": _destination(found.proposed),
    }


def _destination(row: Destination | None) -> dict[str, Any] | None:
    """As it was sent, with its number masked."""
    if row is None:
        return None
    return {**destinations.masked(row), "usable_from": row.usable_from, "proposed_at": row.proposed_at}
