
import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('settlements', '0065_arrivals_by_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Comparison',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.TextField()),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('payments', models.BigIntegerField()),
                ('differences', models.BigIntegerField()),
                ('totals', models.JSONField()),
            ],
            options={
                'verbose_name': 'comparison of the books',
                'verbose_name_plural': 'comparisons of the books',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='DifferenceResolution',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('actor', models.TextField()),
                ('resolved_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'resolution of a difference',
                'verbose_name_plural': 'resolutions of differences',
                'ordering': ['-resolved_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='BooksDifference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identity', models.TextField()),
                ('kind', models.TextField(choices=[('NO_SETTLEMENT', 'NO_SETTLEMENT'), ('NO_ATTEMPT', 'NO_ATTEMPT'), ('STATUS', 'STATUS'), ('AMOUNT', 'AMOUNT'), ('REFERENCE', 'REFERENCE'), ('BOOKED', 'BOOKED'), ('CLEARING', 'CLEARING'), ('OWED', 'OWED'), ('THEIRS_MISSING', 'THEIRS_MISSING'), ('OURS_MISSING', 'OURS_MISSING'), ('THEIR_AMOUNT', 'THEIR_AMOUNT'), ('THEIR_DESTINATION', 'THEIR_DESTINATION'), ('THEIR_REFERENCE', 'THEIR_REFERENCE'), ('THEIR_RETURN', 'THEIR_RETURN'), ('THEIR_WORD', 'THEIR_WORD'), ('IN_DOUBT', 'IN_DOUBT')])),
                ('provider', models.TextField(choices=[('INTERNAL_LEDGER', 'internal_ledger'), ('STRIPE', 'stripe'), ('ACH', 'ach'), ('WIRE', 'wire')])),
                ('milestone_id', models.BigIntegerField(blank=True, null=True)),
                ('attempt_number', models.IntegerField(blank=True, null=True)),
                ('reference', models.TextField(blank=True, default='')),
                ('currency', models.TextField(blank=True, default='')),
                ('expected_minor', models.BigIntegerField(blank=True, null=True)),
                ('found_minor', models.BigIntegerField(blank=True, null=True)),
                ('expected', models.TextField(blank=True, default='')),
                ('found', models.TextField(blank=True, default='')),
                ('occurred_at', models.DateTimeField()),
                ('found_at', models.DateTimeField()),
                ('gone_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name': 'difference in the books',
                'verbose_name_plural': 'differences in the books',
                'ordering': ['occurred_at', 'id'],
                'indexes': [models.Index(condition=models.Q(('gone_at__isnull', True)), fields=['occurred_at', 'id'], name='differences_that_are'), models.Index(fields=['milestone_id'], name='differences_of_a_milestone')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('gone_at__isnull', True)), fields=('identity',), name='a_difference_is_there_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['NO_SETTLEMENT', 'NO_ATTEMPT', 'STATUS', 'AMOUNT', 'REFERENCE', 'BOOKED', 'CLEARING', 'OWED', 'THEIRS_MISSING', 'OURS_MISSING', 'THEIR_AMOUNT', 'THEIR_DESTINATION', 'THEIR_REFERENCE', 'THEIR_RETURN', 'THEIR_WORD', 'IN_DOUBT'])), name='a_difference_is_of_a_known_kind'), models.CheckConstraint(condition=models.Q(('provider__in', ['INTERNAL_LEDGER', 'STRIPE', 'ACH', 'WIRE'])), name='a_difference_is_on_a_known_rail')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booksdifference',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=rails.models.guards.UnconditionalSql(func="\n            IF (NEW.identity, NEW.kind, NEW.provider, NEW.milestone_id, NEW.attempt_number, NEW.reference, NEW.currency, NEW.expected_minor, NEW.found_minor, NEW.expected, NEW.found, NEW.occurred_at, NEW.found_at) IS DISTINCT FROM (OLD.identity, OLD.kind, OLD.provider, OLD.milestone_id, OLD.attempt_number, OLD.reference, OLD.currency, OLD.expected_minor, OLD.found_minor, OLD.expected, OLD.found, OLD.occurred_at, OLD.found_at) THEN\n                RAISE EXCEPTION 'these columns never change: identity, kind, provider, milestone_id, attempt_number, reference, currency, expected_minor, found_minor, expected, found, occurred_at, found_at' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        ", hash='6ec6c299c9e7674ba563490883a8524d7a3a22cb', operation='UPDATE', pgid='pgtrigger_fixed_columns_7bb0c', table='settlements_booksdifference', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booksdifference',
            trigger=pgtrigger.compiler.Trigger(name='it_goes_once', sql=rails.models.guards.UnconditionalSql(func="\n    IF OLD.gone_at IS NOT NULL AND NEW.gone_at IS DISTINCT FROM OLD.gone_at THEN\n        RAISE EXCEPTION 'what is gone stays gone: found again it is another difference' USING ERRCODE = 'check_violation';\n    END IF;\n    RETURN NEW;\n", hash='ab55adb26d66e9b0b2a65a5e58ea743812fb162e', operation='UPDATE', pgid='pgtrigger_it_goes_once_a3819', table='settlements_booksdifference', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booksdifference',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='ab39da86f79d94204f9732ae5b08e5e7da11dc0f', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_37408', table='settlements_booksdifference', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booksdifference',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='b70d5595902f01bc1b92a7ad326bde35d0b03053', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_28bc3', table='settlements_booksdifference', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('differences__gte', 0), ('payments__gte', 0)), name='a_comparison_counts_from_zero'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('actor__regex', '[^[:space:]]')), name='a_comparison_names_its_actor'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comparison',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_updated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='fa440eee27b57cb03c6bcc1585c552fbafb6d9c3', operation='UPDATE', pgid='pgtrigger_rows_are_never_updated_546a8', table='settlements_comparison', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comparison',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='04c328c5da09aa8fc65b34f352e07fbdbcd81de8', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_161cb', table='settlements_comparison', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comparison',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='11adbbfca7a4cb4c98779a6da3a6316fef355fa6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_0ea97', table='settlements_comparison', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='differenceresolution',
            name='difference',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='resolution', to='settlements.booksdifference'),
        ),
        migrations.AddField(
            model_name='differenceresolution',
            name='resolved_by',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='differenceresolution',
            index=models.Index(fields=['-resolved_at', '-id'], name='resolutions_by_time'),
        ),
        migrations.AddConstraint(
            model_name='differenceresolution',
            constraint=models.CheckConstraint(condition=models.Q(('reason__regex', '[^[:space:]]')), name='a_resolution_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='differenceresolution',
            constraint=models.CheckConstraint(condition=models.Q(('actor__regex', '[^[:space:]]')), name='a_resolution_names_its_actor'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='differenceresolution',
            trigger=pgtrigger.compiler.Trigger(name='still_there', sql=rails.models.guards.UnconditionalSql(func="\n    PERFORM 1 FROM settlements_booksdifference d WHERE d.id = NEW.difference_id AND d.gone_at IS NULL FOR UPDATE;\n    IF NOT FOUND THEN\n        RAISE EXCEPTION 'what is resolved is still there' USING ERRCODE = 'check_violation';\n    END IF;\n    RETURN NEW;\n", hash='ca9bcc675aba915b18bb8f4b7bcc744fa8ce899b', operation='INSERT', pgid='pgtrigger_still_there_d6267', table='settlements_differenceresolution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='differenceresolution',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_updated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='0763b638fe45a1576889a49c5912280aa6349d27', operation='UPDATE', pgid='pgtrigger_rows_are_never_updated_94c58', table='settlements_differenceresolution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='differenceresolution',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='14734f6c8b7637ebe60ce8341ed9c46c49fe279e', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_348ef', table='settlements_differenceresolution', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='differenceresolution',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='f74e6f8098090aa6a179d6705ab9175d6ef1b282', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_aa056', table='settlements_differenceresolution', when='BEFORE')),
        ),
    ]
