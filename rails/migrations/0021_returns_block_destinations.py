from django.db import migrations


# As in 0011; a destination may be blocked by a return as well (R02), not by a notification of change alone (C04).
OBSTACLE = """
CREATE OR REPLACE FUNCTION rails_destination_obstacle(recipient bigint, rail text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $2 NOT IN ('stripe', 'ach', 'wire') THEN ''
        WHEN $1 IS NULL THEN 'a payment by ' || $2 || ' needs a recipient'
        WHEN proposed.notice <> '' THEN 'a notification of change (' || proposed.notice || ') awaits a decision'
        WHEN proposed.id IS NOT NULL THEN 'destination for ' || $2 || ' awaits confirmation by another person'
        WHEN active.id IS NULL THEN 'recipient has no destination for ' || $2
        WHEN active.usable_from > statement_timestamp() THEN 'destination for ' || $2 || ' is quarantined until '
            || to_char(active.usable_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
        WHEN active.blocked LIKE 'R%' THEN 'a payment came back (' || active.blocked || ') and awaits a decision'
        WHEN active.blocked <> '' THEN 'a notification of change (' || active.blocked || ') awaits a decision'
        WHEN account.trouble <> '' THEN 'Stripe account ' || account.account || ': ' || account.trouble
        ELSE ''
    END
    FROM (SELECT 1) AS one
    LEFT JOIN rails_destination active
        ON active.recipient_id = $1 AND active.rail = $2 AND active.state = 'ACTIVE'
    LEFT JOIN rails_destination proposed
        ON proposed.recipient_id = $1 AND proposed.rail = $2 AND proposed.state = 'PROPOSED'
    LEFT JOIN rails_stripeaccount account ON $2 = 'stripe' AND account.account = active.details->>'account'
$$
"""
BEFORE = """
CREATE OR REPLACE FUNCTION rails_destination_obstacle(recipient bigint, rail text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN $2 NOT IN ('stripe', 'ach', 'wire') THEN ''
        WHEN $1 IS NULL THEN 'a payment by ' || $2 || ' needs a recipient'
        WHEN proposed.notice <> '' THEN 'a notification of change (' || proposed.notice || ') awaits a decision'
        WHEN proposed.id IS NOT NULL THEN 'destination for ' || $2 || ' awaits confirmation by another person'
        WHEN active.id IS NULL THEN 'recipient has no destination for ' || $2
        WHEN active.usable_from > statement_timestamp() THEN 'destination for ' || $2 || ' is quarantined until '
            || to_char(active.usable_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
        WHEN active.blocked <> '' THEN 'a notification of change (' || active.blocked || ') awaits a decision'
        WHEN account.trouble <> '' THEN 'Stripe account ' || account.account || ': ' || account.trouble
        ELSE ''
    END
    FROM (SELECT 1) AS one
    LEFT JOIN rails_destination active
        ON active.recipient_id = $1 AND active.rail = $2 AND active.state = 'ACTIVE'
    LEFT JOIN rails_destination proposed
        ON proposed.recipient_id = $1 AND proposed.rail = $2 AND proposed.state = 'PROPOSED'
    LEFT JOIN rails_stripeaccount account ON $2 = 'stripe' AND account.account = active.details->>'account'
$$
"""


class Migration(migrations.Migration):

    dependencies = [
        ("rails", "0014_failed_payouts_by_index"),
    ]

    operations = [migrations.RunSQL(OBSTACLE, BEFORE)]
