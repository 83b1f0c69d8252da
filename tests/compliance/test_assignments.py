"""Who works on a settlement: one at a time, with a reason, and everything about it stays."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from compliance import assignments
from compliance.assignments import AssigneeRefused, AssignmentRefused
from compliance.models import Assignment
from compliance.roles import Role
from settlements import approvals, intents, verify
from settlements.locks import SettlementNotFound
from settlements.models import AuditEvent, MilestoneSettlement
from settlements.statuses import EventType
from tests.compliance.conftest import Staff, event, freight, intent, logged_in, settlement, waiting
from tests.factories import officer as as_officer


def assign(one: MilestoneSettlement, to: User, *, by: User, reason: str = "knows the carrier") -> assignments.Assigned:
    return assignments.assign(one.pk, assignee=to, officer=as_officer(by), reason=reason, now=timezone.now())


def unassign(one: MilestoneSettlement, *, by: User, reason: str = "on leave") -> assignments.Assigned:
    return assignments.unassign(one.pk, officer=as_officer(by), reason=reason, now=timezone.now())


def told(one: MilestoneSettlement) -> list[tuple[str, str, str, dict[str, Any]]]:
    events = AuditEvent.objects.filter(settlement=one, action__in=["assigned", "unassigned"]).order_by("sequence")
    return list(events.values_list("action", "triggered_by", "reason", "data"))


def current(one: MilestoneSettlement) -> list[str]:
    rows = Assignment.objects.filter(settlement=one, ended_at__isnull=True)
    return list(rows.values_list("assignee__username", flat=True))


def test_assigning_is_kept_and_told_of(officer, second_officer):
    one = waiting()
    done = assign(one, second_officer, by=officer)
    assert (done.assignee, done.before, done.message) == ("otto", "", "Assigned to otto")
    row = Assignment.objects.get()
    assert (row.assignee, row.assigned_by, row.reason, row.ended_at) == (
        second_officer, "user:olga", "knows the carrier", None,
    )  # fmt: skip
    assert told(one) == [
        ("assigned", "user:olga", "knows the carrier", {"assignee": "otto", "assignee_before": ""}),
    ]  # fmt: skip
    assert list(verify.everything())


def test_assigning_again_takes_it_from_the_one_before(officer, second_officer):
    one = waiting()
    assign(one, officer, by=officer)
    done = assign(one, second_officer, by=officer, reason="overworked")
    assert done.before == "olga"
    before = Assignment.objects.get(assignee=officer)
    assert (before.ended_by, before.end_reason) == ("user:olga", "overworked")
    assert current(one) == ["otto"]
    assert told(one)[1][3] == {"assignee": "otto", "assignee_before": "olga"}


def test_the_status_and_the_version_stay_as_they_are(officer):
    one = waiting()
    assign(one, officer, by=officer)
    again = MilestoneSettlement.objects.get(pk=one.pk)
    assert (again.status, again.updated_at) == (one.status, one.updated_at)
    statuses = AuditEvent.objects.get(action="assigned")
    assert (statuses.from_status, statuses.to_status) == ("PENDING", "PENDING")


def test_taking_back_leaves_nobody(officer, second_officer):
    one = waiting()
    assign(one, second_officer, by=officer)
    done = unassign(one, by=officer)
    assert done.message == "No longer assigned to otto"
    assert current(one) == []
    assert told(one)[1] == ("unassigned", "user:olga", "on leave", {"assignee_before": "otto"})
    with pytest.raises(AssignmentRefused, match="not assigned to anybody"):
        unassign(one, by=officer)
    assert list(verify.everything())


def test_the_same_officer_is_not_assigned_twice(officer):
    one = waiting()
    assign(one, officer, by=officer)
    with pytest.raises(AssignmentRefused, match="assigned to olga already"):
        assign(one, officer, by=officer)
    assert len(told(one)) == Assignment.objects.count() == 1


def test_a_delayed_settlement_can_be_assigned_too(officer):
    of = freight("0.50")
    intent_id = intent(of)
    event(of, EventType.PICKUP_CONFIRMED)
    one = settlement(intent_id, EventType.PICKUP_CONFIRMED)
    assign(one, officer, by=officer)
    assert AuditEvent.objects.get(action="assigned").from_status == "DELAYED"


def test_what_does_not_wait_is_not_assigned(officer, second_officer):
    of = freight("0.81")
    intent_id = intent(of)
    event(of, EventType.PICKUP_CONFIRMED)
    nothing = settlement(intent_id, EventType.PICKUP_CONFIRMED)
    with pytest.raises(AssignmentRefused, match="amount of this settlement is zero"):
        assign(nothing, officer, by=officer)
    one = waiting()
    assign(one, officer, by=officer)
    approvals.reject(
        one.pk, officer=as_officer(second_officer), reason="no", version=version_of(one), now=timezone.now()
    )
    for act in (lambda: assign(one, second_officer, by=officer), lambda: unassign(one, by=officer)):
        with pytest.raises(AssignmentRefused, match="does not wait any more; it is rejected"):
            act()
    assert current(one) == ["olga"]


def test_a_cancelled_intent_has_nothing_to_assign(officer):
    one = waiting()
    intents.cancel(one.intent_id, reason="lost", actor="test", now=timezone.now())
    with pytest.raises(AssignmentRefused, match="it is cancelled"):
        assign(one, officer, by=officer)


def test_a_settlement_that_does_not_exist_is_not_found(officer):
    with pytest.raises(SettlementNotFound):
        assignments.assign(987_654, assignee=officer, officer=as_officer(officer), reason="x", now=timezone.now())


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATIONS, Role.AUDITOR, None])
def test_only_who_decides_is_an_assignee(staff: Staff, officer, role):
    one, other = waiting(), staff(role, "bystander")
    with pytest.raises(AssigneeRefused):
        assign(one, other, by=officer)
    with pytest.raises(AssigneeRefused):
        assignments.officer_named("bystander")
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_who_can_not_log_in_any_more_is_no_assignee(officer, second_officer, change):
    one = waiting()
    User.objects.filter(pk=second_officer.pk).update(**change)
    with pytest.raises(AssigneeRefused):
        assign(one, User.objects.get(pk=second_officer.pk), by=officer)
    with pytest.raises(AssigneeRefused):
        assignments.officer_named("otto")
    with pytest.raises(IntegrityError, match="active staff"), transaction.atomic():
        by_hand(one, second_officer)


def test_officers_are_found_by_their_name(officer, second_officer, staff: Staff):
    staff(Role.COMPLIANCE_MANAGER, "mia")
    staff(Role.FINANCE, "fred")
    staff(None, "root", is_superuser=True)
    assert [user.username for user in assignments.officers()] == ["mia", "olga", "otto", "root"]
    assert assignments.officer_named("otto") == second_officer
    for nobody in ("fred", "", "OTTO", "otto\0", "o" * 10_000, "%", "💶"):
        with pytest.raises(AssigneeRefused):
            assignments.officer_named(nobody)


@pytest.mark.django_db(transaction=True)
def test_many_who_assign_at_once_leave_one_assignee(standing, officer, staff: Staff):
    one = waiting()
    users = [staff(Role.COMPLIANCE_OFFICER, f"racer{number}") for number in range(8)]
    start = threading.Barrier(len(users))

    def take(user: User) -> None:
        start.wait()
        assign(one, user, by=officer)
        connection.close()

    threads = [threading.Thread(target=take, args=[user]) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(current(one)) == 1
    assert Assignment.objects.count() == len(told(one)) == len(users)
    assert list(verify.everything())


def by_hand(one: MilestoneSettlement, user: User, **changed: Any) -> Assignment:
    values = {"settlement": one, "assignee": user, "assigned_by": "x", "reason": "x", "assigned_at": timezone.now()}
    return Assignment.objects.create(**{**values, **changed})


def test_the_database_keeps_one_current_assignee_and_what_was(officer, second_officer):
    one, other = waiting(), waiting()
    row = by_hand(one, officer)
    refused = {
        "one_current_assignee_per_settlement": lambda: by_hand(one, second_officer),
        "an_assignment_has_a_reason_and_an_author": lambda: by_hand(other, officer, reason=""),
        "ending_an_assignment_has_a_reason": lambda: Assignment.objects.update(ended_at=timezone.now()),
        "an assignment begins open": lambda: by_hand(
            other, officer, ended_at=timezone.now(), ended_by="x", end_reason="x"
        ),
        "can only be ended, once": lambda: Assignment.objects.update(assignee=second_officer),
        "Cannot delete rows": lambda: Assignment.objects.filter(pk=row.pk).delete(),
    }
    for words, act in refused.items():
        with pytest.raises(DatabaseError, match=words), transaction.atomic():
            act()
    end = {"ended_at": timezone.now(), "ended_by": "x", "end_reason": "x"}
    assert Assignment.objects.update(**end) == 1
    for change in (end, {"ended_at": None}, {"end_reason": "other"}):
        with pytest.raises(IntegrityError, match="can only be ended, once"), transaction.atomic():
            Assignment.objects.update(**change)


def test_the_database_assigns_only_what_waits(officer, second_officer):
    one = waiting()
    approvals.reject(
        one.pk, officer=as_officer(second_officer), reason="no", version=version_of(one), now=timezone.now()
    )
    with pytest.raises(IntegrityError, match="only a settlement that waits"), transaction.atomic():
        by_hand(one, officer)


def path(one: MilestoneSettlement, act: str) -> str:
    return f"/admin/compliance/reviewqueue/{one.pk}/{act}/"


def test_an_officer_assigns_and_takes_back_by_form(officer, second_officer):
    one, client = waiting(), logged_in(officer)
    form = client.get(path(one, "assign")).content.decode()
    assert "olga" in form
    assert "otto" in form
    answer = client.post(path(one, "assign"), {"assignee": "otto", "reason": "knows the carrier"})
    assert answer.status_code == 302
    assert current(one) == ["otto"]
    assert client.post(path(one, "unassign"), {"reason": "on leave"}).status_code == 302
    assert current(one) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("assignee", ""), ("assignee", "nobody"), ("assignee", "ot\0to"), ("assignee", "💶" * 500), ("reason", " ")],
)
def test_a_form_that_is_not_filled_in_assigns_nobody(officer, second_officer, field, value):
    one = waiting()
    data = {"assignee": "otto", "reason": "knows the carrier", field: value}
    assert logged_in(officer).post(path(one, "assign"), data).status_code == 400
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATIONS, Role.AUDITOR])
def test_other_roles_assign_nobody(staff: Staff, second_officer, role):
    one, client = waiting(), logged_in(staff(role))
    for act in ("assign", "unassign"):
        assert client.get(path(one, act)).status_code == 403
        assert client.post(path(one, act), {"assignee": "otto", "reason": "x"}).status_code == 403
    assert not Assignment.objects.exists()


def test_looking_at_the_form_assigns_nobody(officer):
    one = waiting()
    client = logged_in(officer)
    assert client.get(path(one, "assign"), {"assignee": "olga", "reason": "x"}).status_code == 200
    assert not Assignment.objects.exists()


def version_of(one: MilestoneSettlement) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT settlements_settlement_version(id, intent_id, amount_minor, currency, rail, strategy)"
            " FROM settlements_milestonesettlement WHERE id = %s",
            [one.pk],
        )
        row: tuple[str] = cursor.fetchone()
    return row[0]
