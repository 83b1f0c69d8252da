"""Officers decide over the API: four eyes, versions, and money that moves once."""

from functools import partial
from itertools import product
from typing import Any

import pytest

from rails.models import JournalEntry
from settlements.models import Approval, AuditEvent
from tests.flows.conftest import REASON, Api, at_once


def waiting(api: Api, *, amount: Any = 10_000, **intent: Any) -> dict[str, Any]:
    """The POD milestone of a HIGH intent, as the queue shows it."""
    token, shipment = api.token(risk="0.81")
    number = api.intent(token, amount, **intent)
    api.event(shipment)
    milestone = api.milestones(number)["POD_CONFIRMED"]
    (item,) = api.get(f"/compliance/queue?milestone_id={milestone['id']}")["items"]
    return dict(item)


def decide(who: str, word: str, item: dict[str, Any], **changes: Any) -> Any:
    body = {"reason": REASON, "version": item["version"]} | changes
    body = {name: value for name, value in body.items() if value is not None}
    return Api(who).post(f"/compliance/{word}/{item['milestone_id']}", body)


approve = partial(decide, word="approve")
reject = partial(decide, word="reject")


@pytest.mark.usefixtures("staff")
def test_an_officer_approves_and_the_money_moves_once(api: Api) -> None:
    item = waiting(api)
    answer = approve("officer1", item=item)
    assert (answer.status_code, answer.json()["message"], answer.json()["status"]) == (
        200,
        "Settlement approved",
        "approved",
    )
    second = approve("officer2", item=item)
    assert (second.status_code, second.json()["code"]) == (409, "settlement_not_waiting")
    assert JournalEntry.objects.count() == 1
    told = AuditEvent.objects.filter(settlement_id=item["milestone_id"]).latest("sequence")
    assert (told.action, told.approved_by, told.reason) == ("released", "user:officer1", REASON)
    assert api.get("/compliance/queue")["total"] == 0


