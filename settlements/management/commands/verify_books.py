"""`manage.py verify_books`: proves history and books, or names the first difference and exits 1."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from settlements import verify
from settlements.verification.differences import Difference


class Command(BaseCommand):
    """Prints what was proven, check by check."""

    help = "Checks the audit chain, its replay, the books, releases and intents against each other."
    requires_migrations_checks = True

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the checks; CommandError, and so exit code 1, at the first difference."""
        try:
            for proven in verify.everything():
                self.stdout.write(f"{proven.count:>10} {proven.what}")
        except Difference as difference:
            raise CommandError(str(difference)) from difference
        self.stdout.write("All is proven.")
