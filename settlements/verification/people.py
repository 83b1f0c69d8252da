"""Are decisions and holds what the audit trail told of them? Row by row, in their order."""

from settlements.verification.differences import Rule, count, keep

# The n-th decision of a settlement is the n-th that the audit trail tells of. A login may have been renamed since, so
# only one that is somebody else's now contradicts it; a colleague who came later may have been given the free name.
_DECISIONS = """
    SELECT a.settlement_id, a.id, t.intent_id, t.sequence FROM (
        SELECT *, row_number() OVER (PARTITION BY settlement_id ORDER BY id) AS n FROM settlements_approval
    ) a JOIN (
        SELECT *, row_number() OVER (PARTITION BY settlement_id ORDER BY sequence) AS n FROM settlements_auditevent
        WHERE action IN ('approval_recorded', 'expedite_approved', 'retry_approved', 'rejected')
    ) t USING (settlement_id, n)
    WHERE (a.decision = 'REJECT') <> (t.action = 'rejected') OR a.reason <> t.reason OR a.created_at <> t.created_at
       OR a.version <> coalesce(t.data->>'version', a.version)
       OR (a.channel <> 'UNKNOWN' AND a.channel <> coalesce(t.data->>'channel', a.channel))
       OR EXISTS (SELECT 1 FROM auth_user u WHERE 'user:' || u.username = t.triggered_by AND u.id <> a.approver_id AND (
           u.date_joined <= t.created_at OR NOT EXISTS (SELECT 1 FROM auth_user w WHERE w.id = a.approver_id)))
    ORDER BY a.settlement_id, a.id
"""
_HOLDS = """
    SELECT h.settlement_id, h.id, t.intent_id, t.sequence FROM (
        SELECT *, row_number() OVER (PARTITION BY settlement_id ORDER BY id) AS n FROM settlements_hold
    ) h JOIN (
        SELECT *, row_number() OVER (PARTITION BY settlement_id ORDER BY sequence) AS n FROM settlements_auditevent
        WHERE action = '{action}'
    ) t USING (settlement_id, n)
    WHERE {differs} ORDER BY h.settlement_id, h.id
"""
_COUNTED = """
    SELECT coalesce(h.settlement_id, t.settlement_id), coalesce(h.n, 0), coalesce(t.n, 0)
    FROM (SELECT settlement_id, count({counted}) AS n FROM settlements_hold GROUP BY 1) h FULL JOIN (
        SELECT settlement_id, count(*) AS n FROM settlements_auditevent WHERE action = '{action}' GROUP BY 1
    ) t ON t.settlement_id = h.settlement_id WHERE coalesce(h.n, 0) <> coalesce(t.n, 0) ORDER BY 1
"""
_RULES = [
    Rule("settlement {0}: decision {1} is not what audit event {3} of intent {2} tells of it", _DECISIONS),
    Rule(
        "settlement {0}: it has {1} holds, but its audit events tell of {2}",
        _COUNTED.format(counted="*", action="hold_placed"),
    ),
    Rule(
        "settlement {0}: {1} of its holds are lifted, but its audit events tell of {2}",
        _COUNTED.format(counted="lifted_at", action="hold_lifted"),
    ),
    Rule(
        "settlement {0}: hold {1} was not placed as audit event {3} of intent {2} tells",
        _HOLDS.format(
            action="hold_placed",
            differs="(h.reason, h.placed_by, h.placed_at) IS DISTINCT FROM (t.reason, t.triggered_by, t.created_at)",
        ),
    ),
    Rule(
        "settlement {0}: hold {1} was not lifted as audit event {3} of intent {2} tells",
        _HOLDS.format(
            action="hold_lifted",
            differs="(h.lift_reason, h.lifted_by, h.lifted_at)"
            " IS DISTINCT FROM (t.reason, t.triggered_by, t.created_at)",
        ),
    ),
]


def check() -> int:
    """The number of decisions and holds; raises Difference for the first that was told otherwise."""
    keep(_RULES)
    return count("settlements_approval") + count("settlements_hold")
