"""Whose statements these are, as the database shows it: `application_name` holds the id of the request or the task.

Not a comment in the statement: with an id in it no two statements would be the same, and none could be prepared
(docs/adr/0075-logs.md). A shipment event sets no name, for that would cost it another statement.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from django.db.backends.signals import connection_created
from psycopg import sql
from psycopg.pq import TransactionStatus

from settlements.api import request_ids

NOBODYS: Final = "chainpay"
_LONGEST: Final = 63  # bytes that PostgreSQL keeps of a name
_SET: Final = sql.SQL("SET application_name TO {}")
_named: ContextVar[bool] = ContextVar("named", default=False)


def connect() -> None:
    """Has every connection named by who uses it."""
    connection_created.connect(_watch, dispatch_uid="operation.database_names")


def name_what_follows(wanted: bool) -> None:
    """Whether what this thread does from now on is worth a name."""
    _named.set(wanted)


def _watch(*, connection: Any, **_: Any) -> None:
    connection.chainpay_name, connection.chainpay_name_inside = NOBODYS, None
    if _name_first not in connection.execute_wrappers:
        connection.execute_wrappers.append(_name_first)


def _stays(connection: Any, name: str) -> None:
    """The transaction in which it was set is committed."""
    connection.chainpay_name, connection.chainpay_name_inside = name, None


def _name_first(execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    name = f"{NOBODYS} {request_ids.current()}"[:_LONGEST] if _named.get() else NOBODYS
    raw = connection.connection
    # What is set inside a transaction goes with it when it is rolled back; only its commit makes it known.
    if connection.chainpay_name_inside and raw.info.transaction_status is TransactionStatus.IDLE:
        connection.chainpay_name_inside = None
    known = connection.chainpay_name_inside or connection.chainpay_name
    if known != name and raw.info.transaction_status is not TransactionStatus.INERROR:
        with connection.wrap_database_errors:
            # No query: after one the isolation level of a transaction can not be chosen any more.
            raw.execute(_SET.format(sql.Literal(name)))
        if connection.in_atomic_block:
            connection.chainpay_name, connection.chainpay_name_inside = None, name
            connection.on_commit(partial(_stays, connection, name))
        else:
            _stays(connection, name)
    return execute(statement, params, many, context)
