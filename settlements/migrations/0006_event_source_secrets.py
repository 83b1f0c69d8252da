
import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations, models


class Migration(migrations.Migration):
    """Webhook secrets of event sources; an active source posts the event types it is allowed."""


    dependencies = [
        ('settlements', '0005_platform_source'),
    ]

    operations = [
        migrations.CreateModel(
            name='SourceSecret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.TextField()),
                ('hint', models.TextField()),
                ('created_by', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.AlterModelOptions(
            name='eventsource',
            options={'permissions': [('manage_integrations', 'Can manage event sources, API keys and subscribers')]},
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='shipmentevent',
            name='words_are_known',
        ),
        migrations.AddField(
            model_name='eventsource',
            name='created_by',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='eventsource',
            name='requests_per_second',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)]),
        ),
        migrations.AddField(
            model_name='eventsource',
            name='revision',
            field=models.BigIntegerField(default=1),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='eventsource',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.name, NEW.kind, NEW.carrier_id) IS DISTINCT FROM (OLD.id, OLD.name, OLD.kind, OLD.carrier_id) THEN\n                RAISE EXCEPTION 'these columns never change: id, name, kind, carrier_id' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='36cf6409d6112d2ac203489036aed986165e7d07', operation='UPDATE', pgid='pgtrigger_fixed_columns_bfaea', table='settlements_eventsource', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='eventsource',
            trigger=pgtrigger.compiler.Trigger(name='revision_rises', sql=rails.models.guards.UnconditionalSql(func="\n        IF NEW IS DISTINCT FROM OLD AND NEW.revision <= OLD.revision THEN\n            RAISE EXCEPTION 'the revision of a source rises with every change' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='312033a89b7fd6f68f9f20685040757e4f97deb3', operation='UPDATE', pgid='pgtrigger_revision_rises_58586', table='settlements_eventsource', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shipmentevent',
            trigger=pgtrigger.compiler.Trigger(name='words_are_known', sql=rails.models.guards.UnconditionalSql(func="\n        IF NEW.event_type NOT IN ('PICKUP_CONFIRMED', 'POD_CONFIRMED', 'CLAIM_WINDOW_CLOSED', 'CREATED', 'IN_TRANSIT', 'AT_TERMINAL', 'DELIVERY_ATTEMPTED')\n           OR NEW.state NOT IN ('PROCESSED', 'PARKED', 'WAITING', 'FAILED')\n        THEN\n            RAISE EXCEPTION 'type and state of an event are known words' USING ERRCODE = 'check_violation';\n        END IF;\n        IF TG_OP = 'INSERT' THEN\n            IF NOT EXISTS (\n                SELECT 1 FROM settlements_eventsource src WHERE src.id = NEW.source_id AND src.active\n                AND (NEW.event_type = ANY(src.allowed_event_types)\n                     OR (src.kind = 'platform' AND src.allowed_event_types = ARRAY[]::text[]))\n            ) THEN\n                RAISE EXCEPTION 'an active source posts the event types it is allowed' USING ERRCODE = 'check_violation';\n            END IF;\n        END IF;\n        RETURN NEW;\n    ", hash='cef567a574846cf5be268dfeb3a69ed81f629b03', operation='INSERT OR UPDATE', pgid='pgtrigger_words_are_known_959b7', table='settlements_shipmentevent', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='eventsource',
            constraint=models.CheckConstraint(condition=models.Q(('requests_per_second__isnull', True), models.Q(('requests_per_second__gte', 1), ('requests_per_second__lte', 100000)), _connector='OR'), name='a_source_may_send_something'),
        ),
        migrations.AddField(
            model_name='sourcesecret',
            name='source',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='secrets', to='settlements.eventsource'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcesecret',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='2d762072fa59706b0549317c006d0c2b0dab86ac', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_25339', table='settlements_sourcesecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcesecret',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='728ed7be5b58d62e612fb3a379166660f744d7fd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_acb6d', table='settlements_sourcesecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcesecret',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.source_id, NEW.hint, NEW.created_by, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.source_id, OLD.hint, OLD.created_by, OLD.created_at) THEN\n                RAISE EXCEPTION 'these columns never change: id, source_id, hint, created_by, created_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='df972d5c9ae8718ab30fe39d7021c55469e656f1', operation='UPDATE', pgid='pgtrigger_fixed_columns_eaedd', table='settlements_sourcesecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sourcesecret',
            trigger=pgtrigger.compiler.Trigger(name='ends_once', sql=rails.models.guards.UnconditionalSql(func="\n        IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN\n            RAISE EXCEPTION 'what is revoked stays revoked' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at) THEN\n            RAISE EXCEPTION 'an end that was set is never put off' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='bc9fa8c3849119e66bc3549e23e7e52dd3f4a325', operation='UPDATE', pgid='pgtrigger_ends_once_465d1', table='settlements_sourcesecret', when='BEFORE')),
        ),
    ]
