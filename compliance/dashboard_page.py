"""The admin's front page: the dashboard, as far as the person may read it; to the others it is the list of lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from compliance import dashboard
from compliance.dashboard import Day, Due, Flow, Stuck, Waiting
from compliance.dashboard_charts import Chart, Series, columns, stacked_rows
from compliance.pages import may
from rails.money import EXPONENTS, Money
from settlements import books_checks
from settlements.permissions import Permission
from settlements.proof import unsigned
from settlements.statuses import RiskTier

_FLOW_WORDS = {Flow.RELEASED: "released", Flow.HELD: "held back", Flow.RETURNED: "returned"}


@dataclass(frozen=True, slots=True)
class StuckLine:
    """One kind of trouble: how many, and the list that shows them."""

    words: str
    number: int
    address: str


def front_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What django-unfold adds to the index: nothing for those who may not read the queue."""
    now = timezone.now()
    context["title"] = "Overview"
    if request.user.has_perm("settlements.view_bookscheck"):
        context["books_alarm"] = books_checks.alarm(now=now)
        context["unsigned_since"] = unsigned.late_since(now=now)
    if not may(request, Permission.READ_QUEUE):
        return context
    waiting, days, due = dashboard.waiting(now=now), dashboard.days(now=now), dashboard.due(now=now)
    return {
        **context,
        "now": now,
        "waiting": waiting,
        "waiting_chart": _waiting_chart(waiting),
        "days": days[::-1],
        "flow_chart": _flow_chart(days),
        "amount_charts": _amount_charts(days),
        "day_amounts": [(day, _amounts(day)) for day in days[::-1]],
        "due": due,
        "due_chart": _due_chart(due),
        "due_hours": [(_hour(now, hour), number) for hour, number in enumerate(due.per_hour) if number],
        "stuck": _stuck_lines(request, dashboard.stuck(now=now)),
        "oversees": may(request, Permission.OVERSEE_DECISIONS),
    }


def _waiting_chart(waiting: Waiting) -> Chart:
    return stacked_rows(
        summary=f"{waiting.total} waiting, by age and risk tier",
        places=[name for name, _ in waiting.bands],
        series=[
            Series(name=tier.lower(), kind=tier.lower(), values=[numbers[tier] for _, numbers in waiting.bands])
            for tier in RiskTier
        ],
    )


def _flow_chart(days: Sequence[Day]) -> Chart:
    return columns(
        summary=f"Settlements released, held back and returned in the last {len(days)} days",
        places=_names(days),
        series=[_series(flow, [day.counts[flow] for day in days]) for flow in Flow],
        every=3,
    )


def _amount_charts(days: Sequence[Day]) -> list[tuple[str, Chart]]:
    return [
        (
            currency,
            columns(
                summary=f"{currency} released, held back and returned in the last {len(days)} days",
                places=_names(days),
                series=[_series(flow, [day.amounts[currency][flow] for day in days]) for flow in Flow],
                every=3,
                unit=10 ** EXPONENTS[currency],
                currency=currency,
            ),
        )
        for currency in days[0].amounts
    ]


def _due_chart(due: Due) -> Chart:
    return columns(
        summary=f"{due.total} releases due in the next 24 hours, by hour",
        places=[f"+{hour} h" for hour in range(len(due.per_hour))],
        series=[Series(name="due", kind="due", values=due.per_hour)],
        every=4,
    )


def _series(flow: Flow, values: Sequence[int]) -> Series:
    return Series(name=_FLOW_WORDS[flow], kind=flow.lower(), values=values)


def _names(days: Sequence[Day]) -> list[str]:
    return [f"{day.day.day} {day.day:%b}" for day in days]


def _hour(now: datetime, hour: int) -> str:
    return f"{now + timedelta(hours=hour):%H:%M}"


def _amounts(day: Day) -> list[tuple[str, list[Money]]]:
    """Per flow the sums of the day, without the currencies that have none."""
    return [
        (
            _FLOW_WORDS[flow],
            [Money(flows[flow], currency) for currency, flows in day.amounts.items() if flows[flow]],
        )
        for flow in Flow
    ]


def _stuck_lines(request: HttpRequest, stuck: Stuck) -> list[StuckLine]:
    """The lists that the person may open."""
    lines = [
        ("Releasing for over an hour", stuck.releasing, "milestonesettlement", "trouble=releasing"),
        ("Authorised, but blocked", stuck.blocked, "milestonesettlement", "trouble=blocked"),
        ("Refused by the provider", stuck.failed, "milestonesettlement", "status=FAILED"),
        ("Returned by the provider", stuck.returned, "milestonesettlement", "status=RETURNED"),
        ("Events that could not be processed", stuck.events, "shipmentevent", "state=FAILED"),
        ("Messages given up on", stuck.deliveries, "delivery", "state=PARKED"),
    ]
    return [
        StuckLine(words, number, f"{reverse(f'admin:settlements_{model}_changelist')}?{query}")
        for words, number, model, query in lines
        if request.user.has_perm(f"settlements.view_{model}")
    ]
