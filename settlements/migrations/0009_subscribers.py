
import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations, models


class Migration(migrations.Migration):
    """Who is told of settlements, and the outbox of what it is told."""

    dependencies = [
        ('settlements', '0008_duplicate_events'),
    ]

    operations = [
        migrations.CreateModel(
            name='SubscriberSecret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.TextField()),
                ('hint', models.TextField()),
                ('created_by', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Subscriber',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(unique=True)),
                ('url', models.TextField()),
                ('event_types', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ('carrier_id', models.TextField(blank=True, default='')),
                ('active', models.BooleanField(default=True)),
                ('created_by', models.TextField()),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('event_types__contained_by', ['settlement.created', 'settlement.delayed', 'settlement.review_required', 'settlement.approved', 'settlement.settled', 'settlement.failed', 'settlement.returned', 'settlement.rejected', 'settlement.cancelled']), ('event_types__len__gte', 1)), name='a_subscriber_is_told_of_known_events'), models.CheckConstraint(condition=models.Q(('url', ''), _negated=True), name='a_subscriber_has_an_address')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.TextField(unique=True)),
                ('event_type', models.TextField()),
                ('state', models.TextField(default='WAITING')),
                ('payload', models.TextField(blank=True, default='')),
                ('attempts', models.IntegerField(default=0)),
                ('failures', models.IntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField()),
                ('give_up_at', models.DateTimeField()),
                ('last_status', models.IntegerField(blank=True, null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField()),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('audit_event', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.auditevent')),
                ('settlement', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='settlements.milestonesettlement')),
                ('subscriber', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='settlements.subscriber')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'default_permissions': ('view',),
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscriber',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='71a40c216049a2bc63aa4db1b168f2a02cb71ac9', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_2e4f9', table='settlements_subscriber', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscriber',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='8fde6274f05de4996bce4eede3b2a6ec05569aa5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_799bc', table='settlements_subscriber', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscriber',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.name, NEW.carrier_id, NEW.created_by, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.name, OLD.carrier_id, OLD.created_by, OLD.created_at) THEN\n                RAISE EXCEPTION 'these columns never change: id, name, carrier_id, created_by, created_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='8408b5f93dd6b3f494a82c9fddc46976740c69ff', operation='UPDATE', pgid='pgtrigger_fixed_columns_9f7d4', table='settlements_subscriber', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='subscribersecret',
            name='subscriber',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='secrets', to='settlements.subscriber'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'WAITING')), fields=['subscriber', 'next_attempt_at', 'id'], name='deliveries_that_wait'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['subscriber', '-id'], name='deliveries_of_a_subscriber'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['state', '-id'], name='deliveries_by_state'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('audit_event', 'subscriber', 'settlement', 'event_type'), name='one_message_per_subscriber_and_event'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('audit_event__isnull', True), ('event_type', 'ping'), ('settlement__isnull', True)), models.Q(('audit_event__isnull', False), ('event_type__in', ['settlement.created', 'settlement.delayed', 'settlement.review_required', 'settlement.approved', 'settlement.settled', 'settlement.failed', 'settlement.returned', 'settlement.rejected', 'settlement.cancelled']), ('settlement__isnull', False)), _connector='OR'), name='news_tell_of_an_audit_event'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['WAITING', 'DELIVERED', 'PARKED'])), name='state_of_a_delivery_is_known'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'DELIVERED'), _negated=True), models.Q(('attempts__gte', 1), ('delivered_at__isnull', False), models.Q(('payload', ''), _negated=True)), _connector='OR'), name='delivered_was_sent'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('attempts__gte', models.F('failures')), ('failures__gte', 0)), name='failures_are_attempts'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('message_id__regex', '^msg_[0-9a-f]{32}$')), name='message_id_is_one_of_ours'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='a8ac79475d39867603981fd1d2f380f23af34810', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_ffce8', table='settlements_delivery', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='606807819e539cd95fdbb5dda1b59bc30819f911', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_b000e', table='settlements_delivery', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='state_follows_the_table', sql=rails.models.guards.UnconditionalSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{DELIVERED:WAITING,PARKED:WAITING,WAITING:DELIVERED,WAITING:PARKED}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='a159578f51033b20b25f179d63b5c50da8e08106', operation='UPDATE', pgid='pgtrigger_state_follows_the_table_5c64c', table='settlements_delivery', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='delivery',
            trigger=pgtrigger.compiler.Trigger(name='message_is_fixed', sql=rails.models.guards.UnconditionalSql(func="\n        IF (NEW.id, NEW.message_id, NEW.subscriber_id, NEW.audit_event_id, NEW.settlement_id, NEW.event_type, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.message_id, OLD.subscriber_id, OLD.audit_event_id, OLD.settlement_id, OLD.event_type, OLD.created_at) THEN\n            RAISE EXCEPTION 'a message keeps its id, its subscriber and what it tells of' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.payload <> '' AND NEW.payload <> OLD.payload THEN\n            RAISE EXCEPTION 'a message that was prepared stays as it is, byte for byte' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.attempts < OLD.attempts THEN\n            RAISE EXCEPTION 'attempts are only ever added' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='54b222313738c68c978109eae2f6b4b7eba51c80', operation='UPDATE', pgid='pgtrigger_message_is_fixed_9c1cc', table='settlements_delivery', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscribersecret',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='9ac258dd3e95eb59be32ec378cee646850724747', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_f9860', table='settlements_subscribersecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscribersecret',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='6617d8bc0d4a860ef801b65ab9c28c2cf95193a3', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_1f2e9', table='settlements_subscribersecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscribersecret',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.subscriber_id, NEW.hint, NEW.created_by, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.subscriber_id, OLD.hint, OLD.created_by, OLD.created_at) THEN\n                RAISE EXCEPTION 'these columns never change: id, subscriber_id, hint, created_by, created_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='cdaf2c02ccdbda218eae94340343b36a8d87311d', operation='UPDATE', pgid='pgtrigger_fixed_columns_785b8', table='settlements_subscribersecret', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='subscribersecret',
            trigger=pgtrigger.compiler.Trigger(name='ends_once', sql=rails.models.guards.UnconditionalSql(func="\n        IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN\n            RAISE EXCEPTION 'what is revoked stays revoked' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at) THEN\n            RAISE EXCEPTION 'an end that was set is never put off' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='a15934e660297f461b7280deda1672018f77255d', operation='UPDATE', pgid='pgtrigger_ends_once_03546', table='settlements_subscribersecret', when='BEFORE')),
        ),
    ]
