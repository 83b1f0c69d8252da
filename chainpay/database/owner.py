"""Migrations run as the owner of the database, everything else as a role that owns nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

_WHO = ("USER", "PASSWORD", "HOST", "PORT")


@contextmanager
def acting(connection: BaseDatabaseWrapper, *, lock_timeout_seconds: int = 0) -> Iterator[None]:
    """The connection belongs to the owner of DATABASE_OWNER_URL meanwhile; without one to whom it belongs anyway.

    The database stays the connection's own. A statement that waits longer for a lock is given up; 0 waits for ever.
    """
    before: dict[str, Any] = connection.settings_dict
    options = dict(before["OPTIONS"])
    owner: dict[str, Any] = settings.CHAINPAY_DATABASE_OWNER or {}
    options |= owner.get("OPTIONS", {})
    if lock_timeout_seconds:
        options["options"] = f"{options.get('options', '')} -c lock_timeout={lock_timeout_seconds}s".strip()
    connection.close()
    as_owner = {name: owner[name] for name in _WHO if name in owner}
    connection.settings_dict = before | as_owner | {"OPTIONS": options}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before
