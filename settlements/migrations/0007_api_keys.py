
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Bearer keys with their scopes."""


    dependencies = [
        ('settlements', '0006_event_source_secrets'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(unique=True)),
                ('prefix', models.TextField()),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('service', models.TextField(blank=True, default='')),
                ('carrier_id', models.TextField(blank=True, default='')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ('requests_per_second', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)])),
                ('created_by', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API key',
                'constraints': [models.CheckConstraint(condition=models.Q(('user__isnull', True), ('service', ''), _connector='XOR'), name='a_key_belongs_to_a_user_or_a_service'), models.CheckConstraint(condition=models.Q(('user__isnull', False), models.Q(('scopes__contains', ['compliance:decide']), _negated=True), _connector='OR'), name='only_a_user_decides'), models.CheckConstraint(condition=models.Q(('carrier_id', ''), models.Q(('scopes__contained_by', ['audit:read', 'intents:read', 'tokens:read']), ('user__isnull', True)), _connector='OR'), name='a_carrier_only_reads_its_own'), models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['audit:read', 'compliance:decide', 'compliance:read', 'intents:cancel', 'intents:complete', 'intents:read', 'intents:settle', 'intents:write', 'recipients:read', 'recipients:write', 'tokens:read', 'tokens:write']), ('scopes__len__gte', 1)), name='scopes_are_known'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='a_key_lives_a_while'), models.CheckConstraint(condition=models.Q(('requests_per_second__isnull', True), models.Q(('requests_per_second__gte', 1), ('requests_per_second__lte', 100000)), _connector='OR'), name='a_key_may_ask_something')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='f9e125c6bacfcf56ae238b7008ee3e0ea34efa2f', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_bc1c0', table='settlements_apikey', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='bd9957915267a89c0e00392895b7cf53a3b370ac', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_1e71d', table='settlements_apikey', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.name, NEW.prefix, NEW.digest, NEW.user_id, NEW.service, NEW.carrier_id, NEW.scopes, NEW.created_by, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.name, OLD.prefix, OLD.digest, OLD.user_id, OLD.service, OLD.carrier_id, OLD.scopes, OLD.created_by, OLD.created_at) THEN\n                RAISE EXCEPTION 'these columns never change: id, name, prefix, digest, user_id, service, carrier_id, scopes, created_by, created_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='f2b018aae9a681ceb4d9030769694e01cc43c19e', operation='UPDATE', pgid='pgtrigger_fixed_columns_33eaa', table='settlements_apikey', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='apikey',
            trigger=pgtrigger.compiler.Trigger(name='ends_once', sql=rails.models.guards.UnconditionalSql(func="\n        IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN\n            RAISE EXCEPTION 'what is revoked stays revoked' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at) THEN\n            RAISE EXCEPTION 'an end that was set is never put off' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='6321e2561f6767629889fb590899933ffdee5bc1', operation='UPDATE', pgid='pgtrigger_ends_once_7ceaf', table='settlements_apikey', when='BEFORE')),
        ),
    ]
