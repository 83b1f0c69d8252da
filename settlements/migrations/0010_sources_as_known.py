from django.db import migrations

# Volatile, and asked of a row that is locked: it sees what was committed while the lock was waited for, which the
# statement around it does not.
AS_KNOWN = """
CREATE FUNCTION settlements_source_as_known(locked_shipment bigint, source bigint, known_revision bigint, secret bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN known_revision IS NULL OR EXISTS (
        SELECT 1 FROM settlements_eventsource src
        WHERE src.id = source AND src.active AND src.revision = known_revision AND (
            secret IS NULL OR EXISTS (
                SELECT 1 FROM settlements_sourcesecret k
                WHERE k.id = secret AND k.source_id = src.id AND k.revoked_at IS NULL
                  AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
            )
        )
    );
END $$
"""


class Migration(migrations.Migration):
    """Whether a source and its secret are still what they were when a message was found to be theirs."""

    dependencies = [("settlements", "0009_subscribers")]

    operations = [
        migrations.RunSQL(
            AS_KNOWN, "DROP FUNCTION settlements_source_as_known(bigint, bigint, bigint, bigint)"
        )
    ]
