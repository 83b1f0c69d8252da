"""`python -m bench.reconciling TURNS`: how long does a comparison of all payments take, and the page that shows it?

On the database that `bench.review` has filled: books are added, then all is compared, once with nothing that differs,
once with a thousand differences. View and template in process, without middleware.
"""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import django

django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import books, record  # noqa: E402
from bench.record import Figure, Target  # noqa: E402
from compliance import counters, reconciliation_pages  # noqa: E402
from compliance.roles import Role  # noqa: E402
from settlements.models import Comparison  # noqa: E402
from settlements.reconciliation import comparing  # noqa: E402

COMMAND = 'make bench ARGS="--only review,reconciling"'
TARGET_MS = 300.0
_SPOILED = 1_000
_SPOIL = """
    UPDATE settlements_milestonesettlement SET amount_minor = amount_minor + 1
    WHERE id IN (SELECT milestone_id FROM rails_railattempt ORDER BY id LIMIT %s)
"""


def compared(name: str) -> Figure:
    """One comparison, and how long it took."""
    began = time.perf_counter()
    comparison = comparing.compare(actor="bench", now=timezone.now())
    took = time.perf_counter() - began
    print(f"{name:<22} {took:.1f} s: {comparison.payments} payments, {comparison.differences} differences", flush=True)
    return Figure(part="reconciling", name=name, unit="s", rounds=[took], command=COMMAND)


def page(user: User, **query: str) -> Callable[[], object]:
    """The page with these parameters, as that person sees it."""

    def job() -> object:
        request = RequestFactory().get("/", query)
        request.user = user
        response = reconciliation_pages.list_view(request)
        return response.render()  # type: ignore[attr-defined]

    return job


def measure(user: User, turns: int) -> list[Figure]:
    """The pages by turns, the sidebar's figures among them."""
    month_ago = (timezone.now() - timedelta(days=1)).date().isoformat()
    last = Comparison.objects.latest("id").pk
    jobs = {
        "counters": lambda: counters.counts(user, timezone.now()),
        "open differences": page(user),
        "matched, 31 days": page(user, view="matched"),
        "matched, one day": page(user, view="matched", start=month_ago, end=month_ago),
        "one rail": page(user, rail="stripe"),
        "by reference": page(user, q=f"tr_{last * 3}"),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(turns + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if turn:
                times[name].append(1000 * (time.perf_counter() - began))
    target = Target(of="median", at_most=TARGET_MS)
    named = partial(Figure, part="reconciling", unit="ms", target=target, command=COMMAND)
    return [named(name=name, rounds=each) for name, each in times.items()]


def main() -> int:
    """Prepares, measures, prints."""
    turns = int(sys.argv[1])
    user, new = User.objects.get_or_create(username="bench-finance", defaults={"is_staff": True})
    if new:
        books.prepare()
        user.groups.add(Group.objects.get(name=Role.FINANCE.value))
    print("Reconciliation", flush=True)
    figures = [compared("all payments, all fit" if new else "all payments")]
    if new:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(_SPOIL, [_SPOILED])
        figures += [compared("all payments, a thousand differ"), compared("all payments, again")]
    record.told([*figures, *measure(user, turns)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
