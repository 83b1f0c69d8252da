import pgtrigger.compiler
import pgtrigger.migrations
import rails.models.guards
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('rails', '0011_stripe_events'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='wireentry',
            name='one_wire_at_a_time',
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='wireentry',
            trigger=pgtrigger.compiler.Trigger(name='one_wire_at_a_time', sql=rails.models.guards.UnconditionalSql(declare='DECLARE file rails_wirefile; attempt rails_railattempt;', func="\n    SELECT * INTO file FROM rails_wirefile WHERE id = NEW.file_id;\n    IF file.id IS NULL OR file.currency <> NEW.currency OR file.state <> 'STAGED' THEN\n        RAISE EXCEPTION 'Wire %: its file is in another currency, or closed', NEW.end_to_end_id USING ERRCODE = 'check_violation';\n    END IF;\n    -- Locked, so that nobody takes the attempt for not handed over while this is committed.\n    SELECT * INTO attempt FROM rails_railattempt\n    WHERE milestone_id = NEW.milestone_id AND number = NEW.attempt_number FOR SHARE;\n    IF FOUND AND ROW(attempt.provider, attempt.state, attempt.amount_minor, attempt.currency, attempt.destination_id)\n        IS DISTINCT FROM ROW('WIRE', 'SUBMITTED', NEW.amount_minor, NEW.currency, NEW.destination_id) THEN\n        RAISE EXCEPTION 'Wire %: its attempt is not being submitted so', NEW.end_to_end_id USING ERRCODE = 'check_violation';\n    END IF;\n    IF EXISTS (\n        SELECT 1 FROM rails_wireentry earlier WHERE earlier.milestone_id = NEW.milestone_id\n        AND NOT EXISTS (SELECT 1 FROM rails_wireanswer a WHERE a.entry_id = earlier.id AND a.word = 'REFUSED')\n        AND earlier.amount_minor > (\n            SELECT COALESCE(sum(a.amount_minor), 0) FROM rails_wireanswer a\n            WHERE a.entry_id = earlier.id AND a.word = 'RETURNED')\n    ) THEN\n        RAISE EXCEPTION 'Wire %: another one of the milestone is neither refused nor returned', NEW.end_to_end_id USING ERRCODE = 'check_violation';\n    END IF;\n    RETURN NEW;\n", hash='ff2a3d441ff80491c62b16aa45635ad47c052700', operation='INSERT', pgid='pgtrigger_one_wire_at_a_time_b1ff0', table='rails_wireentry', when='BEFORE')),
        ),
    ]
