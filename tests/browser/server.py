"""The server under test: started as `make run` starts it, on the tests' database, with its static files collected."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainpay.embedded import children, configuration, server_log
from chainpay.embedded.run import ADDRESS, web_command

_START_SECONDS = 60.0


class ServerDied(Exception):
    """The web server did not start; carries the last of what it said."""


@contextmanager
def serving(database_url: str, *, var: Path, demo: bool, **settings: str) -> Iterator[str]:
    """The URL of a web server whose state lies in `var`; it is gone afterwards. Raises ServerDied."""
    environment = os.environ | {
        "CHAINPAY_DEMO": "1" if demo else "0",
        "CHAINPAY_VAR": str(var),
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        **settings,
    }
    # Those who bring their own database serve collected files, as in production.
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=configuration.BASE_DIR, env=environment, timeout=_START_SECONDS, check=True)
    port = _free_port()
    log = var / "web.log"
    process = children.spawn(command=web_command(port), log=log, environment=environment)
    try:
        _wait(port, process, log)
        yield f"http://{ADDRESS}:{port}"
    finally:
        children.stop_all([process])


def _free_port() -> int:
    with socket.socket() as door:
        door.bind((ADDRESS, 0))
        return int(door.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((ADDRESS, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise ServerDied(server_log.tail(file=log))
