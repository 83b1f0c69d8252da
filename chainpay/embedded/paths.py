"""Where the embedded PostgreSQL and Redis of one state directory live; pure, so that settings may ask."""

import hashlib
import os
from pathlib import Path

# Not TMPDIR: every process that uses one state directory must arrive at the same sockets, whatever its shell exports.
TEMPORARY = Path("/tmp")
# As whom the service logs in to the embedded database, which belongs to `postgres`.
SERVICE = "chainpay_app"


def sockets(var: Path) -> Path:
    """The directory of both unix sockets: short whatever `var` is, for a socket's path may not exceed 107 bytes."""
    return TEMPORARY / f"chainpay-{os.getuid()}-{_mark(var)}"


def web_figures(var: Path, port: int) -> Path:
    """Where the processes of one web server keep what they count: on this host, whatever lies under `var`."""
    return TEMPORARY / f"chainpay-{os.getuid()}-{_mark(var)}-web-{port}"


def redis_socket(var: Path) -> Path:
    """The unix socket of the embedded broker."""
    return sockets(var) / "redis.sock"


def postgres_url(var: Path, *, user: str = "postgres") -> str:
    """Django's URL of the embedded database, as its owner or as somebody else."""
    return f"postgresql://{user}@/chainpay?host={sockets(var)}"


def redis_url(var: Path) -> str:
    """Celery's URL of the embedded broker."""
    return f"redis+socket://{redis_socket(var)}?virtual_host=0"


def logs(var: Path) -> Path:
    """The directory of every log file."""
    return var / "log"


def _mark(var: Path) -> str:
    return hashlib.sha256(os.fsencode(var.resolve())).hexdigest()[:16]
