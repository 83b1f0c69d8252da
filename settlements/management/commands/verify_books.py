"""`manage.py verify_books`: proves history and books, or names the first difference and exits 1."""

import time
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from settlements import books_checks
from settlements.archives import files
from settlements.archives.beside import OnlyReads
from settlements.management import integrations
from settlements.verify import AT_ONCE, Progress

_SECONDS_BETWEEN: Final = 5.0


class Command(BaseCommand):
    """Prints what was proven, check by check, and on stderr how far it is."""

    help = "Checks the audit chain, its replay, the books, releases and intents against each other."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        """`--archives` where they lie elsewhere; `--quiet` tells the outcome alone; the rest is speed."""
        parser.add_argument(
            "--archives", metavar="DIR", default="", help="where archived audit events lie, instead of the setting"
        )
        parser.add_argument("--quiet", action="store_true", help="do not tell on stderr how far it is")
        parser.add_argument("--times", action="store_true", help="tell of each check how many seconds it took")
        parser.add_argument(
            "--at-once", type=int, default=AT_ONCE, metavar="N", help=f"so many checks at once (default: {AT_ONCE})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the checks; CommandError, and so exit code 1, at the first difference."""
        if options["at_once"] < 1:
            raise CommandError("--at-once: at least 1 check must run at a time.")
        progress: Progress = (lambda what, rows: None) if options["quiet"] else self._progress()
        with files.lying_in(Path(options["archives"]).absolute() if options["archives"] else None):
            try:
                check, proven = books_checks.verify_on_record(
                    actor=integrations.actor(), clock=timezone.now, at_once=options["at_once"], progress=progress
                )
            except OnlyReads as there:
                raise CommandError(f"{there} Run it where the database is written.") from there
        for each in proven:
            took = f" in {each.seconds:.1f} s" if options["times"] else ""
            self.stdout.write(f"{each.count:>10} {each.what}{took}")
        for note in check.notes:
            self.stderr.write(note)
        if check.pk is None:
            self.stderr.write("This database only reads: the run is not on record.")
        if not check.is_proven:
            raise CommandError(check.difference)
        self.stdout.write("All is proven.")

    def _progress(self) -> Progress:
        """Says at once which check begins, and every few seconds how many rows it has looked at."""
        told_at = time.monotonic()

        def tell(what: str, rows: int) -> None:
            nonlocal told_at
            if not rows or time.monotonic() - told_at >= _SECONDS_BETWEEN:
                told_at = time.monotonic()
                self.stderr.write(
                    f"{rows:>10,} rows looked at: {what} ..." if rows else f"           checking: {what} ..."
                )

        return tell
