"""The WSGI application as `make run` serves it: a worker process ends with the server process that started it.

A server that is killed outright can not stop its workers; they would hold the port and the database for ever.
Nothing is lost with them: what was not committed was not answered.
"""

import os
import signal
import sys

from chainpay.embedded import identity
from chainpay.embedded.children import PR_SET_PDEATHSIG
from chainpay.wsgi import application

__all__ = ["application"]

if sys.platform == "linux":
    identity.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(1)
