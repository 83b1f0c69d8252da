"""What the settlements' tests share."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from settlements import holds
from settlements.models import MilestoneSettlement
from tests.factories import HIGH, POD, a_user, an_intent, approval_row, now, settlement_of
from tests.settlements.lived_in import World, lived_in

Sql = Callable[..., None]
Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def sql(db: None) -> Sql:
    """Runs one statement as anybody with a database prompt could."""

    def run(statement: str, *parameters: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    return run


@contextmanager
def _as_at_commit() -> Iterator[None]:
    """A savepoint at whose end the deferred constraints are checked, as a commit would."""
    with transaction.atomic(), connection.cursor() as cursor:
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def refused() -> Refused:
    """Expects that the database refuses, with these words; what it refused is undone."""

    @contextmanager
    def expect(words: str) -> Iterator[None]:
        with pytest.raises(DatabaseError, match=re.escape(words)), _as_at_commit():
            yield

    return expect


@pytest.fixture
def world(db: None) -> World:
    """An intent in every state."""
    return lived_in()


@pytest.fixture
def pending() -> MilestoneSettlement:
    """Waits for review, with an approval and a hold."""
    settlement = settlement_of(an_intent(risk=HIGH), POD)
    approval_row(settlement, a_user())
    holds.place(settlement.pk, reason="dispute", actor="test", now=now())
    return settlement


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The internet's names and their addresses; every look-up is counted under its name with a question mark."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> list[Any]:
        known.setdefault(f"{host}?", []).append("asked")
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in known[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known
