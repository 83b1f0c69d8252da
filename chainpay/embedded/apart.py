"""`python -m chainpay.embedded.apart NAME [--durable] -- COMMAND`: a command on servers of its own under var/NAME.

Tests, checks and measurements run here: whatever the shell exports for production or a demo does not reach them.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

from chainpay.embedded import children, configuration, lock, paths, servers

OURS = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "PORT")
OUR_PREFIXES = (
    *("ACH_", "CELERY_", "CHAINFREIGHT_", "CHAINPAY_", "DATABASE_", "DJANGO_", "EMAIL_", "GRANIAN_", "PG", "REDIS_"),
    *("SECRET_KEY", "SENTRY_", "STRIPE_", "WIRE_"),
)

# The one exception: tests against servers somebody else runs.
OWN_DATABASE = "CHAINPAY_TEST_DATABASE_URL"
OWN_REDIS = "CHAINPAY_TEST_REDIS_URL"


def main() -> int:
    """The command's own exit code, or 1 when the servers can not start."""
    split = sys.argv.index("--")
    name, *options = sys.argv[1:split]
    command = sys.argv[split + 1 :]
    var = configuration.BASE_DIR / "var" / name
    database, redis = os.environ.get(OWN_DATABASE), os.environ.get(OWN_REDIS)
    waiting = f"Another command works in {var}; waiting until it has finished."
    with (
        lock.exclusive(file=var / "command.lock", waiting=waiting),
        servers.used(var=var, postgres=not database, redis=not redis, durable="--durable" in options),
    ):
        return children.foreground(command=command, environment=surroundings(var=var, database=database, redis=redis))


def surroundings(*, var: Path, database: str | None = None, redis: str | None = None) -> dict[str, str]:
    """The environment without anything of ours in it, and with what a production start would be given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.upper().startswith(OUR_PREFIXES)
    }
    return kept | {
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        "CHAINPAY_VAR": str(var),
        "DATABASE_URL": database or paths.postgres_url(var),
        "REDIS_URL": redis or paths.redis_url(var),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CHAINPAY_METRICS_DIR": str(var / "web-figures"),
        "CHAINPAY_CHECKPOINT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


if __name__ == "__main__":
    sys.exit(configuration.outcome(main))
