"""Is what left the table of audit events in its archives? The other checks then see it as if it were there.

Every record has its file and its office event, every file its record, and each line is what its hash is of.
"""

import os

from django.db import connection

from settlements.archives import beside, files, records
from settlements.archives.files import Damaged
from settlements.models import AuditArchive
from settlements.verification.differences import Difference, Rule, keep

_TOLD = """
    SELECT to_char(a.month, 'YYYY-MM') || '/' || a.number AS subject, a.actor, a.created_at, jsonb_build_object(
        'file', a.file_name, 'sha256', a.sha256, 'bytes', a.size, 'intents', a.chains, 'events', a.events,
        'after_days', a.after_days) AS data
    FROM settlements_auditarchive a
"""
_RECORDS = [
    Rule(
        "audit archive {0}: no office event tells of it as it is recorded",
        f"""
        SELECT a.subject FROM ({_TOLD}) a WHERE NOT EXISTS (
            SELECT 1 FROM settlements_officeevent o WHERE o.action = 'audit_archived' AND o.subject = a.subject
              AND (o.actor, o.created_at, o.data) = (a.actor, a.created_at, a.data)) ORDER BY 1
        """,
    ),
    Rule(
        "office event {0}: it tells of audit archive {1}, which is not on record",
        f"""
        SELECT o.sequence, o.subject FROM settlements_officeevent o WHERE o.action = 'audit_archived' AND NOT EXISTS (
            SELECT 1 FROM ({_TOLD}) a WHERE o.subject = a.subject AND o.data = a.data) ORDER BY 1
        """,
    ),
    Rule(
        "audit archive {0}: {1} intents are recorded of it, but {2} are stored",
        """
        SELECT to_char(a.month, 'YYYY-MM') || '/' || a.number, a.chains, count(c.id) FROM settlements_auditarchive a
        LEFT JOIN settlements_archivedchain c ON c.archive_id = a.id GROUP BY a.id HAVING count(c.id) <> a.chains
        ORDER BY a.id
        """,
    ),
]
_ENDS = [
    Rule(
        "intent {0}, audit event {1}: missing or another, although an archive ends with it",
        """
        SELECT c.intent_id, c.last_sequence FROM settlements_archivedchain c WHERE NOT EXISTS (
            SELECT 1 FROM settlements_auditevent a
            WHERE a.intent_id = c.intent_id AND a.sequence = c.last_sequence AND a.hash = c.hash) ORDER BY 1, 2
        """,
    ),
]


def check() -> int:
    """The number of archived events; raises Difference for a record without its file, or a file that is another.

    Fills what `beside.shown` shows, if anything was ever archived.
    """
    keep(_RECORDS)
    events = 0
    for archive in AuditArchive.objects.order_by("pk"):
        try:
            with records.opened(archive) as lines:
                events += records.compare(archive, beside.load(lines))
        except Damaged as damaged:
            raise Difference(f"audit archive {archive.label}: {damaged}") from damaged
    if events:
        try:
            # Once for all of them: each time it goes through everything that was read.
            beside.settle()
        except Damaged as damaged:
            raise Difference(f"audit archives: {damaged}") from damaged
    keep(_ENDS)
    return events


def strangers() -> int:
    """The number of files in the directory; raises Difference for an archive that no record names.

    Outside of any snapshot: what is archived meanwhile is on record when it is asked for, or under way.
    """
    try:
        found = sorted(name for name in os.listdir(files.directory()) if name.endswith(files.SUFFIX) and name[0] != ".")
    except FileNotFoundError:
        return 0
    except OSError as trouble:
        raise Difference(f"{files.directory()} can not be read: {trouble.strerror}") from trouble
    with connection.cursor() as cursor:
        # Who archives holds the lock from before the file has its name until it is on record.
        cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", [records.ALONE])
        if not cursor.fetchone()[0]:
            return len(found)
        try:
            known = set(AuditArchive.objects.filter(file_name__in=found).values_list("file_name", flat=True))
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [records.ALONE])
    for name in found:
        if name not in known:
            raise Difference(records.stranger(files.directory() / name))
    return len(found)
