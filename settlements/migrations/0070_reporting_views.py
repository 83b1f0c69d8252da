import sys

from django.db import migrations

from settlements.reporting import role

# As `manage.py reporting_doc --sql` printed it. A schema that an administrator made before is used as it is.
_FORWARDS = r"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'reporting') THEN
        CREATE SCHEMA reporting;
    END IF;
END $$;
CREATE FUNCTION reporting.redacted(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace($1, '((?:\mwhsec|\mcpk|\msk_live|\msk_test|\mrk_live|\mrk_test)_|\mBearer\s+)[^\s\"''<>,;\\]+', '\1[redacted]', 'gi'), '(://)[^/\s\"''<>@]{1,200}(?=@)', '\1[redacted]', 'g'), '(\m[a-z_-]{0,20}(?:password|passwd|secret|token|api[_-]?key|signature|credential)=)[^&\s\"''<>]+', '\1[redacted]', 'gi'), '(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[A-Z]{0,4}[0-9]{7})[A-Z0-9]{7,26}([A-Z0-9]{4})(?![0-9A-Za-z])', '****\1', 'g'), '(?<![0-9])[0-9]{8,}([0-9]{4})(?![0-9])', '****\1', 'g'), '(?<![0-9])[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,3})?(?![0-9])', '[redacted]', 'g')
$function$;
CREATE VIEW reporting.settlements AS SELECT
    s.id AS "milestone_id",
    s.intent_id AS "payment_intent_id",
    NULLIF(p.shipment_id, '') AS "shipment_id",
    NULLIF(r.recipient_id, '') AS "recipient_id",
    NULLIF(r.name, '') AS "recipient_name",
    NULLIF(s.event_type, '') AS "event_type",
    NULLIF(s.origin, '') AS "origin",
    s.event_id AS "event_id",
    NULLIF(c.name, '') AS "event_source",
    NULLIF(e.message_id, '') AS "event_message_id",
    e.occurred_at AS "event_occurred_at",
    e.received_at AS "event_received_at",
    (s.amount_minor * CASE WHEN s.currency IN ('USD', 'EUR', 'GBP', 'CAD', 'MXN', 'CHF', 'AUD', 'SEK') THEN 0.01::numeric WHEN s.currency IN ('JPY') THEN 1::numeric WHEN s.currency IN ('KWD') THEN 0.001::numeric ELSE ('no digits are known for ' || s.currency)::numeric END) AS "amount",
    NULLIF(s.currency, '') AS "currency",
    NULLIF(s.status, '') AS "status",
    s.created_at AS "decided_at",
    NULLIF(s.strategy, '') AS "strategy",
    NULLIF(s.risk_tier, '') AS "risk_tier",
    trim_scale(s.risk_score) AS "risk_score",
    NULLIF(s.rule, '') AS "rule",
    reporting.redacted(NULLIF(s.explanation, '')) AS "explanation",
    NULLIF(s.policy_version, '') AS "policy_version",
    s.settlement_delayed_until AS "delayed_until",
    s.approvals_required AS "approvals_required",
    approved.given AS "approvals_given",
    NULLIF(approved.names, '') AS "approvers",
    approved.last_at AS "approved_at",
    NULLIF(rejected.username, '') AS "rejected_by",
    rejected.created_at AS "rejected_at",
    NULLIF(s.rail, '') AS "rail",
    NULLIF(s.reference, '') AS "reference",
    s.released_at AS "released_at",
    s.settled_at AS "settled_at",
    reporting.redacted(NULLIF(s.blocked_reason, '')) AS "blocked_reason",
    reporting.redacted(NULLIF(s.error, '')) AS "error"
