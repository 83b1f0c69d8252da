"""Mistakes that faults have to show, planted into real web servers and workers by CHAOS_FAULT_MUTANT.

For the web server this module is the application; a worker loads it with Celery's `--include`.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

VARIABLE: Final = "CHAOS_FAULT_MUTANT"


def answered_before_commit() -> None:
    """The webhook answers at once, and stores afterwards."""
    from settlements import inbox
    from settlements.statuses import EventState

    receive = inbox.receive

    def early(message: inbox.Message, *, now: datetime) -> inbox.Receipt:
        def later() -> None:
            time.sleep(0.2)
            receive(message, now=now)

        threading.Thread(target=later).start()
        return inbox.Receipt(0, message.shipment_id, message.event_type, EventState.PROCESSED, now, 1)

    inbox.receive = early


def trouble_taken_for_a_bug() -> None:
    """What the database is to blame for is answered 500."""
    from settlements.api import error_pages, errors

    for module in (errors, error_pages):
        setattr(module, "is_database_lost", lambda error: False)  # noqa: B010


def limits_closed_without_redis() -> None:
    """Who can not be counted is refused."""
    from settlements import rates
    from settlements.api import endpoint

    def strict(allowance: rates.Allowance) -> rates.Spent:
        spent = rates.spend(allowance)
        away = spent.remaining == allowance.per_second and not spent.seconds
        return rates.Spent(allowance=allowance, passed=spent.passed and not away, remaining=0, seconds=1.0)

    setattr(endpoint, "spend", strict)  # noqa: B010


def whole_body_read() -> None:
    """Bodies are read however long they are."""
    from settlements.api import parsing

    setattr(parsing, "MAX_BODY_BYTES", 1 << 30)  # noqa: B010
    from django.conf import settings

    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None


@dataclass(frozen=True, slots=True)
class Mutant:
    """How a mistake is made, in which fault it must show, and as what: columns of the table."""

    plant: Callable[[], None]
    fault: str
    shows: frozenset[str]

    @property
    def says(self) -> str:
        return (self.plant.__doc__ or "").strip()


FAULT_MUTANTS: Final[Mapping[str, Mutant]] = {
    name: Mutant(plant, fault, frozenset(shows))
    for name, plant, fault, *shows in (
        ("answered-before-commit", answered_before_commit, "postgres", "lost"),
        ("trouble-is-a-bug", trouble_taken_for_a_bug, "postgres", "wrong"),
        ("limits-closed", limits_closed_without_redis, "redis", "wrong"),
        ("whole-body", whole_body_read, "big-body", "wrong"),
    )
}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The application as it is, with the mistake in it."""
    from chainpay.embedded.web import application as served

    return served(environ, start_response)


if VARIABLE in os.environ:
    import chainpay.wsgi  # noqa: F401 - Django is set up

    FAULT_MUTANTS[os.environ[VARIABLE]].plant()
