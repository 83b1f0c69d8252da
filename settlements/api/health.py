"""Whether this process is alive and ready: `/healthz` asks nobody, `/readyz` asks database, migrations and broker."""

import logging
from functools import cache
from typing import Final

import psycopg
import redis.exceptions
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpResponse
from kombu.connection import Connection
from kombu.exceptions import KombuError
from rest_framework.request import Request

from settlements.api.endpoint import Endpoint
from settlements.api.errors import Fault, error_answer
from settlements.api.rendering import answer
from settlements.permissions import Scope

logger = logging.getLogger(__name__)

# Seconds; psycopg rounds shorter waits for a connection up to two.
TIMEOUT_SECONDS: Final = 2
_OK: Final = "ok"
_UNREACHABLE: Final = "unreachable"


class Healthz(Endpoint):
    """Alive: the process answers."""

    scopes = {"GET": Scope.PUBLIC}

    def get(self, request: Request) -> HttpResponse:
        return answer({"status": _OK})


class Readyz(Endpoint):
    """Ready: 200, or 503 saying which of its needs is missing."""

    scopes = {"GET": Scope.PUBLIC}

    def get(self, request: Request) -> HttpResponse:
        database, migrations = database_state()
        checks = {"database": database, "migrations": migrations, "broker": broker_state()}
        missing = [name for name, state in checks.items() if state != _OK]
        if not missing:
            return answer({"status": _OK, "checks": checks})
        fault = Fault(code="not_ready", detail=f"Not ready: {', '.join(missing)}.")
        return error_answer(fault, status=503, extra={"status": "not_ready", "checks": checks})


def database_state() -> tuple[str, str]:
    """The states of the database and of its migrations, over a connection of its own with short timeouts."""
    parameters = connection.get_connection_params()
    parameters["connect_timeout"] = TIMEOUT_SECONDS
    try:
        with psycopg.connect(**parameters) as probe:
            probe.execute(f"SET statement_timeout = {TIMEOUT_SECONDS * 1000}")
            applied = {(row[0], row[1]) for row in probe.execute("SELECT app, name FROM django_migrations")}
    except psycopg.errors.UndefinedTable:
        return _OK, "unapplied"
    except psycopg.Error as error:
        logger.error("Readiness: database unreachable: %s", type(error).__name__)
        return _UNREACHABLE, "unknown"
    return _OK, _OK if _migrations_of_code() <= applied else "unapplied"


def broker_state() -> str:
    """Whether Celery's broker answers within the timeout."""
    timeouts = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
    broker = Connection(settings.CELERY_BROKER_URL, transport_options=timeouts)  # type: ignore[no-untyped-call]
    try:
        with broker:
            broker.channel()  # type: ignore[no-untyped-call]  # opening one pings Redis
    except (OSError, KombuError, redis.exceptions.RedisError) as error:
        logger.error("Readiness: broker unreachable: %s", type(error).__name__)
        return _UNREACHABLE
    return _OK


@cache
def _migrations_of_code() -> frozenset[tuple[str, str]]:
    """What a migrated database has applied, as this process's code knows it; it can not change while it runs."""
    loader = MigrationLoader(None)
    return frozenset(loader.graph.nodes)
