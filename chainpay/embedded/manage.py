"""`python -m chainpay.embedded.manage COMMAND`: a manage.py command on the database of `make run`, running or not."""

import sys

from chainpay.embedded import children, configuration, servers


def main() -> int:
    """The command's own exit code, or 1 when the servers can not start."""
    settings = configuration.read()
    with servers.used(var=settings.var, postgres=settings.embedded_database, redis=settings.embedded_redis):
        return children.foreground(command=[sys.executable, "manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(configuration.outcome(main))
