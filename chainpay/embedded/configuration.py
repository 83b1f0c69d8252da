"""With which settings do this checkout's commands run, and how do they say that they can not?"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from chainpay import environment
from chainpay.embedded import stopping
from chainpay.embedded.refusal import CannotStart

BASE_DIR = Path(__file__).resolve().parents[2]


def read() -> environment.Environment:
    """The settings of `make run`; on the embedded database it is a demo unless somebody said otherwise.

    What is decided here is put into the environment, for every child to read the same.
    Raises CannotStart when a setting is wrong.
    """
    if not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")):
        os.environ.setdefault("CHAINPAY_DEMO", "1")
    var = Path(os.environ.get("CHAINPAY_VAR") or BASE_DIR / "var").resolve()
    os.environ["CHAINPAY_VAR"] = str(var)
    var.mkdir(parents=True, exist_ok=True)
    (var / "static").mkdir(exist_ok=True)  # of a missing one WhiteNoise warns at every start
    try:
        return environment.read(BASE_DIR)
    except ImproperlyConfigured as error:
        raise CannotStart(str(error)) from None


def outcome(work: Callable[[], int]) -> int:
    """Does the work in the checkout's directory; the exit code is its own, or 1 with one line that says why."""
    stopping.listen()
    os.chdir(BASE_DIR)
    os.environ["DJANGO_SETTINGS_MODULE"] = "chainpay.settings"
    try:
        return work()
    except stopping.Stopped:
        return stopping.exit_code()
    except CannotStart as error:
        print(f"chainpay: {error}", file=sys.stderr, flush=True)
    except OSError as error:
        print(f"chainpay: cannot start: {error}", file=sys.stderr, flush=True)
    return 1
