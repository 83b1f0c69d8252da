"""`/readyz`: whether this process can do its work, and what of the whole does not run.

Without the database, or with another schema than the code's, nothing can be answered: 503. Broker and beat only delay
money, and every web process would miss them at once: a load balancer that took all of them away would turn a delay into
refused events. So these are `degraded`, with 200, unless `?strict=1` asks for all of it (ADR 0073).
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import psycopg
import redis.exceptions
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpResponse
from kombu.connection import Connection
from kombu.exceptions import KombuError
from rest_framework.request import Request

from chainpay.operation import task_runs
from settlements.api.endpoint import Endpoint
from settlements.api.errors import Fault, error_answer
from settlements.api.rendering import answer
from settlements.permissions import Scope

logger = logging.getLogger(__name__)

# Seconds; psycopg rounds shorter waits for a connection up to two.
TIMEOUT_SECONDS: Final = 2
KEPT_SECONDS: Final = 1.0
# How old what is told may be while somebody looks, who may have to wait for database and broker.
OLDEST_SECONDS: Final = 15.0
OK: Final = "ok"
UNREACHABLE: Final = "unreachable"
UNAPPLIED: Final = "unapplied"
STALE: Final = "stale"
UNKNOWN: Final = "unknown"
NEEDED: Final = ("database", "migrations")


@dataclass(frozen=True, slots=True)
class DatabaseStates:
    """What the database told of itself, of its migrations and of the clock's last heartbeat."""

    database: str
    migrations: str = UNKNOWN
    beat: str = UNKNOWN


class Readyz(Endpoint):
    """Ready: 200, or 503 saying which of its needs is missing."""

    scopes = {"GET": Scope.PUBLIC}
    query_parameters = frozenset({"strict"})

    def get(self, request: Request) -> HttpResponse:
        checks = looks.states()
        missing = [name for name, state in checks.items() if state != OK]
        needed = checks.keys() if self.query.flag("strict") else NEEDED
        if not any(name in needed for name in missing):
            return answer({"status": "degraded" if missing else OK, "checks": checks})
        fault = Fault(code="not_ready", detail=f"Not ready: {', '.join(missing)}.")
        return error_answer(fault, status=503, extra={"status": "not_ready", "checks": checks})


class _Looks:
    """The states of everything, looked at by one at a time and kept for a moment: strangers may ask, however often.

    Who comes while another looks is told what was seen last; only without that, or if it is too old, it waits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[float, Mapping[str, str]] | None = None

    def states(self) -> Mapping[str, str]:
        if seen := self._within(KEPT_SECONDS):
            return seen
        if not self._lock.acquire(blocking=False):
            if seen := self._within(OLDEST_SECONDS):
                return seen
            self._lock.acquire()
        try:
            return self._within(KEPT_SECONDS) or self._look()
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Has the next one look anew."""
        self._seen = None

    def _within(self, seconds: float) -> Mapping[str, str] | None:
        seen = self._seen
        return seen[1] if seen and time.monotonic() - seen[0] < seconds else None

    def _look(self) -> Mapping[str, str]:
        told = database_states()
        states = {
            "database": told.database,
            "migrations": told.migrations,
            "broker": broker_state(),
            "beat": told.beat,
        }
        self._seen = time.monotonic(), states
        return states


looks: Final = _Looks()


def connect(*, application_name: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection beside those of requests, with short timeouts. Raises psycopg.Error."""
    parameters = connection.get_connection_params()
    parameters |= {"connect_timeout": TIMEOUT_SECONDS, "application_name": application_name}
    parameters["tcp_user_timeout"] = TIMEOUT_SECONDS * 1000
    return psycopg.connect(**parameters, autocommit=True)


def database_states() -> DatabaseStates:
    """The states of database, migrations and beat."""
    try:
        with connect(application_name="chainpay readyz") as probe:
            probe.execute(f"SET statement_timeout = {TIMEOUT_SECONDS * 1000}")
            applied = {(row[0], row[1]) for row in probe.execute("SELECT app, name FROM django_migrations")}
            if not _migrations_of_code() <= applied:
                return DatabaseStates(OK, UNAPPLIED)
            age = task_runs.heartbeat_age(probe)
    except psycopg.errors.UndefinedTable:
        return DatabaseStates(OK, UNAPPLIED)
    except psycopg.Error as error:
        logger.error("Readiness: database unreachable: %s", type(error).__name__)
        return DatabaseStates(UNREACHABLE)
    alive = age is not None and age <= task_runs.STALE_AFTER_SECONDS
    return DatabaseStates(OK, OK, OK if alive else STALE)


def broker_state() -> str:
    """Whether Celery's broker answers within the timeout."""
    timeouts = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
    broker = Connection(settings.CELERY_BROKER_URL, transport_options=timeouts)  # type: ignore[no-untyped-call]
    try:
        with broker:
            broker.channel()  # type: ignore[no-untyped-call]  # opening one pings Redis
    except (OSError, KombuError, redis.exceptions.RedisError) as error:
        logger.error("Readiness: broker unreachable: %s", type(error).__name__)
        return UNREACHABLE
    return OK


@cache
def _migrations_of_code() -> frozenset[tuple[str, str]]:
    """What a migrated database has applied, as this process's code knows it; it can not change while it runs."""
    loader = MigrationLoader(None)
    return frozenset(loader.graph.nodes)
