"""Who starts the embedded servers, and who stops them? The first and the last of those who use a state directory."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chainpay.embedded import identity, lock, paths
from chainpay.embedded.postgres import Postgres
from chainpay.embedded.redis import Redis
from chainpay.embedded.refusal import CannotStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers that one user of a state directory asked for."""

    var: Path
    postgres: Postgres | None
    redis: Redis | None

    def ensure(self) -> None:
        """Starts or adopts them, one process at a time.

        Raises CannotStart, and Stopped while waiting.
        """
        waiting = f"Another command starts or stops the servers of {self.var}; waiting."
        with lock.exclusive(file=_start_lock(self.var), waiting=waiting):
            _private_sockets(self.var)
            if self.postgres:
                self.postgres.ensure()
            if self.redis:
                self.redis.ensure()

    def dead(self) -> list[str]:
        """The names of those that should run and do not."""
        wanted = {"PostgreSQL": self.postgres, "Redis": self.redis}
        return [name for name, server in wanted.items() if server and not server.alive()]


@contextmanager
def used(*, var: Path, postgres: bool = True, redis: bool = True, durable: bool = True) -> Iterator[Servers]:
    """The embedded servers of `var`, running until the last of their users has left.

    Raises CannotStart, and Stopped while waiting.
    """
    servers = Servers(
        var=var,
        postgres=Postgres(var=var, durable=durable) if postgres else None,
        redis=Redis(var=var) if redis else None,
    )
    if not (postgres or redis):
        yield servers
        return
    share = lock.Share(file=var / "users.lock")
    try:
        servers.ensure()
        yield servers
    finally:
        _leave(var, share)


def _leave(var: Path, share: lock.Share) -> None:
    with lock.patient(file=_start_lock(var)):
        if share.is_last():
            Postgres(var=var).stop()
            Redis(var=var).stop()
            shutil.rmtree(paths.sockets(var), ignore_errors=True)
        share.close()


def _start_lock(var: Path) -> Path:
    return var / "start.lock"


def _private_sockets(var: Path) -> None:
    """Makes the sockets' directory. It lies in a public place under a name anybody can work out, so look who made it.

    Raises CannotStart when it is not ours alone.
    """
    directory = paths.sockets(var)
    owner = identity.NOBODY if os.getuid() == 0 else os.getuid()
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.getuid()} or found.st_mode & 0o077:
            raise CannotStart(f"{directory} belongs to somebody else or is open to others; remove it.") from None
    identity.own(directory)
