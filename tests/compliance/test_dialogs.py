"""Every act: a dialog on the page where it is possible, refused without a reason and to those who may not."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from compliance.acts import ACTS
from compliance.models import Assignment, Evidence
from compliance.roles import ROLES, Role
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement
from settlements.statuses import EventType
from tests.compliance.conftest import event, freight, intent, logged_in, settlement, waiting
from tests.compliance.test_decisions_by_form import path, version


def delayed() -> MilestoneSettlement:
    of = freight("0.50")
    intent_id = intent(of)
    event(of, EventType.PICKUP_CONFIRMED)
    return settlement(intent_id, EventType.PICKUP_CONFIRMED)


def filled(one: MilestoneSettlement, officer_name: str, **changed: str) -> dict[str, object]:
    shown = {"version": "x"} if one.status != "PENDING" else {"version": version(one)}
    data = {
        "reason": "because",
        "until": (timezone.now().replace(microsecond=0, tzinfo=None)).isoformat(),
        "assignee": officer_name,
        "file": SimpleUploadedFile("a.txt", b"hello"),
    }
    return {**data, **shown, **changed}


def everything() -> tuple[object, ...]:
    rows = MilestoneSettlement.objects.order_by("pk").values_list("pk", "status", "settlement_delayed_until")
    return (*rows, *(table.objects.count() for table in (Approval, Hold, AuditEvent, Assignment, Evidence)))


@pytest.mark.parametrize("act", ACTS)
def test_without_a_reason_nothing_happens(officer, act):
    for one in (waiting(), delayed()):
        before = everything()
        answer = logged_in(officer).post(path(one, act), filled(one, "olga", reason=" "))
        assert answer.status_code == 400
        assert everything() == before


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", list(Role))
def test_only_roles_with_the_permission_find_the_act_and_may_do_it(staff, act, role):
    one, user = waiting(), staff(role)
    allowed = ACTS[act].permission in ROLES[role]
    assert logged_in(user).get(path(one, act)).status_code == (200 if allowed else 403)
    if not allowed:
        before = everything()
        assert logged_in(user).post(path(one, act), filled(one, user.username)).status_code == 403
        assert everything() == before
        assert f'id="dialog-{act}"' not in logged_in(user).get(path(one)).content.decode()


@pytest.mark.parametrize("act", [act.name for act in ACTS.values() if "version" in act.form.base_fields])
def test_a_version_that_is_no_more_is_refused_and_the_reason_kept(officer, act):
    one = delayed() if act == "expedite" else waiting()
    before = everything()
    answer = logged_in(officer).post(path(one, act), filled(one, "olga", version="old", reason="my words"))
    assert answer.status_code == 409
    assert "my words" in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize("act", ACTS)
def test_looking_never_acts(officer, act):
    one = waiting()
    before = everything()
    assert logged_in(officer).get(path(one, act), {"reason": "x", "version": version(one)}).status_code == 200
    assert everything() == before


@pytest.mark.parametrize(
    ("make", "there", "not_there"),
    [
        (waiting, {"approve", "reject", "hold", "assign", "note", "evidence"}, {"expedite", "extend", "lift"}),
        (delayed, {"expedite", "reject", "hold", "extend", "note", "evidence"}, {"approve", "lift"}),
    ],
)
def test_each_possible_act_is_a_dialog_and_a_link_that_works_without_it(officer, make, there, not_there):
    page = logged_in(officer).get(path(make())).content.decode()
    for act in there:
        assert f'id="dialog-{act}"' in page
        assert f'data-dialog="dialog-{act}" href="{act}/?version=' in page
    for act in not_there:
        assert f"dialog-{act}" not in page


def test_every_field_has_an_id_of_its_own_and_a_label(officer):
    page = logged_in(officer).get(path(waiting())).content.decode()
    ours = page.partition('class="cp-item"')[2]
    ids = re.findall(r' id="([^"]+)"', ours)
    assert len(ids) == len(set(ids))
    labelled = set(re.findall(r'<label for="([^"]+)"', ours))
    fields = re.findall(r"<(?:textarea|select|input)(?![^>]*hidden)[^>]* id=\"([^\"]+)\"", ours)
    assert fields
    assert set(fields) <= labelled


@pytest.mark.parametrize(
    ("name", "labels", "begins_with"),
    [
        ("approve", ["Reason"], "reason"),
        ("extend", ["Wait until (UTC)", "Reason"], "until"),
        ("assign", ["Assignee", "Reason"], "assignee"),
        ("note", ["Note"], "reason"),
        ("evidence", ["File", "What it shows"], "file"),
    ],
)
def test_a_form_names_what_it_wants_and_begins_with_its_first_field(name, labels, begins_with):
    shown = ACTS[name].form().visible_fields()
    assert [field.label for field in shown] == labels
    assert [field.name for field in shown if field.field.widget.attrs.get("autofocus")] == [begins_with]


def test_the_form_of_evidence_tells_what_is_taken_and_the_form_of_a_later_date_begins_at_the_present_one(officer):
    one = delayed()
    shown = logged_in(officer).get(path(one)).content.decode()
    assert "plain text or CSV, of at most 10,485,760 bytes." in shown
    assert one.settlement_delayed_until is not None
    assert f'value="{one.settlement_delayed_until:%Y-%m-%dT%H:%M}"' in shown
