"""A worse risk makes stricter what still waits, at once and told in the history; nothing ever makes it looser."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rails.models import JournalEntry
from settlements import holds, release
from settlements.models import Approval, AuditEvent, Delivery, FreightToken, MilestoneSettlement
from settlements.policy import should_release_now
from settlements.statuses import ReleaseStrategy
from tests.factories import CLAIM, PICKUP, POD, a_user, approve
from tests.flows import copies
from tests.flows.conftest import PAST, REASON, Api, at_once
from tests.flows.receiver import subscribe
from tests.flows.test_blocked import ledger_off, sweep
from tests.flows.test_review import decide

SCORES = [None, "0.32", "0.33", "0.66", "0.67", "1"]
STATUSES = ["active", "locked", "cancelled"]
EVENTS = [PICKUP, POD, CLAIM]
EACH_SOMETHING = {
    "type": "custom",
    "items": [
        {"event_type": PICKUP, "share": "0.2"},
        {"event_type": POD, "share": "0.6"},
        {"event_type": CLAIM, "share": "0.2"},
    ],
}
HOLD = timedelta(days=1)


def push(api: Api, token: int, **fields: Any) -> None:
    answer = api.put(f"/freight_tokens/{token}", fields)
    assert answer.status_code == 200, answer.content


def delayed(api: Api, event_type: str = PICKUP, **intent: Any) -> tuple[int, MilestoneSettlement]:
    """A token of MEDIUM risk and a settlement of it whose hold runs."""
    token, shipment = api.token(risk="0.50")
    number = api.intent(token, schedule=EACH_SOMETHING, **intent)
    api.event(shipment, event_type)
    return token, MilestoneSettlement.objects.get(intent=number)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls answer, each on a thread of its own."""
    return at_once(calls, threads=len(calls))


def last_of(settlement: MilestoneSettlement) -> AuditEvent:
    return AuditEvent.objects.filter(settlement=settlement).latest("sequence")


def expected(old: str | None, new: str | None, status: str, event_type: str) -> ReleaseStrategy:
    """The decision by the specification's words, told a second time."""

    def at(score: str | None) -> ReleaseStrategy:
        return should_release_now(1.0 if score is None else float(score), event_type)

    worse = None if None in (old, new) else max(old or "", new or "")
    again = at(worse)
    if status == "cancelled" and again in {ReleaseStrategy.IMMEDIATE, ReleaseStrategy.DELAYED}:
        again = ReleaseStrategy.MANUAL_REVIEW
    return max(at(old), again, key=lambda strategy: strategy.strictness)


@pytest.mark.parametrize("status", STATUSES)
def test_every_waiting_decision_becomes_what_the_worse_risk_says_and_never_looser(api: Api, status: str) -> None:
    with ledger_off():
        for old, new in product(SCORES, SCORES):
            token, shipment = api.token(risk=old)
            api.intent(token, schedule=EACH_SOMETHING)
            for event_type in EVENTS:
                api.event(shipment, event_type)
            before = {row.event_type: row for row in MilestoneSettlement.objects.filter(intent__freight_token=token)}
            push(api, token, risk_score=new, status=status)
            after = {row.event_type: row for row in MilestoneSettlement.objects.filter(intent__freight_token=token)}
            for event_type in EVENTS:
                name = f"{old} -> {new}, {status}, {event_type}"
                strategy = expected(old, new, status, event_type)
                assert after[event_type].strategy == strategy, name
                assert after[event_type].status == ("PENDING" if strategy.needs_a_person else "DELAYED"), name
                _check_date(before[event_type], after[event_type], strategy, name)
                told = AuditEvent.objects.filter(settlement=after[event_type], action="decided_again").count()
                assert told == (strategy != before[event_type].strategy), name
    call_command("verify_books")
    assert JournalEntry.objects.count() == 0


def _check_date(before: MilestoneSettlement, after: MilestoneSettlement, strategy: ReleaseStrategy, name: str) -> None:
    old, new = before.settlement_delayed_until, after.settlement_delayed_until
    assert old is None or (new is not None and new >= old), name
    if strategy is ReleaseStrategy.DELAYED:
        assert after.event is not None
        assert new == after.event.received_at + HOLD, name


