"""Deciding about many: each for itself, bound to what the list showed, and never twice."""

import re
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.utils import timezone

from compliance import queries
from compliance.bulk_acts import BULK_ACTS, MOST
from compliance.models import Assignment
from compliance.roles import Role
from rails import recipients
from rails.base import Instruction
from rails.internal.rail import InternalLedgerRail
from rails.models import JournalEntry
from settlements import holds, verify
from settlements.models import Approval, AuditEvent, Hold, MilestoneSettlement
from tests.compliance.conftest import Staff, logged_in, recipient, waiting

QUEUE = "/admin/compliance/reviewqueue/"


def row(one: MilestoneSettlement) -> str:
    """As the list's box has it now."""
    item = queries.selected([one.pk], now=timezone.now())[one.pk]
    return f"{one.pk}:{item.version}"


def rows(*ones: MilestoneSettlement) -> list[str]:
    return [row(one) for one in ones]


def send(user: User, act: str, selected: list[str], **fields: Any):
    data = {"row": selected, "confirmed": "1", "reason": "papers seen", **fields}
    return logged_in(user).post(f"{QUEUE}bulk/{act}/", data)


def status(one: MilestoneSettlement) -> str:
    return MilestoneSettlement.objects.get(pk=one.pk).status


def results(answer: Any) -> dict[int, tuple[str, str]]:
    assert answer.status_code == 200
    return {result.milestone_id: (result.became, result.says) for result, _ in answer.context["lines"]}


def everything() -> tuple[object, ...]:
    settled = MilestoneSettlement.objects.order_by("pk").values_list("pk", "status", "updated_at")
    tables = (Approval, Hold, AuditEvent, JournalEntry, Assignment)
    return (*settled, *(table.objects.count() for table in tables))


def test_one_refusal_leaves_the_others(officer):
    small, large, own, changed, held = (
        waiting(), waiting("50000.00"), waiting(creator=officer), waiting_for("haulier"), waiting(),
    )  # fmt: skip
    selected = rows(small, large, own, changed, held)
    recipients.put("haulier", "Somebody Else", actor="test", now=timezone.now())
    holds.place(held.pk, reason="claim", actor="test", now=timezone.now())
    answer = send(officer, "approve", [*selected, "987654:" + "0" * 32])
    became = results(answer)
    assert became[small.pk] == ("done", "Settlement approved")
    assert became[large.pk][0] == "recorded"
    assert "1 of 2" in became[large.pk][1]
    assert {became[one.pk][0] for one in (own, changed, held)} == {"refused"}
    assert "You created this payment intent" in became[own.pk][1]
    assert "has changed since you read it" in became[changed.pk][1]
    assert "on hold" in became[held.pk][1]
    assert "not found" in became[987_654][1]
    assert [status(one) for one in (small, large, own, changed, held)] == ["APPROVED", *["PENDING"] * 4]
    assert set(Approval.objects.values_list("channel", flat=True)) == {"BULK"}
    html = answer.content.decode()
    assert "1 done" in html
    assert "1 recorded" in html
    assert "4 refused" in html
    assert list(verify.everything())


def test_one_failure_leaves_the_others_and_is_told(officer, monkeypatch):
    first, broken, last = waiting(), waiting(), waiting()
    pay = InternalLedgerRail.process_settlements

    def fails_at_one(self: InternalLedgerRail, instructions: Sequence[Instruction], **others: Any) -> Any:
        if broken.pk in {instruction.milestone_id for instruction in instructions}:
            raise DatabaseError("the books refuse it")
        return pay(self, instructions, **others)

    monkeypatch.setattr(InternalLedgerRail, "process_settlements", fails_at_one)
    found = results(send(officer, "approve", rows(first, broken, last)))
    assert [found[one.pk][0] for one in (first, broken, last)] == ["done", "refused", "done"]
    assert "could not be carried out" in found[broken.pk][1]
    assert [status(one) for one in (first, broken, last)] == ["APPROVED", "PENDING", "APPROVED"]
    assert not Approval.objects.filter(settlement=broken).exists()


