"""The settings of the product with Django's pool of connections instead of persistent ones; for the bench only."""

from chainpay.settings import *  # noqa: F403
from chainpay.settings import DATABASES

# A thread takes a connection for the time of a request; those of `make run` keep theirs.
_MOST = 16

DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 2, "max_size": _MOST}
