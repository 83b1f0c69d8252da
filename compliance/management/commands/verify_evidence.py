"""`manage.py verify_evidence`: proves that every file is as it was uploaded, or names the first difference, exit 1."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from compliance import evidence
from compliance.evidence import EvidenceDamaged
from compliance.models import Evidence
from settlements import audit

# The audit trail tells of each file, and of no other.
_UNTOLD = """
    SELECT e.id FROM compliance_evidence e WHERE NOT EXISTS (
        SELECT 1 FROM settlements_auditevent a
        WHERE a.settlement_id = e.settlement_id AND a.action = %(added)s AND a.reason = e.description
          AND a.data = jsonb_build_object('name', e.name, 'size', e.size, 'sha256', e.sha256)
    ) ORDER BY e.id LIMIT 1
"""
_GONE = """
    SELECT a.id FROM settlements_auditevent a WHERE a.action = %(added)s AND NOT EXISTS (
        SELECT 1 FROM compliance_evidence e
        WHERE e.settlement_id = a.settlement_id AND e.sha256 = a.data ->> 'sha256'
    ) ORDER BY a.id LIMIT 1
"""


class Command(BaseCommand):
    """Reads every file of evidence and compares it with its row, and the rows with the audit trail."""

    help = "Checks that every file of evidence is in the storage, unchanged, and told of in the audit trail."

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the checks; CommandError, and so exit code 1, at the first difference."""
        count = 0
        for row in Evidence.objects.order_by("pk").iterator():
            try:
                evidence.content_of(row)
            except EvidenceDamaged as damaged:
                raise CommandError(f"{damaged}.") from damaged
            count += 1
        for statement, sentence in (
            (_UNTOLD, "evidence {0}: no audit event tells of it."),
            (_GONE, "audit event {0}: it tells of evidence that is not there."),
        ):
            with connection.cursor() as cursor:
                cursor.execute(statement, {"added": audit.EVIDENCE_ADDED})
                if found := cursor.fetchone():
                    raise CommandError(sentence.format(*found))
        self.stdout.write(f"{count:>10} files of evidence are as they were uploaded.")
