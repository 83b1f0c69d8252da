"""`manage.py safe_migrations`: names what in newer migrations would hold a big table while the service runs."""

from typing import Any, Final

import sqlparse
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from chainpay.database import under_traffic

# Up to these nobody was asked; `holds_its_tables` of a migration says why it may all the same.
BASELINE: Final = {
    "compliance": "0070_look_up_archives",
    "rails": "0090_lost_files",
    "settlements": "0107_sums_from_indexes_alone",
}


class Command(BaseCommand):
    """Asks Django for the SQL of each migration that is not in the baseline; the database is not looked at."""

    help = "Names migrations that are unsafe while the service runs; exit code 1 if there are any."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError with one line per statement."""
        loader = MigrationLoader(None)
        loader.connection, graph = connection, loader.graph
        known = {node for app, name in BASELINE.items() for node in graph.forwards_plan((app, name))}
        wrong = []
        for app, name in sorted(node for node in graph.nodes if node[0] in BASELINE and node not in known):
            migration = graph.nodes[app, name]
            if getattr(migration, "holds_its_tables", ""):
                continue
            sql = [part for each in loader.collect_sql([(migration, False)]) for part in sqlparse.split(each)]
            wrong += [f"{app}.{name}: {each}" for each in under_traffic.dangers(sql, atomic=migration.atomic)]
        if wrong:
            raise CommandError("\n".join(wrong))
        self.stdout.write("No newer migration holds a big table.")
