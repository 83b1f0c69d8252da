"""Above which amount two officers approve: the setting, kept in the database, which judges by it too."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import connection

from rails.money import EXPONENTS, Money
from settlements.models import FourEyesLimit

logger = logging.getLogger(__name__)

# The limit in force for the currency of the row that {row} names; none was set: 0, so that two approve everything.
ABOVE: Final = """coalesce((
    SELECT l.above_minor FROM settlements_foureyeslimit l WHERE l.currency = {row}.currency ORDER BY l.id DESC LIMIT 1
), 0)"""
_IN_FORCE: Final = (
    "SELECT DISTINCT ON (currency) currency, above_minor FROM settlements_foureyeslimit ORDER BY 1, id DESC"
)


def in_force() -> dict[str, Money]:
    """The limits as the database has them, by currency; one that is missing is 0."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE)
        return {currency: Money(minor, currency) for currency, minor in cursor.fetchall()}


def keep(limits: Mapping[str, Money], *, now: datetime) -> list[FourEyesLimit]:
    """Makes these the limits from now on, 0 for currencies they leave out; the rows that were new."""
    known = in_force()
    new = [
        FourEyesLimit(currency=currency, above_minor=limit.minor, set_at=now)
        for currency in EXPONENTS
        if known.get(currency) != (limit := limits.get(currency, Money.zero(currency)))
    ]
    FourEyesLimit.objects.bulk_create(new)
    for each in new:
        logger.info("Four eyes above %s %s from now on", Money(each.above_minor, each.currency).text, each.currency)
    return new