@pytest.mark.parametrize(
    ("event_type", "fields", "words"),
    [
        (PICKUP, {"risk_score": "0.81"}, "Risk rose from 0.5 to 0.81: HIGH risk (0.81 >= 0.67) {at}: not yet eligible"),
        (CLAIM, {"risk_score": "0.81"}, "Risk rose from 0.5 to 0.81: HIGH risk (0.81 >= 0.67) {at}: manual review"),
        (
            CLAIM,
            {"risk_score": None},
            "Risk went from 0.5 to unknown: HIGH risk (score unknown, treated as HIGH) {at}: manual review",
        ),
        (
            CLAIM,
            {"status": "cancelled"},
            "The freight token went from active to cancelled: "
            "HIGH risk (freight token is cancelled, neither active nor locked) {at}: manual review",
        ),
        (
            CLAIM,
            {"status": "void", "risk_score": "0.6"},
            "Risk rose from 0.5 to 0.6 and the freight token went from active to void: "
            "HIGH risk (freight token is void, neither active nor locked) {at}: manual review",
        ),
    ],
)
def test_the_history_says_what_changed_and_who_pushed_it(
    api: Api, event_type: str, fields: dict[str, Any], words: str
) -> None:
    token, settlement = delayed(api, event_type)
    push(api, token, **fields)
    told = last_of(settlement)
    assert (told.action, told.from_status, told.to_status) == ("decided_again", "DELAYED", "PENDING")
    assert told.reason == words.format(at=f"at {event_type}")
    assert told.triggered_by == AuditEvent.objects.get(intent=settlement.intent_id, sequence=1).triggered_by
    assert told.data["strategy_before"] == "DELAYED"
    assert told.data["inputs_before"]["current_score"] == "0.5"
    assert told.data["inputs"] == MilestoneSettlement.objects.get().inputs
    assert api.status(settlement.intent_id) == "pending"


def test_an_immediate_release_that_waits_blocked_is_delayed_until_a_day_after_its_receipt(api: Api) -> None:
    token, shipment = api.token(risk="0.10")
    intent = api.intent(token)
    with ledger_off():
        api.event(shipment, PICKUP)
        assert api.milestones(intent)[PICKUP]["blocked_reason"] == "rail internal_ledger is switched off"
        push(api, token, risk_score="0.50")
    pickup = MilestoneSettlement.objects.select_related("event").get()
    assert pickup.event is not None
    assert (pickup.status, pickup.strategy, pickup.blocked_reason, pickup.retry_at) == ("DELAYED", "DELAYED", "", None)
    assert pickup.settlement_delayed_until == pickup.event.received_at + HOLD
    assert "Risk rose from 0.1 to 0.5: MEDIUM risk" in last_of(pickup).reason
    assert sweep() == release.SweepReport()
    assert JournalEntry.objects.count() == 0


def test_a_date_that_a_person_has_moved_later_is_never_moved_back(api: Api) -> None:
    token, shipment = api.token(risk="0.10")
    api.intent(token, schedule=EACH_SOMETHING)
    with ledger_off():
        api.event(shipment, PICKUP)
        pickup = MilestoneSettlement.objects.get()
        later: datetime = timezone.now() + timedelta(days=9)
        holds.extend(pickup.pk, until=later, reason="claim announced", actor="user:ops1", now=timezone.now())
        push(api, token, risk_score="0.50")
    pickup.refresh_from_db()
    assert (pickup.strategy, pickup.settlement_delayed_until) == ("DELAYED", later)


def test_what_needed_a_person_for_a_lesser_reason_needs_one_for_the_stricter_one(api: Api) -> None:
    token, settlement = delayed(api)
    push(api, token, status="cancelled")
    push(api, token, status="active", risk_score="0.9")
    settlement.refresh_from_db()
    assert (settlement.status, settlement.strategy) == ("PENDING", "PENDING")
    assert last_of(settlement).reason.startswith("Risk rose from 0.5 to 0.9: ")


