"""`python -m bench.review SETTLEMENTS WAITING TURNS`: how long do people wait for a page, and callers for the history?

Server time of whole requests: every middleware, view, statements and template, in this process and without a socket.
Beside the first page of the queue the least SQL that finds it.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

import django

# A second factor is asked for outside of the demo; the pages are the same.
os.environ["CHAINPAY_DEMO"] = "1"
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import backlog as backlogs  # noqa: E402
from bench import record  # noqa: E402
from bench.backlog import Backlog  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from compliance import counters  # noqa: E402
from compliance.roles import Role  # noqa: E402
from settlements import api_keys  # noqa: E402
from settlements.models import MilestoneSettlement  # noqa: E402
from settlements.permissions import Scope  # noqa: E402

COMMAND = 'make bench ARGS="--only review"'
TARGET_MS = 300.0
_QUEUE = "/admin/compliance/reviewqueue/"
_STORED = "/admin/settlements/"
_PAGE = 50
_WARM_UP = 3

# The least that finds the first page: what waits, the largest first, by the index it lies in.
_FLOOR = """
    SELECT id FROM settlements_milestonesettlement
    WHERE status = 'PENDING' AND amount_minor > 0 AND strategy IN ('MANUAL_REVIEW', 'PENDING')
    ORDER BY created_at < %s DESC, amount_minor DESC LIMIT 50
"""


class WrongPage(Exception):
    """The page was not the one that was asked for; the figures mean nothing."""


def measure(backlog: Backlog, *, rounds: int) -> dict[str, list[float]]:
    """Each page by turns, so that all of them meet the same machine; milliseconds by page."""
    officer = backlog.officers[0]
    jobs: dict[str, Callable[[], object]] = {"floor": _floor, "counters": lambda: counters.counts(officer, _now())}
    jobs |= _pages(_login(officer), _login(_finance()), last=max(-(-backlog.waiting // _PAGE), 1))
    jobs |= _histories()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(_WARM_UP + rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if turn >= _WARM_UP:
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def told(times: dict[str, list[float]]) -> list[Figure]:
    """Each page against the target, the first also beside the least SQL."""
    target = Target(of="median", at_most=TARGET_MS)
    floors = {"queue, first page": times["floor"]}
    return [
        Figure(
            part="review",
            name=name,
            unit="ms",
            rounds=taken,
            floor=floors.get(name, ()),
            target=target,
            command=COMMAND,
        )
        for name, taken in times.items()
        if name != "floor"
    ]


def _pages(officer: Client, finance: Client, *, last: int) -> dict[str, Callable[[], object]]:
    waiting = MilestoneSettlement.objects.filter(status="PENDING", amount_minor__gt=0).order_by("-amount_minor")[0]
    queries: dict[str, dict[str, str]] = {
        "first page": {},
        "filtered": {"tier": "high", "min_amount": "1000", "currency": "USD"},
        "unassigned, not held": {"unassigned": "1", "on_hold": "0"},
        "begun": {"approvals_begun": "1"},
        "searched": {"q": "carrier 1"},
        "delayed": {"state": "delayed"},
        f"page {min(100, last)}": {"page": str(min(100, last))},
    }
    addresses = {
        "review of a settlement": f"{_QUEUE}{waiting.pk}/",
        "dashboard": "/admin/",
        "intent": f"{_STORED}paymentintent/{waiting.intent_id}/change/",
        "intents": f"{_STORED}paymentintent/",
        "settlements": f"{_STORED}milestonesettlement/",
        "settlements, pending": f"{_STORED}milestonesettlement/?status__exact=PENDING",
        "settlements, one shipment": f"{_STORED}milestonesettlement/?q=SHIP-00000100",
        "audit events": f"{_STORED}auditevent/",
    }
    of_finance = {"work list": f"{_QUEUE}work/", "reconciliation": f"{_QUEUE}reconciliation/"}
    return (
        {f"queue, {name}": _asked(officer, f"{_QUEUE}?{urlencode(query)}") for name, query in queries.items()}
        | {name: _asked(officer, address) for name, address in addresses.items()}
        | {name: _asked(finance, address) for name, address in of_finance.items()}
    )


def _histories() -> dict[str, Callable[[], object]]:
    """The audit endpoints, each with a new key, whose limit is out of the way."""
    one = MilestoneSettlement.objects.select_related("intent__shipment").filter(status="PENDING")[0]
    addresses = {
        "API, history of a settlement": f"/audit/milestones/{one.pk}",
        "API, milestones of an intent": f"/audit/payment_intents/{one.intent_id}/milestones",
        "API, history of a shipment": f"/audit/shipments/{one.intent.shipment.shipment_id}",
    }
    return {name: _asked(_caller(), address) for name, address in addresses.items()}


def _asked(client: Client, address: str) -> Callable[[], object]:
    def ask() -> object:
        answer = client.get(address)
        if answer.status_code != 200:
            raise WrongPage(f"{address}: {answer.status_code}")
        return answer

    return ask


def _login(user: User) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _caller() -> Client:
    name = f"bench-{uuid.uuid4().hex[:8]}"
    _, key = api_keys.create(name, scopes={Scope.AUDIT_READ}, service="bench", actor="bench", now=_now())
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})


def _finance() -> User:
    user, _ = User.objects.get_or_create(username="bench-reader", defaults={"is_staff": True})
    user.groups.add(Group.objects.get(name=Role.FINANCE.value))
    return user


def _floor() -> object:
    with connection.cursor() as cursor:
        cursor.execute(_FLOOR, [_now()])
        return cursor.fetchall()


def _now() -> datetime:
    return timezone.now()


def main() -> None:
    """Writes the backlog where there is none, measures, tells."""
    settlements, waiting, turns = (int(word) for word in sys.argv[1:4])
    backlog = backlogs.found() or backlogs.prepare(settlements, waiting=waiting, now=_now())
    print(f"Review queue: {backlog.waiting} waiting of {backlog.settlements} settlements", flush=True)
    record.told(told(measure(backlog, rounds=turns)))


if __name__ == "__main__":
    main()
