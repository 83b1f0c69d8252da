"""How does a command speak to whoever started it? Aloud, and without minding when nobody listens any more."""

import os
import sys


def say(line: str) -> None:
    """Prints a line at once; a closed pipe or a terminal that is gone must not keep anybody from tidying up."""
    try:
        print(line, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
