"""The embedded PostgreSQL of one state directory: made once, started or adopted, stopped. A unix socket is its door."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from chainpay.embedded import binaries, identity, paths, process, server_log
from chainpay.embedded.refusal import CannotStart

DATABASE = "chainpay"
MAX_CONNECTIONS = 100

# After a crash the log is replayed before the first connection.
_RECOVERY_SECONDS = 180.0
# Its socket is there long before that, unless somebody swept it away.
_SOCKET_SECONDS = 3.0
# The orphans of a killed server may hold its memory for a moment.
_ORPHANS_SECONDS = 20.0
_FAST_THEN_IMMEDIATE = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
_CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One cluster; `durable=False` trades its safety for speed, for tests only. Callers hold the start lock."""

    var: Path
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.var / "postgres"

    @property
    def log(self) -> Path:
        return paths.logs(self.var) / "postgres.log"

    def ensure(self) -> None:
        """Makes, starts or adopts the server, and creates the database and the role of the service.

        Raises CannotStart when it does not come up.
        """
        if not (self.data / "PG_VERSION").exists():
            self._make()
        self._check_version()
        if not self._adopted():
            self._start()
        self._create_database()

    def alive(self) -> bool:
        """Whether this cluster's server runs, whoever started it."""
        pid = process.pid_in(file=self._pid_file)
        return pid is not None and process.runs(pid=pid, mentioning=str(self.data))

    def stop(self) -> None:
        """Ends the server, cleanly if it lets us; nothing happens when it does not run."""
        if self.alive():
            process.stop(pid=process.pid_in(file=self._pid_file) or 0, steps=_FAST_THEN_IMMEDIATE)

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _who(self, *directories: Path) -> identity.Identity:
        programs = (binaries.postgres("postgres"), binaries.postgres("initdb"))
        return identity.choose(programs=programs, directories=directories)

    def _make(self) -> None:
        """Into another name first: what bears the name `postgres` is whole, whenever we are killed."""
        draft = self.var / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        identity.own(draft)
        command: list[str | Path] = [binaries.postgres("initdb"), "-D", draft, "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", *(() if self.durable else ("--no-sync",))]
        since = server_log.size(self.log)
        with server_log.appending(self.log) as output:
            code = _run(command, who=self._who(draft), output=output.fileno()).wait()
        if code != 0:
            raise CannotStart(f"PostgreSQL could not make its directory: {self._complaint(since)}")
        draft.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        question: list[str | Path] = [binaries.postgres("postgres"), "--version"]
        answer = subprocess.run(question, capture_output=True, text=True, check=True).stdout
        installed = answer.split()[-1].split(".")[0]
        if made_by != installed:
            raise CannotStart(
                f"{self.data} was made by PostgreSQL {made_by}, installed is {installed}: "
                "move it away, or dump it with the old version and load it into the new one."
            )

    def _adopted(self) -> bool:
        """Whether a server of this cluster already runs and answers; one nobody can reach any more is stopped."""
        began = time.monotonic()
        while self.alive():
            if self._answers():
                return True
            reachable = (paths.sockets(self.var) / ".s.PGSQL.5432").exists()
            if time.monotonic() > began + (_RECOVERY_SECONDS if reachable else _SOCKET_SECONDS):
                self.stop()
            time.sleep(0.05)
        return False

    def _start(self) -> None:
        since = server_log.size(self.log)
        end = time.monotonic() + _ORPHANS_SECONDS
        while True:
            self._clear_the_way()
            if self._launched():
                return
            if time.monotonic() > end:
                raise CannotStart(f"PostgreSQL does not start: {self._complaint(since)}")
            time.sleep(0.3)

    def _clear_the_way(self) -> None:
        """Makes stale files harmless: a pid in them may belong to somebody else by now.

        PostgreSQL takes its parent's pid for a stale one and still looks whether orphans use its memory,
        which it would not if the file were gone.
        """
        directory = paths.sockets(self.var)
        if directory.exists():
            for stale in directory.glob(".s.PGSQL.*"):
                stale.unlink()
        if self._pid_file.exists():
            _, _, rest = self._pid_file.read_text(errors="replace").partition("\n")
            self._pid_file.write_text(f"{os.getpid()}\n{rest}")

    def _launched(self) -> bool:
        """Starts the server and waits until it answers; False when it gave up."""
        sockets = paths.sockets(self.var)
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={sockets}",
            "unix_socket_permissions=0700",
            f"max_connections={MAX_CONNECTIONS}",
            "timezone=UTC",
            "log_timezone=UTC",
            *(() if self.durable else _CARELESS),
        ]
        command: list[str | Path] = [binaries.postgres("postgres"), "-D", self.data]
        for setting in settings:
            command += ["-c", setting]
        with server_log.appending(self.log) as output:
            server = _run(command, who=self._who(self.data, sockets), output=output.fileno())
        end = time.monotonic() + _RECOVERY_SECONDS
        while server.poll() is None:
            if self._answers():
                return True
            if time.monotonic() > end:
                process.stop(pid=server.pid, steps=_FAST_THEN_IMMEDIATE)
                raise CannotStart(f"PostgreSQL does not answer; see {self.log}")
            time.sleep(0.05)
        return False

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with self._connect("postgres") as connection:
            connection.autocommit = True
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [paths.SERVICE]).fetchone():
                connection.execute(f"CREATE ROLE {paths.SERVICE} LOGIN NOINHERIT".encode())

    def _connect(self, database: str) -> psycopg.Connection:
        host = str(paths.sockets(self.var))
        return psycopg.connect(host=host, port=5432, user="postgres", dbname=database, connect_timeout=5)

    def _complaint(self, since: int) -> str:
        return f"{server_log.complaint(file=self.log, since=since)} (see {self.log})"


def _run(command: list[str | Path], *, who: identity.Identity, output: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches us alone; without our environment, which is not the server's."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        start_new_session=True,
        preexec_fn=who.enter(),
    )
