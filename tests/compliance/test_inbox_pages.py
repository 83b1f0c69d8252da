"""The inbox in the admin: what is shown of messages, and what may be done with them by whom."""

import hashlib
import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from compliance.roles import Role
from settlements import inbox
from settlements.models import AuditEvent, EventSource, MilestoneSettlement, ShipmentEvent
from settlements.sources import Source
from tests.compliance.conftest import event, freight, intent, logged_in

LIST = "/admin/settlements/shipmentevent/"
AGAIN, DRY_RUN = f"{LIST}process_again/", f"{LIST}dry_run/"
NAUGHTY = json.loads((Path(__file__).parents[1] / "data/blns/blns.json").read_text(encoding="utf-8"))
POSTERS = (Role.COMPLIANCE_OFFICER, Role.COMPLIANCE_MANAGER, Role.OPERATIONS)


@pytest.fixture
def operator(staff: Any) -> User:
    user: User = staff(Role.OPERATIONS, "ona")
    return user


def message(shipment: str, body: str, *, event_type: str = "POD_CONFIRMED", message_id: str = "") -> ShipmentEvent:
    """One that came with this body."""
    inbox.receive(
        inbox.Message(
            source=Source(EventSource.objects.get(name="platform").pk),
            actor="test",
            message_id=message_id or hashlib.sha256(body.encode()).hexdigest(),
            body=body,
            body_hash=b"x",
            shipment_id=shipment,
            event_type=event_type,
            occurred_at=timezone.now(),
            occurred_at_was_naive=False,
        ),
        now=timezone.now(),
    )
    return ShipmentEvent.objects.latest("pk")


def stuck() -> ShipmentEvent:
    """An event of a shipment with an intent that was given up."""
    of = freight("0.15")
    event(of)
    found = ShipmentEvent.objects.latest("pk")
    ShipmentEvent.objects.filter(pk=found.pk).update(state="FAILED", sweeps=10, error="OSError: whsec_abc Bearer xyz")
    intent(of)
    assert not MilestoneSettlement.objects.filter(event=found).exists()
    return found


def everything() -> list[object]:
    rows = ShipmentEvent.objects.order_by("pk").values_list("pk", "state", "processed_at", "error", "sweeps")
    return [*rows, MilestoneSettlement.objects.count(), AuditEvent.objects.count()]


def page(user: User, address: str, **given: Any) -> str:
    answer = logged_in(user).get(address, given)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_naughty_strings_are_shown_escaped_on_every_page(operator):
    row = message("SHIP-<b>1</b>", json.dumps({"naughty": NAUGHTY}, ensure_ascii=False))
    raw = json.dumps("<script>alert(123)</script>")
    for address in (LIST, f"{LIST}{row.pk}/change/", f"{DRY_RUN}?event={row.pk}", f"{AGAIN}?event={row.pk}"):
        shown = page(operator, address)
        assert "<script>alert(" not in shown, address
        assert "SHIP-<b>" not in shown
        assert "SHIP-&lt;b&gt;" in shown
    assert raw in unescape(page(operator, f"{LIST}{row.pk}/change/"))


def test_secrets_in_body_and_error_are_shown_nowhere(operator):
    body = {
        "api_key": "hunter2",
        "note": "whsec_hunter2",
        "deep": [{"Authorization": {"a": "hunter2"}}],
        "kept": "seen",
    }
    row = message("SHIP-S", json.dumps(body))
    ShipmentEvent.objects.filter(pk=row.pk).update(error="Error: Bearer hunter2 for 123456789012")
    shown = page(operator, f"{LIST}{row.pk}/change/")
    assert "seen" in shown
    assert "********9012" in shown
    assert "hunter2" not in shown + page(operator, LIST)


def test_the_detail_shows_the_body_in_both_layouts(operator):
    row = message("SHIP-B", '{"weight":1.50,\n"note" :"x"}')
    shown = unescape(page(operator, f"{LIST}{row.pk}/change/"))
    assert '{"weight":1.50,\n"note" :"x"}' in shown
    assert '{\n  "weight": 1.50,\n  "note": "x"\n}' in shown


def test_the_outcome_is_in_words_and_can_be_filtered(operator):
    of = freight("0.15")
    intent(of)
    for event_type in ("POD_CONFIRMED", "POD_CONFIRMED", "IN_TRANSIT"):
        message(of.shipment_id, "{}", event_type=event_type, message_id=str(ShipmentEvent.objects.count()))
    message("SHIP-P", "{}")
    stuck()
    waits = message("SHIP-W", "{}", message_id="w")
    ShipmentEvent.objects.filter(pk=waits.pk).update(state="WAITING")
    shown = page(operator, LIST)
    for word in ("processed", "duplicate milestone", "stored only", "parked", "failed", "waiting for the sweep"):
        assert f">{word}</span>" in shown
    for state in ("DUPLICATE", "PARKED", "FAILED", "WAITING"):
        found = logged_in(operator).get(LIST, {"state": state}).context["cl"]
        assert [row.state for row in found.result_list] == [state]