FROM settlements_milestonesettlement s
JOIN settlements_paymentintent i ON i.id = s.intent_id
JOIN settlements_shipment p ON p.id = i.shipment_id
LEFT JOIN rails_recipient r ON r.id = i.recipient_id
LEFT JOIN settlements_shipmentevent e ON e.id = s.event_id
LEFT JOIN settlements_eventsource c ON c.id = e.source_id
LEFT JOIN LATERAL (
SELECT count(*) AS given, string_agg(u.username, '; ' ORDER BY a.id) AS names, max(a.created_at) AS last_at
FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
WHERE a.settlement_id = s.id AND a.decision = 'APPROVE' AND a.version = (
SELECT l.version FROM settlements_approval l WHERE l.settlement_id = s.id AND l.decision = 'APPROVE'
ORDER BY l.id DESC LIMIT 1)
) approved ON true
LEFT JOIN LATERAL (
SELECT u.username, a.created_at FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
WHERE a.settlement_id = s.id AND a.decision = 'REJECT' ORDER BY a.id DESC LIMIT 1
) rejected ON true;
CREATE VIEW reporting.decisions AS SELECT
    d.settlement_id AS "milestone_id",
    s.intent_id AS "payment_intent_id",
    NULLIF(d.made_by, '') AS "made_by",
    d.approval_id AS "approval_id",
    NULLIF(d.decision, '') AS "decision",
    NULLIF(d.officer, '') AS "officer",
    NULLIF(d.channel, '') AS "channel",
    reporting.redacted(NULLIF(d.reason, '')) AS "reason",
    NULLIF(d.rule, '') AS "rule",
    NULLIF(d.policy_version, '') AS "policy_version",
    NULLIF(d.risk_tier, '') AS "risk_tier",
    trim_scale(d.risk_score) AS "risk_score",
    NULLIF(d.version, '') AS "settlement_version",
    d.decided_at AS "decided_at",
    NULLIF(s.event_type, '') AS "event_type",
    (s.amount_minor * CASE WHEN s.currency IN ('USD', 'EUR', 'GBP', 'CAD', 'MXN', 'CHF', 'AUD', 'SEK') THEN 0.01::numeric WHEN s.currency IN ('JPY') THEN 1::numeric WHEN s.currency IN ('KWD') THEN 0.001::numeric ELSE ('no digits are known for ' || s.currency)::numeric END) AS "amount",
    NULLIF(s.currency, '') AS "currency"
FROM (
SELECT s.id AS settlement_id, NULL::bigint AS approval_id, 'policy' AS made_by, s.strategy AS decision,
NULL::text AS officer, NULL::text AS channel, s.explanation AS reason, s.rule, s.policy_version,
s.risk_tier, s.risk_score, NULL::text AS version, s.created_at AS decided_at
FROM settlements_milestonesettlement s
UNION ALL
SELECT a.settlement_id, a.id, 'officer', a.decision, u.username::text, a.channel, a.reason, NULL, NULL,
NULL, NULL, a.version, a.created_at
FROM settlements_approval a JOIN auth_user u ON u.id = a.approver_id
) d
JOIN settlements_milestonesettlement s ON s.id = d.settlement_id;
CREATE VIEW reporting.journal AS SELECT
    g.id AS "posting_id",
    g.entry_id AS "entry_id",
    NULLIF(j.reference, '') AS "entry_reference",
    NULLIF(j.kind, '') AS "kind",
    j.milestone_id AS "milestone_id",
    j.attempt_number AS "attempt_number",
    j.occurrence AS "occurrence",
    NULLIF(d.code, '') AS "debit_account",
    NULLIF(d.kind, '') AS "debit_kind",
    NULLIF(dr.recipient_id, '') AS "debit_recipient_id",
    NULLIF(c.code, '') AS "credit_account",
    NULLIF(c.kind, '') AS "credit_kind",
    NULLIF(cr.recipient_id, '') AS "credit_recipient_id",
    (g.amount_minor * CASE WHEN g.currency IN ('USD', 'EUR', 'GBP', 'CAD', 'MXN', 'CHF', 'AUD', 'SEK') THEN 0.01::numeric WHEN g.currency IN ('JPY') THEN 1::numeric WHEN g.currency IN ('KWD') THEN 0.001::numeric ELSE ('no digits are known for ' || g.currency)::numeric END) AS "amount",
    NULLIF(g.currency, '') AS "currency",
    g.posted_at AS "posted_at",
    NULLIF(back.reference, '') AS "reverses",
    NULLIF(before.reference, '') AS "follows",
    reporting.redacted(NULLIF(j.description, '')) AS "description"
