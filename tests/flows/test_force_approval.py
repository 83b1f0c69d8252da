"""`force_approval` is an officer's approval of all that waits, under the same rules."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connections

from rails.models import JournalEntry
from settlements import milestones
from tests.flows.conftest import REASON, Api


def force(who: str | None, intent: int, version: str | None) -> Any:
    body = {"force_approval": True, "reason": REASON} | ({"version": version} if version else {})
    return Api(who).post(f"/payment_intents/{intent}/settle", body)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("risk", ["0.50", "0.81"])
def test_force_approval_is_an_officers_approval_of_all_that_waits(api: Api, risk: str) -> None:
    token, _ = api.token(risk=risk)
    intent = api.intent(token)
    version = api.get(f"/audit/payment_intents/{intent}/milestones")["version"]
    assert force("officer1", intent, None).json()["code"] == "version_missing"
    stale = force("officer1", intent, "0" * 32)
    assert (stale.status_code, stale.json()["code"]) == (409, "version_stale")
    assert api.milestones(intent) == {}
    answer = force("officer1", intent, version).json()
    assert (answer["action_taken"], answer["status"]) == ("approved", "approved")
    assert JournalEntry.objects.count() == (3 if risk == "0.50" else 2)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("who", [None, "ops1"])
def test_who_may_not_force_is_told_so_before_anything_else(api: Api, who: str | None) -> None:
    token, _ = api.token(risk="0.81")
    intent = api.intent(token)
    answer = Api(who).post(f"/payment_intents/{intent}/settle", {"force_approval": True, "surprise": 1})
    assert answer.status_code == 403
    assert api.milestones(intent) == {}


@pytest.mark.usefixtures("staff")
def test_force_approval_goes_around_no_rule(api: Api) -> None:
    token, _ = api.token(risk="0.81")
    intent = Api("officer1").intent(token, 50_000)
    version = api.get(f"/audit/payment_intents/{intent}/milestones")["version"]
    refused = force("officer1", intent, version)
    assert (refused.status_code, refused.json()["code"]) == (403, "approver_not_independent")
    assert api.milestones(intent) == {}, "a refusal leaves nothing behind"
    first = force("officer2", intent, version).json()
    assert (first["action_taken"], first["settlements_released"]) == ("rejected", 1)
    assert force("manager1", intent, version).json()["action_taken"] == "approved"


def test_a_recipient_is_not_edited_between_the_version_of_a_forced_approval_and_its_money(
    live_staff: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_staff.put("/recipients/R-1", {"name": "Acme"})
    token, _ = live_staff.token(risk="0.81")
    intent = live_staff.intent(token, recipient_id="R-1")
    version = live_staff.get(f"/audit/payment_intents/{intent}/milestones")["version"]
    edits: list[str] = []

    def edit_meanwhile(**others: Any) -> Any:
        """Another connection, which gives up waiting after a moment."""
        with connections["default"].copy().cursor() as cursor:
            cursor.execute("SET lock_timeout = 300")
            with suppress(OperationalError):
                cursor.execute("UPDATE rails_recipient SET name = 'Mallory', revision = revision + 1")
                edits.append("Mallory")
        return real(**others)

    real = milestones.process_requested
    monkeypatch.setattr(milestones, "process_requested", edit_meanwhile)
    assert force("officer1", intent, version).json()["action_taken"] == "approved"
    assert edits == []


@pytest.mark.usefixtures("staff")
def test_a_forced_approval_is_approved_or_rejected_and_never_delayed(api: Api) -> None:
    token, _ = api.token(risk="0.50")
    intent = api.intent(token, 50_000)
    version = api.get(f"/audit/payment_intents/{intent}/milestones")["version"]
    assert api.post(f"/payment_intents/{intent}/settle").json()["action_taken"] == "delayed"
    assert force("officer1", intent, version).json()["action_taken"] == "rejected"
    assert force("officer2", intent, version).json()["action_taken"] == "approved"
