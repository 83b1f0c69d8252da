"""A database prompt, also of somebody else than the owner."""

from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction


def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def one(statement: str, *parameters: Any) -> Any:
    """The one value that a statement answers."""
    ((value,),) = rows(statement, *parameters)
    return value


def failure(statement: str) -> BaseException | None:
    """What the database says against a statement; None if it does it, for the rest of the transaction."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return error.__cause__
    return None


def refused(statement: str) -> bool:
    """Whether the database says no for want of rights, and not for another reason."""
    return isinstance(failure(statement), psycopg.errors.InsufficientPrivilege)


def dsn(user: str = "") -> dict[str, Any]:
    """How to connect to the tests' database, as its owner or as somebody else."""
    known = connection.get_connection_params()
    wanted = ("dbname", "host", "port") if user else ("dbname", "host", "port", "user", "password")
    found: dict[str, Any] = {name: known[name] for name in wanted if name in known}
    return found | {"user": user} if user else found
