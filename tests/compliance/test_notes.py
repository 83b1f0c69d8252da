"""Notes: audit events of the settlement, for staff; whatever its status."""

import pytest

from compliance.roles import Role
from settlements import audit, verify
from settlements.api import representations
from settlements.models import AuditEvent
from tests.compliance.conftest import logged_in, waiting


def post(user, one, text="called the carrier"):
    return logged_in(user).post(f"/admin/compliance/reviewqueue/{one.pk}/note/", {"reason": text})


@pytest.mark.parametrize("score", ["0.81", "0.1"])
def test_a_note_is_an_event_of_the_settlement_and_changes_nothing(officer, score):
    one = waiting(score=score)
    assert post(officer, one).status_code == 302
    event = AuditEvent.objects.get(action=audit.NOTE_ADDED)
    assert (event.settlement_id, event.reason, event.triggered_by) == (one.pk, "called the carrier", "user:olga")
    assert event.from_status == event.to_status == one.status
    one.refresh_from_db()
    list(verify.everything())
    assert "called the carrier" in logged_in(officer).get(f"/admin/compliance/reviewqueue/{one.pk}/").content.decode()


def test_what_is_written_is_shown_as_text(officer):
    one = waiting()
    post(officer, one, "<b>bold</b>\nsecond line")
    page = logged_in(officer).get(f"/admin/compliance/reviewqueue/{one.pk}/").content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;<br>second line" in page


def test_an_empty_note_is_refused(officer):
    answer = post(officer, waiting(), "  ")
    assert answer.status_code == 400
    assert "Write the note" in answer.content.decode()
    assert not AuditEvent.objects.filter(action=audit.NOTE_ADDED).exists()


@pytest.mark.parametrize("role", list(Role))
def test_all_roles_but_the_auditor_write_notes(staff, role):
    expected = 403 if role is Role.AUDITOR else 302
    assert post(staff(role), waiting()).status_code == expected


def test_a_carrier_learns_that_there_is_a_note_and_not_what_it_says(officer):
    one = waiting()
    post(officer, one)
    event = AuditEvent.objects.get(action=audit.NOTE_ADDED)
    assert representations.audit_event(event, for_staff=True)["reason"] == "called the carrier"
    told = representations.audit_event(event, for_staff=False)
    assert (told["action"], told["reason"], told["data"]) == (audit.NOTE_ADDED, None, {})
    assert told["hash"] == bytes(event.hash).hex()
