"""A database host that is gone without a word is noticed in seconds, unless the URL says otherwise."""

import os
import subprocess
import sys

import pytest

BOUNDS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
PROGRAM = """
from django.conf import settings
from psycopg.conninfo import make_conninfo
options = settings.DATABASES["default"]["OPTIONS"]
make_conninfo(**{name: options[name] for name in %r})
print({name: int(options[name]) for name in %r})
"""


@pytest.mark.parametrize(
    ("said", "own"),
    [("", {}), ("?connect_timeout=9&keepalives_idle=60", {"connect_timeout": 9, "keepalives_idle": 60})],
)
def test_waits_for_the_database_end(said: str, own: dict[str, int]) -> None:
    names = list(BOUNDS)
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://service:word@database.example/chainpay{said}",
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % (names, names)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(BOUNDS | own)
