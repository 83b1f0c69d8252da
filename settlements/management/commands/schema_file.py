"""`manage.py schema_file`: writes what the migrations make of a database; `--check` fails when it is stale."""

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from settlements.verification import catalog

STALE: Final = (
    "settlements/verification/schema.json is not of these migrations, so verify_books would name their guards as "
    "forged. Write it again with `make schema` (about a minute), and commit it with the migration."
)


class Command(BaseCommand):
    """Migrates an empty database, reads its catalog and drops it again; or compares without a database."""

    help = "Writes settlements/verification/schema.json: what the migrations make of guards, constraints and columns."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` compares instead of writing."""
        parser.add_argument("--check", action="store_true", help="exit 1 when the file is of other migrations")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when `--check` finds the file of other migrations than there are."""
        if options["check"]:
            if not catalog.is_of_these_migrations():
                raise CommandError(STALE)
            return
        name = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            schema = catalog.live()
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)
        catalog.FILE.write_text(catalog.written(schema), encoding="utf-8")
        self.stdout.write(f"{len(schema.objects)} objects of PostgreSQL {schema.version} written.")
