"""Archiving a month, and verifying what is archived, needs no more memory for many audit events than for few."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection, transaction

from bench import copies
from settlements import audit
from settlements.audit import Draft
from settlements.models import AuditArchive, AuditEvent
from tests.settlements.archived import MONTH, OLD, a_cancelled_intent, ready

EVENTS_OF_AN_INTENT, FEW, MANY = 8, 375, 2_625
# Batches that are full now take up to 5 MiB more; the rows of all audit events, kept at once, 13 MiB.
AT_MOST_MORE_MIB = 8.0

_PROGRAM = """
import sys
import django; django.setup()
from django.core.management import call_command
call_command(*sys.argv[1:])
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(peak)
"""


@pytest.mark.django_db(transaction=True)
def test_seven_times_the_audit_events_need_the_same_memory(archives_dir: Path) -> None:
    intent = a_cancelled_intent()
    notes = EVENTS_OF_AN_INTENT - AuditEvent.objects.count()
    with transaction.atomic():
        audit.record(
            [Draft(intent_id=intent.pk, action="note_added", triggered_by="user:o", reason="late")] * notes, now=OLD
        )
    template = copies.template()
    peaks = []
    for first, last in ((1, FEW - 1), (FEW, FEW + MANY - 1)):
        copies.write(template, first=first, last=last)
        ready()
        peaks.append(
            [_peak_mib("archive_audit", f"{MONTH:%Y-%m}", archives=archives_dir),
             _peak_mib("verify_books", "--quiet", archives=archives_dir)]
        )  # fmt: skip
    few, many = AuditArchive.objects.order_by("number")
    assert (few.events, many.events) == (EVENTS_OF_AN_INTENT * FEW, EVENTS_OF_AN_INTENT * MANY)
    assert AuditEvent.objects.count() == FEW + MANY
    for of_few, of_many in zip(*peaks, strict=True):
        assert of_many < of_few + AT_MOST_MORE_MIB


def _peak_mib(*command: str, archives: Path) -> float:
    """Runs a command in a process of its own; the most memory that process had (proc(5): VmHWM)."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
        "CHAINPAY_ARCHIVES_DIR": str(archives),
        "CHAINPAY_LOG_LEVEL": "ERROR",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout.splitlines()[-1]) / 1024
