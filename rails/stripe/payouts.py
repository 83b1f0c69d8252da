"""How far the payouts of connected accounts got, and which of our transfers are in them: the only writer of both.

A payout is pending, in transit, paid, and may fail even then; whatever order its news come in, it only goes onwards.
What a failed one contained is paid by a later one, which lists the failure instead of the transfers.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from rails.base import Notice, RailOutcome, SettlementProvider
from rails.models import StripePayout, StripePayoutPart, StripePayoutStatus
from rails.stripe import fields
from rails.stripe.failures import Lost

PROVIDER: Final = SettlementProvider.STRIPE
SOURCE: Final = "stripe payout "
MOST_AT_ONCE: Final = 50
_LONGEST_FAILURE: Final = 500

_SAVE: Final = """
    INSERT INTO rails_stripepayout AS known (payout_id, account, status, amount, currency, automatic, arrives_on,
        failure, contents_known, looks, next_look_at, made_at, status_at)
    VALUES (%(id)s, %(account)s, %(status)s, %(amount)s, %(currency)s, %(automatic)s, %(arrives_on)s, %(failure)s,
        false, 0, %(now)s, %(made_at)s, %(status_at)s)
    ON CONFLICT (payout_id) DO UPDATE SET
        status = EXCLUDED.status, status_at = EXCLUDED.status_at, arrives_on = EXCLUDED.arrives_on,
        failure = EXCLUDED.failure, next_look_at = EXCLUDED.next_look_at, looks = 0
    WHERE known.status NOT IN ('failed', 'canceled')
      AND array_position(%(order)s::text[], EXCLUDED.status) > array_position(%(order)s::text[], known.status)
"""
_OUTCOMES: Final = {
    StripePayoutStatus.PAID: RailOutcome.CONFIRMED,
    StripePayoutStatus.FAILED: RailOutcome.PAYOUT_FAILED,
}


def save(shown: Mapping[str, Any], *, account: str, at: datetime, now: datetime) -> None:
    """Takes down how far a payout got by `at`; older news change nothing. Raises Lost for one that makes no sense."""
    try:
        values = _read(shown)
    except fields.Nonsense as error:
        raise Lost(f"a payout of Stripe's that makes no sense: {error}") from error
    same = (account, values["amount"], values["currency"])
    known = StripePayout.objects.filter(payout_id=values["id"]).values_list("account", "amount", "currency").first()
    if known is not None and known != same:
        raise Lost("a payout of Stripe's that was another one when it was told of before")
    values |= {"account": account, "status_at": at, "now": now, "order": StripePayoutStatus.values}
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, values)


def _read(shown: Mapping[str, Any]) -> dict[str, Any]:
    status = shown.get("status")
    if status not in StripePayoutStatus.values:
        raise fields.Nonsense("its status is none")
    words = (fields.printable(shown.get(name)) for name in ("failure_code", "failure_message"))
    return {
        "id": fields.identity(shown),
        "status": status,
        "amount": fields.whole(shown, "amount"),
        "currency": fields.currency(shown),
        "automatic": fields.truth(shown, "automatic"),
        "arrives_on": fields.moment(shown, "arrival_date").date(),
        "failure": " ".join(filter(None, words))[:_LONGEST_FAILURE],
        "made_at": fields.moment(shown, "created"),
    }


def to_open(*, now: datetime) -> list[StripePayout]:
    """Payouts whose contents are to be asked for next, oldest first."""
    closed = StripePayout.objects.filter(
        status__in=_OUTCOMES, automatic=True, contents_known=False, next_look_at__lte=now
    )
    return list(closed.order_by("made_at", "id")[:MOST_AT_ONCE])


def opened(payout: StripePayout, parts: Sequence[StripePayoutPart]) -> None:
    """What is in a payout is known for good."""
    StripePayoutPart.objects.bulk_create(parts, ignore_conflicts=True)
    StripePayout.objects.filter(pk=payout.pk).update(contents_known=True)


def put_off(payout: StripePayout, *, now: datetime) -> None:
    """Its contents can not be told yet; asked again later, each time after twice as long, half a day at most."""
    wait = timedelta(seconds=min(10 * 2 ** min(payout.looks, 12), 12 * 3600))
    StripePayout.objects.filter(pk=payout.pk).update(looks=payout.looks + 1, next_look_at=now + wait)


def notices(*, most: int, now: datetime) -> list[Notice]:
    """What settlements have not been told yet of the payouts they are in, oldest payout first."""
    told: list[Notice] = []
    for part in _untold(most, now=now):
        outcome = _OUTCOMES[StripePayoutStatus(part.payout.status)]
        if outcome is RailOutcome.PAYOUT_FAILED and _is_paid_by_another(part):
            StripePayoutPart.objects.filter(pk=part.pk).update(told=outcome.value)
            continue
        told.append(
            Notice(
                provider=PROVIDER,
                outcome=outcome,
                source=f"{SOURCE}{part.payout.payout_id}",
                occurred_at=part.payout.status_at,
                milestone_id=part.milestone_id,
                attempt_number=part.attempt_number,
                reference_id=part.transfer_id,
                reason=_reason(part.payout),
            )
        )
    return told


def was_told(notice: Notice) -> None:
    """The settlement knows; nothing if the payout has gone on since."""
    StripePayoutPart.objects.filter(
        payout__payout_id=notice.source.removeprefix(SOURCE),
        payout__status__in=[status for status, outcome in _OUTCOMES.items() if outcome is notice.outcome],
        transfer_id=notice.reference_id,
    ).update(told=notice.outcome.value)


def not_told(notice: Notice, *, now: datetime) -> None:
    """The settlement is not known here, or could not be told: tried again, each time after twice as long."""
    parts = StripePayoutPart.objects.filter(
        payout__payout_id=notice.source.removeprefix(SOURCE), transfer_id=notice.reference_id
    )
    for part in parts:
        wait = timedelta(seconds=min(5 * 2 ** min(part.tries, 12), 3600))
        StripePayoutPart.objects.filter(pk=part.pk).update(tries=part.tries + 1, next_try_at=now + wait)


def _untold(most: int, *, now: datetime) -> Iterator[StripePayoutPart]:
    untold = Q()
    for status, outcome in _OUTCOMES.items():
        untold |= Q(payout__status=status) & ~Q(told=outcome.value)
    found = StripePayoutPart.objects.filter(untold, Q(next_try_at=None) | Q(next_try_at__lte=now)).select_related(
        "payout"
    )
    return iter(found.order_by("payout__made_at", "payout_id", "id")[:most])


def _is_paid_by_another(part: StripePayoutPart) -> bool:
    """Whether a payout that was not this one has brought the transfer to the bank: its failure is old news then."""
    return StripePayoutPart.objects.filter(
        transfer_id=part.transfer_id, payout__status=StripePayoutStatus.PAID
    ).exists()


def _reason(payout: StripePayout) -> str:
    if payout.status == StripePayoutStatus.PAID:
        return f"Stripe's payout {payout.payout_id} reached the recipient's bank"
    return (
        f"Stripe's payout {payout.payout_id} failed ({payout.failure or 'no reason told'}); the money is in the "
        "recipient's Stripe balance and goes out with its next payout, once its bank account is right"
    )