FROM rails_posting g
JOIN rails_journalentry j ON j.id = g.entry_id
JOIN rails_account d ON d.id = g.debit_account_id
JOIN rails_account c ON c.id = g.credit_account_id
LEFT JOIN rails_recipient dr ON dr.id = d.recipient_id
LEFT JOIN rails_recipient cr ON cr.id = c.recipient_id
LEFT JOIN rails_journalentry back ON back.id = j.reverses_id
LEFT JOIN rails_journalentry before ON before.id = j.follows_id;
CREATE VIEW reporting.audit AS SELECT
    a.id AS "audit_event_id",
    a.intent_id AS "payment_intent_id",
    a.sequence AS "sequence",
    a.settlement_id AS "milestone_id",
    NULLIF(p.shipment_id, '') AS "shipment_id",
    a.created_at AS "created_at",
    NULLIF(a.action, '') AS "action",
    NULLIF(a.from_status, '') AS "from_status",
    NULLIF(a.to_status, '') AS "to_status",
    reporting.redacted(NULLIF(a.reason, '')) AS "reason",
    NULLIF(a.triggered_by, '') AS "triggered_by",
    NULLIF(a.approved_by, '') AS "approved_by",
    encode(a.prev_hash, 'hex') AS "prev_hash",
    encode(a.hash, 'hex') AS "hash"
FROM settlements_auditevent a
JOIN settlements_paymentintent i ON i.id = a.intent_id
JOIN settlements_shipment p ON p.id = i.shipment_id;
CREATE VIEW reporting.events AS SELECT
    e.id AS "event_id",
    NULLIF(c.name, '') AS "source",
    NULLIF(c.kind, '') AS "source_kind",
    NULLIF(e.message_id, '') AS "message_id",
    NULLIF(p.shipment_id, '') AS "shipment_id",
    NULLIF(e.event_type, '') AS "event_type",
    e.occurred_at AS "occurred_at",
    e.occurred_at_was_naive AS "occurred_at_was_naive",
    e.received_at AS "received_at",
    NULLIF(e.state, '') AS "state",
    e.settlements_created AS "settlements_created",
    e.processed_at AS "processed_at",
    reporting.redacted(NULLIF(e.error, '')) AS "error"
