"""`manage.py database_roles`: makes the role that the service logs in as, grants its rights, and proves them."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from chainpay.database import owner, roles


class Command(BaseCommand):
    """Runs at the end of `migrate`, too; by itself to change the password, or to ask what the role can do."""

    # The checks ask the database, as a role that may not be there yet.
    requires_system_checks = []
    help = "Makes the role of DATABASE_URL as the owner of DATABASE_OWNER_URL, grants its rights, and checks them."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` changes nothing, and needs no owner."""
        parser.add_argument("--check", action="store_true", help="change nothing, only check the rights")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when there is no owner, the role can not be made, or it can do too much."""
        if options["check"]:
            _prove(connection, connection.settings_dict["USER"])
            self.stdout.write(f"Role {connection.settings_dict['USER']} writes rows, and can not touch their guards.")
            return
        if not settings.CHAINPAY_DATABASE_OWNER:
            raise CommandError(
                "DATABASE_OWNER_URL is not set: it names the owner of the database, who makes the role of DATABASE_URL."
            )
        with owner.acting(connection):
            install(connection, say=self.stdout.write)


def install(connection: BaseDatabaseWrapper, *, say: Callable[[str], object]) -> None:
    """Makes the role of DATABASE_URL over the owner's connection. Raises CommandError."""
    login = settings.DATABASES["default"]
    role = login["USER"]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if roles.may_make(cursor):
            roles.make(cursor, role, _verifier(connection, role, login.get("PASSWORD") or ""))
        elif not roles.exists(cursor, role):
            raise CommandError(
                f"There is no role {role}, and the owner may not make roles. Let an administrator of the cluster run "
                f"`CREATE ROLE {role} LOGIN NOINHERIT PASSWORD '...';`, then run `manage.py database_roles` again."
            )
        roles.grant(cursor, role)
    _prove(connection, role)
    say(f"Role {role} writes rows, and can not touch their guards.")


def _prove(connection: BaseDatabaseWrapper, role: str) -> None:
    with connection.cursor() as cursor:
        more = roles.beyond(cursor, role)
    if more is not None:
        raise CommandError(f"Role {role} can get around the guards: it has {more}.")


def _verifier(connection: BaseDatabaseWrapper, role: str, password: str) -> bytes | None:
    """The password as the server keeps it, so that no log of the server can show it."""
    if not password:
        return None
    connection.ensure_connection()
    verifier: bytes = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return verifier