@pytest.mark.parametrize("fields", [{"risk_score": "0.10"}, {"risk_score": "0.50"}, {"status": "locked"}, {}], ids=str)
def test_a_risk_that_is_not_worse_moves_nothing_and_is_no_history(api: Api, fields: dict[str, Any]) -> None:
    token, _ = delayed(api)
    before = AuditEvent.objects.count(), MilestoneSettlement.objects.values().get()
    push(api, token, **fields)
    assert before == (AuditEvent.objects.count(), MilestoneSettlement.objects.values().get())


def test_a_better_risk_never_takes_a_settlement_out_of_review(api: Api) -> None:
    token, settlement = delayed(api, CLAIM)
    push(api, token, risk_score="0.81")
    push(api, token, risk_score="0.01")
    settlement.refresh_from_db()
    assert (settlement.status, settlement.strategy) == ("PENDING", "MANUAL_REVIEW")
    assert AuditEvent.objects.filter(action="decided_again").count() == 1


def test_the_same_push_twice_changes_nothing_more(api: Api) -> None:
    token, _ = delayed(api)
    push(api, token, risk_score="0.81")
    before = MilestoneSettlement.objects.values().get(), AuditEvent.objects.count()
    push(api, token, risk_score="0.81")
    assert before == (MilestoneSettlement.objects.values().get(), AuditEvent.objects.count())


