"""`manage.py archive_audit MONTH`: moves histories that are over out of the table into a file (docs/retention.md)."""

from contextlib import nullcontext
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from chainpay.database import owner
from settlements.archives import files
from settlements.archives.files import InTheWay
from settlements.archiving import archiving, eligible
from settlements.archiving.archiving import Archived, Step
from settlements.management.integrations import actor, told_in_a_sentence


class Command(BaseCommand):
    """Prints what was archived, and on stderr how far it is."""

    help = "Archives the audit events of intents that are over and whose last event lies in a month (UTC)."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """The month, as 2024-03. Where files go is a setting alone, for they are looked for there every night."""
        parser.add_argument("month", metavar="MONTH", help="like 2024-03")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be archived, and write nothing")

    def execute(self, *args: Any, **options: Any) -> Any:
        """As the owner of the tables: the service itself may remove no audit event."""
        with owner.acting(connection) if settings.CHAINPAY_DATABASE_OWNER else nullcontext():
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """CommandError, and so exit code 1, where the month must not be archived or a file is not as it was."""
        month = _month(options["month"])
        with told_in_a_sentence():
            if options["dry_run"]:
                self._foretell(month)
                return
            try:
                done = archiving.archive(month, actor=actor(), clock=timezone.now, progress=self._progress)
            except InTheWay as there:
                raise CommandError(str(there)) from there
            except OSError as trouble:
                raise CommandError(f"The archive can not be written to {files.directory()}: {trouble}") from trouble
            for each in done:
                self.stdout.write(_told(each))
            if not any(each.created for each in done):
                self.stdout.write(f"Nothing more of {month:%Y-%m} can be archived now.")
            self._staying(eligible.counted(month).staying)

    def _foretell(self, month: date) -> None:
        found = eligible.counted(month)
        self.stdout.write(
            f"{found.events:,} audit events of {found.intents:,} intents of {month:%Y-%m} could be archived."
        )
        self._staying(found.staying)
        archiving.may_be_archived(month, now=timezone.now())

    def _staying(self, reasons: dict[str, int]) -> None:
        for reason, intents in reasons.items():
            self.stdout.write(f"{intents:>10,} intents stay: {reason}.")

    def _progress(self, step: Step, events: int) -> None:
        self.stderr.write(f"{events:>10,} audit events {step}" if events else f"           {step}")


def _month(given: str) -> date:
    try:
        if len(given) != len("2024-03"):
            raise ValueError
        return date.fromisoformat(f"{given}-01")
    except ValueError:
        raise CommandError(f"Write the month like 2024-03, not {given!r}.") from None


def _told(done: Archived) -> str:
    archive = done.archive
    if not done.created:
        return (
            f"Archive {archive.label} was on record: {done.removed:,} audit events were still to be removed, and are."
        )
    return (
        f"Archive {archive.label}: {archive.events:,} audit events of {archive.chains:,} intents are in "
        f"{archive.file_name} ({archive.size:,} bytes), {done.removed:,} of them left the table.\n"
        f"SHA-256 {archive.sha256}"
    )
