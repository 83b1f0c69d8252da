"""What is due is released once, by however many workers, whatever crashes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rails import recipients, switches
from rails.base import SettlementProvider
from rails.models import JournalEntry
from settlements import holds, lead_connection, release, tasks
from settlements.models import AuditEvent, FreightToken, MilestoneSettlement, PaymentIntent
from tests.flows.conftest import Api, at_once
from tests.flows.copies import delayed_intents

MANY = 2_000


@pytest.fixture
def _due_at_once(settings: Any) -> None:
    """A hold that is over before it begins: what is delayed is due."""
    settings.CHAINPAY_HOLD_SECONDS = -1


def delayed(api: Api, number: int = 1, **intent: Any) -> list[int]:
    """Intents whose pickup is delayed."""
    token, shipment = api.token(risk="0.50")
    intents = [api.intent(token, **intent) for _ in range(number)]
    api.event(shipment, "PICKUP_CONFIRMED")
    return intents


def sweep() -> release.SweepReport:
    return release.sweep(now=timezone.now())


@pytest.mark.usefixtures("_due_at_once")
def test_what_is_due_is_released_and_told(api: Api) -> None:
    (intent,) = delayed(api)
    assert sweep() == release.SweepReport(released=1)
    pickup = api.milestones(intent)["PICKUP_CONFIRMED"]
    assert (pickup["status"], pickup["amount"]) == ("approved", 1000)
    assert pickup["reference"].startswith("INTERNAL_LEDGER:")
    last = AuditEvent.objects.filter(intent_id=intent).latest("sequence")
    assert (last.action, last.triggered_by, last.reason) == ("released", "sweep", "hold is over")
    assert sweep() == release.SweepReport()
    assert JournalEntry.objects.count() == 1


def test_what_is_not_due_is_left_alone_even_by_a_clock_a_day_ahead(api: Api) -> None:
    delayed(api)
    assert release.sweep(now=timezone.now() + timedelta(days=2)) == release.SweepReport()
    assert JournalEntry.objects.count() == 0


@pytest.mark.usefixtures("_due_at_once")
@pytest.mark.parametrize("number", [1, 100])
def test_a_sweep_has_a_fixed_number_of_statements(live: Api, number: int) -> None:
    delayed(live, 1)
    sweep()
    delayed(live, number)
    with CaptureQueriesContext(connection) as queries:
        assert sweep().released == number
    assert len(queries) == 11


@pytest.mark.usefixtures("_due_at_once")
def test_risk_that_became_high_behind_our_back_is_reviewed_instead_of_released(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    intent = api.intent(token)
    api.event(shipment, "CLAIM_WINDOW_CLOSED")
    FreightToken.objects.update(risk_score="0.9")
    assert sweep() == release.SweepReport(tightened=1)
    claim = api.milestones(intent)["CLAIM_WINDOW_CLOSED"]
    assert (claim["status"], claim["strategy"]) == ("pending", "manual_review")
    assert JournalEntry.objects.count() == 0
    api.put(f"/freight_tokens/{token}", {"risk_score": "0.1"})
    assert sweep() == release.SweepReport()


@pytest.mark.usefixtures("_due_at_once")
def test_a_hold_keeps_back_and_its_end_lets_go(api: Api) -> None:
    (intent,) = delayed(api)
    settlement = MilestoneSettlement.objects.get()
    holds.place(settlement.pk, reason="claim announced", actor="user:ops1", now=timezone.now())
    assert sweep() == release.SweepReport()
    holds.lift(settlement.pk, reason="claim withdrawn", actor="user:ops1", now=timezone.now())
    assert sweep() == release.SweepReport(released=1)
    actions = [log["action"] for log in api.get(f"/payment_intents/{intent}/history")["logs"]]
    assert actions == ["intent_created", "settlement_created", "hold_placed", "hold_lifted", "released"]


def test_a_rail_switched_off_lets_authorised_money_wait_and_says_so(api: Api) -> None:
    turn = {"provider": SettlementProvider.INTERNAL_LEDGER, "actor": "user:ops1", "now": timezone.now()}
    switches.turn_off(reason="audit", **turn)  # type: ignore[arg-type]
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token)
    api.event(shipment)
    pod = api.milestones(intent)["POD_CONFIRMED"]
    assert (pod["status"], pod["strategy"], pod["blocked_reason"]) == (
        "delayed",
        "immediate",
        "rail internal_ledger is switched off",
    )
    assert sweep() == release.SweepReport()
    switches.turn_on(reason="audit done", **turn)  # type: ignore[arg-type]
    assert sweep() == release.SweepReport(released=1)
    assert api.milestones(intent)["POD_CONFIRMED"]["blocked_reason"] is None


@pytest.mark.usefixtures("_due_at_once")
def test_a_recipient_without_payouts_waits_and_the_others_do_not(api: Api) -> None:
    now = timezone.now()
    recipients.put("R-1", "Acme", actor="demo", now=now)
    (waiting,) = delayed(api, recipient_id="R-1")
    (going,) = delayed(api)
    recipients.set_payouts(recipient_id="R-1", enabled=False, actor="demo", now=now)
    assert sweep() == release.SweepReport(released=1)
    assert (api.status(going), api.status(waiting)) == ("pending", "delayed")
    assert "recipient" in api.milestones(waiting)["PICKUP_CONFIRMED"]["blocked_reason"]
    sweep()
    assert AuditEvent.objects.filter(action="release_blocked").count() == 1
    recipients.set_payouts(recipient_id="R-1", enabled=True, actor="demo", now=now)
    assert sweep() == release.SweepReport(released=1)


@pytest.mark.usefixtures("_due_at_once")
def test_settling_by_request_goes_around_no_hold(api: Api) -> None:
    (intent,) = delayed(api, schedule={"type": "custom", "items": [{"event_type": "PICKUP_CONFIRMED", "share": 1}]})
    holds.place(MilestoneSettlement.objects.get().pk, reason="claim", actor="user:ops1", now=timezone.now())
    answer = api.post(f"/payment_intents/{intent}/settle")
    assert (answer.status_code, answer.json()["action_taken"]) == (200, "delayed")
    assert answer.json()["milestones"][0]["blocked_reason"] == "on hold"
    assert JournalEntry.objects.count() == 0


@pytest.mark.usefixtures("_due_at_once")
def test_all_that_can_not_go_are_told_why_however_many_and_looked_through_once_if_they_are_few(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    sweep, look = release.sweep, release._say_what_is_blocked

    def counted_look(**given: Any) -> bool:
        looks.append(1)
        return look(**given)

    monkeypatch.setattr(release, "sweep", lambda **given: sweep(limit=2, **given))
    monkeypatch.setattr(release, "_say_what_is_blocked", counted_look)
    recipients.put("R-1", "Acme", actor="demo", now=timezone.now())
    recipients.set_payouts(recipient_id="R-1", enabled=False, actor="demo", now=timezone.now())
    delayed(api, 5, recipient_id="R-1")
    assert tasks.sweep_due() == release.SweepReport()
    assert MilestoneSettlement.objects.exclude(blocked_reason="").count() == 5
    looks.clear()
    delayed(api, 5)
    assert tasks.sweep_due() == release.SweepReport(released=5)
    assert len(looks) == 1


@pytest.mark.usefixtures("_due_at_once")
def test_two_workers_release_each_row_once(live: Api) -> None:
    for _ in range(40):
        delayed(live, 5)
    reports = at_once([partial(release.sweep, now=timezone.now(), limit=20)] * 12, threads=4)
    assert sum(report.released for report in reports) <= 200
    tasks.sweep_due()
    assert (JournalEntry.objects.count(), MilestoneSettlement.objects.filter(status="APPROVED").count()) == (200, 200)


@pytest.mark.usefixtures("_due_at_once")
def test_a_sweep_racing_a_cancellation_pays_or_cancels(live: Api) -> None:
    for _ in range(10):
        (intent,) = delayed(live)
        calls: list[Callable[[], Any]] = [
            partial(live.post, f"/payment_intents/{intent}/cancel", {"reason": "stop"}),
            sweep,
        ]
        at_once(calls, threads=2)
        sweep()
        status = live.milestones(intent)["PICKUP_CONFIRMED"]["status"]
        assert status in {"approved", "cancelled"}
        assert JournalEntry.objects.filter(milestone_id=MilestoneSettlement.objects.latest("pk").pk).exists() == (
            status == "approved"
        )


@pytest.mark.usefixtures("_due_at_once", "live")
def test_a_worker_killed_in_the_middle_of_a_sweep_loses_and_doubles_nothing() -> None:
    delayed_intents(MANY)
    assert MilestoneSettlement.objects.filter(status="DELAYED").count() == MANY
    kills = 0
    while MilestoneSettlement.objects.filter(status="DELAYED").exists():
        worker = start_sweeping_process()
        before = JournalEntry.objects.count()
        while worker.poll() is None and kills < 5 and JournalEntry.objects.count() < before + 200:
            time.sleep(0.005)
        if worker.poll() is None and kills < 5:
            worker.send_signal(signal.SIGKILL)
            kills += 1
        worker.wait(timeout=120)
    assert kills >= 3
    assert JournalEntry.objects.values("milestone_id").distinct().count() == JournalEntry.objects.count() == MANY
    assert MilestoneSettlement.objects.filter(status="APPROVED").count() == MANY
    assert PaymentIntent.objects.exclude(status="PENDING").count() == 0
    assert AuditEvent.objects.filter(action="released").count() == MANY


def start_sweeping_process() -> "subprocess.Popen[bytes]":
    """A worker process that sweeps fifty at a time on the test's own database until nothing is due."""
    program = (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "from settlements import release\n"
        "while release.sweep(now=timezone.now(), limit=50).released: pass\n"
    )
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
        "CHAINPAY_LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen([sys.executable, "-c", program], env=environment)


@pytest.mark.parametrize("intents", [1, 100])
def test_an_event_has_a_fixed_number_of_statements(live: Api, intents: int) -> None:
    token, shipment = live.token()
    for _ in range(intents):
        live.intent(token)
    live.event(shipment, "PICKUP_CONFIRMED")
    with lead_connection.lent(), CaptureQueriesContext(connections[DEFAULT_DB_ALIAS]) as queries:
        assert live.event(shipment).json()["milestone_settlements_created"] == intents
    assert len(queries) == 8
