"""Whether a connected account can be paid at all: what Stripe says of it now, in words that stand in the way.

Events only say where to look: the account as it is now needs no order of events.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection

from rails.models import StripeAccount
from rails.stripe import fields
from rails.stripe.client import Deadline, StripeClient
from rails.stripe.failures import CallFailed, Lost, NoSuchAccount

# Who was slow replaces nothing by what is older.
_LOOKED: Final = """
    INSERT INTO rails_stripeaccount AS known (account, trouble, looked_at)
    VALUES (%(account)s, %(trouble)s, %(now)s)
    ON CONFLICT (account) DO UPDATE SET trouble = EXCLUDED.trouble, looked_at = EXCLUDED.looked_at
    WHERE known.looked_at <= EXCLUDED.looked_at
"""
_PAYOUTS_SEEN: Final = """
    INSERT INTO rails_stripeaccount AS known (account, trouble, looked_at, payouts_seen_at)
    VALUES (%(account)s, '', %(now)s, %(now)s)
    ON CONFLICT (account) DO UPDATE SET payouts_seen_at = greatest(known.payouts_seen_at, EXCLUDED.payouts_seen_at)
"""


def look(client: StripeClient, accounts: Iterable[str], *, deadline: Deadline, now: datetime) -> dict[str, str]:
    """Looks accounts up and takes down what they are like; by account the error of those that could not be read."""
    failed = {}
    for account in sorted(set(accounts)):
        try:
            trouble = _trouble(client.get(f"/v1/accounts/{account}", {}, deadline=deadline))
        except NoSuchAccount:
            trouble = "it is no longer connected to our platform"
        except CallFailed as error:
            failed[account] = error.detail
            continue
        with connection.cursor() as cursor:
            cursor.execute(_LOOKED, {"account": account, "trouble": trouble, "now": now})
    return failed


def payouts_seen(account: str, *, now: datetime) -> None:
    """Its payouts were asked for at `now`."""
    with connection.cursor() as cursor:
        cursor.execute(_PAYOUTS_SEEN, {"account": account, "now": now})


def troubled() -> list[str]:
    """The accounts that had a trouble when they were looked at last."""
    return list(StripeAccount.objects.exclude(trouble="").order_by("looked_at").values_list("account", flat=True)[:20])


def _trouble(shown: Mapping[str, Any]) -> str:
    """Why nothing should be sent there; empty when it can be. Raises Lost for one that makes no sense."""
    capabilities, requirements = shown.get("capabilities") or {}, shown.get("requirements") or {}
    if not isinstance(capabilities, Mapping) or not isinstance(requirements, Mapping):
        raise Lost("an account of Stripe's that makes no sense: its capabilities or requirements are none")
    status = fields.printable(capabilities.get("transfers", "missing"))
    if status != "active":
        return f"Stripe lets it receive no transfers (capability transfers is {status})"
    if shown.get("payouts_enabled") is not True:
        why = fields.printable(requirements.get("disabled_reason"))
        return "Stripe has switched its payouts off" + (f" ({why})" if why else "")
    return ""
