import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations


class Migration(migrations.Migration):
    """Who approves or rejects is an active member of staff."""

    dependencies = [
        ('settlements', '0019_reasons_that_say_something'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='approval',
            name='approver_is_independent',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='approval',
            trigger=pgtrigger.compiler.Trigger(name='approver_is_independent', sql=rails.models.guards.UnconditionalSql(declare='DECLARE s settlements_milestonesettlement; i settlements_paymentintent; last_payment timestamptz;', func="\n        IF NOT EXISTS (SELECT 1 FROM auth_user u WHERE u.id = NEW.approver_id AND u.is_active AND u.is_staff) THEN\n            RAISE EXCEPTION 'an active member of staff decides' USING ERRCODE = 'check_violation';\n        END IF;\n        SELECT * INTO STRICT s FROM settlements_milestonesettlement WHERE id = NEW.settlement_id;\n        SELECT * INTO STRICT i FROM settlements_paymentintent WHERE id = s.intent_id;\n        IF s.status NOT IN ('PENDING', 'DELAYED', 'FAILED', 'RETURNED') OR s.amount_minor = 0 THEN\n            RAISE EXCEPTION 'this settlement does not wait for a decision' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.version <> settlements_settlement_version(\n            s.id, s.intent_id, s.amount_minor, s.currency, s.rail, s.strategy) THEN\n            RAISE EXCEPTION 'a decision is about the settlement as it is now' USING ERRCODE = 'check_violation';\n        END IF;\n        IF NEW.decision <> 'APPROVE' THEN\n            RETURN NEW;\n        END IF;\n        IF i.created_by_id = NEW.approver_id THEN\n            RAISE EXCEPTION 'the creator of an intent does not approve its release' USING ERRCODE = 'check_violation';\n        END IF;\n        IF i.recipient_id IS NOT NULL THEN\n            SELECT max(p.released_at) INTO last_payment\n            FROM settlements_milestonesettlement p JOIN settlements_paymentintent pi ON pi.id = p.intent_id\n            WHERE pi.recipient_id = i.recipient_id AND p.status IN ('APPROVED', 'SETTLED');\n            IF EXISTS (SELECT 1 FROM rails_recipientedit e\n                       WHERE e.recipient_id = i.recipient_id AND e.edited_by_id = NEW.approver_id\n                       AND (last_payment IS NULL OR e.created_at > last_payment)) THEN\n                RAISE EXCEPTION 'who edited the recipient since its last payment does not approve a release to it' USING ERRCODE = 'check_violation';\n            END IF;\n        END IF;\n        RETURN NEW;\n    ", hash='fc75d05dde6997d10f0b36f79cbc39e2a43688ad', operation='INSERT', pgid='pgtrigger_approver_is_independent_634d1', table='settlements_approval', when='BEFORE')),
        ),
    ]
