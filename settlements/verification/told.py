"""Do settlements and intents still say what the audit trail said of them? Column by column, beside their status."""

from settlements.verification.differences import Rule, count, keep

_MOMENTS = """
    FROM settlements_milestonesettlement s LEFT JOIN (
        SELECT settlement_id, (array_agg(created_at ORDER BY sequence))[1] AS born,
            (array_agg(created_at ORDER BY sequence DESC) FILTER (
                WHERE to_status = 'APPROVED' AND from_status NOT IN ('APPROVED', 'SETTLED')))[1] AS released,
            (array_agg(created_at ORDER BY sequence DESC) FILTER (
                WHERE to_status = 'SETTLED' AND from_status <> 'SETTLED'))[1] AS settled
        FROM settlements_auditevent WHERE settlement_id IS NOT NULL GROUP BY settlement_id
    ) t ON t.settlement_id = s.id
"""
_DECIDED = """
    FROM settlements_milestonesettlement s CROSS JOIN LATERAL (
        SELECT a.intent_id, a.sequence, a.data FROM settlements_auditevent a
        WHERE a.settlement_id = s.id AND a.data ? 'rule' ORDER BY a.sequence DESC LIMIT 1
    ) t
"""
_CREATED = """
    FROM settlements_paymentintent i JOIN settlements_auditevent t ON t.intent_id = i.id AND t.sequence = 1
    LEFT JOIN rails_recipient r ON r.id = i.recipient_id LEFT JOIN settlements_shipment p ON p.id = i.shipment_id
"""
# A method chosen for the intent is told of once, for what was not submitted then; those two follow nothing that was.
_RAIL = """
    FROM settlements_milestonesettlement s LEFT JOIN LATERAL (
        SELECT coalesce(a.data->>'after', a.data->>'rail') AS rail FROM settlements_auditevent a
        WHERE a.intent_id = s.intent_id AND (
            (a.settlement_id = s.id AND (a.action = 'rail_changed' OR a.data ? 'rail'))
            OR (a.action = 'payment_method_set' AND (
                SELECT b.to_status FROM settlements_auditevent b
                WHERE b.intent_id = a.intent_id AND b.settlement_id = s.id AND b.sequence < a.sequence
                  AND b.to_status <> '' ORDER BY b.sequence DESC LIMIT 1) IN ('PENDING', 'DELAYED')))
        ORDER BY a.sequence DESC LIMIT 1
    ) t ON true
"""
_RULES = [
    Rule(
        "settlement {0}: it was created at {1}, released at {2} and settled at {3}, but by its audit events at {4}, "
        "{5} and {6}",
        f"""
        SELECT s.id, s.created_at, coalesce(s.released_at::text, 'no time'), coalesce(s.settled_at::text, 'no time'),
               t.born, coalesce(t.released::text, 'no time'), coalesce(t.settled::text, 'no time') {_MOMENTS}
        WHERE (s.created_at, s.released_at, s.settled_at) IS DISTINCT FROM (t.born, t.released, t.settled)
        ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: its decision and what that was made of are not what audit event {2} of intent {1} tells",
        f"""
        SELECT s.id, t.intent_id, t.sequence {_DECIDED}
        WHERE (s.rule, s.explanation, s.policy_version, s.risk_tier, s.risk_score, s.inputs) IS DISTINCT FROM
            (t.data->>'rule', t.data->>'explanation', t.data->>'policy_version', t.data->>'risk_tier',
             (t.data->>'risk_score')::numeric, t.data->'inputs')
        ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: it is delayed until {1}, but by audit event {3} of intent {2} until {4}",
        """
        SELECT s.id, coalesce(s.settlement_delayed_until::text, 'no time'), t.intent_id, t.sequence,
               coalesce(t.until, 'no time')
        FROM settlements_milestonesettlement s CROSS JOIN LATERAL (
            SELECT a.intent_id, a.sequence, coalesce(a.data->>'until', a.data->>'delayed_until') AS until
            FROM settlements_auditevent a WHERE a.settlement_id = s.id AND (
                a.action = 'settlement_created' OR a.data->>'delayed_until' IS NOT NULL OR a.action = 'hold_extended')
            ORDER BY a.sequence DESC LIMIT 1
        ) t
        WHERE s.settlement_delayed_until IS DISTINCT FROM t.until::timestamptz ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: its event and origin are not what audit event {2} of intent {1} tells",
        """
        SELECT s.id, t.intent_id, t.sequence FROM settlements_milestonesettlement s
        JOIN settlements_auditevent t ON t.settlement_id = s.id AND t.action = 'settlement_created'
        WHERE (s.event_type, s.origin, s.event_id::text)
            IS DISTINCT FROM (t.data->>'event_type', t.data->>'origin', t.data->>'event_id') ORDER BY s.id
        """,
    ),
    Rule(
        "settlement {0}: its rail is {1}, but its audit events say {2}",
        f"""
        SELECT s.id, s.rail, coalesce(t.rail, 'nothing') {_RAIL}
        WHERE s.rail IS DISTINCT FROM t.rail ORDER BY s.id
        """,
    ),
    Rule(
        "intent {0}: its recipient, shipment, tier, risk score, creator or time is not what audit event 1 tells",
        f"""
        SELECT i.id {_CREATED}
        WHERE (r.recipient_id, p.shipment_id, i.freight_token_id::text, i.risk_tier, i.risk_score,
               i.created_by_actor, i.created_at)
            IS DISTINCT FROM (t.data->>'recipient_id', t.data->>'shipment_id', t.data->>'freight_token_id',
                              t.data->>'risk_tier', (t.data->>'risk_score')::numeric, t.triggered_by, t.created_at)
        ORDER BY i.id
        """,
    ),
    Rule(
        "intent {0}: its payment method is {1}, but its audit events say {2}",
        """
        SELECT i.id, i.payment_method, t.method FROM settlements_paymentintent i CROSS JOIN LATERAL (
            SELECT coalesce(a.data->>'after', a.data->>'payment_method') AS method FROM settlements_auditevent a
            WHERE a.intent_id = i.id AND a.action IN ('intent_created', 'payment_method_set')
            ORDER BY a.sequence DESC LIMIT 1
        ) t WHERE i.payment_method <> t.method ORDER BY i.id
        """,
    ),
    Rule(
        "intent {0}: its schedule is not the one that audit event 1 tells of",
        """
        SELECT i.id FROM settlements_paymentintent i
        JOIN settlements_auditevent t ON t.intent_id = i.id AND t.sequence = 1
        WHERE (SELECT string_agg(item.event_type || ' ' || item.share::numeric, ', ' ORDER BY item.position)
               FROM (SELECT event_type, trim_scale(share) AS share, position FROM settlements_paymentscheduleitem
                     WHERE intent_id = i.id) item)
            IS DISTINCT FROM (
               SELECT string_agg((told.item->>'event_type') || ' ' || trim_scale((told.item->>'share')::numeric), ', '
                                 ORDER BY told.position)
               FROM jsonb_array_elements(t.data->'schedule') WITH ORDINALITY AS told (item, position))
        ORDER BY i.id
        """,
    ),
    Rule(
        "intent {0}, audit event {1}: there is no intent {0}",
        """
        SELECT a.intent_id, a.sequence FROM settlements_auditevent a WHERE NOT EXISTS (
            SELECT 1 FROM settlements_paymentintent i WHERE i.id = a.intent_id) ORDER BY a.intent_id, a.sequence
        """,
    ),
    Rule(
        "message {0} to a subscriber: there is no audit event with the id {1}, of which it tells",
        """
        SELECT d.message_id, d.audit_event_id FROM settlements_delivery d WHERE d.audit_event_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM settlements_auditevent a WHERE a.id = d.audit_event_id) ORDER BY d.id
        """,
    ),
    Rule(
        "settlement {0}: there is no intent {1}",
        """
        SELECT s.id, s.intent_id FROM settlements_milestonesettlement s WHERE NOT EXISTS (
            SELECT 1 FROM settlements_paymentintent i WHERE i.id = s.intent_id) ORDER BY s.id
        """,
    ),
]


def check() -> int:
    """The number of intents and settlements; raises Difference for the first that says something else."""
    keep(_RULES)
    return count("settlements_paymentintent") + count("settlements_milestonesettlement")
