"""Decisions over money want a login of late; what was typed is there again after confirming."""

import pytest
from django.test import Client

from compliance import recent
from settlements.models import Approval, Hold
from settlements.statuses import SettlementStatus
from tests.access.conftest import CONFIRM, PASSWORD, Person
from tests.compliance.conftest import waiting
from tests.factories import version_of

ACTS = ["approve", "reject", "hold", "lift"]


def path(settlement, act: str) -> str:
    return f"/admin/compliance/reviewqueue/{settlement.pk}/{act}/"


@pytest.fixture
def officer(enrolled) -> Person:
    """Logged in just now."""
    enrolled.password()
    enrolled.type_code()
    return enrolled


def wait(officer: Person, clock, minutes: int) -> None:
    """Works on meanwhile, so that the session does not end."""
    for _ in range(minutes):
        clock.shift(60)
        assert officer.is_inside


def test_right_after_logging_in_nobody_is_asked_again(officer, clock):
    one = waiting()
    wait(officer, clock, 29)
    answer = officer.client.post(path(one, "approve"), {"reason": "seen", "version": version_of(one.pk)})
    assert answer["Location"].endswith(f"/{one.pk}/")
    assert Approval.objects.count() == 1


@pytest.mark.parametrize("act", ACTS)
def test_later_the_dialog_asks_first_and_leads_back(officer, clock, act):
    one = waiting()
    wait(officer, clock, 31)
    answer = officer.client.get(f"{path(one, act)}?version=1")
    assert answer["Location"].startswith(f"{CONFIRM}?next=%2Fadmin%2Fcompliance%2Freviewqueue%2F{one.pk}%2F{act}%2F%3F")
    back = officer.confirm(password=PASSWORD, code=officer.code(), next=path(one, act))
    assert back["Location"] == path(one, act)
    assert officer.client.get(path(one, act)).status_code == 200


@pytest.mark.parametrize("act", ACTS)
def test_a_decision_sent_later_changes_nothing_and_its_reason_is_there_again(officer, clock, act):
    one = waiting()
    version = version_of(one.pk)
    wait(officer, clock, 31)
    typed = {"reason": "POD & photos seen, 2 < 3", "version": version}
    answer = officer.client.post(path(one, act), typed)
    assert answer["Location"].startswith(CONFIRM)
    assert not Approval.objects.exists()
    assert not Hold.objects.exists()
    one.refresh_from_db()
    assert one.status == SettlementStatus.PENDING
    officer.confirm(password=PASSWORD, code=officer.code(), next=path(one, act))
    shown = officer.client.get(path(one, act))
    assert shown.context["form"]["reason"].value() == "POD & photos seen, 2 < 3"
    assert not shown.context["refused"]
    assert not Approval.objects.exists()
    assert not officer.client.get(path(one, act)).context["form"]["reason"].value()


def test_what_was_kept_for_one_page_is_not_shown_on_another(officer, clock):
    one, other = waiting(), waiting()
    wait(officer, clock, 31)
    officer.client.post(path(one, "approve"), {"reason": "for the one", "version": version_of(one.pk)})
    officer.confirm(password=PASSWORD, code=officer.code())
    assert not officer.client.get(path(other, "approve")).context["form"]["reason"].value()


def test_a_settlement_that_changed_while_the_person_confirmed_says_so(officer, clock):
    one = waiting()
    wait(officer, clock, 31)
    officer.client.post(path(one, "approve"), {"reason": "seen", "version": "what was on the screen"})
    officer.confirm(password=PASSWORD, code=officer.code())
    assert "has changed since you looked at it" in officer.client.get(path(one, "approve")).context["refused"]


def test_a_password_or_a_code_alone_do_not_confirm(officer, clock):
    one = waiting()
    wait(officer, clock, 31)
    for fields in ({"password": PASSWORD}, {"code": officer.code()}, {"password": PASSWORD, "code": "000000"}):
        assert officer.confirm(**fields).status_code == 200
        assert officer.client.get(path(one, "approve")).status_code == 302
    wrong = officer.confirm(password="wrong", code=officer.code())
    assert wrong.status_code == 200
    # The code was not used up by the wrong password.
    assert officer.confirm(password=PASSWORD, code=officer.code()).status_code == 302
    assert officer.client.get(path(one, "approve")).status_code == 200


def test_confirming_lasts_as_long_as_logging_in_did(officer, clock):
    one = waiting()
    wait(officer, clock, 31)
    officer.confirm(password=PASSWORD, code=officer.code())
    wait(officer, clock, 29)
    assert officer.client.get(path(one, "approve")).status_code == 200
    wait(officer, clock, 2)
    assert officer.client.get(path(one, "approve")).status_code == 302


def test_in_the_demo_the_password_is_asked_for_again(settings, olga, clock):
    settings.CHAINPAY_DEMO = True
    one, person = waiting(), Person("olga")
    person.password()
    assert person.client.get(path(one, "approve")).status_code == 200
    wait(person, clock, 31)
    assert person.client.get(path(one, "approve"))["Location"].startswith(CONFIRM)
    assert person.confirm(password="wrong").status_code == 200
    assert person.confirm(password=PASSWORD, next=path(one, "approve"))["Location"] == path(one, "approve")
    assert person.client.get(path(one, "approve")).status_code == 200


def test_reading_is_never_asked_again(officer, clock):
    one = waiting()
    wait(officer, clock, 31)
    for address in ("/admin/compliance/reviewqueue/", f"/admin/compliance/reviewqueue/{one.pk}/", "/admin/"):
        assert officer.client.get(address).status_code == 200


def test_the_confirmation_leads_nowhere_else(officer, clock):
    answer = officer.confirm(password=PASSWORD, code=officer.code(1), next="https://evil.example/")
    assert answer["Location"] == "/admin/"


def test_another_persons_confirmation_does_not_count(officer, clock, rf, django_user_model):
    request = rf.get("/admin/")
    request.session = officer.client.session
    request.user = django_user_model.objects.get(username="olga")
    assert recent.is_recent(request, within_minutes=30)
    request.user = django_user_model.objects.create_user("otto")
    assert not recent.is_recent(request, within_minutes=30)


def test_strangers_are_sent_to_the_login_not_to_the_confirmation(db):
    assert Client().get(CONFIRM)["Location"] == "/admin/login/?next=/admin/account/confirm/"