@pytest.mark.usefixtures("staff")
def test_a_rejected_settlement_pays_nothing_and_stays_rejected(api: Api) -> None:
    item = waiting(api)
    assert reject("officer1", item=item).json()["status"] == "rejected"
    assert approve("officer2", item=item).status_code == 409
    assert reject("officer2", item=item).status_code == 409
    assert api.post(f"/payment_intents/{item['payment_intent_id']}/settle").json()["action_taken"] == "rejected"
    assert JournalEntry.objects.count() == 0


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("word", ["approve", "reject"])
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"reason": None}, 400, "reason_missing"),
        ({"reason": "  "}, 400, "reason_empty"),
        ({"version": None}, 400, "version_missing"),
        ({"version": "0" * 32}, 409, "version_stale"),
        ({"force": True}, 400, "unknown_field"),
    ],
)
def test_a_decision_needs_a_reason_and_what_it_is_about(
    api: Api, word: str, changes: Any, status: int, code: str
) -> None:
    item = waiting(api)
    answer = decide("officer1", word, item, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (JournalEntry.objects.count(), Approval.objects.count()) == (0, 0)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize(
    ("who", "word"), list(product([None, "finance1", "ops1", "auditor1"], ["approve", "reject", "force"])), ids=str
)
def test_who_may_not_decide_is_told_so(api: Api, who: str | None, word: str) -> None:
    item = waiting(api)
    if word == "force":
        body = {"force_approval": True, "reason": REASON, "version": "x"}
        answer = Api(who).post(f"/payment_intents/{item['payment_intent_id']}/settle", body)
    else:
        answer = Api(who).post(f"/compliance/{word}/{item['milestone_id']}", {"reason": REASON, "version": "x"})
    assert answer.status_code == 403
    assert Approval.objects.count() == JournalEntry.objects.count() == 0


@pytest.mark.usefixtures("staff")
def test_above_the_four_eyes_amount_two_officers_must_approve(api: Api) -> None:
    item = waiting(api, amount="12500.01")
    assert (item["amount"], item["approvals_required"]) == (10_000.01, 2)
    first = approve("officer1", item=item).json()
    assert (first["status"], first["approvals"], first["approvals_required"]) == ("pending", 1, 2)
    own = approve("officer1", item=item)
    assert (own.status_code, own.json()["code"]) == (409, "already_approved_by_you")
    assert JournalEntry.objects.count() == 0
    assert api.get("/compliance/queue")["items"][0]["approvals"] == 1
    assert approve("officer2", item=item).json()["status"] == "approved"
    assert JournalEntry.objects.count() == 1


@pytest.mark.usefixtures("staff")
def test_at_the_four_eyes_amount_one_officer_is_enough(api: Api) -> None:
    item = waiting(api, amount="12500.00")
    assert (item["amount"], item["approvals_required"]) == (10_000, 1)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("who", ["officer1", "root1"])
def test_who_created_the_intent_does_not_approve_it(api: Api, who: str) -> None:
    token, shipment = api.token(risk="0.81")
    Api(who).intent(token)
    api.event(shipment)
    (item,) = api.get("/compliance/queue")["items"]
    answer = approve(who, item=item)
    assert (answer.status_code, answer.json()["code"]) == (403, "approver_not_independent")
    assert approve("officer2", item=item).status_code == 200


@pytest.mark.usefixtures("staff")
def test_who_edited_the_recipient_since_its_last_payment_does_not_approve(api: Api) -> None:
    Api("officer1").put("/recipients/R-1", {"name": "Acme"})
    item = waiting(api, recipient_id="R-1")
    assert approve("officer1", item=item).json()["code"] == "approver_not_independent"
    assert approve("officer2", item=item).status_code == 200
    later = waiting(api, recipient_id="R-1")
    assert approve("officer1", item=later).status_code == 200


@pytest.mark.usefixtures("staff")
def test_an_edited_recipient_voids_what_was_approved(api: Api) -> None:
    api.put("/recipients/R-1", {"name": "Acme"})
    item = waiting(api, amount=50_000, recipient_id="R-1")
    assert approve("officer1", item=item).json()["approvals"] == 1
    api.put("/recipients/R-1", {"name": "Acme Factoring"})
    assert approve("officer2", item=item).json()["code"] == "version_stale"
    (fresh,) = api.get("/compliance/queue")["items"]
    assert (fresh["approvals"], fresh["version"] != item["version"]) == (0, True)
    assert approve("officer2", item=fresh).json()["approvals"] == 1
    assert approve("manager1", item=fresh).json()["status"] == "approved"


@pytest.mark.usefixtures("staff")
def test_a_pickup_at_high_risk_joins_the_queue_with_proof_of_delivery(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    intent = api.intent(token)
    api.put(f"/freight_tokens/{token}", {"risk_score": "0.9"})
    api.event(shipment, "PICKUP_CONFIRMED")
    pickup = api.milestones(intent)["PICKUP_CONFIRMED"]
    assert (pickup["strategy"], api.get("/compliance/queue")["total"]) == ("pending", 0)
    item = {"milestone_id": pickup["id"], "version": pickup["version"]}
    early = approve("officer1", item=item)
    assert (early.status_code, early.json()["code"]) == (409, "settlement_not_eligible")
    api.event(shipment)
    assert api.get("/compliance/queue")["total"] == 2
    assert approve("officer1", item=item).json()["status"] == "approved"


@pytest.mark.usefixtures("staff")
def test_nothing_is_approved_where_nothing_is_to_release(api: Api) -> None:
    token, shipment = api.token(risk="0.81")
    intent = api.intent(token)
    api.event(shipment, "PICKUP_CONFIRMED")
    api.event(shipment)
    pickup = api.milestones(intent)["PICKUP_CONFIRMED"]
    assert [item["event_type"] for item in api.get("/compliance/queue")["items"]] == ["POD_CONFIRMED"]
    answer = approve("officer1", item={"milestone_id": pickup["id"], "version": pickup["version"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_release")


@pytest.mark.usefixtures("staff")
def test_an_approval_before_the_hold_is_over_expedites(api: Api) -> None:
    token, shipment = api.token(risk="0.50")
    intent = api.intent(token)
    api.event(shipment, "PICKUP_CONFIRMED")
    pickup = api.milestones(intent)["PICKUP_CONFIRMED"]
    item = {"milestone_id": pickup["id"], "version": pickup["version"]}
    assert approve("officer1", item=item).json()["status"] == "approved"
    actions = [log["action"] for log in api.get(f"/payment_intents/{intent}/history")["logs"]]
    assert actions[-2:] == ["expedite_approved", "released"]


@pytest.mark.parametrize("words", [("approve", "approve"), ("approve", "reject")], ids="-".join)
def test_two_officers_at_once_decide_once(live_staff: Api, words: tuple[str, str]) -> None:
    for _ in range(15):
        item = waiting(live_staff)
        answers = at_once(
            [partial(decide, who, word, item) for who, word in zip(("officer1", "officer2"), words, strict=True)],
            threads=2,
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
    entries, approved = JournalEntry.objects.count(), AuditEvent.objects.filter(action="released").count()
    assert entries == approved
    assert words == ("approve", "reject") or entries == 15


def test_the_last_two_approvals_at_once_release_once(live_staff: Api) -> None:
    for _ in range(10):
        item = waiting(live_staff, amount=50_000)
        answers = at_once([partial(approve, who, item=item) for who in ("officer1", "officer2", "manager1")], threads=3)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 409]
    assert JournalEntry.objects.count() == 10
