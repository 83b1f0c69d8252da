"""Did every message come to what it should? Figures of a server that lost or doubled some would be a lie."""

import psycopg

_COUNTED = """
    SELECT count(*), count(DISTINCT (s.intent_id, s.event_type)), count(*) FILTER (WHERE s.status = 'APPROVED'),
        (SELECT count(*) FROM settlements_auditevent WHERE action = 'settlement_created'),
        count(e.id), count(g.id) FILTER (WHERE g.amount_minor = s.amount_minor AND e.reference = s.reference)
    FROM settlements_milestonesettlement s
    LEFT JOIN rails_journalentry e ON e.milestone_id = s.id LEFT JOIN rails_posting g ON g.entry_id = e.id
"""


class NotOnce(Exception):
    """Something is missing or there twice."""


def verify(database_url: str, *, settlements: int) -> None:
    """So many settlements are there, each of another milestone, audited, paid and booked once. Raises NotOnce."""
    with psycopg.connect(database_url) as connection:
        found = connection.execute(_COUNTED).fetchone() or ()
    if set(found) != {settlements}:
        raise NotOnce(f"{settlements} settlements were to be made, audited, paid and booked: {found}")
