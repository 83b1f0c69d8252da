"""Which destination a recipient is paid to just now, and what is known of the others."""

from collections.abc import Mapping
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
OPEN: Final = (DestinationState.PROPOSED, DestinationState.ACTIVE)


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
    return _IN_WORDS[destination.rail](shown)


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


def account_number(destination: Destination) -> str:
    """The account number, IBAN or Stripe account in full: for the writer of a bank file and nobody else.

    Raises sealing.CannotUnseal.
    """
    if not destination.sealed:
        return str(destination.details["account"])
    return sealing.unseal(destination.sealed, belongs_to=label(destination.pk))


def by_account_number(number: str) -> QuerySet[Destination]:
    """The versions with this account number, IBAN or Stripe account, spaces ignored; found without reading any."""
    plain = "".join(number.split())
    prints = {print_ for each in {plain, plain.upper()} if each for print_ in sealing.fingerprints(each)}
    return Destination.objects.filter(fingerprint__in=prints)


def label(destination_id: int) -> str:
    """What the sealed number of a destination is bound to."""
    return f"destination:{destination_id}"
