"""The embedded Redis of one state directory: started or adopted, stopped.

It keeps nothing on disk: the database is the queue, and a message lost with the broker delays money and loses none.
"""

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chainpay.embedded import binaries, identity, paths, process, server_log
from chainpay.embedded.refusal import CannotStart

_START_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """One broker on a unix socket. Callers hold the start lock."""

    var: Path

    @property
    def data(self) -> Path:
        return self.var / "redis"

    @property
    def log(self) -> Path:
        return paths.logs(self.var) / "redis.log"

    def ensure(self) -> None:
        """Starts or adopts the server.

        Raises CannotStart when it does not come up.
        """
        if self._answers():
            return
        self.stop()
        self._start()

    def alive(self) -> bool:
        """Whether this directory's server runs, whoever started it."""
        pid = process.pid_in(file=self._pid_file)
        return pid is not None and process.runs(pid=pid, mentioning=str(paths.redis_socket(self.var)))

    def stop(self) -> None:
        """Ends the server; nothing happens when it does not run."""
        if self.alive():
            process.stop(pid=process.pid_in(file=self._pid_file) or 0, steps=((signal.SIGTERM, 5.0),))

    @property
    def _pid_file(self) -> Path:
        return self.data / "redis.pid"

    def _start(self) -> None:
        identity.own(self.data)
        sockets = paths.sockets(self.var)
        program = binaries.redis_server()
        who = identity.choose(programs=[program], directories=[sockets, self.data])
        for stale in (paths.redis_socket(self.var), self._pid_file):
            stale.unlink(missing_ok=True)
        since = server_log.size(self.log)
        with server_log.appending(self.log) as output:
            server = subprocess.Popen(
                [program, *self._settings()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=who.enter(),
            )
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if server.poll() is not None or time.monotonic() > end:
                process.stop(pid=server.pid, steps=())
                complaint = server_log.complaint(file=self.log, since=since)
                raise CannotStart(f"Redis does not start: {complaint} (see {self.log})")
            time.sleep(0.02)

    def _settings(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(paths.redis_socket(self.var)),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "pidfile": str(self._pid_file),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        once = Retry(NoBackoff(), 0)
        client = redis.Redis(unix_socket_path=str(paths.redis_socket(self.var)), socket_timeout=2, retry=once)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
