"""What makes the hot path light: statements that travel together, a savepoint, and cheap parameters."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def pipelined() -> Iterator[None]:
    """Inside, a statement is only queued; the queue is sent when a result is fetched, and at the end.

    What fails is raised where the next result is fetched, or at the end, as Django's own database error; nothing
    more can be asked inside then. To be opened inside the transaction it serves. PostgreSQL's pipeline mode.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def bigints(ids: Iterable[int]) -> str:
    """The literal of a bigint[]: a text costs the client far less than a list whose type it has to find out."""
    return f"{{{','.join(map(str, ids))}}}"


def mark() -> None:
    """Sets a savepoint that `back_to_mark` returns to; its name is fixed, so it is prepared once."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT mark")


def back_to_mark() -> None:
    """Takes back what was written since `mark` and makes the transaction usable again; outside any pipeline."""
    transaction.set_rollback(False)
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK TO SAVEPOINT mark")
