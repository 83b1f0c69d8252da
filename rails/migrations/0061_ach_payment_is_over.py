from django.db import migrations

# Whether the recipient neither has an ACH payment nor may get it: the bank returned it, or a reversing entry of ours went
# through. Of one that came back after it had counted, people or the bank have settled by now what was owed.
IS_OVER = """
CREATE OR REPLACE FUNCTION rails_ach_payment_is_over(entry bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM rails_achoutcome o WHERE o.entry_id = $1 AND o.fate = 'RETURNED')
    OR EXISTS (
        SELECT 1 FROM rails_achreversal r
        JOIN rails_achoutcome through ON through.entry_id = r.sent_as_id AND through.fate = 'CONFIRMED'
        LEFT JOIN rails_achoutcome back ON back.entry_id = r.sent_as_id AND back.fate = 'RETURNED'
        WHERE r.entry_id = $1 AND (back.id IS NULL OR (back.heard_at IS NOT NULL AND EXISTS (
            SELECT 1 FROM rails_achentry e JOIN rails_railattempt a
                ON a.milestone_id = e.milestone_id AND a.number = e.attempt_number
            WHERE e.id = $1 AND a.provider = 'ACH' AND a.state = 'RETURNED' AND a.owed_minor <= 0)))
    )
$$
"""
# Until now a reversal that went through was told as a return of its payment.
TOLD_BEFORE = """
UPDATE rails_achoutcome o SET heard_at = now() FROM rails_achentry e
WHERE e.id = o.entry_id AND e.kind = 'REVERSAL' AND o.heard_at IS NULL AND o.fate = 'CONFIRMED' AND EXISTS (
    SELECT 1 FROM rails_achreversal r JOIN rails_achoutcome paid ON paid.entry_id = r.entry_id
    WHERE r.sent_as_id = e.id AND paid.fate = 'RETURNED')
"""


class Migration(migrations.Migration):

    dependencies = [
        ("rails", "0060_failed_reversals"),
    ]

    operations = [
        migrations.RunSQL(IS_OVER, "DROP FUNCTION rails_ach_payment_is_over(bigint)"),
        migrations.RunSQL(TOLD_BEFORE, migrations.RunSQL.noop),
    ]