def test_the_number_of_settlements_leads_to_them(operator):
    of = freight("0.15")
    intent(of), intent(of)
    event(of)
    row = ShipmentEvent.objects.latest("pk")
    address = f"/admin/settlements/milestonesettlement/?event__id__exact={row.pk}"
    assert f'<a href="{address}">2</a>' in page(operator, LIST)
    assert logged_in(operator).get(address).context["cl"].result_count == 2
    detail = page(operator, f"{LIST}{row.pk}/change/")
    for one in MilestoneSettlement.objects.filter(event=row):
        assert f"/admin/settlements/milestonesettlement/{one.pk}/change/" in detail
        assert one.explanation.split(" (")[0] in detail


@pytest.mark.parametrize("kind", ["", "webhook-id:", "event_id:", "body:"])
def test_a_message_is_found_by_its_number_shipment_and_id(operator, kind):
    row = message("SHIP-FIND", "{}", message_id=f"{kind}the-id")
    message("SHIP-OTHER", "{}")
    for word in (str(row.pk), "SHIP-FIND", "the-id", f"{kind}the-id"):
        found = logged_in(operator).get(LIST, {"q": word}).context["cl"]
        assert [each.pk for each in found.result_list] == [row.pk], word


def test_the_list_reads_as_many_statements_for_many_messages_as_for_one(operator):
    client = logged_in(operator)
    counts = []
    for _ in range(3):
        of = freight("0.15")
        intent(of)
        event(of)
        with CaptureQueriesContext(connection) as seen:
            client.get(LIST)
        counts.append(len(seen))
    assert len(set(counts)) == 1


def test_looking_changes_nothing(operator):
    row = stuck()
    before = everything()
    for address in (AGAIN, DRY_RUN):
        assert "1 milestone settlement would be created" in page(operator, address, event=row.pk)
    for action in ("process_again", "dry_run"):
        data = {"action": action, "_selected_action": row.pk, "index": 0}
        asked: Any = logged_in(operator).post(LIST, data)
        assert (asked.status_code, asked.url) == (302, f"{LIST}{action}/?event={row.pk}")
    assert everything() == before


def test_processing_again_by_the_button_creates_it_once_in_the_name_of_who_pressed(operator):
    row = stuck()
    for words in ("Created 1 milestone settlement.", "Nothing was missing."):
        answer = logged_in(operator).post(AGAIN, {"event": row.pk})
        assert words in answer.content.decode()
    one = MilestoneSettlement.objects.get(event=row)
    assert AuditEvent.objects.get(settlement_id=one.pk, action="settlement_created").triggered_by == "user:ona"


def test_one_that_fails_leaves_the_others_and_every_row_tells(operator, monkeypatch):
    rows = [stuck() for _ in range(3)]
    real = inbox.apply

    def fails_for_one(event_id: int, *args: Any, **kwargs: Any) -> Any:
        if event_id == rows[1].pk:
            raise RuntimeError("upset by sk_live_123")
        return real(event_id, *args, **kwargs)

    monkeypatch.setattr(inbox, "apply", fails_for_one)
    shown = logged_in(operator).post(AGAIN, {"event": [row.pk for row in rows]}).content.decode()
    assert shown.count("Created 1 milestone settlement.") == 2
    assert "RuntimeError: upset by sk_live_[redacted]" in shown
    assert [row.state for row in ShipmentEvent.objects.order_by("pk")] == ["PROCESSED", "FAILED", "PROCESSED"]


@pytest.mark.parametrize("role", list(Role))
def test_processing_again_needs_the_permission_to_post_events_and_a_dry_run_only_to_look(staff, role):
    row, user = stuck(), staff(role)
    before = everything()
    may = role in POSTERS
    assert ("Process again" in page(user, f"{LIST}{row.pk}/change/")) is may
    assert "Dry run" in page(user, f"{LIST}{row.pk}/change/")
    assert logged_in(user).get(DRY_RUN, {"event": row.pk}).status_code == 200
    assert logged_in(user).get(AGAIN, {"event": row.pk}).status_code == (200 if may else 403)
    assert everything() == before
    assert logged_in(user).post(AGAIN, {"event": row.pk}).status_code == (200 if may else 403)
    assert (everything() != before) is may


def test_who_may_not_look_may_do_nothing_even_with_the_permission_to_post(staff):
    row, user = stuck(), staff(None)
    user.user_permissions.add(Permission.objects.get(codename="post_events"))
    for address in (AGAIN, DRY_RUN):
        assert logged_in(user).get(address, {"event": row.pk}).status_code == 403
    assert logged_in(user).post(AGAIN, {"event": row.pk}).status_code == 403


def test_a_page_of_another_site_can_not_press_the_button(operator):
    row = stuck()
    assert logged_in(operator, csrf=True).post(AGAIN, {"event": row.pk}).status_code == 403


@pytest.mark.parametrize("given", [[], ["0"], ["x"], ["9" * 30], ["-1"], ["1\x00"], ["٣"]])
def test_messages_that_are_not_there_are_not_found(operator, given):
    for address in (AGAIN, DRY_RUN):
        assert logged_in(operator).get(address, {"event": given}).status_code == 404
    assert logged_in(operator).post(AGAIN, {"event": given}).status_code == 404
