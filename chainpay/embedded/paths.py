"""Where the embedded PostgreSQL and Redis of one state directory live; pure, so that settings may ask."""

import hashlib
import os
import tempfile
from pathlib import Path


def sockets(var: Path) -> Path:
    """The directory of both unix sockets: short whatever `var` is, for a socket's path may not exceed 107 bytes."""
    mark = hashlib.sha256(os.fsencode(var.absolute())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"chainpay-{os.getuid()}-{mark}"


def postgres_url(var: Path) -> str:
    """Django's URL of the embedded database."""
    return f"postgresql://postgres@/chainpay?host={sockets(var)}"


def redis_url(var: Path) -> str:
    """Celery's URL of the embedded broker."""
    return f"redis+socket://{sockets(var) / 'redis.sock'}?virtual_host=0"