def waiting_for(recipient_id: str) -> MilestoneSettlement:
    recipient(recipient_id)
    return waiting(recipient_id=recipient_id)


def test_the_same_post_again_decides_nothing_again(officer):
    selected = rows(waiting(), waiting("50000.00"))
    for act in ("approve", "hold", "assign"):
        send(officer, act, selected, assignee="olga")
        before = everything()
        again = results(send(officer, act, selected, assignee="olga"))
        assert {became for became, _ in again.values()} == {"refused"}, act
        assert everything() == before
    assert JournalEntry.objects.count() == 1


def test_each_act_does_what_it_says(officer, second_officer):
    ones = [waiting(), waiting()]
    for act, check in (
        ("hold", lambda: Hold.objects.filter(lifted_at__isnull=True).count() == 2),
        ("lift", lambda: not Hold.objects.filter(lifted_at__isnull=True).exists()),
        ("assign", lambda: set(Assignment.objects.values_list("assignee__username", flat=True)) == {"otto"}),
        ("reject", lambda: {status(one) for one in ones} == {"REJECTED"}),
    ):
        became = results(send(officer, act, rows(*ones), assignee="otto"))
        assert {word for word, _ in became.values()} == {"done"}, act
        assert check(), act
    assert not JournalEntry.objects.exists()


def test_the_dialog_sums_up_and_acts_on_nothing(officer, second_officer):
    small, large, yen = waiting(), waiting("50000.00"), waiting("90000", "JPY")
    selected = rows(small, large, yen)
    before = everything()
    answer = logged_in(officer).post(f"{QUEUE}bulk/approve/", {"row": selected, "back": "tier=high&page=2&x=1"})
    html = answer.content.decode()
    assert answer.status_code == 200
    for words in ("40,800.00 USD", "72,000 JPY", "<strong>2</strong> will be released", "needs a second officer"):
        assert words in html
    assert html.count('name="row"') == 3
    assert f'href="{QUEUE}?tier=high&amp;page=2"' in html
    assert everything() == before


@pytest.mark.parametrize("act", BULK_ACTS)
def test_a_get_never_acts(officer, act):
    one = waiting()
    before = everything()
    query = {"row": row(one), "confirmed": "1", "reason": "x", "assignee": "olga"}
    answer = logged_in(officer).get(f"{QUEUE}bulk/{act}/", query)
    assert (answer.status_code, answer["Location"]) == (302, QUEUE)
    assert everything() == before


@pytest.mark.parametrize("act", BULK_ACTS)
@pytest.mark.parametrize("role", [Role.FINANCE, Role.OPERATIONS, Role.AUDITOR, None])
def test_other_roles_decide_nothing(staff: Staff, second_officer, act, role):
    one = waiting()
    before = everything()
    assert send(staff(role), act, rows(one), assignee="otto").status_code == 403
    assert everything() == before


@pytest.mark.parametrize("act", BULK_ACTS)
@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_without_a_proper_reason_nothing_happens(officer, act, reason):
    one = waiting()
    before = everything()
    answer = send(officer, act, rows(one), reason=reason, assignee="olga")
    assert answer.status_code == 400
    assert f'value="{row(one)}"' in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize(
    "word",
    ["", "1", "x:y", "0:" + "a" * 32, "-1:" + "a" * 32, "1:" + "A" * 32, "1:" + "a" * 33, "١:" + "a" * 32, "1\x00:x"],
)
def test_a_tampered_selection_is_not_read(officer, word):
    one = waiting()
    before = everything()
    answer = send(officer, "approve", [row(one), word])
    assert answer.status_code == 400
    assert "can not be read" in answer.content.decode()
    assert everything() == before


def test_a_version_of_another_settlement_decides_nothing(officer):
    one, other = waiting(), waiting("1234.00")
    foreign = f"{one.pk}:{row(other).partition(':')[2]}"
    assert results(send(officer, "approve", [foreign]))[one.pk][0] == "refused"
    assert status(one) == "PENDING"


