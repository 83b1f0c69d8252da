import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations, models

# Events of before whose milestones another event had brought.
DUPLICATES = """
    UPDATE settlements_shipmentevent e SET state = 'DUPLICATE'
    WHERE e.state = 'PROCESSED' AND e.settlements_created = 0
      AND e.event_type IN ('PICKUP_CONFIRMED', 'POD_CONFIRMED', 'CLAIM_WINDOW_CLOSED')
      AND EXISTS (SELECT 1 FROM settlements_milestonesettlement s
                  JOIN settlements_paymentintent i ON i.id = s.intent_id
                  WHERE i.shipment_id = e.shipment_id AND s.event_type = e.event_type AND s.event_id <> e.id)
      AND NOT EXISTS (SELECT 1 FROM settlements_milestonesettlement s WHERE s.event_id = e.id)
"""
PROCESSED = "UPDATE settlements_shipmentevent SET state = 'PROCESSED' WHERE state = 'DUPLICATE'"


class Migration(migrations.Migration):
    """An event whose milestones another one had brought is told apart, and found without reading all."""

    dependencies = [
        ('settlements', '0007_api_keys'),
    ]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, PROCESSED),
        pgtrigger.migrations.RemoveTrigger(
            model_name='shipmentevent',
            name='words_are_known',
        ),
        migrations.AddIndex(
            model_name='shipmentevent',
            index=models.Index(condition=models.Q(('state', 'PROCESSED'), _negated=True), fields=['state', '-id'], name='events_out_of_the_ordinary'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shipmentevent',
            trigger=pgtrigger.compiler.Trigger(name='words_are_known', sql=rails.models.guards.UnconditionalSql(func="\n        IF NEW.event_type NOT IN ('PICKUP_CONFIRMED', 'POD_CONFIRMED', 'CLAIM_WINDOW_CLOSED', 'CREATED', 'IN_TRANSIT', 'AT_TERMINAL', 'DELIVERY_ATTEMPTED')\n           OR NEW.state NOT IN ('PROCESSED', 'DUPLICATE', 'PARKED', 'WAITING', 'FAILED')\n        THEN\n            RAISE EXCEPTION 'type and state of an event are known words' USING ERRCODE = 'check_violation';\n        END IF;\n        IF TG_OP = 'INSERT' THEN\n            IF NOT EXISTS (\n                SELECT 1 FROM settlements_eventsource src WHERE src.id = NEW.source_id AND src.active\n                AND (NEW.event_type = ANY(src.allowed_event_types)\n                     OR (src.kind = 'platform' AND src.allowed_event_types = ARRAY[]::text[]))\n            ) THEN\n                RAISE EXCEPTION 'an active source posts the event types it is allowed' USING ERRCODE = 'check_violation';\n            END IF;\n        END IF;\n        RETURN NEW;\n    ", hash='04cb1458a171ac5470b68e4fc800a1913366890f', operation='INSERT OR UPDATE', pgid='pgtrigger_words_are_known_959b7', table='settlements_shipmentevent', when='BEFORE')),
        ),
        migrations.RunSQL(DUPLICATES, migrations.RunSQL.noop),
    ]
