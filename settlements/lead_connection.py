"""The one database connection of a process over which batches go, whichever of its threads leads.

Django gives every thread a connection of its own. Batches that went over those would meet a cold backend each time, one
that has yet to prepare their statements, to plan them and to read its catalogue.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections

# A plan that is made while a table is empty would read all of it later, until the table is analysed. And a batch that
# takes this long holds up all that wait behind it: its messages go alone then.
_OPTIONS: Final = "-c enable_seqscan=off -c statement_timeout=10s"

_open: list[Any] = []


@contextmanager
def lent() -> Iterator[None]:
    """Inside, `connection` is the lead connection, for this thread alone: to be asked for by one thread at a time.

    Who is inside a transaction stays there.
    """
    own = connections[DEFAULT_DB_ALIAS]
    if own.in_atomic_block:
        yield
        return
    if not _open:
        _open.append(_made())
    lead = _open[0]
    lead.close_if_unusable_or_obsolete()
    connections[DEFAULT_DB_ALIAS] = lead
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = own


def close() -> None:
    """Ends it; the next batch opens another."""
    while _open:
        _open.pop().close()


def _made() -> Any:
    lead = connections.create_connection(DEFAULT_DB_ALIAS)
    options = lead.settings_dict["OPTIONS"]
    lead.settings_dict = lead.settings_dict | {
        "OPTIONS": options | {"options": f"{options.get('options', '')} {_OPTIONS}"}
    }
    lead.inc_thread_sharing()
    return lead


# A child has the parent's socket, but not its conversation.
os.register_at_fork(after_in_child=_open.clear)