FROM settlements_shipmentevent e
JOIN settlements_eventsource c ON c.id = e.source_id
JOIN settlements_shipment p ON p.id = e.shipment_id;
COMMENT ON VIEW reporting.settlements IS 'One line per milestone settlement: the event that brought it, the decision, who approved, the rail and its reference.';
COMMENT ON COLUMN reporting.settlements.milestone_id IS 'The milestone settlement.';
COMMENT ON COLUMN reporting.settlements.payment_intent_id IS 'The payment intent it belongs to.';
COMMENT ON COLUMN reporting.settlements.shipment_id IS 'The shipment, as the upstream writes it.';
COMMENT ON COLUMN reporting.settlements.recipient_id IS 'Who is paid; empty if nobody is named.';
COMMENT ON COLUMN reporting.settlements.recipient_name IS 'The recipient''s name, as it is now.';
COMMENT ON COLUMN reporting.settlements.event_type IS 'What it is paid for.';
COMMENT ON COLUMN reporting.settlements.origin IS '`EVENT`, or `SETTLE` for one that was asked for.';
COMMENT ON COLUMN reporting.settlements.event_id IS 'The shipment event that brought it; empty for `SETTLE`.';
COMMENT ON COLUMN reporting.settlements.event_source IS 'Who posted that event.';
COMMENT ON COLUMN reporting.settlements.event_message_id IS 'Under which message id.';
COMMENT ON COLUMN reporting.settlements.event_occurred_at IS 'When it happened, by the source.';
COMMENT ON COLUMN reporting.settlements.event_received_at IS 'When we received it.';
COMMENT ON COLUMN reporting.settlements.amount IS 'The settlement''s amount.';
COMMENT ON COLUMN reporting.settlements.currency IS 'ISO 4217.';
COMMENT ON COLUMN reporting.settlements.status IS 'Where it stands.';
COMMENT ON COLUMN reporting.settlements.decided_at IS 'When it was decided first.';
COMMENT ON COLUMN reporting.settlements.strategy IS 'The decision.';
COMMENT ON COLUMN reporting.settlements.risk_tier IS 'The tier it was decided by.';
COMMENT ON COLUMN reporting.settlements.risk_score IS 'The score it was decided by; empty if unknown.';
COMMENT ON COLUMN reporting.settlements.rule IS 'The rule of the policy that fired.';
COMMENT ON COLUMN reporting.settlements.explanation IS 'The decision in words.';
COMMENT ON COLUMN reporting.settlements.policy_version IS 'The version of the policy.';
COMMENT ON COLUMN reporting.settlements.delayed_until IS 'Until when it is, or was, delayed.';
COMMENT ON COLUMN reporting.settlements.approvals_required IS 'How many officers must approve, if any must.';
COMMENT ON COLUMN reporting.settlements.approvals_given IS 'How many approved it as it was last approved.';
COMMENT ON COLUMN reporting.settlements.approvers IS 'Their logins in the order of approval, separated by `; `.';
COMMENT ON COLUMN reporting.settlements.approved_at IS 'When the last of them did.';
COMMENT ON COLUMN reporting.settlements.rejected_by IS 'Who rejected it.';
COMMENT ON COLUMN reporting.settlements.rejected_at IS 'When.';
COMMENT ON COLUMN reporting.settlements.rail IS 'The payment method.';
COMMENT ON COLUMN reporting.settlements.reference IS 'The rail''s reference, by which statements are matched.';
COMMENT ON COLUMN reporting.settlements.released_at IS 'When the money left.';
COMMENT ON COLUMN reporting.settlements.settled_at IS 'When the funds were confirmed.';
COMMENT ON COLUMN reporting.settlements.blocked_reason IS 'What an authorised release waits for.';
COMMENT ON COLUMN reporting.settlements.error IS 'What the provider said last when it failed.';
COMMENT ON VIEW reporting.decisions IS 'One row per decision about a settlement: what the policy decided, as it stands, and what each officer decided.';
COMMENT ON COLUMN reporting.decisions.milestone_id IS 'The milestone settlement decided about.';
COMMENT ON COLUMN reporting.decisions.payment_intent_id IS 'The payment intent it belongs to.';
COMMENT ON COLUMN reporting.decisions.made_by IS '`policy` or `officer`.';
COMMENT ON COLUMN reporting.decisions.approval_id IS 'The officer''s decision; empty for the policy''s.';
COMMENT ON COLUMN reporting.decisions.decision IS 'The policy''s strategy, or the officer''s `APPROVE` or `REJECT`.';
COMMENT ON COLUMN reporting.decisions.officer IS 'The officer''s login.';
COMMENT ON COLUMN reporting.decisions.channel IS 'How the officer''s came: `ITEM`, `BULK`, `API`, `SETTLE`.';
COMMENT ON COLUMN reporting.decisions.reason IS 'The officer''s reason, or the policy''s decision in words.';
COMMENT ON COLUMN reporting.decisions.rule IS 'The rule of the policy that fired.';
COMMENT ON COLUMN reporting.decisions.policy_version IS 'The version of the policy.';
COMMENT ON COLUMN reporting.decisions.risk_tier IS 'The tier the policy decided by.';
COMMENT ON COLUMN reporting.decisions.risk_score IS 'The score the policy decided by; empty if unknown.';
COMMENT ON COLUMN reporting.decisions.settlement_version IS 'Which version of the settlement the officer decided about.';
COMMENT ON COLUMN reporting.decisions.decided_at IS 'When.';
COMMENT ON COLUMN reporting.decisions.event_type IS 'What the settlement is paid for.';
COMMENT ON COLUMN reporting.decisions.amount IS 'The settlement''s amount.';
COMMENT ON COLUMN reporting.decisions.currency IS 'ISO 4217.';
COMMENT ON VIEW reporting.journal IS 'One line per posting: an amount from the credited to the debited account, with the entry it belongs to.';
COMMENT ON COLUMN reporting.journal.posting_id IS 'The posting.';
COMMENT ON COLUMN reporting.journal.entry_id IS 'The journal entry it belongs to.';
COMMENT ON COLUMN reporting.journal.entry_reference IS 'The entry''s reference, unique.';
COMMENT ON COLUMN reporting.journal.kind IS 'What happened.';
COMMENT ON COLUMN reporting.journal.milestone_id IS 'The settlement it is about; empty for fees and corrections.';
COMMENT ON COLUMN reporting.journal.attempt_number IS 'The how-manyth attempt to pay it.';
COMMENT ON COLUMN reporting.journal.occurrence IS 'The how-manyth such entry of the attempt.';
COMMENT ON COLUMN reporting.journal.debit_account IS 'The account that is debited.';
COMMENT ON COLUMN reporting.journal.debit_kind IS 'Its kind.';
COMMENT ON COLUMN reporting.journal.debit_recipient_id IS 'Whose it is; empty for the house''s.';
COMMENT ON COLUMN reporting.journal.credit_account IS 'The account that is credited.';
COMMENT ON COLUMN reporting.journal.credit_kind IS 'Its kind.';
COMMENT ON COLUMN reporting.journal.credit_recipient_id IS 'Whose it is; empty for the house''s.';
COMMENT ON COLUMN reporting.journal.amount IS 'What is moved; never negative.';
COMMENT ON COLUMN reporting.journal.currency IS 'ISO 4217.';
COMMENT ON COLUMN reporting.journal.posted_at IS 'As of when it is booked.';
COMMENT ON COLUMN reporting.journal.reverses IS 'The reference of the entry that this one takes back.';
COMMENT ON COLUMN reporting.journal.follows IS 'The reference of the return after which this one pays again.';
COMMENT ON COLUMN reporting.journal.description IS 'What somebody noted.';
COMMENT ON VIEW reporting.audit IS 'One line per audit event of a payment intent, with the hashes that chain them.';
COMMENT ON COLUMN reporting.audit.audit_event_id IS 'The audit event.';
COMMENT ON COLUMN reporting.audit.payment_intent_id IS 'Whose chain it is in.';
COMMENT ON COLUMN reporting.audit.sequence IS 'Its place in that chain, from 1 without gaps.';
COMMENT ON COLUMN reporting.audit.milestone_id IS 'The settlement it is about; empty if it is about the intent.';
COMMENT ON COLUMN reporting.audit.shipment_id IS 'The shipment, as the upstream writes it.';
COMMENT ON COLUMN reporting.audit.created_at IS 'When it happened.';
COMMENT ON COLUMN reporting.audit.action IS 'What happened.';
COMMENT ON COLUMN reporting.audit.from_status IS 'The settlement''s status before.';
COMMENT ON COLUMN reporting.audit.to_status IS 'The settlement''s status after.';
COMMENT ON COLUMN reporting.audit.reason IS 'Why, in words.';
COMMENT ON COLUMN reporting.audit.triggered_by IS 'Who or what did it.';
COMMENT ON COLUMN reporting.audit.approved_by IS 'Who had approved it.';
COMMENT ON COLUMN reporting.audit.prev_hash IS 'The hash of the event before it; zeros for the first.';
COMMENT ON COLUMN reporting.audit.hash IS 'The event''s own hash.';
COMMENT ON VIEW reporting.events IS 'One row per shipment event received: from whom, what of, and what became of it; not the message itself.';
COMMENT ON COLUMN reporting.events.event_id IS 'The shipment event.';
COMMENT ON COLUMN reporting.events.source IS 'Who posted it.';
COMMENT ON COLUMN reporting.events.source_kind IS 'What kind of source that is.';
COMMENT ON COLUMN reporting.events.message_id IS 'Under which message id, unique for the source.';
COMMENT ON COLUMN reporting.events.shipment_id IS 'The shipment, as the upstream writes it.';
COMMENT ON COLUMN reporting.events.event_type IS 'What happened to it.';
COMMENT ON COLUMN reporting.events.occurred_at IS 'When it happened, by the source.';
COMMENT ON COLUMN reporting.events.occurred_at_was_naive IS 'Whether the source gave no offset; then UTC.';
COMMENT ON COLUMN reporting.events.received_at IS 'When we received it.';
COMMENT ON COLUMN reporting.events.state IS 'What became of it.';
COMMENT ON COLUMN reporting.events.settlements_created IS 'How many settlements it brought.';
COMMENT ON COLUMN reporting.events.processed_at IS 'When it was processed.';
COMMENT ON COLUMN reporting.events.error IS 'Why it was not.';
"""

_BACKWARDS = """
DROP VIEW reporting.settlements, reporting.decisions, reporting.journal, reporting.audit, reporting.events;
DROP FUNCTION reporting.redacted(text);
DO $$ BEGIN
    IF (SELECT nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
            FROM pg_namespace WHERE nspname = 'reporting') THEN
        DROP SCHEMA reporting;
    END IF;
END $$;
"""


def let_in(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if not role.install(cursor):
            print(
                f"\n  WARNING: this user may not make roles, so nobody reads the views of schema reporting yet. Let an "
                f"administrator run `{role.BY_HAND}`, then run `manage.py reporting_role`.",
                file=sys.stderr,
            )


class Migration(migrations.Migration):
    """The reporting views, and the role that may read them. Backwards the role stays: other databases may use it."""

    dependencies = [
        ("settlements", "0052_exports"),
        ("rails", "0071_what_is_owed_bars_the_hand_over"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(_FORWARDS, _BACKWARDS),
        migrations.RunPython(let_in, migrations.RunPython.noop),
    ]
