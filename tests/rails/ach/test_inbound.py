"""What a return or a notification of change does, once for each trace; what fits nothing waits for a person."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from rails import destinations
from rails.ach import handling, inbox
from rails.ach.changes import CHANGES
from rails.ach.configuration import AchConfiguration
from rails.ach.returns import RETURNS, FollowUp, Stage
from rails.base import RailOutcome
from rails.models import AchFile, AchInboundItem, AchOutcome, Destination
from tests.factories import a_user
from tests.rails.ach.bank import MONDAY, days_later, destination_of, looked, order, paid, payee, sends
from tests.rails.ach.inbound import THURSDAY, item, one_paid, recipient_of, told
from tests.rails.ach.samples import bank_file, changed, returned

pytestmark = pytest.mark.django_db


def test_a_return_is_told_with_its_words(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    (notice,) = told()
    assert notice.outcome is RailOutcome.RETURNED
    assert (notice.milestone_id, notice.attempt_number, notice.reference_id) == (1, 1, trace)
    assert notice.reason == "R03 No account or unable to locate account"
    assert notice.amount is None
    assert item().words.startswith("R03 No account or unable to locate account. The account details are wrong.")


def test_a_return_after_it_counted_as_settled_is_told_too(ach: AchConfiguration) -> None:
    trace = one_paid()
    (settled,) = told(days_later(9))
    assert settled.outcome is RailOutcome.CONFIRMED
    sends(ach, bank_file(("CCD", [returned("R10", trace=trace)])))
    outcomes = [notice.outcome for notice in told(days_later(40))]
    assert outcomes == [RailOutcome.CONFIRMED, RailOutcome.RETURNED]
    assert not item().is_late


def test_what_came_back_is_never_counted_as_settled(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    assert [notice.outcome for notice in told(days_later(9))] == [RailOutcome.RETURNED]


@pytest.mark.parametrize("code", sorted(RETURNS))
def test_every_return_code_does_what_its_table_says(ach: AchConfiguration, code: str) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned(code, trace=trace)])))
    notices, reason, found = told(), RETURNS[code], item()
    assert found.code == code
    assert reason.title in found.words
    if reason.stage is Stage.RETURN:
        assert [notice.reason for notice in notices] == [str(reason)]
        assert (found.kind, found.standing, found.waits) == ("RETURN", "APPLIED", False)
        assert bool(destination_of(recipient_of(1)).blocked) is (reason.follow_up.stops_destination)
    else:
        assert notices == []
        assert found.kind == reason.stage.name
        assert (found.standing, found.waits) == ("NOTED", True)


def test_after_a_closed_account_nothing_more_goes_to_it(ach: AchConfiguration) -> None:
    trace = one_paid()
    recipient_id = recipient_of(1)
    sends(ach, bank_file(("CCD", [returned("R02", trace=trace)])))
    told()
    assert destinations.usable(recipient_id, "ach") is None
    assert destinations.obstacle(recipient_id, "ach") == "a payment came back (R02) and awaits a decision"


@pytest.mark.parametrize(
    ("code", "data", "now_says"),
    [
        ("C01", "9988776655", "checking account ••6655 at 231380104"),
        ("C02", "121042882", "at 121042882"),
        ("C03", "121042882   9988776655", "••6655 at 121042882"),
        ("C04", "Bozza Freight Lines", "Bozza Freight Lines"),
        ("C05", "32", "savings account"),
        ("C06", "9988776655          32", "savings account ••6655"),
        ("C07", "1210428829988776655       32", "savings account ••6655 at 121042882"),
    ],
)
def test_a_notification_of_change_proposes_another_destination(
    ach: AchConfiguration, code: str, data: str, now_says: str
) -> None:
    trace = one_paid()
    recipient_id = recipient_of(1)
    sends(ach, bank_file(("COR", [changed(code, data, trace=trace)])))
    assert list(told()) == []
    found = item()
    assert found.destination is not None
    assert (found.destination.state, found.destination.notice) == ("PROPOSED", code)
    assert now_says in destinations.in_words(found.destination)
    assert now_says in found.words
    assert (found.standing, found.waits) == ("APPLIED", False)
    # Until another person has confirmed it, nothing goes to the old one either.
    assert destinations.usable(recipient_id, "ach") is None


@pytest.mark.parametrize("code", ["C08", "C09", "C13", "C14"])
def test_a_notification_that_asks_for_no_other_destination_waits_for_a_person(ach: AchConfiguration, code: str) -> None:
    trace = one_paid()
    sends(ach, bank_file(("COR", [changed(code, "COBADEFFXXX", trace=trace)])))
    told()
    found = item()
    assert (found.standing, found.waits, found.destination) == ("APPLIED", True, None)
    assert CHANGES[code].title in found.words


@pytest.mark.parametrize(
    ("code", "data"), [("C02", "121042883"), ("C05", "42"), ("C01", "!!"), ("C06", "9988776655"), ("C03", "121042882")]
)
def test_a_notification_that_can_not_be_read_blocks_the_destination(
    ach: AchConfiguration, code: str, data: str
) -> None:
    trace = one_paid()
    recipient_id = recipient_of(1)
    sends(ach, bank_file(("COR", [changed(code, data, trace=trace)])))
    told()
    found = item()
    assert found.waits
    assert destination_of(recipient_id).blocked == code
    assert code in destinations.obstacle(recipient_id, "ach")
    assert "9988776655" not in found.words


def test_a_notification_that_repeats_what_we_have_changes_nothing(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("COR", [changed("C02", "231380104", trace=trace)])))
    told()
    assert (item().destination, item().waits) == (None, False)
    assert "says so already" in item().words
    assert Destination.objects.count() == 1


def test_one_trace_in_two_files_comes_back_once(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])), "a.ach")
    sends(ach, bank_file(("CCD", [returned("R02", trace=trace)]), modifier="B"), "b.ach")
    looked(ach)
    assert [found.standing for found in AchInboundItem.objects.order_by("pk")] == ["APPLIED", "REPEATED"]
    assert AchOutcome.objects.count() == 1


def test_one_trace_twice_in_a_file_comes_back_once(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace), returned("R03", trace=trace, number=2)])))
    looked(ach)
    assert [found.standing for found in AchInboundItem.objects.order_by("line")] == ["APPLIED", "REPEATED"]


def test_one_change_in_two_files_is_proposed_once(ach: AchConfiguration) -> None:
    trace = one_paid()
    for modifier in "AB":
        content = bank_file(("COR", [changed("C01", "9988776655", trace=trace)]), modifier=modifier)
        sends(ach, content, f"{modifier}.ach")
    looked(ach)
    assert [found.standing for found in AchInboundItem.objects.order_by("pk")] == ["APPLIED", "REPEATED"]
    assert Destination.objects.filter(state="PROPOSED").count() == 1


def test_a_return_of_nobodys_entry_waits_for_a_person_and_the_others_are_applied(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace="999999990000001"), returned("R03", trace=trace, number=2)])))
    assert len(told()) == 1
    unknown, applied = AchInboundItem.objects.order_by("line")
    assert (unknown.standing, unknown.waits, unknown.entry) == ("UNKNOWN", True, None)
    assert applied.standing == "APPLIED"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount_minor": 101}, "amount is not the one"),
        ({"transaction_code": "31"}, "another kind of account"),
    ],
)
def test_a_return_that_does_not_fit_its_entry_is_not_applied(
    ach: AchConfiguration, wrong: dict[str, Any], said: str
) -> None:
    sends(ach, bank_file(("CCD", [returned("R03", trace=one_paid(), **wrong)])))
    assert list(told()) == []
    assert (item().standing, item().waits) == ("UNFIT", True)
    assert said in item().words


def test_a_return_from_another_bank_is_not_applied(ach: AchConfiguration) -> None:
    trace = one_paid(routing_number="021000021")
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    assert list(told()) == []
    assert "another bank" in item().words


def test_a_return_after_its_deadline_comes_back_and_says_so(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    outcomes = {notice.outcome for notice in told(days_later(30))}
    assert RailOutcome.RETURNED in outcomes
    assert item().is_late
    assert item().waits
    assert "R68" in item().words


def test_a_dishonored_return_is_for_a_person(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R68", trace=trace)])))
    assert list(told()) == []
    assert FollowUp.DISPUTED in item().words


def test_a_refused_file_brings_all_of_its_payments_back(ach: AchConfiguration) -> None:
    paid(order(1, payee()), order(2, payee()))
    officer = User.objects.create_user("finance1")
    file = AchFile.objects.get()
    handling.refuse_file(file.pk, reason="Wrong origin", user=officer, actor="finance1", now=MONDAY)
    notices = told()
    assert [notice.outcome for notice in notices] == [RailOutcome.RETURNED] * 2
    assert notices[0].reason == "The bank refused the file: Wrong origin"
    file.refresh_from_db()
    assert (file.state, file.refused_by) == ("REFUSED", officer)
    with pytest.raises(handling.FileRefusal, match="refused already"):
        handling.refuse_file(file.pk, reason="Again", user=officer, actor="finance1", now=MONDAY)
    # Each of them may go out again, as the next attempt.
    paid(order(1, recipient_of(1), attempt_number=2),
         now=days_later(1))  # fmt: skip


def test_a_file_whose_payments_count_as_settled_was_not_refused(ach: AchConfiguration) -> None:
    one_paid()
    told(days_later(9))
    officer = User.objects.create_user("finance1")
    with pytest.raises(handling.FileRefusal, match="count as settled"):
        handling.refuse_file(AchFile.objects.get().pk, reason="?", user=officer, actor="f", now=days_later(9))


def test_who_dealt_with_an_item_says_how_and_once(ach: AchConfiguration) -> None:
    sends(ach, bank_file(("CCD", [returned("R03", trace="999999990000001")])))
    looked(ach)
    officer = User.objects.create_user("finance1")
    found = handling.deal_with(item().pk, reason="Of our other company", user=officer, actor="finance1", now=MONDAY)
    assert (found.waits, found.dealt_by, found.dealt_reason) == (False, officer, "Of our other company")
    with pytest.raises(handling.ItemDealtWith):
        handling.deal_with(item().pk, reason="Again", user=officer, actor="finance1", now=MONDAY)
    with pytest.raises(DatabaseError, match="stays so"):
        AchInboundItem.objects.update(code="R02")


def test_who_hands_in_a_change_does_not_confirm_it(ach: AchConfiguration) -> None:
    trace = one_paid()
    uploader, other = a_user(), a_user()
    content = bank_file(("COR", [changed("C01", "9988776655", trace=trace)]))
    inbox.upload(ach, name="mail.ach", content=content, user=uploader, actor="user:x", reason="by mail", now=THURSDAY)
    proposal = item().destination
    assert proposal is not None
    assert proposal.proposed_by == uploader
    with pytest.raises(destinations.AnotherPersonConfirms):
        destinations.confirm(proposal.pk, user=uploader, actor="user:x", now=THURSDAY)
    assert destinations.confirm(proposal.pk, user=other, actor="user:y", now=THURSDAY).state == "ACTIVE"


def test_who_hands_in_what_blocks_a_destination_does_not_unblock_it(ach: AchConfiguration) -> None:
    trace = one_paid()
    uploader, other = a_user(), a_user()
    content = bank_file(("CCD", [returned("R02", trace=trace)]))
    inbox.upload(ach, name="mail.ach", content=content, user=uploader, actor="user:x", reason="by mail", now=THURSDAY)
    blocked = destination_of(recipient_of(1))
    assert blocked.blocked == "R02"
    with pytest.raises(destinations.AnotherPersonConfirms):
        destinations.unblock(blocked.pk, reason="it is right", user=uploader, actor="user:x", now=THURSDAY)
    assert (
        destinations.unblock(blocked.pk, reason="it is right", user=other, actor="user:y", now=THURSDAY).blocked == ""
    )