def test_the_same_settlement_twice_is_one(officer):
    one = waiting()
    assert len(results(send(officer, "approve", [row(one), row(one)]))) == 1
    assert status(one) == "APPROVED"


def test_more_than_a_hundred_are_too_many(officer):
    one = waiting()
    words = [f"{one.pk + number}:{'a' * 32}" for number in range(MOST + 1)]
    answer = send(officer, "approve", words)
    assert answer.status_code == 400
    assert f"At most {MOST} settlements at a time; {MOST + 1} were selected." in answer.content.decode()
    assert send(officer, "approve", words[:MOST]).status_code == 200


def test_nothing_selected_leads_back_to_the_list(officer):
    answer = logged_in(officer).post(f"{QUEUE}bulk/approve/", {"back": "q=ship"}, follow=True)
    assert answer.redirect_chain == [(f"{QUEUE}?q=ship", 302)]
    assert "Select settlements in the list first" in answer.content.decode()


def test_the_way_back_leads_nowhere_else(officer):
    answer = logged_in(officer).post(f"{QUEUE}bulk/approve/", {"back": "https://evil.example/?q=1"})
    assert answer["Location"] == QUEUE


def test_an_unknown_act_and_a_missing_token_are_refused(officer):
    one = waiting()
    assert send(officer, "extend", rows(one)).status_code == 404
    stranger = logged_in(officer, csrf=True)
    assert stranger.post(f"{QUEUE}bulk/approve/", {"row": row(one), "confirmed": "1"}).status_code == 403
    assert status(one) == "PENDING"


def test_nobody_without_a_role_becomes_an_assignee(officer, staff: Staff):
    staff(Role.FINANCE, "fred")
    one = waiting()
    for nobody in ("fred", "", "nobody", "o\x00"):
        assert send(officer, "assign", rows(one), assignee=nobody).status_code == 400
    assert not Assignment.objects.exists()


def test_reasons_and_names_are_text(officer):
    recipients.put("haulier", "<img src=x>", actor="test", now=timezone.now())
    one = waiting(recipient_id="haulier")
    dialog = logged_in(officer).post(f"{QUEUE}bulk/approve/", {"row": row(one), "reason": "<script>1</script>"})
    result = send(officer, "approve", rows(one), reason="<script>1</script>")
    for answer in (dialog, result):
        assert not re.search(r"<script>1|<img src=x", answer.content.decode())


@pytest.mark.django_db(transaction=True)
def test_two_officers_with_the_same_selection_pay_each_once(standing, officer, second_officer):
    ones = [waiting() for _ in range(6)]
    selected = rows(*ones)
    start = threading.Barrier(2)
    became: list[str] = []
    clients = [logged_in(user) for user in (officer, second_officer)]

    def decide(client: Any, words: list[str]) -> None:
        start.wait()
        data = {"row": words, "confirmed": "1", "reason": "race"}
        html = client.post(f"{QUEUE}bulk/approve/", data).content.decode()
        became.extend(re.findall(r'data-label="Result"><span class="cp-tag cp-became-(\w+)"', html))
        connection.close()

    threads = [
        threading.Thread(target=decide, args=[client, words])
        for client, words in zip(clients, (selected, selected[::-1]), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(became) == ["done"] * len(ones) + ["refused"] * len(ones)
    assert {status(one) for one in ones} == {"APPROVED"}
    assert JournalEntry.objects.count() == len(ones)
    assert list(verify.everything())


def test_the_dialog_does_not_promise_what_the_officer_has_approved_already(officer):
    large, one = waiting("50000.00"), waiting()
    send(officer, "approve", rows(large))
    dialog = logged_in(officer).post(f"{QUEUE}bulk/approve/", {"row": rows(large, one)})
    told = {row.selected.milestone_id: row.expected for row in dialog.context["summary"].rows}
    assert told == {large.pk: "has your approval already", one.pk: "will be released"}
