import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations, models


class Migration(migrations.Migration):
    """What the team was told of the review queue, and by which message."""

    dependencies = [
        ('compliance', '0008_openings'),
        ('settlements', '0015_review_digest'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReviewDigest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.TextField(unique=True)),
                ('subject', models.TextField()),
                ('text', models.TextField()),
                ('html', models.TextField()),
                ('attempts', models.IntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at'], name='mail_that_waits')],
                'constraints': [models.CheckConstraint(condition=models.Q(('sent_at__isnull', True), models.Q(('attempts__gte', 1), ('next_attempt_at__isnull', True)), _connector='OR'), name='sent_mail_was_tried_and_waits_no_more'), models.CheckConstraint(condition=models.Q(models.Q(('subject', ''), _negated=True), models.Q(('text', ''), _negated=True), models.Q(('html', ''), _negated=True)), name='a_digest_says_something')],
            },
        ),
        migrations.CreateModel(
            name='DigestItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('NEW', 'new'), ('TARGET_MISSED', 'target missed')])),
                ('left_at', models.DateTimeField(blank=True, null=True)),
                ('settlement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='settlements.milestonesettlement')),
                ('digest', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='compliance.reviewdigest')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reviewdigest',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='ce531b275230179840043a942096b626bf75da74', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_5d173', table='compliance_reviewdigest', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reviewdigest',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='054e2008230ec1093ac05aa3c219a8f1498827da', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_62a22', table='compliance_reviewdigest', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reviewdigest',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.message_id, NEW.subject, NEW.text, NEW.html, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.message_id, OLD.subject, OLD.text, OLD.html, OLD.created_at) THEN\n                RAISE EXCEPTION 'these columns never change: id, message_id, subject, text, html, created_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='1101da1ac339e1eb9115897867f16f8f819ccecc', operation='UPDATE', pgid='pgtrigger_fixed_columns_52562', table='compliance_reviewdigest', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reviewdigest',
            trigger=pgtrigger.compiler.Trigger(name='mail_is_sent_once', sql=rails.models.guards.UnconditionalSql(func="\n        IF NEW.attempts < OLD.attempts THEN\n            RAISE EXCEPTION 'attempts are only ever added' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.sent_at IS NOT NULL AND (NEW.sent_at, NEW.next_attempt_at) IS DISTINCT FROM\n           (OLD.sent_at, OLD.next_attempt_at) THEN\n            RAISE EXCEPTION 'a mail that was sent stays sent' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='05ad316c1e86bbdf221879d21e77bfa0b06a5a2e', operation='UPDATE', pgid='pgtrigger_mail_is_sent_once_90e77', table='compliance_reviewdigest', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='digestitem',
            constraint=models.UniqueConstraint(condition=models.Q(('left_at__isnull', True)), fields=('settlement', 'kind'), name='told_once_while_it_waits'),
        ),
        migrations.AddConstraint(
            model_name='digestitem',
            constraint=models.UniqueConstraint(fields=('digest', 'settlement', 'kind'), name='told_once_in_a_digest'),
        ),
        migrations.AddConstraint(
            model_name='digestitem',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['NEW', 'TARGET_MISSED'])), name='kind_of_news_is_known'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='digestitem',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='d5b5c2200d8aca33837ca6497b35015e893e89a9', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_fead3', table='compliance_digestitem', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='digestitem',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='9a7616d6e6f32d9acd1c29404098d3bf47e86ad6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_3c453', table='compliance_digestitem', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='digestitem',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.id, NEW.digest_id, NEW.settlement_id, NEW.kind) IS DISTINCT FROM (OLD.id, OLD.digest_id, OLD.settlement_id, OLD.kind) THEN\n                RAISE EXCEPTION 'these columns never change: id, digest_id, settlement_id, kind' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='f8fc04fdd8d4037692212f1b2a511b98901fdfdc', operation='UPDATE', pgid='pgtrigger_fixed_columns_8de57', table='compliance_digestitem', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='digestitem',
            trigger=pgtrigger.compiler.Trigger(name='a_wait_ends_once', sql=rails.models.guards.UnconditionalSql(func="\n        IF OLD.left_at IS NOT NULL AND NEW.left_at IS DISTINCT FROM OLD.left_at THEN\n            RAISE EXCEPTION 'a wait that has ended stays ended' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='ea8f6cf9f7281c418607d1f2058673c7d727f5a1', operation='UPDATE', pgid='pgtrigger_a_wait_ends_once_f8574', table='compliance_digestitem', when='BEFORE')),
        ),
    ]
