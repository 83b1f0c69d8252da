import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations, models


# With the rights of whoever owns the tables, and for nobody whom that one has not named. A table is looked for in our
# schema alone, whatever the caller's path says.
FUNCTION = """
    CREATE FUNCTION settlements_remove_archived(of_archive bigint, after_intent bigint, at_most integer)
    RETURNS TABLE (last_intent bigint, removed bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $function$
    DECLARE
        chosen bigint[];
    BEGIN
        SELECT array_agg(part.intent_id ORDER BY part.intent_id) INTO chosen FROM (
            SELECT c.intent_id FROM settlements_archivedchain c JOIN settlements_auditarchive a ON a.id = c.archive_id
            WHERE c.archive_id = of_archive AND c.intent_id > after_intent ORDER BY c.intent_id LIMIT at_most
        ) part;
        IF chosen IS NULL THEN
            RETURN;
        END IF;
        DELETE FROM settlements_auditevent e USING settlements_archivedchain c
        WHERE c.archive_id = of_archive AND c.intent_id = ANY(chosen) AND e.intent_id = c.intent_id
          AND e.sequence >= c.first_sequence AND e.sequence < c.last_sequence;
        GET DIAGNOSTICS removed = ROW_COUNT;
        last_intent := chosen[cardinality(chosen)];
        RETURN NEXT;
    END
    $function$;
    REVOKE ALL ON FUNCTION settlements_remove_archived(bigint, bigint, integer) FROM PUBLIC;
"""


