"""Which accounts there are: the chart, and how an account is opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from django.db import connection

from rails.models import AccountKind


class AccountCode(StrEnum):
    """The chart of accounts; docs/money-and-ledger.md says what each is for."""

    FREIGHT_COST = "freight_cost"
    RECIPIENT_PAYABLE = "recipient_payable"
    RECIPIENT_RECEIVABLE = "recipient_receivable"
    STRIPE_BALANCE = "stripe_balance"
    BANK_ACCOUNT = "bank_account"
    STRIPE_CLEARING = "stripe_clearing"
    ACH_CLEARING = "ach_clearing"
    WIRE_CLEARING = "wire_clearing"
    RAIL_FEES = "rail_fees"


CHART: Final[Mapping[AccountCode, AccountKind]] = MappingProxyType(
    {
        AccountCode.FREIGHT_COST: AccountKind.EXPENSE,
        AccountCode.RECIPIENT_PAYABLE: AccountKind.LIABILITY,
        AccountCode.RECIPIENT_RECEIVABLE: AccountKind.ASSET,
        AccountCode.STRIPE_BALANCE: AccountKind.ASSET,
        AccountCode.BANK_ACCOUNT: AccountKind.ASSET,
        AccountCode.STRIPE_CLEARING: AccountKind.ASSET,
        AccountCode.ACH_CLEARING: AccountKind.ASSET,
        AccountCode.WIRE_CLEARING: AccountKind.ASSET,
        AccountCode.RAIL_FEES: AccountKind.EXPENSE,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class AccountKey:
    """What tells one account from another; `recipient_id` is the recipient's row id, None for the house's own."""

    code: AccountCode
    currency: str
    recipient_id: int | None = None

    @property
    def kind(self) -> AccountKind:
        """Asset, liability, income or expense, as the chart has it."""
        return CHART[self.code]


# Sorted, so that two who open the same accounts wait for each other in one order and never in a circle.
_OPEN = """
    INSERT INTO rails_account (code, kind, currency, recipient_id)
    SELECT wanted.code, wanted.kind, wanted.currency, wanted.recipient_id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS wanted (code, kind, currency, recipient_id)
    WHERE wanted.recipient_id IS NULL
        OR EXISTS (SELECT 1 FROM rails_recipient recipient WHERE recipient.id = wanted.recipient_id)
    ORDER BY wanted.code, wanted.currency, wanted.recipient_id
    ON CONFLICT DO NOTHING
"""


def open_accounts(keys: Iterable[AccountKey]) -> None:
    """Open those that are not open yet, in one statement; a key whose recipient does not exist opens nothing."""
    wanted = list(dict.fromkeys(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            [
                [key.code.value for key in wanted],
                [key.kind.value for key in wanted],
                [key.currency for key in wanted],
                [key.recipient_id for key in wanted],
            ],
        )
