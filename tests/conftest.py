"""What every test stands on."""

from collections.abc import Iterator

import pytest
from django.db import connections, transaction
from django.db.backends.postgresql.operations import DatabaseOperations


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
