"""Which destination a recipient is paid to just now, and what is known of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from rails import sealing
from rails.models import Destination, DestinationState
from rails.routing import bank_account, stripe_account, wire_account
from rails.routing.details import DestinationRefused, Details, Fault

_READERS: Final = {"stripe": stripe_account.read, "ach": bank_account.read, "wire": wire_account.read}
_IN_WORDS: Final = {"stripe": stripe_account.in_words, "ach": bank_account.in_words, "wire": wire_account.in_words}
RAILS: Final = tuple(_READERS)
_OBSTACLES: Final = """
    SELECT rail, rails_destination_obstacle(%s::bigint, rail) FROM unnest(%s::text[]) AS rail
"""
OPEN: Final = (DestinationState.PROPOSED, DestinationState.ACTIVE)


class _Shown(dict[str, str]):
    """Details of which some may be missing: whatever stands in the database can be looked at."""

    def __missing__(self, name: str) -> str:
        return "?"


class Standing(StrEnum):
    """Whether a recipient may be paid by a rail just now, in one word."""

    USABLE = "usable"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    QUARANTINED = "quarantined"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRail:
    """What a recipient has for a rail: the destination in force, the proposed one, and what stands in the way."""

    rail: str
    in_force: Destination | None
    proposed: Destination | None
    obstacle: str

    @property
    def standing(self) -> Standing:
        """The obstacle in one word."""
        if self.proposed is not None:
            return Standing.AWAITING_CONFIRMATION
        if not self.obstacle:
            return Standing.USABLE
        return Standing.BLOCKED if self.in_force and self.in_force.blocked else Standing.QUARANTINED


def read(rail: str, given: Mapping[str, Any]) -> Details:
    """What somebody wrote as a destination for a rail, checked. Raises DestinationRefused."""
    reader = _READERS.get(rail)
    if reader is None:
        raise DestinationRefused(
            [Fault("", "payment_method_unknown", f"There are destinations for {', '.join(RAILS)}.")]
        )
    return reader(given)


def in_words(destination: Destination | Details) -> str:
    """The destination on one line, its number masked."""
    shown = destination.details if isinstance(destination, Destination) else destination.shown
    return _IN_WORDS[destination.rail](_Shown(shown))


def masked(destination: Destination) -> dict[str, str]:
    """The fields as they were written, by name, with the number masked."""
    shown = dict(destination.details)
    if destination.rail == "stripe":
        return shown
    return {shown.pop("number_kind", "account_number"): f"••{shown.pop('last4', '')}", **shown}


def get(destination_id: int) -> Destination:
    """The version of this number, whatever became of it. Raises Destination.DoesNotExist."""
    return Destination.objects.select_related("recipient").get(pk=destination_id)


def usable(recipient_pk: int, rail: str) -> Destination | None:
    """Where the recipient may be paid by this rail just now, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rails_destination_of(%s::bigint, %s::text)", [recipient_pk, rail])
        (destination_id,) = cursor.fetchone()
    return None if destination_id is None else get(destination_id)


def obstacle(recipient_pk: int | None, rail: str) -> str:
    """Why the recipient may not be paid by this rail just now; nothing when it may."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rails_destination_obstacle(%s::bigint, %s::text)", [recipient_pk, rail])
        return str(cursor.fetchone()[0])


def of_recipient(recipient_pk: int) -> list[Destination]:
    """What is in force and what is proposed, by rail."""
    return list(Destination.objects.filter(recipient_id=recipient_pk, state__in=OPEN).order_by("rail", "state"))


def by_rail(recipient_pk: int) -> list[OnRail]:
    """What the recipient has for each rail that it has anything for."""
    found = of_recipient(recipient_pk)
    rails = sorted({row.rail for row in found})
    with connection.cursor() as cursor:
        cursor.execute(_OBSTACLES, [recipient_pk, rails])
        obstacles = dict(cursor.fetchall())
    in_force = {row.rail: row for row in found if row.state == DestinationState.ACTIVE}
    proposed = {row.rail: row for row in found if row.state == DestinationState.PROPOSED}
    return [
        OnRail(rail=rail, in_force=in_force.get(rail), proposed=proposed.get(rail), obstacle=obstacles[rail])
        for rail in rails
    ]


def account_number(destination: Destination) -> str:
    """The account number, IBAN or Stripe account in full: for the writer of a bank file and nobody else.

    Raises sealing.CannotUnseal.
    """
    if not destination.sealed:
        return str(destination.details["account"])
    return sealing.unseal(destination.sealed, belongs_to=label(destination.pk))


def has_number(destination: Destination, number: str) -> bool:
    """Whether this is the destination's number, spaces ignored; told by the keyed hash, without reading it."""
    return by_account_number(number).filter(pk=destination.pk).exists()


def by_account_number(number: str) -> QuerySet[Destination]:
    """The versions with this account number, IBAN or Stripe account, spaces ignored; found without reading any."""
    plain = "".join(number.split())
    prints = {print_ for each in {plain, plain.upper()} if each for print_ in sealing.fingerprints(each)}
    return Destination.objects.filter(fingerprint__in=prints)


def label(destination_id: int) -> str:
    """What the sealed number of a destination is bound to."""
    return f"destination:{destination_id}"
