"""Authorised money that may not go yet: it goes with the next sweep that may let it, and no other way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from rails import recipients, switches
from rails.base import SettlementProvider
from rails.models import JournalEntry
from settlements import holds, release
from settlements.models import MilestoneSettlement
from tests.factories import a_user, approve
from tests.flows.conftest import Api

LEDGER = SettlementProvider.INTERNAL_LEDGER


@contextmanager
def ledger_off() -> Iterator[None]:
    switches.turn_off(provider=LEDGER, reason="audit", actor="user:ops1", now=timezone.now())
    yield
    switches.turn_on(provider=LEDGER, reason="audit done", actor="user:ops1", now=timezone.now())


def sweep() -> release.SweepReport:
    return release.sweep(now=timezone.now())


def delayed(api: Api, **intent: str) -> MilestoneSettlement:
    token, shipment = api.token(risk="0.50")
    api.intent(token, **intent)
    api.event(shipment, "PICKUP_CONFIRMED")
    return MilestoneSettlement.objects.select_related("intent").get()


def test_an_expedite_that_met_a_rail_turned_off_goes_with_the_sweep_once_it_is_on(api: Api) -> None:
    settlement = delayed(api)
    with ledger_off():
        assert "switched off" in approve(settlement, a_user()).reason
        assert sweep() == release.SweepReport()
    assert sweep() == release.SweepReport(released=1)
    assert JournalEntry.objects.count() == 1


def test_an_expedite_whose_recipient_was_edited_meanwhile_waits_for_the_hold_and_is_not_met_again(api: Api) -> None:
    recipients.put("R-1", "Acme", actor="demo", now=timezone.now())
    settlement = delayed(api, recipient_id="R-1")
    with ledger_off():
        approve(settlement, a_user())
        recipients.put("R-1", "Mallory", actor="demo", now=timezone.now())
    assert sweep() == sweep() == release.SweepReport()
    settlement.refresh_from_db()
    assert (settlement.status, settlement.blocked_reason, settlement.retry_at) == ("DELAYED", "", None)
    assert JournalEntry.objects.count() == 0


def test_an_immediate_release_that_a_person_moved_to_later_waits_until_then(api: Api) -> None:
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token, schedule={"type": "full_on_pod"})
    with ledger_off():
        api.event(shipment)
        later = timezone.now() + timedelta(hours=1)
        pod = MilestoneSettlement.objects.get()
        holds.extend(pod.pk, until=later, reason="claim announced", actor="user:ops1", now=timezone.now())
    assert sweep() == release.SweepReport()
    assert api.post(f"/payment_intents/{intent}/settle").json()["action_taken"] == "delayed"
    assert JournalEntry.objects.count() == 0


def test_a_settlement_whose_rail_is_not_there_never_stops_the_others(api: Api, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    bad = delayed(api)
    MilestoneSettlement.objects.update(rail="stripe")
    token, shipment = api.token(risk="0.50")
    api.intent(token)
    api.event(shipment, "PICKUP_CONFIRMED")
    assert sweep() == release.SweepReport(released=1)
    bad.refresh_from_db()
    assert (bad.status, bad.blocked_reason) == ("DELAYED", "rail stripe is not set up")
    assert JournalEntry.objects.count() == 1
