"""The servers of a run and the database on them: its own cluster, durable, for it is killed and must forget nothing."""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from chainpay.embedded import apart, lock, paths, servers
from tests.chaos import plan

ROOT: Final = Path(__file__).resolve().parents[2]
DATABASE: Final = "chaos"
WEBHOOK_SECRET: Final = "whsec_" + "Y2hhaW5wYXktY2hhb3MtY2hhaW5wYXktY2hhb3M="
OFFICERS: Final = ("officer1", "officer2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who calls the API in a run: an operator's key, an event source, and two officers' keys."""

    key: str
    source: str
    source_secret: str
    officers: tuple[str, ...]


@contextmanager
def ground(var: Path, settings: dict[str, str]) -> Iterator[servers.Servers]:
    """Servers under `var`, a migrated template on them, and the environment that an operator would have written."""
    var.mkdir(parents=True, exist_ok=True)
    (var / "static").mkdir(exist_ok=True)
    with lock.exclusive(file=var / "chaos.lock", waiting=f"Another run works in {var}; waiting until it has finished."):
        shutil.rmtree(paths.logs(var), ignore_errors=True)
        with servers.used(var=var, durable=True) as running:
            surroundings = apart.surroundings(var=var) | settings
            surroundings["DATABASE_URL"] = url(var, DATABASE)
            surroundings["SECRET_KEY"] = secrets.token_urlsafe(50)
            os.environ.clear()
            os.environ.update(surroundings)
            _migrate(var)
            yield running


def url(var: Path, database: str) -> str:
    """The URL of one of the cluster's databases."""
    return f"postgresql://postgres@/{database}?host={quote(str(paths.sockets(var)), safe='/')}"


def clean(var: Path, *, tablespace: str = "") -> None:
    """A new database, as the migrations leave it, in that tablespace or the usual one."""
    from django.db import connections

    connections.close_all()
    # Of what the database before it has held, and when its beats woke somebody.
    shutil.rmtree(var / "checkpoints", ignore_errors=True)
    for timetable in var.glob("beat-*"):
        timetable.unlink()
    with psycopg.connect(url(var, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        where = f" TABLESPACE {tablespace}" if tablespace else ""
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {_template()}{where}".encode())


def people() -> Credentials:
    """Recipients with connected accounts, staff, keys and an event source, made by the domain."""
    from django.contrib.auth.models import Group, User

    from compliance import roles
    from compliance.roles import Role
    from rails import destinations, recipients
    from settlements import api_keys, sources
    from settlements.models.event_source import MOST_PER_SECOND
    from settlements.permissions import Scope

    now = datetime.now(UTC)
    for place in range(plan.RECIPIENTS):
        recipient, _ = recipients.put(plan.recipient_of(place), f"Carrier {place}", actor="chaos", now=now)
        account = destinations.read("stripe", {"account": plan.account_of(place)})
        destinations.propose(recipient.pk, [account], actor="chaos", now=now)
    roles.install()
    officers = []
    for name in OFFICERS:
        user = User.objects.create_user(name, is_staff=True)
        user.groups.add(Group.objects.get(name=Role.COMPLIANCE_OFFICER.value))
        scopes = [Scope.COMPLIANCE_READ, Scope.COMPLIANCE_DECIDE]
        _, shown = api_keys.create(
            name, scopes=scopes, user=user, requests_per_second=MOST_PER_SECOND, actor="chaos", now=now
        )
        officers.append(shown)
    _, key = api_keys.create(
        "chaos",
        scopes=[Scope.TOKENS_WRITE, Scope.INTENTS_WRITE],
        service="chaos",
        requests_per_second=MOST_PER_SECOND,
        actor="chaos",
        now=now,
    )
    _, secret = sources.create("chaos", requests_per_second=MOST_PER_SECOND, actor="chaos", now=now)
    return Credentials(key=key, source="chaos", source_secret=secret, officers=tuple(officers))


def _migrate(var: Path) -> None:
    """A template for every run, made once for each state of the migrations."""
    name = _template()
    with psycopg.connect(url(var, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        draft = f"{name}_draft"
        connection.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {draft}".encode())
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url(var, draft)},
            check=True,
        )
        connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}".encode())


def _template() -> str:
    digest = hashlib.sha256()
    for file in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]):
        digest.update(file.read_bytes())
    return f"chaos_{digest.hexdigest()[:12]}"
