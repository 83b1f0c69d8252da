"""What every test stands on."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import Settings

from settlements import lead_connection

_NUMBERS = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def flush_passes_the_truncate_guards() -> Iterator[None]:
    """Tests with real transactions empty the tables behind them; the guards against TRUNCATE let only that by."""

    def execute_sql_flush(self: DatabaseOperations, sql_list: list[str]) -> None:
        alias = self.connection.alias
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for sql in sql_list:
                cursor.execute(sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Without a connection left over: a database that has one can not be dropped."""
    yield
    lead_connection.close()


@pytest.fixture(autouse=True)
def checkpoints_dir(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the checkpoints of one test are published; made by whoever publishes."""
    place: Path = tmp_path_factory.getbasetemp() / f"checkpoints-{next(_NUMBERS)}"
    settings.CHAINPAY_CHECKPOINTS_DIR = place
    return place


@pytest.fixture(autouse=True)
def archives_dir(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the audit events that one test archives go; made by whoever archives."""
    place: Path = tmp_path_factory.getbasetemp() / f"archives-{next(_NUMBERS)}"
    settings.CHAINPAY_ARCHIVES_DIR = place
    return place


@pytest.fixture
def behind_the_guards(db: None) -> Callable[..., None]:
    """Runs one statement with every trigger and foreign key asleep, as only the database's owner could."""

    def run(statement: str, *parameters: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # What was written before is judged before, as if it had been committed.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, parameters)
            changed = cursor.rowcount
            cursor.execute("SET LOCAL session_replication_role = origin")
        assert changed, f"nothing was changed by: {statement}"

    return run
