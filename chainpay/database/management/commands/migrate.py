"""`manage.py migrate`: as the owner, never long in anybody's way, and with the service's rights granted at its end."""

import time
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

from chainpay.database import owner
from chainpay.database.management.commands import database_roles

LOCK_SECONDS: Final = 5
ATTEMPTS: Final = 30
# Between two attempts, for those who queued behind the lock to get through.
PAUSE_SECONDS: Final = 3.0


class Command(migrate.Command):
    """A statement that waits for a lock makes everybody wait who comes after it, so it waits for seconds only.

    Each migration is a transaction: one that was given up has left nothing, and the next attempt begins with it.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """`--lock-timeout` in seconds, 0 to wait for ever; `--attempts` until the command gives up."""
        super().add_arguments(parser)
        parser.add_argument("--lock-timeout", type=int, default=LOCK_SECONDS, help="seconds; 0 waits for ever")
        parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="after so many it gives up")

    def execute(self, *args: Any, **options: Any) -> Any:
        """The checks before it ask the database too, which lets nobody but the owner in the first time."""
        with owner.acting(connections[options["database"]], lock_timeout_seconds=options["lock_timeout"]):
            return super().execute(*args, **options)

    def handle(self, *args: Any, lock_timeout: int, attempts: int, **options: Any) -> None:
        """Raises CommandError when a lock could not be had in any attempt."""
        connection = connections[options["database"]]
        for attempt in range(1, attempts + 1):
            try:
                super().handle(*args, **options)
                break
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                self._put_off(attempt, attempts, lock_timeout)
            connection.close()
        if settings.CHAINPAY_DATABASE_OWNER and not (options["plan"] or options["check_unapplied"]):
            database_roles.install(connection, say=self.stdout.write)

    def _put_off(self, attempt: int, attempts: int, lock_timeout: int) -> None:
        waited = f"Another transaction holds a table that the migration needs; waited {lock_timeout} s."
        if attempt == attempts:
            raise CommandError(
                f"{waited} Given up after {attempts} attempts; nothing of this migration was done. pg_blocking_pids() "
                "tells who holds it (docs/runbook.md, A migration does not get its lock)."
            )
        self.stderr.write(f"\n{waited} Trying again ({attempt + 1} of {attempts}).")
        time.sleep(PAUSE_SECONDS)
