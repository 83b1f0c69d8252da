"""Is what left on record twice, and the same? Each export against the office events of its beginning and its end."""

from settlements.verification.differences import Rule, count, keep

_TOLD = """
    FROM settlements_export x LEFT JOIN LATERAL (
        SELECT o.* FROM settlements_officeevent o
        WHERE o.action = '{action}' AND (o.data->>'export')::bigint = x.id ORDER BY o.sequence LIMIT 1
    ) o ON true
"""
_RULES = [
    Rule(
        "export {0}: no office event tells that {1} began it",
        f"""
        SELECT x.id, x.actor {_TOLD.format(action="export_begun")}
        WHERE (o.subject, o.actor, o.created_at, o.data->'asked')
            IS DISTINCT FROM (x.dataset, x.actor, x.created_at, x.asked) ORDER BY x.id
        """,
    ),
    Rule(
        "export {0}: it is of {1} rows with SHA-256 {2}, but no office event tells the same",
        f"""
        SELECT x.id, x.rows_done, x.sha256 {_TOLD.format(action="exported")}
        WHERE x.state IN ('SENT', 'READY', 'EXPIRED') AND ((o.data->>'rows')::bigint, o.data->>'sha256',
            (o.data->>'bytes')::bigint, o.data->'totals', o.created_at)
            IS DISTINCT FROM (x.rows_done, x.sha256, x.bytes_done, x.totals, x.finished_at) ORDER BY x.id
        """,
    ),
    Rule(
        "office event {0}: it tells of export {1}, which {2}",
        """
        SELECT o.sequence, o.data->>'export', coalesce('is ' || lower(x.state), 'does not exist')
        FROM settlements_officeevent o LEFT JOIN settlements_export x ON x.id = (o.data->>'export')::bigint
        WHERE o.data ? 'export' AND (x.id IS NULL
            OR (o.action = 'exported' AND x.state NOT IN ('SENT', 'READY', 'EXPIRED'))
            OR (o.action = 'export_broken_off' AND x.state <> 'FAILED')) ORDER BY o.sequence
        """,
    ),
]


def check() -> int:
    """The number of exports; raises Difference for the first whose record and office events do not agree."""
    keep(_RULES)
    return count("settlements_export")
