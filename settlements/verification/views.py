"""Do the reporting views show what the tables hold? Rows and totals, per currency where there is money."""

from django.db import connection

from rails.money import EXPONENTS
from settlements.archives import beside
from settlements.verification.differences import Difference, Rule, count, keep

_MONEY = {
    "settlements": ("settlements_milestonesettlement", "status", "status"),
    "journal": ("rails_posting p JOIN rails_journalentry j ON j.id = p.entry_id", "kind", "j.kind"),
}
# Views show the tables themselves, and nothing that was archived.
_ROWS = {
    "decisions": "(SELECT count(*) FROM settlements_milestonesettlement) + (SELECT count(*) FROM settlements_approval)",
    "audit": "(SELECT count(*) FROM {events})",
    "events": "(SELECT count(*) FROM settlements_shipmentevent)",
}
_UNIT = " ".join(f"WHEN '{currency}' THEN {10**digits}" for currency, digits in EXPONENTS.items())
# In whole minor units on both sides; a view's amount that is none of a currency is not equal to any.
_TOTALS = """
    SELECT coalesce(shown.currency, held.currency), lower(coalesce(shown.word, held.word)),
           coalesce(shown.n, 0), coalesce(shown.total, 0), coalesce(held.n, 0), coalesce(held.total, 0)
    FROM (SELECT currency, {word} AS word, count(*) AS n, sum(amount * CASE currency {unit} END) AS total
          FROM reporting.{view} GROUP BY 1, 2) shown
    FULL JOIN (SELECT {prefix}currency AS currency, {column} AS word, count(*) AS n, sum({prefix}amount_minor) AS total
               FROM {table} GROUP BY 1, 2) held
        ON held.currency = shown.currency AND held.word = shown.word
    WHERE (shown.n, shown.total) IS DISTINCT FROM (held.n, held.total) ORDER BY 1, 2
"""
_RULES = [
    Rule(
        f"view reporting.{view}, {{0}} {{1}}: it shows {{2}} rows with {{3}} in minor units, but the tables have {{4}} "
        "with {5}",
        _TOTALS.format(
            view=view, table=table, word=word, column=column, unit=_UNIT, prefix="p." if view == "journal" else ""
        ),
    )
    for view, (table, word, column) in _MONEY.items()
]
_COUNTED = [
    Rule(
        f"view reporting.{view}: it shows {{0}} rows, but the tables have {{1}}",
        f"SELECT * FROM (SELECT (SELECT count(*) FROM reporting.{view}), {rows}) AS both_sides (shown, held)"
        " WHERE shown <> held",
    )
    for view, rows in _ROWS.items()
]
_MISSING = """
    SELECT wanted.name FROM unnest(%s::text[]) AS wanted (name)
    WHERE to_regclass('reporting.' || wanted.name) IS NULL ORDER BY 1
"""


def check() -> int:
    """The number of settlements and postings shown; raises Difference for the first view that shows something else."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [[*_MONEY, *_ROWS]])
        missing = cursor.fetchone()
    if missing:
        raise Difference(f"view reporting.{missing[0]}: it does not exist")
    keep([*_RULES, *(Rule(rule.sentence, rule.broken_by.format(events=beside.TABLE)) for rule in _COUNTED)])
    return count("reporting.settlements") + count("reporting.journal")
