"""Freight tokens as the upstream has them: the only writer of tokens."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction

from rails.models import Recipient
from settlements import locks, redecide
from settlements.models import FreightToken
from settlements.refusals import Kind, Refusal

logger = logging.getLogger(__name__)


class Unset:
    """The type of UNSET."""


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPush:
    """What one push says; UNSET fields keep their value, or take the default on a new token."""

    shipment_id: str | Unset = UNSET
    status: str | Unset = UNSET
    risk_score: Decimal | Unset | None = UNSET
    risk_category: str | Unset = UNSET
    carrier_id: str | Unset = UNSET
    recipient_id: str | Unset | None = UNSET


class TokenMoved(Refusal):
    """A token stays with its shipment and can not be moved to another."""

    code = "freight_token_moved"
    kind = Kind.CONFLICT


class ShipmentMissing(Refusal):
    """A new token must name its shipment."""

    code = "shipment_id_missing"


class TokenNotFound(Refusal):
    """No such token, here or upstream."""

    code = "freight_token_not_found"
    kind = Kind.NOT_FOUND

    def __init__(self, token_id: int) -> None:
        super().__init__(f"Freight token {token_id} not found or unreachable", field="freight_token_id")


class RecipientNotFound(Refusal):
    """The recipient is not known yet; push it first."""

    code = "recipient_unknown"

    def __init__(self, recipient_id: str) -> None:
        super().__init__(f"Recipient {recipient_id} not found; push it first.", field="recipient_id")


def put(token_id: int, push: TokenPush, *, actor: str, now: datetime) -> tuple[FreightToken, bool]:
    """Creates or updates a token; returns it and whether it is new. Raises TokenMoved, RecipientNotFound.

    A worse risk makes stricter what waits of the token, in the same transaction; a better one moves nothing.
    """
    try:
        return _put(token_id, push, actor=actor, now=now)
    except IntegrityError:
        # Two first pushes of one token met; the second finds it stored.
        return _put(token_id, push, actor=actor, now=now)


def add(token_id: int, push: TokenPush, *, now: datetime) -> None:
    """Stores a token that was fetched; if it is known by now, what is known stays.

    A recipient that is not known here is left out: a token is good without one. Raises ShipmentMissing.
    """
    if FreightToken.objects.filter(pk=token_id).exists():
        return
    try:
        values = _values(push)
    except RecipientNotFound as error:
        logger.info("Freight token %s is stored without its recipient: %s", token_id, error.detail)
        values = _values(replace(push, recipient_id=None))
    with transaction.atomic():
        shipment = locks.of_reference(_shipment_id(token_id, None, push))
        token = FreightToken(pk=token_id, shipment_id=shipment.pk, created_at=now, updated_at=now, **values)
        FreightToken.objects.bulk_create([token], ignore_conflicts=True)


def find(token_id: int, *, carrier_id: str = "") -> FreightToken:
    """The token, with a carrier only if it hauls it; raises TokenNotFound."""
    token = FreightToken.objects.select_related("shipment", "recipient").filter(pk=token_id).first()
    if token is None or carrier_id not in ("", token.carrier_id):
        raise TokenNotFound(token_id)
    return token


def _put(token_id: int, push: TokenPush, *, actor: str, now: datetime) -> tuple[FreightToken, bool]:
    with transaction.atomic():
        token = FreightToken.objects.select_related("shipment", "recipient").filter(pk=token_id).first()
        # Decisions read the token under this lock, so a new risk is seen before or after them, never between.
        shipment = locks.of_reference(_shipment_id(token_id, token, push))
        values = _values(push)
        if token is None:
            token = FreightToken.objects.create(
                pk=token_id, shipment_id=shipment.pk, created_at=now, updated_at=now, **values
            )
            return token, True
        if values:
            FreightToken.objects.filter(pk=token_id).update(updated_at=now, **values)
            token.refresh_from_db()
            redecide.of_token(token_id, actor=actor, now=now)
        return token, False


def _shipment_id(token_id: int, token: FreightToken | None, push: TokenPush) -> str:
    if token is None:
        if isinstance(push.shipment_id, Unset):
            raise ShipmentMissing("A new freight token needs its shipment_id.", field="shipment_id")
        return push.shipment_id
    own = token.shipment.shipment_id
    if not isinstance(push.shipment_id, Unset) and push.shipment_id != own:
        raise TokenMoved(f"Freight token {token_id} belongs to shipment {own} and stays with it.", field="shipment_id")
    return own


def _values(push: TokenPush) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: value
        for name in ("status", "risk_score", "risk_category", "carrier_id")
        if not isinstance(value := getattr(push, name), Unset)
    }
    if isinstance(push.recipient_id, Unset):
        return values
    values["recipient"] = recipient_named(push.recipient_id) if push.recipient_id is not None else None
    return values


def recipient_named(recipient_id: str) -> Recipient:
    """The recipient of this id; raises RecipientNotFound."""
    recipient = Recipient.objects.filter(recipient_id=recipient_id).first()
    if recipient is None:
        raise RecipientNotFound(recipient_id)
    return recipient
