from django.db import migrations

# The books know nothing of settlements, so this guard of ours stands on their table: an entry about a settlement
# moves its currency and not more than its amount, and a release that is committed belongs to a released settlement.
FITS = """
CREATE FUNCTION settlements_entry_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = NEW.milestone_id
               AND (s.currency <> NEW.currency OR s.amount_minor < NEW.amount_minor)) THEN
        RAISE EXCEPTION 'an entry never moves more than its settlement''s amount, nor another currency'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_fits_its_settlement BEFORE INSERT ON rails_journalentry FOR EACH ROW
    WHEN (NEW.milestone_id IS NOT NULL) EXECUTE FUNCTION settlements_entry_fits();
"""
RELEASED = """
CREATE FUNCTION settlements_release_is_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM settlements_milestonesettlement s WHERE s.id = NEW.milestone_id
               AND s.status NOT IN ('RELEASING', 'APPROVED', 'SETTLED', 'RETURNED')) THEN
        RAISE EXCEPTION 'money is booked as released only for a settlement that is'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER a_release_is_told AFTER INSERT ON rails_journalentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.kind = 'release') EXECUTE FUNCTION settlements_release_is_told();
"""


class Migration(migrations.Migration):
    dependencies = [("settlements", "0003_rows_belong_together"), ("rails", "0002_postings_share_one_currency")]

    operations = [
        migrations.RunSQL(
            FITS,
            "DROP TRIGGER entry_fits_its_settlement ON rails_journalentry; DROP FUNCTION settlements_entry_fits()",
        ),
        migrations.RunSQL(
            RELEASED,
            "DROP TRIGGER a_release_is_told ON rails_journalentry; DROP FUNCTION settlements_release_is_told()",
        ),
    ]
