"""`python -m bench.startup ROUNDS`: from `make run` to the first answer, in a fresh copy of the code and again in it.

The first start of a copy installs the locked packages, makes the database and loads the demo data; how long the
packages take is the network's and the package cache's. Each round has a copy of its own, stopped as Ctrl-C stops it.
"""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench import record, webhook
from bench.record import Figure
from chainpay.embedded import apart

COMMAND: Final = 'make bench ARGS="--only startup"'
_ROOT: Final = Path(__file__).resolve().parents[1]
_AT_MOST_SECONDS: Final = 900.0
_TICK_SECONDS: Final = 0.05


class DidNotStart(Exception):
    """`make run` ended, or did not answer; what it said last stands beside it."""


def main() -> int:
    """Measures and tells."""
    fresh, warm = [], []
    for _ in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory(prefix="chainpay-startup-", ignore_cleanup_errors=True) as place:
            code = Path(place) / "code"
            _copy(code)
            fresh.append(_started(code))
            warm.append(_started(code))
            print(f"startup  fresh {fresh[-1]:.1f} s, warm {warm[-1]:.1f} s", flush=True)
    record.told(
        [
            Figure(part="startup", name="make run, fresh copy", unit="s", rounds=fresh, command=COMMAND),
            Figure(part="startup", name="make run, warm", unit="s", rounds=warm, command=COMMAND),
        ]
    )
    return 0


def _copy(code: Path) -> None:
    """What git knows, as it lies here."""
    listed = subprocess.run(["git", "-C", str(_ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        target = code / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(_ROOT / name, target)


def _started(code: Path) -> float:
    """Seconds until it answers; stopped afterwards. Raises DidNotStart."""
    port = webhook.free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in apart.OURS and not name.upper().startswith(apart.OUR_PREFIXES)
    }
    with (code / "startup.log").open("wb") as log:
        began = time.monotonic()
        make = subprocess.Popen(
            ["make", "run", f"PORT={port}"],
            cwd=code,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while not _answers(port):
                if make.poll() is not None or time.monotonic() - began > _AT_MOST_SECONDS:
                    raise DidNotStart((code / "startup.log").read_text()[-2000:])
                time.sleep(_TICK_SECONDS)
            return time.monotonic() - began
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(make.pid, signal.SIGINT)
            make.wait(timeout=60)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
