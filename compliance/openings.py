"""That a page of the review queue was on an officer's screen: a sealed ticket per rendering, redeemed once visible."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.core import signing

from compliance.models import Opening
from settlements.refusals import Kind, Refusal

# Longer than a session lives: whoever still sees the page may still be logged in.
TICKET_AGE = timedelta(hours=12)
LONGEST_TICKET = 500
_SALT = "compliance.openings"


class NotOurTicket(Refusal):
    """The ticket is not of a page that this officer was given of this settlement, or it is too old."""

    code = "ticket_invalid"
    kind = Kind.INVALID


def ticket(*, settlement_id: int, version: str, officer_id: int) -> str:
    """What one rendering of the page carries: whose, of what, at which version, and its own number."""
    return signing.dumps([settlement_id, version, officer_id, uuid4().hex], salt=_SALT)


def record(sealed: str, *, settlement_id: int, officer_id: int, now: datetime) -> None:
    """Writes the opening down, once however often it is told. Raises NotOurTicket; nothing is written then."""
    if len(sealed) > LONGEST_TICKET:
        raise NotOurTicket("This is no ticket of a page of the review queue.")
    try:
        about, version, whose, nonce = signing.loads(sealed, salt=_SALT, max_age=TICKET_AGE)
    except signing.BadSignature as forged:
        raise NotOurTicket("This is no ticket of a page of the review queue, or it is too old.") from forged
    if (about, whose) != (settlement_id, officer_id):
        raise NotOurTicket("This ticket is of another page.")
    opening = Opening(
        settlement_id=settlement_id, officer_id=officer_id, version=version, nonce=UUID(nonce), opened_at=now
    )
    Opening.objects.bulk_create([opening], ignore_conflicts=True)
