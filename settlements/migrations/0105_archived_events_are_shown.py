from django.db import migrations

# No unique index: two who look at the same time wait for each other at one, although neither will ever commit.
SHOWN = """
    CREATE SCHEMA archived;
    CREATE UNLOGGED TABLE archived.readout (LIKE public.settlements_auditevent);
    CREATE INDEX readout_by_intent ON archived.readout (intent_id, sequence);
    CREATE INDEX readout_by_settlement ON archived.readout (settlement_id);
    CREATE INDEX readout_by_id ON archived.readout (id);
    CREATE VIEW archived.settlements_auditevent AS
        SELECT {columns} FROM public.settlements_auditevent UNION ALL SELECT {columns} FROM archived.readout;
"""
COLUMNS = (
    "id, intent_id, sequence, settlement_id, action, from_status, to_status, reason, triggered_by, approved_by, data, "
    "created_at, prev_hash, hash"
)


class Migration(migrations.Migration):
    """Where archived audit events are shown beside those in the table, to whoever verifies them."""

    dependencies = [
        ('settlements', '0095_messages_of_archived_events'),
    ]

    operations = [
        migrations.RunSQL(SHOWN.format(columns=COLUMNS), "DROP SCHEMA archived CASCADE"),
    ]
