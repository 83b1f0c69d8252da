"""One instruction at Stripe: looked up, submitted, looked up again. Network only; nothing here reads our database.

The ways a lost answer can end, and why each is safe: docs/adr/0043-stripe-lost-answers.md.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rails.base import Answer, NotYet, OutcomeUnknown, SettlementProvider, SettlementResult
from rails.stripe.client import Deadline, StripeClient
from rails.stripe.failures import CallFailed, DefiniteNo, KeyReused, Lost
from rails.stripe.transfers import Order, Transfer

PROVIDER: Final = SettlementProvider.STRIPE
# Stripe may forget a key after 24 hours. Submitting under it ends an hour before; an hour after, whatever was submitted
# last has long been done or not done, and lists know it.
KEY_COUNTS_FOR: Final = timedelta(hours=23)
LISTS_KNOW_AFTER: Final = timedelta(hours=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Pays orders with one client until one deadline; `lookup_lag` is how far lists may lag, in seconds."""

    client: StripeClient
    deadline: Deadline
    lookup_lag: int
    now: datetime

    def pay(
        self,
        order: Order,
        *,
        submitted_at: datetime | None,
        waiting: timedelta | None = None,
        look_up_only: bool = False,
    ) -> Answer:
        """The answer to one instruction; `submitted_at` says since when Stripe may know of it.

        `waiting` is how long that is by the same clock: ours may be another. With `look_up_only` nothing is submitted.
        """
        if waiting is None and submitted_at is not None:
            waiting = self.now - submitted_at
        try:
            if submitted_at is not None or order.attempt_number > 1:
                known = self._looked_up(order, may_be_there=submitted_at is not None)
                if known is not None:
                    return known
            if submitted_at is not None and waiting is not None and waiting >= KEY_COUNTS_FOR:
                return self._after_the_key(order, submitted_at, waiting)
            if look_up_only:
                return _only_looked_up(order, may_be_there=submitted_at is not None)
            return self._submitted(order)
        except CallFailed as failed:
            # Whoever submits answers for what it submitted: what ends here ended before.
            if submitted_at is None:
                return NotYet(PROVIDER, order.milestone_id, failed.detail)
            return unknown(order, failed.detail)

    def _submitted(self, order: Order) -> Answer:
        """Raises DidNothing when no transfer came of it, and none will."""
        try:
            done = self.client.post("/v1/transfers", order.params, key=order.key, deadline=self.deadline)
            return _judged(order, [Transfer.read(done.body)], "Transferred by Stripe")
        except DefiniteNo as no:
            return SettlementResult.refused(PROVIDER, error=no.detail)
        except KeyReused as reused:
            return self._found(order) or unknown(order, reused.detail, needs_person=True)
        except Lost as lost:
            if lost.replayed:
                return self._after_a_kept_error(order, lost)
            return self._found(order) or unknown(order, lost.detail)

    def _after_a_kept_error(self, order: Order, lost: Lost) -> Answer:
        """The key's first request ended in Stripe's own fault, and will for ever: lists tell whether money moved."""
        for pause in (0, self.lookup_lag):
            if self.deadline.left() < pause:
                return unknown(order, lost.detail)
            time.sleep(pause)
            try:
                known = self._looked_up(order, may_be_there=True)
            except CallFailed as failed:
                return unknown(order, f"{lost.detail}; then {failed.detail}")
            if known is not None:
                return known
        return SettlementResult.refused(
            PROVIDER, error=f"Stripe failed and has made no transfer, so nothing moved: {lost.detail}"
        )

    def _after_the_key(self, order: Order, submitted_at: datetime, waiting: timedelta) -> Answer:
        """Lists have nothing, and the key may be forgotten: submitting under it could pay twice."""
        if waiting < LISTS_KNOW_AFTER:
            return unknown(order, "it is too late to submit it again; looked up until a day and an hour are over")
        since = submitted_at.astimezone(UTC)
        return SettlementResult.refused(
            PROVIDER,
            error=f"Stripe has no transfer of it a day after it was submitted at {since:%Y-%m-%d %H:%M} UTC: "
            "nothing moved",
        )

    def _found(self, order: Order) -> Answer | None:
        """What lists say just after an answer was lost; None if they say nothing, or can not be read."""
        try:
            return self._looked_up(order, may_be_there=True)
        except CallFailed:
            return None

    def _looked_up(self, order: Order, *, may_be_there: bool) -> Answer | None:
        """What the settlement's transfers say of this attempt; None if they say nothing. Raises CallFailed."""
        rows = self.client.all("/v1/transfers", {"transfer_group": order.group}, deadline=self.deadline)
        transfers = [Transfer.read(row) for row in rows]
        ours = [transfer for transfer in transfers if transfer.attempt == order.attempt_number]
        if ours:
            return _judged(order, ours, "Found at Stripe")
        out = [transfer for transfer in transfers if transfer.is_out]
        if not out:
            return None
        words = f"another transfer of this settlement has not come back in full: {_in_words(out)}"
        if may_be_there:
            return unknown(order, words, needs_person=True)
        return SettlementResult.refused(PROVIDER, error=words)


def unknown(order: Order, detail: str, *, needs_person: bool = False) -> OutcomeUnknown:
    """The money may have moved."""
    return OutcomeUnknown(PROVIDER, order.milestone_id, detail, needs_person=needs_person)


def _only_looked_up(order: Order, *, may_be_there: bool) -> Answer:
    words = "it may not be handed over any more; only looked up"
    return unknown(order, words) if may_be_there else NotYet(PROVIDER, order.milestone_id, words)


def _judged(order: Order, transfers: Sequence[Transfer], message: str) -> Answer:
    """Accepted if there is one transfer and it is exactly what was ordered; anything else is for a person."""
    first = transfers[0]
    if len(transfers) > 1 or not first.is_exactly(order):
        wanted = f"{order.amount} to {order.account}, attempt {order.attempt_number}"
        return unknown(order, f"ordered was {wanted}; Stripe has {_in_words(transfers)}", needs_person=True)
    return SettlementResult.accepted(PROVIDER, reference_id=first.id, message=message, released_at=first.created)


def _in_words(transfers: Sequence[Transfer]) -> str:
    return ", ".join(transfer.in_words() for transfer in transfers)
