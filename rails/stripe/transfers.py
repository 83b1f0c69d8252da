"""A transfer as Stripe shows it, and whether it is the one that we ordered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from rails.money import Money
from rails.stripe import currencies, fields
from rails.stripe.failures import Lost

SETTLEMENT: Final = "chainpay_settlement"
ATTEMPT: Final = "chainpay_attempt"
INSTALLATION: Final = "chainpay_installation"
_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What we ask Stripe to transfer; `mark` tells this installation's settlements from those of any other."""

    mark: str
    milestone_id: int
    attempt_number: int
    amount: Money
    account: str

    @property
    def group(self) -> str:
        """All transfers of one settlement, whatever the attempt."""
        return group_of(self.mark, self.milestone_id)

    @property
    def key(self) -> str:
        """The idempotency key: one attempt is one transfer, however often it is submitted."""
        return f"{self.group}-attempt-{self.attempt_number}"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, the same at every submission."""
        integer, currency = currencies.to_stripe(self.amount)
        return {
            "amount": integer,
            "currency": currency,
            "destination": self.account,
            "transfer_group": self.group,
            "description": f"Milestone settlement {self.milestone_id}",
            "metadata": {
                SETTLEMENT: str(self.milestone_id),
                ATTEMPT: str(self.attempt_number),
                INSTALLATION: self.mark,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What Stripe has, in Stripe's own integers; `attempt` is None for one that we did not make."""

    id: str
    integer: int
    currency: str
    reversed: int
    account: str
    payment: str
    group: str
    milestone: str
    attempt: int | None
    mark: str
    created: datetime

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> Self:
        """The transfer in an answer of Stripe's. Raises Lost for one that makes no sense."""
        metadata = shown.get("metadata") or {}
        try:
            if not isinstance(metadata, Mapping):
                raise fields.Nonsense("its metadata are none")
            attempt = str(metadata.get(ATTEMPT, ""))
            read = cls(
                id=fields.identity(shown),
                integer=fields.whole(shown, "amount"),
                currency=fields.currency(shown),
                reversed=fields.whole(shown, "amount_reversed"),
                account=id_of(shown.get("destination")),
                payment=id_of(shown.get("destination_payment")),
                group=str(shown.get("transfer_group") or ""),
                milestone=str(metadata.get(SETTLEMENT, "")),
                attempt=int(attempt) if attempt.isascii() and attempt.isdigit() and len(attempt) < 6 else None,
                mark=str(metadata.get(INSTALLATION, "")),
                created=fields.moment(shown, "created"),
            )
            if not 0 <= read.reversed <= read.integer:
                raise fields.Nonsense(f"{read.reversed} of {read.integer} came back")
        except fields.Nonsense as error:
            raise Lost(f"a transfer of Stripe's that makes no sense: {error}") from error
        return read

    @property
    def is_out(self) -> bool:
        """Whether any of it has not come back."""
        return self.reversed < self.integer

    def settlement_of(self, mark: str) -> tuple[int, int] | None:
        """The settlement and the attempt it was made for; None for one of another installation's, or nobody's."""
        if self.mark != mark or self.attempt is None or not (self.milestone.isascii() and self.milestone.isdigit()):
            return None
        return (int(self.milestone), self.attempt) if len(self.milestone) <= _LONGEST_ID else None

    def is_exactly(self, order: Order) -> bool:
        """Whether it is what was ordered: amount, currency, account, settlement and attempt."""
        return (self.integer, self.currency, self.account, self.group, self.milestone, self.attempt) == (
            *currencies.to_stripe(order.amount),
            order.account,
            order.group,
            str(order.milestone_id),
            order.attempt_number,
        )

    def in_words(self) -> str:
        """For a person who has to compare."""
        try:
            amount = str(currencies.from_stripe(self.integer, self.currency))
        except currencies.NotStripes:
            amount = f"{self.integer} {self.currency}"
        return f"{self.id} of {amount} to {self.account or 'nobody'}"


def group_of(mark: str, milestone_id: int) -> str:
    """The transfer group of a settlement."""
    return f"chainpay-{mark}-settlement-{milestone_id}"


def id_of(value: Any) -> str:
    """The id of an object that may be shown in full."""
    return str((value.get("id") if isinstance(value, Mapping) else value) or "")
