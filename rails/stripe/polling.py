"""What Stripe did not tell by webhook: asked for on a beat, and taken down by the same road."""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from rails.stripe import connected_accounts, inbox, listening, payouts
from rails.stripe.client import PAGE, Deadline, OutOfTime, StripeClient
from rails.stripe.events import TRANSFERS, NotAnEvent, read
from rails.stripe.failures import CallFailed, Lost
from rails.stripe.inbox import CameBy

logger = logging.getLogger(__name__)

# A payout that was paid may fail within five business days (https://docs.stripe.com/api/payouts/object).
MAY_STILL_FAIL: Final = timedelta(days=10)
MOST_ACCOUNTS: Final = 50

_OPEN_ACCOUNTS: Final = """
    SELECT d.details->>'account' AS account, min(a.submitted_at) AS since
    FROM rails_railattempt a JOIN rails_destination d ON d.id = a.destination_id
    LEFT JOIN rails_stripeaccount known ON known.account = d.details->>'account'
    WHERE a.provider = 'STRIPE' AND (a.state = 'ACCEPTED' OR (a.state = 'CONFIRMED' AND a.confirmed_at > %s))
    GROUP BY d.details->>'account', known.payouts_seen_at
    ORDER BY known.payouts_seen_at NULLS FIRST, account LIMIT %s
"""


def poll(client: StripeClient, *, seconds: float, now: datetime) -> None:
    """Events of the platform since the last ones seen, and the payouts of accounts that transfers are open to.

    Each of the two for at most `seconds`. Raises CallFailed; what was taken down until then stays. One account that can
    not be read leaves the others: those that were read longest ago come first the next time.
    """
    try:
        _events(client, deadline=Deadline(seconds), now=now)
    except OutOfTime:
        logger.info("More events than were read this time; the next poll goes on")
    deadline = Deadline(seconds)
    accounts = _open_accounts(now)
    for account, since in accounts:
        try:
            _payouts(client, account, since - timedelta(days=1), deadline=deadline, now=now)
        except OutOfTime:
            raise
        except CallFailed as error:
            logger.warning("The payouts of %s could not be read: %s", account, error.detail)
        connected_accounts.payouts_seen(account, now=now)
    wanted = [*connected_accounts.troubled(), *(account for account, _ in accounts)]
    connected_accounts.look(client, wanted, deadline=deadline, now=now)


def _payouts(client: StripeClient, account: str, since: datetime, *, deadline: Deadline, now: datetime) -> None:
    created = {"gte": int(since.timestamp())}
    for shown in client.all("/v1/payouts", {"created": created}, account=account, deadline=deadline):
        try:
            payouts.save(shown, account=account, at=now, now=now)
        except Lost as error:
            logger.error("One of the payouts of %s is left out: %s", account, error.detail)


def _events(client: StripeClient, *, deadline: Deadline, now: datetime) -> None:
    """Oldest first, span by span, each taken down before the next: whoever runs out of time goes on where they were.

    Stripe lists the newest first, so a span with more than one page is halved until it is a second or has one page.
    """
    since, until = listening.events_since(now=now), now
    while since < now:
        created = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        asked = {"types": sorted(TRANSFERS), "created": created}
        page = client.get("/v1/events", {"limit": PAGE, **asked}, deadline=deadline)
        whole = not page.get("has_more")
        if whole or until - since <= timedelta(seconds=1):
            _take_down(page.get("data") if whole else client.all("/v1/events", asked, deadline=deadline), now=now)
            listening.events_seen(until=until, now=now)
            since, until = until, min(now, until + 2 * (until - since))
        else:
            until = since + (until - since) / 2


def _take_down(rows: Any, *, now: datetime) -> None:
    found = []
    for shown in rows or ():
        try:
            found.append(read(shown))
        except NotAnEvent as error:
            logger.error("A list of Stripe's events has something else in it, which is left out: %s", error)
    inbox.store(found, came_by=CameBy.POLL, now=now)


def _open_accounts(now: datetime) -> list[tuple[str, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_ACCOUNTS, [now - MAY_STILL_FAIL, MOST_ACCOUNTS])
        return [(account, since) for account, since in cursor.fetchall()]