def make(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        cursor.execute(FUNCTION.format(schema=cursor.fetchone()[0]))


class Migration(migrations.Migration):
    """Which audit events lie in files, and the one way by which they leave their table."""

    dependencies = [
        ("settlements", "0100_house_entries_are_told"),
    ]

    operations = [
        migrations.CreateModel(
            name='ArchivedChain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_sequence', models.IntegerField(verbose_name='first event')),
                ('last_sequence', models.IntegerField(verbose_name='last event')),
                ('hash', models.BinaryField(max_length=32)),
            ],
            options={
                'verbose_name': 'archived chain',
            },
        ),
        migrations.CreateModel(
            name='AuditArchive',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('month', models.DateField()),
                ('number', models.IntegerField()),
                ('file_name', models.TextField(unique=True)),
                ('sha256', models.TextField(verbose_name='digest (SHA-256)')),
                ('size', models.BigIntegerField(verbose_name='bytes')),
                ('chains', models.BigIntegerField(verbose_name='intents')),
                ('events', models.BigIntegerField(verbose_name='audit events')),
                ('after_days', models.IntegerField(verbose_name='days of rest')),
                ('actor', models.TextField()),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'audit archive',
                'ordering': ['-id'],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='auditevent',
            name='rows_are_never_deleted',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='rows_leave_by_an_archive', sql=rails.models.guards.UnconditionalSql(declare='DECLARE under_way text;', func="\n        GET DIAGNOSTICS under_way = PG_CONTEXT;\n        IF strpos(under_way, 'settlements_remove_archived(bigint,bigint,integer)') = 0 OR NOT EXISTS (\n                SELECT 1 FROM settlements_archivedchain c JOIN settlements_auditarchive a ON a.id = c.archive_id\n                WHERE c.intent_id = OLD.intent_id AND c.first_sequence <= OLD.sequence\n                  AND c.last_sequence > OLD.sequence) THEN\n            RAISE EXCEPTION 'Cannot delete rows from % table but what an archive has', TG_TABLE_NAME\n                USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN OLD;\n    ", hash='4cf0eaae76f647e42d9937186595c7c273201705', operation='DELETE', pgid='pgtrigger_rows_leave_by_an_archive_b6c34', table='settlements_auditevent', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='archivedchain',
            name='intent',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='archived', to='settlements.paymentintent'),
        ),
        migrations.AddConstraint(
            model_name='auditarchive',
            constraint=models.UniqueConstraint(fields=('month', 'number'), name='one_audit_archive_per_month_and_number'),
        ),
        migrations.AddConstraint(
            model_name='auditarchive',
            constraint=models.CheckConstraint(condition=models.Q(('month__day', 1)), name='an_audit_archive_is_of_a_month'),
        ),
        migrations.AddConstraint(
            model_name='auditarchive',
            constraint=models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='an_audit_archive_has_a_digest'),
        ),
        migrations.AddConstraint(
            model_name='auditarchive',
            constraint=models.CheckConstraint(condition=models.Q(('chains__gte', 1), ('events__gte', django.db.models.expressions.CombinedExpression(models.F('chains'), '*', models.Value(2))), ('id__gte', 1), ('number__gte', 1), ('size__gte', 1)), name='an_audit_archive_holds_something'),
        ),
        migrations.AddConstraint(
            model_name='auditarchive',
            constraint=models.CheckConstraint(condition=models.Q(('actor', ''), _negated=True), name='an_audit_archive_names_its_actor'),
        ),
        migrations.AddField(
            model_name='archivedchain',
            name='archive',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='parts', to='settlements.auditarchive'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditarchive',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_updated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='f960a65d3181bd29092be178fbfdeb05dad1bda4', operation='UPDATE', pgid='pgtrigger_rows_are_never_updated_9d57a', table='settlements_auditarchive', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditarchive',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='07db2a8ff3f145bc9c2968240f8c60946b5bd77d', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_48335', table='settlements_auditarchive', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditarchive',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='e6c6cd8d548f6168ea48a63194ea75d0eb61ee56', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_f4b6e', table='settlements_auditarchive', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditarchive',
            trigger=pgtrigger.compiler.Trigger(name='an_archive_is_recorded_whole', sql=rails.models.guards.UnconditionalSql(declare='DECLARE chains bigint; events bigint;', func="\n        SELECT count(*), coalesce(sum(c.last_sequence - c.first_sequence + 1), 0) INTO chains, events\n        FROM settlements_archivedchain c WHERE c.archive_id = NEW.id;\n        IF (chains, events) <> (NEW.chains, NEW.events) THEN\n            RAISE EXCEPTION 'an archive is recorded with the chains and events that it holds' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.number <> 1 + (SELECT count(*) FROM settlements_auditarchive a WHERE a.month = NEW.month) THEN\n            RAISE EXCEPTION 'the archives of a month are numbered one after the other' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='89855122de8b4dac198c3a833b1a24a7bca8356c', operation='INSERT', pgid='pgtrigger_an_archive_is_recorded_whole_bdca3', table='settlements_auditarchive', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='archivedchain',
            constraint=models.UniqueConstraint(fields=('archive', 'intent'), name='one_part_of_a_chain_per_archive'),
        ),
        migrations.AddConstraint(
            model_name='archivedchain',
            constraint=models.UniqueConstraint(fields=('intent', 'first_sequence'), name='parts_of_a_chain_follow_each_other'),
        ),
        migrations.AddConstraint(
            model_name='archivedchain',
            constraint=models.CheckConstraint(condition=models.Q(('first_sequence__gte', 1), ('last_sequence__gt', models.F('first_sequence'))), name='an_archived_chain_leaves_something'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedchain',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_updated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='c7f277efbc8be44dc5f99bc320bfaa5f010359cd', operation='UPDATE', pgid='pgtrigger_rows_are_never_updated_5951b', table='settlements_archivedchain', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedchain',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='351cd1e6e5b046d1c6c70121b8b14de91042ef80', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_04848', table='settlements_archivedchain', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedchain',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='992ff9eda488d541f7eabc6d512fafe68d4a97d6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_1dd65', table='settlements_archivedchain', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='archivedchain',
            trigger=pgtrigger.compiler.Trigger(name='a_chain_is_cut_where_it_begins', sql=rails.models.guards.UnconditionalSql(declare='DECLARE begins integer;', func="\n        IF EXISTS (SELECT 1 FROM settlements_auditarchive a WHERE a.id >= NEW.archive_id) THEN\n            RAISE EXCEPTION 'chains are written before their archive is' USING ERRCODE = 'check_violation';\n        END IF;\n        SELECT min(a.sequence) INTO begins FROM settlements_auditevent a WHERE a.intent_id = NEW.intent_id;\n        IF begins IS DISTINCT FROM NEW.first_sequence OR begins <> coalesce((\n                SELECT max(c.last_sequence) FROM settlements_archivedchain c WHERE c.intent_id = NEW.intent_id), 1) THEN\n            RAISE EXCEPTION 'a chain is archived from where it begins in the table' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NOT EXISTS (SELECT 1 FROM settlements_auditevent a WHERE a.intent_id = NEW.intent_id\n                       AND a.sequence = NEW.last_sequence AND a.hash = NEW.hash) THEN\n            RAISE EXCEPTION 'an archived chain ends with an audit event that stays' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='8672a9ef94d5e6d768b7823d5256f46ac583f5c6', operation='INSERT', pgid='pgtrigger_a_chain_is_cut_where_it_begins_31795', table='settlements_archivedchain', when='BEFORE')),
        ),
        migrations.RunPython(
            make,
            lambda apps, schema_editor: schema_editor.execute(
                "DROP FUNCTION settlements_remove_archived(bigint, bigint, integer)"
            ),
        ),
    ]
