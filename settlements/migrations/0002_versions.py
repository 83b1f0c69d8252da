from django.db import migrations

# What an approval is bound to: amount, recipient with its edits (and so its destination), rail, and the decision.
SETTLEMENT_VERSION = """
CREATE FUNCTION settlements_settlement_version(
    settlement bigint, intent bigint, amount bigint, currency text, rail text, strategy text
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT left(encode(sha256(convert_to(concat_ws('|',
        settlement, amount, currency, rail, strategy,
        coalesce(i.recipient_id::text, '-'), coalesce(r.revision::text, '-')
    ), 'UTF8')), 'hex'), 32)
    FROM settlements_paymentintent i LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    WHERE i.id = intent
$$
"""
INTENT_VERSION = """
CREATE FUNCTION settlements_intent_version(intent bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT left(encode(sha256(convert_to(concat_ws('|',
        'intent', i.id, i.amount_minor, i.currency, i.payment_method,
        coalesce(i.recipient_id::text, '-'), coalesce(r.revision::text, '-')
    ), 'UTF8')), 'hex'), 32)
    FROM settlements_paymentintent i LEFT JOIN rails_recipient r ON r.id = i.recipient_id
    WHERE i.id = intent
$$
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0001_settlements"), ("rails", "0001_books")]

    operations = [
        migrations.RunSQL(
            SETTLEMENT_VERSION,
            "DROP FUNCTION settlements_settlement_version(bigint, bigint, bigint, text, text, text)",
        ),
        migrations.RunSQL(INTENT_VERSION, "DROP FUNCTION settlements_intent_version(bigint)"),
    ]
