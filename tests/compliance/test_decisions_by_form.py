"""Approving, rejecting and holding in the admin: by form, with a reason, by the right people, once."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from compliance import queries
from compliance.roles import Role
from rails import recipients
from rails.models import JournalEntry
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement
from settlements.statuses import EventType, SettlementStatus
from tests.compliance.conftest import event, freight, intent, logged_in, recipient, settlement, waiting

ACTS = ("approve", "expedite", "reject", "hold", "lift", "extend")


def path(one: MilestoneSettlement, act: str = "") -> str:
    return f"/admin/compliance/reviewqueue/{one.pk}/" + (f"{act}/" if act else "")


def version(one: MilestoneSettlement) -> str:
    _, (item,) = queries.queue(skip=0, limit=1, milestone_id=one.pk, now=timezone.now())
    return item.version


def post(user: User, one: MilestoneSettlement, act: str, **changed: str):
    data = {"reason": "papers seen", "version": version(one), **changed}
    return logged_in(user).post(path(one, act), data)


def status(one: MilestoneSettlement) -> str:
    return MilestoneSettlement.objects.get(pk=one.pk).status


def everything() -> tuple[object, ...]:
    settled = MilestoneSettlement.objects.order_by("pk").values_list("pk", "status", "updated_at")
    tables = (Approval, Hold, AuditEvent, JournalEntry)
    return (*settled, *(table.objects.count() for table in tables))


def test_approving_releases_once_and_says_so(officer):
    one = waiting()
    answer = post(officer, one, "approve")
    assert (answer.status_code, answer.url) == (302, path(one))
    assert status(one) == SettlementStatus.APPROVED
    page = logged_in(officer).get(path(one)).content.decode()
    assert "does not wait for a decision" in page
    assert "papers seen" in page
    assert JournalEntry.objects.filter(milestone_id=one.pk).count() == 1


def test_the_queue_page_tells_of_the_decision(officer):
    client, one = logged_in(officer), waiting()
    answer = client.post(path(one, "approve"), {"reason": "papers seen", "version": version(one)}, follow=True)
    assert "Settlement approved: 800.00 USD" in answer.content.decode()


def test_rejecting_pays_nothing(officer):
    one = waiting()
    assert post(officer, one, "reject").status_code == 302
    assert status(one) == SettlementStatus.REJECTED
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize("act", ["approve", "reject", "hold"])
@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_happens(officer, act, reason):
    one = waiting()
    before = everything()
    answer = post(officer, one, act, reason=reason)
    assert answer.status_code == 400
    assert "Write down the reason" in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_without_a_version_nothing_happens(officer, act):
    one = waiting()
    before = everything()
    answer = post(officer, one, act, version="")
    assert answer.status_code == 400
    assert "lost what it is about" in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_a_stale_version_is_refused_and_the_form_comes_back_with_what_is_true_now(officer, act):
    recipient()
    one = waiting(recipient_id="haulier")
    seen = version(one)
    recipients.put("haulier", "Somebody Else", actor="test", now=timezone.now())
    before = everything()
    answer = post(officer, one, act, version=seen)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "has changed since you read it" in page
    assert "Somebody Else" in page
    assert "papers seen" in page
    assert version(one) in page
    assert everything() == before


def test_a_link_from_an_old_screen_says_that_things_changed(officer):
    one = waiting()
    assert b"has changed" in logged_in(officer).get(path(one, "approve") + "?version=old").content
    assert b"has changed" not in logged_in(officer).get(path(one, "approve") + f"?version={version(one)}").content


def test_the_second_officer_finds_that_somebody_was_first(officer, second_officer):
    one = waiting()
    seen = version(one)
    post(officer, one, "approve")
    before = everything()
    for act in ("approve", "reject"):
        answer = logged_in(second_officer).post(path(one, act), {"reason": "me too", "version": seen})
        assert answer.status_code == 409
        page = answer.content.decode()
        assert "does not wait for a decision; it is approved" in page
        assert f"<strong>{officer.username}</strong> approved at" in page
    assert everything() == before


def test_above_the_limit_two_different_officers_approve(officer, second_officer):
    one = waiting("50000.00")
    answer = post(officer, one, "approve")
    assert answer.status_code == 302
    assert status(one) == SettlementStatus.PENDING
    again = post(officer, one, "approve")
    assert again.status_code == 409
    assert "You have approved this already (1 of 2)" in again.content.decode()
    assert not JournalEntry.objects.exists()
    assert post(second_officer, one, "approve").status_code == 302
    assert status(one) == SettlementStatus.APPROVED


def test_one_officer_alone_may_reject_above_the_limit(officer):
    one = waiting("50000.00")
    assert post(officer, one, "reject").status_code == 302
    assert status(one) == SettlementStatus.REJECTED


@pytest.mark.parametrize("superuser", [False, True])
def test_the_creator_of_the_intent_may_not_approve(staff, superuser):
    creator = staff(Role.COMPLIANCE_MANAGER, is_superuser=superuser)
    one = waiting(creator=creator)
    answer = post(creator, one, "approve")
    assert answer.status_code == 403
    assert "You created this payment intent" in answer.content.decode()
    assert status(one) == SettlementStatus.PENDING


@pytest.mark.parametrize("superuser", [False, True])
def test_who_edited_the_recipient_may_not_approve(staff, superuser):
    editor = staff(Role.COMPLIANCE_OFFICER, is_superuser=superuser)
    recipient(user=editor)
    one = waiting(recipient_id="haulier")
    answer = post(editor, one, "approve")
    assert answer.status_code == 403
    assert "You edited the recipient" in answer.content.decode()
    assert status(one) == SettlementStatus.PENDING


def test_a_superuser_counts_once_of_two(staff):
    root = staff(None, is_superuser=True)
    one = waiting("50000.00")
    assert post(root, one, "approve").status_code == 302
    assert post(root, one, "approve").status_code == 409
    assert status(one) == SettlementStatus.PENDING


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATIONS, Role.AUDITOR])
def test_other_roles_see_what_waits_without_buttons_and_may_not_press_them(staff, role):
    one, user = waiting(), staff(role)
    page = logged_in(user).get(path(one)).content.decode()
    assert "manual review" in page
    before = everything()
    for act in ACTS:
        assert f"{act}/?version" not in page
        assert logged_in(user).get(path(one, act)).status_code == 403
        assert post(user, one, act).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("role", [Role.COMPLIANCE_OFFICER, Role.COMPLIANCE_MANAGER])
def test_those_who_decide_find_the_buttons(staff, role):
    page = logged_in(staff(role)).get(path(waiting())).content.decode()
    for act in ("approve", "reject", "hold"):
        assert f"{act}/?version" in page
    assert "lift/?version" not in page


def test_a_hold_stops_approvals_until_it_is_lifted(officer):
    one = waiting()
    assert post(officer, one, "hold", reason="claim filed").status_code == 302
    assert "claim filed" in logged_in(officer).get(path(one)).content.decode()
    refused = post(officer, one, "approve")
    assert refused.status_code == 409
    assert "on hold; lift the hold first" in refused.content.decode()
    assert post(officer, one, "hold").status_code == 409
    assert post(officer, one, "lift", reason="claim settled").status_code == 302
    assert Hold.objects.get().lift_reason == "claim settled"
    assert post(officer, one, "approve").status_code == 302
    assert status(one) == SettlementStatus.APPROVED


def test_a_delayed_release_can_be_approved_before_its_time(officer):
    of = freight("0.50")
    intent_id = intent(of)
    event(of, EventType.PICKUP_CONFIRMED)
    one = settlement(intent_id, EventType.PICKUP_CONFIRMED)
    form = logged_in(officer).get(path(one, "expedite"))
    assert "before its hold is over" in form.content.decode()
    data = {"reason": "known carrier", "version": form.context["form"]["version"].value()}
    assert logged_in(officer).post(path(one, "expedite"), data).status_code == 302
    assert status(one) == SettlementStatus.APPROVED


def test_looking_changes_nothing(officer):
    one = waiting()
    before = everything()
    client = logged_in(officer)
    for address in ("/admin/compliance/reviewqueue/", path(one), *(path(one, act) for act in ACTS)):
        asked = {"reason": "x", "version": version(one)} if address != "/admin/compliance/reviewqueue/" else {}
        assert client.get(address, asked).status_code == 200
        assert client.head(address).status_code == 200
    assert everything() == before


def test_a_form_without_its_csrf_token_is_refused(officer):
    one = waiting()
    answer = logged_in(officer, csrf=True).post(path(one, "approve"), {"reason": "x", "version": version(one)})
    assert answer.status_code == 403
    assert status(one) == SettlementStatus.PENDING


def test_strangers_are_sent_to_the_login(db):
    one = waiting()
    for address in ("/admin/compliance/reviewqueue/", path(one), path(one, "approve")):
        answer = Client().post(address, {"reason": "x", "version": "x"})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert status(one) == SettlementStatus.PENDING


def test_staff_without_a_role_see_no_queue(staff):
    one, user = waiting(), staff(None)
    for address in ("/admin/compliance/reviewqueue/", path(one), path(one, "approve")):
        assert logged_in(user).get(address).status_code == 403
    assert b"Review queue" not in logged_in(user).get("/admin/").content


def test_a_settlement_that_does_not_exist_is_not_found(officer):
    for number in (987_654, 10**30):
        assert logged_in(officer).get(f"/admin/compliance/reviewqueue/{number}/").status_code == 404