def test_only_what_waits_of_this_token_is_decided_again(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    other, _ = api.token(risk="0.50", shipment=shipment)
    own, foreign, gone, paid = (api.intent(each, schedule=EACH_SOMETHING) for each in (token, other, token, token))
    api.event(shipment, PICKUP)
    api.event(shipment, POD)
    api.post(f"/payment_intents/{gone}/cancel", {"reason": REASON})
    approve(MilestoneSettlement.objects.get(intent=paid, event_type=PICKUP), a_user())
    push(api, token, risk_score="0.81")
    found = MilestoneSettlement.objects.filter(event_type=PICKUP).values_list("intent_id", "status", "strategy")
    assert sorted(found) == sorted(
        [
            (own, "PENDING", "PENDING"),
            (foreign, "DELAYED", "DELAYED"),
            (gone, "CANCELLED", "DELAYED"),
            (paid, "APPROVED", "DELAYED"),
        ]
    )


def test_a_settlement_on_hold_is_decided_again_and_stays_on_hold(api: Api) -> None:
    token, settlement = delayed(api, CLAIM)
    holds.place(settlement.pk, reason=REASON, actor="user:ops1", now=timezone.now())
    push(api, token, risk_score="0.81")
    claim = api.milestones(settlement.intent_id)[CLAIM]
    assert (claim["status"], claim["strategy"], claim["on_hold"]) == ("pending", "manual_review", True)


@pytest.mark.usefixtures("staff")
def test_approvals_given_before_are_void_and_the_history_says_so(api: Api) -> None:
    token, settlement = delayed(api, CLAIM, amount=100_000)
    item = {"milestone_id": settlement.pk, "version": api.milestones(settlement.intent_id)[CLAIM]["version"]}
    assert decide("officer1", "approve", item).json()["approvals"] == 1
    push(api, token, risk_score="0.81")
    assert api.milestones(settlement.intent_id)[CLAIM]["approvals"] == 0
    told = last_of(settlement)
    assert told.data["approvals_void"] == 1
    assert told.reason.endswith("manual review; approvals given before are void: 1")
    stale = decide("officer2", "approve", item)
    assert (stale.status_code, stale.json()["code"]) == (409, "version_stale")
    assert JournalEntry.objects.count() == 0
    (now,) = api.get(f"/compliance/queue?milestone_id={settlement.pk}")["items"]
    assert decide("officer1", "approve", now).json()["approvals"] == 1
    assert decide("officer2", "approve", now).json()["status"] == "approved"
    assert (JournalEntry.objects.count(), Approval.objects.count()) == (1, 3)
    call_command("verify_books")


def test_subscribers_are_told_as_of_any_other_change(api: Api) -> None:
    subscribe("http://127.0.0.1:9/hooks")
    token, settlement = delayed(api, CLAIM)
    push(api, token, risk_score="0.81")
    told = [word for word in Delivery.objects.order_by("pk").values_list("event_type", flat=True)]
    assert told == ["settlement.created", "settlement.delayed", "settlement.review_required"]
    assert Delivery.objects.latest("pk").audit_event == last_of(settlement)


def test_a_new_reason_for_review_that_voids_approvals_is_told_of_again(api: Api) -> None:
    subscribe("http://127.0.0.1:9/hooks")
    token, shipment = api.token(risk="0.50")
    api.intent(token, schedule=EACH_SOMETHING)
    api.event(shipment, POD)
    api.event(shipment, PICKUP)
    push(api, token, status="cancelled")
    push(api, token, status="active", risk_score="0.9")
    pickup = MilestoneSettlement.objects.get(event_type=PICKUP)
    told = Delivery.objects.filter(settlement=pickup).order_by("pk").values_list("event_type", flat=True)
    assert list(told)[2:] == ["settlement.review_required"] * 2


def test_a_dry_run_decides_nothing_again(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    api.intent(token, schedule=EACH_SOMETHING)
    api.event(shipment, CLAIM)
    FreightToken.objects.update(risk_score="0.81")
    before = AuditEvent.objects.count()
    body = {"shipment_id": shipment, "event_type": POD, "occurred_at": PAST}
    assert api.post("/webhooks/shipment_event?dry_run=1", body).status_code == 200
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("number", [1, 1_000])
def test_a_push_has_a_fixed_number_of_statements(live: Api, number: int) -> None:
    copies.delayed_intents(number, per_shipment=number)
    with CaptureQueriesContext(connection) as queries:
        push(live, copies.FIRST, risk_score="0.81")
    assert AuditEvent.objects.filter(action="decided_again").count() == number
    assert len(queries) == 13


def test_approving_while_the_risk_rises_pays_before_or_not_without_a_new_approval(live_staff: Api) -> None:
    paid = 0
    for _ in range(25):
        token, settlement = delayed(live_staff, CLAIM)
        item = {"milestone_id": settlement.pk, "version": live_staff.milestones(settlement.intent_id)[CLAIM]["version"]}
        approved, _ = together(
            partial(decide, "officer1", "approve", item), partial(push, live_staff, token, risk_score="0.81")
        )
        settlement.refresh_from_db()
        entries = JournalEntry.objects.filter(milestone_id=settlement.pk).count()
        if approved.status_code == 200:
            paid += 1
            assert (settlement.status, settlement.strategy, entries) == ("APPROVED", "DELAYED", 1)
        else:
            assert (approved.status_code, approved.json()["code"]) == (409, "version_stale")
            assert (settlement.status, settlement.strategy, entries) == ("PENDING", "MANUAL_REVIEW", 0)
    assert JournalEntry.objects.count() == paid
    call_command("verify_books")


def test_sweeping_while_the_risk_rises_pays_before_or_leaves_it_to_people(live: Api, settings: Any) -> None:
    settings.CHAINPAY_HOLD_SECONDS = -1
    for _ in range(25):
        token, settlement = delayed(live, CLAIM)
        together(sweep, partial(push, live, token, risk_score="0.81"))
        settlement.refresh_from_db()
        entries = JournalEntry.objects.filter(milestone_id=settlement.pk).count()
        assert (settlement.status, settlement.strategy, entries) in [
            ("APPROVED", "DELAYED", 1),
            ("PENDING", "MANUAL_REVIEW", 0),
        ]
    call_command("verify_books")


def test_an_event_while_the_risk_rises_never_ends_looser_than_the_new_risk(live: Api) -> None:
    for _ in range(25):
        token, shipment = live.token(risk="0.50")
        intent = live.intent(token)
        answer, _ = together(partial(live.event, shipment, CLAIM), partial(push, live, token, risk_score="0.81"))
        assert answer.status_code == 200
        claim = live.milestones(intent)[CLAIM]
        assert (claim["status"], claim["strategy"]) == ("pending", "manual_review")
    call_command("verify_books")


def test_pushes_at_once_decide_again_once_each_and_leave_one_unbroken_chain(live: Api) -> None:
    token, settlement = delayed(live, CLAIM)
    together(*[partial(push, live, token, risk_score="0.81"), partial(push, live, token, status="cancelled")] * 8)
    settlement.refresh_from_db()
    assert (settlement.status, settlement.strategy) == ("PENDING", "MANUAL_REVIEW")
    assert AuditEvent.objects.filter(action="decided_again").count() == 1
    call_command("verify_books")
