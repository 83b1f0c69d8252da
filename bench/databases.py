"""Databases of the bench beside the given one: made for a run and dropped afterwards, or kept for the next."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import psycopg

# Names the migrated database of which all others of a run are copies, also to the processes of its parts.
_PATTERN: Final = "BENCH_DATABASE_PATTERN"


@contextmanager
def migrated_once(url: str) -> Iterator[None]:
    """Inside, new databases are copies of one: copying takes a moment, migrating half a minute."""
    with own(url, "pattern", kept=False) as pattern:
        os.environ[_PATTERN] = urlsplit(pattern).path.lstrip("/")
        try:
            yield
        finally:
            del os.environ[_PATTERN]


@contextmanager
def own(url: str, name: str, *, kept: bool) -> Iterator[str]:
    """The URL of a migrated `..._bench_NAME`: new and dropped afterwards; `kept`: as an earlier run left it."""
    parts = urlsplit(url)
    database = f"{parts.path.lstrip('/')}_bench_{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        if not kept:
            _drop(connection, database)
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        pattern = None if there else os.environ.get(_PATTERN)
        if not there:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{pattern or "template1"}"')
        try:
            beside = f"{parts.scheme}://{parts.netloc}/{database}?{parts.query}"
            if not pattern:
                migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
                subprocess.run(migrate, env=os.environ | {"DATABASE_URL": beside}, check=True)
            yield beside
        finally:
            if not kept:
                _drop(connection, database)


def _drop(connection: psycopg.Connection, database: str) -> None:
    connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
