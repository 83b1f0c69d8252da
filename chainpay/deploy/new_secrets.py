"""`python3 chainpay/deploy/new_secrets.py secrets`: writes a file for each secret of docker-compose.yml that has none.

Needs Python alone. What is there stays as it is, so it may be run again.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Final


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _url(user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@postgres:5432/chainpay"


# In this order: a URL holds the password that was made before it.
MADE: Final[Mapping[str, Callable[[Path], str]]] = {
    "secret_key": lambda place: secrets.token_urlsafe(50),
    "encryption_keys": lambda place: f"{date.today():%Y-%m}:{_key()}",
    "checkpoint_key": lambda place: _key(),
    "database_owner_password": lambda place: secrets.token_hex(24),
    "database_owner_url": lambda place: _url("chainpay", (place / "database_owner_password").read_text()),
    "database_url": lambda place: _url("chainpay_app", secrets.token_hex(24)),
}


def main(place: Path) -> int:
    """Tells which files it wrote, and never what is in them."""
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    for name, made in MADE.items():
        file = place / name
        try:
            with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o444)) as new:
                # Whatever the umask: the containers' users are others.
                os.fchmod(new.fileno(), 0o444)
                new.write(made(place))
        except FileExistsError:
            continue
        print(f"{file} is new. Keep a copy where no backup of the database lies.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
