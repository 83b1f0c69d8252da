"""`manage.py reporting_role`: the role for BI tools is made, granted the views, and proven to do nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from settlements.reporting import role
from settlements.reporting.views import VIEWS


class Command(BaseCommand):
    """Run after `migrate` said that it may not make roles, and whenever somebody asks what the role can do."""

    help = "Makes the database role chainpay_reporting, grants it the views of schema reporting, and checks its rights."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` changes nothing; `--login` checks a login of yours instead of the role."""
        parser.add_argument("--check", action="store_true", help="change nothing, only check the rights")
        parser.add_argument("--login", default=role.ROLE, help="check the rights of this role, a member of it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when the role is missing and can not be made, or can do more than read the views."""
        with transaction.atomic(), connection.cursor() as cursor:
            there = role.exists(cursor) if options["check"] else role.install(cursor)
            if not there:
                raise CommandError(
                    f"There is no role {role.ROLE}, and this user may not make roles. Let an administrator of the "
                    f"cluster run `{role.BY_HAND}`, then run `manage.py reporting_role` again."
                )
            cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [options["login"]])
            if not cursor.fetchone()[0]:
                raise CommandError(f"There is no role {options['login']}.")
            more = role.beyond(cursor, options["login"])
        if more is not None:
            raise CommandError(f"Role {options['login']} has more than the views: {more}.")
        names = ", ".join(view.full_name for view in VIEWS)
        self.stdout.write(f"Role {options['login']} reads {names}, and nothing else.")
