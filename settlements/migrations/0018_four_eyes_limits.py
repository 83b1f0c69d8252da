import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone
from rails.money import EXPONENTS


def keep_limits(apps, schema_editor):
    """Those of the environment; from now on `migrate` does so each time (settlements/apps.py)."""
    limits = settings.CHAINPAY_FOUR_EYES_ABOVE
    apps.get_model("settlements", "FourEyesLimit").objects.bulk_create(
        apps.get_model("settlements", "FourEyesLimit")(
            currency=currency, above_minor=limits[currency].minor if currency in limits else 0, set_at=timezone.now()
        )
        for currency in EXPONENTS
    )


class Migration(migrations.Migration):
    """The database knows the four-eyes amounts; at HIGH risk it lets only people release."""

    dependencies = [
        ('settlements', '0017_figures_by_index'),
    ]

    operations = [
        migrations.CreateModel(
            name='FourEyesLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3)),
                ('above_minor', models.BigIntegerField()),
                ('set_at', models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name='foureyeslimit',
            index=models.Index(fields=['currency', '-id'], name='newest_limit_of_a_currency'),
        ),
        migrations.AddConstraint(
            model_name='foureyeslimit',
            constraint=models.CheckConstraint(condition=models.Q(('above_minor__gte', 0)), name='limit_is_not_negative'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='foureyeslimit',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_updated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='3ce6257915cc45b6f3f4e0eb2a9b39799cbe6e18', operation='UPDATE', pgid='pgtrigger_rows_are_never_updated_5d16d', table='settlements_foureyeslimit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='foureyeslimit',
            trigger=pgtrigger.compiler.Trigger(name='rows_are_never_deleted', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='59eda92170c9bce800b8939947fc31d404ea9634', operation='DELETE', pgid='pgtrigger_rows_are_never_deleted_63eeb', table='settlements_foureyeslimit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='foureyeslimit',
            trigger=pgtrigger.compiler.Trigger(name='table_is_never_truncated', sql=rails.models.guards.UnconditionalSql(func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME USING ERRCODE = 'check_violation';", hash='2cc6100aed45a03395e12dc46e71daf7313607c0', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_table_is_never_truncated_32723', table='settlements_foureyeslimit', when='BEFORE')),
        ),
        migrations.RunPython(keep_limits, migrations.RunPython.noop),
        pgtrigger.migrations.RemoveTrigger(
            model_name='milestonesettlement',
            name='row_is_lawful',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='milestonesettlement',
            trigger=pgtrigger.compiler.Trigger(name='row_is_lawful', sql=rails.models.guards.UnconditionalSql(declare='DECLARE strategies text[]; intent record;', func="\n        strategies := ARRAY['IMMEDIATE', 'DELAYED', 'MANUAL_REVIEW', 'PENDING'];\n        IF array_position(strategies, NEW.strategy::text) IS NULL\n           OR NEW.risk_tier NOT IN ('LOW', 'MEDIUM', 'HIGH')\n           OR NEW.rail NOT IN ('internal_ledger', 'stripe', 'ach', 'wire')\n        THEN\n            RAISE EXCEPTION 'strategy, tier and rail of a settlement are known words' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.rail = 'wire' AND NEW.approvals_required < 2 THEN\n            RAISE EXCEPTION 'a wire needs two approvers' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.risk_tier = 'HIGH' AND NEW.strategy IN ('IMMEDIATE', 'DELAYED') THEN\n            RAISE EXCEPTION 'at HIGH risk only people release' USING ERRCODE = 'check_violation';\n        END IF;\n        IF TG_OP = 'INSERT' THEN\n            IF NOT ((NEW.origin = 'EVENT' AND NEW.event_id IS NOT NULL)\n                    OR (NEW.origin = 'SETTLE' AND NEW.event_id IS NULL)) THEN\n                RAISE EXCEPTION 'a settlement that an event brought names its event' USING ERRCODE = 'check_violation';\n            END IF;\n            IF NEW.status NOT IN ('APPROVED', 'DELAYED', 'PENDING', 'RELEASING') THEN\n                RAISE EXCEPTION 'a settlement does not begin in this status' USING ERRCODE = 'check_violation';\n            END IF;\n            SELECT i.status, i.risk_tier INTO intent FROM settlements_paymentintent i WHERE i.id = NEW.intent_id;\n            IF intent.status IN ('CANCELLED', 'REJECTED') THEN\n                RAISE EXCEPTION 'a cancelled or rejected intent gets no settlements' USING ERRCODE = 'check_violation';\n            END IF;\n            IF intent.risk_tier = 'HIGH' AND NEW.risk_tier <> 'HIGH' THEN\n                RAISE EXCEPTION 'the risk of an intent is the least that its settlements have' USING ERRCODE = 'check_violation';\n            END IF;\n            IF NEW.approvals_required < 2 AND NEW.amount_minor > coalesce((SELECT l.above_minor FROM settlements_foureyeslimit l\n                                   WHERE l.currency = NEW.currency ORDER BY l.id DESC LIMIT 1), 0) THEN\n                RAISE EXCEPTION 'above the four-eyes amount a settlement needs two approvers' USING ERRCODE = 'check_violation';\n            END IF;\n            RETURN NEW;\n        END IF;\n        IF (NEW.id, NEW.intent_id, NEW.event_type, NEW.amount_minor, NEW.currency, NEW.origin, NEW.event_id, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.intent_id, OLD.event_type, OLD.amount_minor, OLD.currency, OLD.origin, OLD.event_id, OLD.created_at) THEN\n            RAISE EXCEPTION 'intent, event type, amount, currency and origin of a settlement never change' USING ERRCODE = 'check_violation';\n        END IF;\n        IF array_position(strategies, NEW.strategy::text) < array_position(strategies, OLD.strategy::text) THEN\n            RAISE EXCEPTION 'a strategy is never loosened' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.strategy = OLD.strategy AND (NEW.risk_tier, NEW.risk_score, NEW.rule, NEW.explanation, NEW.inputs, NEW.policy_version) IS DISTINCT FROM (OLD.risk_tier, OLD.risk_score, OLD.rule, OLD.explanation, OLD.inputs, OLD.policy_version) THEN\n            RAISE EXCEPTION 'a decision is only ever replaced by a stricter one' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.status = OLD.status AND (NEW.reference, NEW.released_at, NEW.settled_at) IS DISTINCT FROM (OLD.reference, OLD.released_at, OLD.settled_at) THEN\n            RAISE EXCEPTION 'what is told of a release changes only with the status' USING ERRCODE = 'check_violation';\n        END IF;\n        IF OLD.settlement_delayed_until IS NOT NULL\n           AND (NEW.settlement_delayed_until IS NULL OR NEW.settlement_delayed_until < OLD.settlement_delayed_until)\n        THEN\n            RAISE EXCEPTION 'a hold never ends earlier than it was set to' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.approvals_required < OLD.approvals_required THEN\n            RAISE EXCEPTION 'the number of approvals required is only ever raised' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.rail <> OLD.rail AND OLD.status NOT IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') THEN\n            RAISE EXCEPTION 'the rail is frozen once the settlement was submitted' USING ERRCODE = 'check_violation';\n        END IF;\n        RETURN NEW;\n    ", hash='bb9841ea18e9cb07e19855f5b8dd4b9594e9b165', operation='INSERT OR UPDATE', pgid='pgtrigger_row_is_lawful_6c51d', table='settlements_milestonesettlement', when='BEFORE')),
        ),
    ]
