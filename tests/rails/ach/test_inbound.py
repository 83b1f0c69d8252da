"""What the bank sends: each file read once whatever it is called, each trace once, and a broken one kept out whole."""

import shutil
import stat
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection

from rails import destinations, handover
from rails.ach import handling, inbox, intake
from rails.ach.changes import CHANGES
from rails.ach.configuration import AchConfiguration
from rails.ach.intake import Arrived
from rails.ach.rail import AchRail
from rails.ach.returns import RETURNS, FollowUp, Stage
from rails.base import Notice, RailOutcome
from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem, AchOutcome, Destination
from rails.pickup import InboxUnusable, PickedUp
from tests.factories import a_user
from tests.rails.ach.bank import MONDAY, days_later, destination_of, looked, order, paid, pay, payee, sends
from tests.rails.ach.samples import DATA, bank_file, changed, returned, spoil

pytestmark = pytest.mark.django_db
THURSDAY = days_later(3)


def one_paid(milestone_id: int = 1, minor: int = 100, **details: str) -> str:
    """A payment that the bank has; its trace number."""
    (answer,) = paid(order(milestone_id, payee(**details), minor))
    assert answer.reference_id
    return answer.reference_id


def told(now: Any = THURSDAY) -> Sequence[Notice]:
    return AchRail().hear(now=now)


def recipient_of(milestone_id: int) -> int:
    destination = AchEntry.objects.get(milestone_id=milestone_id).destination
    assert destination is not None
    return destination.recipient_id


def item() -> AchInboundItem:
    return AchInboundItem.objects.get()


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


def test_the_same_bytes_under_two_names_are_one_file(ach: AchConfiguration) -> None:
    content = bank_file(("CCD", [returned("R03", trace=one_paid())]))
    sends(ach, content, "monday.ach")
    looked(ach)
    sends(ach, content, "tuesday.ach")
    assert [file.name for file in looked(ach)] == ["monday.ach"]
    assert AchInboundItem.objects.count() == 1
    assert list((ach.inbox / ".done").iterdir()) != []
    assert [path for path in ach.inbox.iterdir() if not path.name.startswith(".")] == []


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


@pytest.mark.parametrize("path", sorted(DATA.glob("corrupt/*")), ids=lambda path: path.name)
def test_a_broken_file_is_quarantined_whole_with_line_and_reason(ach: AchConfiguration, path: Any) -> None:
    sends(ach, path.read_bytes(), path.name)
    (row,) = looked(ach)
    assert row.faults
    assert all(fault["line"] >= 1 and fault["reason"] for fault in row.faults)
    assert row.item_count == 0
    assert [kept.name for kept in (ach.inbox / ".quarantine").iterdir()] == [row.sha256]


def test_of_a_broken_file_nothing_is_applied(ach: AchConfiguration) -> None:
    good, other = one_paid(1), one_paid_later(2)
    content = bank_file(("CCD", [returned("R03", trace=good), returned("R03", trace=other, number=2)]))
    sends(ach, spoil(content, 5, 30, "0000000101"))
    (row,) = looked(ach)
    assert [fault["line"] for fault in row.faults] == [7, 8]
    assert not AchInboundItem.objects.exists()
    assert not AchOutcome.objects.exists()
    # The mended one is another file.
    sends(ach, content, "again.ach")
    looked(ach)
    assert AchOutcome.objects.count() == 2


def one_paid_later(milestone_id: int) -> str:
    (answer,) = paid(order(milestone_id, payee(), 100), now=days_later(1))
    return answer.reference_id or ""


@pytest.mark.parametrize("path", sorted(DATA.glob("good/*")), ids=lambda path: path.name)
def test_a_file_that_is_no_answer_is_unknown_and_quarantined(ach: AchConfiguration, path: Any) -> None:
    sends(ach, path.read_bytes())
    (row,) = looked(ach)
    assert "no file for us" in row.faults[0]["reason"]


@pytest.mark.parametrize("path", sorted(DATA.glob("returns_noc/*")), ids=lambda path: path.name)
def test_published_files_of_returns_and_changes_are_taken_in(ach: AchConfiguration, path: Any) -> None:
    sends(ach, path.read_bytes())
    (row,) = looked(ach)
    assert row.faults == []
    assert row.item_count == AchInboundItem.objects.filter(standing="UNKNOWN").count() > 0
    assert row.is_bare is path.name.startswith("bh-ed")


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00" * 94, b"{}", b"\xff\xfe1\x000\x001\x00", b"%PDF-1.7"])
def test_anything_else_is_quarantined(ach: AchConfiguration, content: bytes) -> None:
    sends(ach, content)
    (row,) = looked(ach)
    assert row.faults


def test_our_own_file_in_the_inbox_is_no_answer(ach: AchConfiguration) -> None:
    one_paid()
    sends(ach, next(path for path in ach.outbox.iterdir() if path.is_file()).read_bytes())
    (row,) = looked(ach)
    assert row.faults
    assert list(told()) == []


def test_a_file_that_is_still_being_written_is_left(ach: AchConfiguration) -> None:
    path = sends(ach, bank_file())
    path.touch()
    assert inbox.read(ach, now=MONDAY) == PickedUp(waiting=True)
    assert path.exists()
    assert not AchInboundFile.objects.exists()


def test_links_and_directories_are_left_alone(ach: AchConfiguration, tmp_path: Any) -> None:
    (tmp_path / "elsewhere").write_bytes(bank_file())
    (ach.inbox / "link.ach").symlink_to(tmp_path / "elsewhere")
    (ach.inbox / "directory").mkdir()
    inbox.read(ach, now=MONDAY)
    assert not AchInboundFile.objects.exists()


def test_what_was_read_is_kept_where_nobody_else_reads(ach: AchConfiguration) -> None:
    path = sends(ach, bank_file())
    path.chmod(0o644)
    (row,) = looked(ach)
    kept = ach.inbox / ".done" / row.sha256
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_strange_name_is_shown_harmlessly(ach: AchConfiguration) -> None:
    sends(ach, bank_file(), "evil\n\x1b[31m" + "x" * 200)
    (row,) = looked(ach)
    assert row.name.isprintable()
    assert len(row.name) <= 200


def test_an_upload_is_the_same_as_a_file_in_the_inbox(ach: AchConfiguration) -> None:
    officer = User.objects.create_user("finance1")
    content = bank_file(("CCD", [returned("R03", trace=one_paid())]))
    given: dict[str, Any] = {"user": officer, "actor": "finance1", "reason": "By mail from the bank", "now": THURSDAY}
    row, new = inbox.upload(ach, name="mail.ach", content=content, **given)
    assert new
    assert (row.uploaded_by, row.actor, row.reason) == (officer, "finance1", "By mail from the bank")
    assert (ach.inbox / ".done" / row.sha256).read_bytes() == content
    again, new = inbox.upload(ach, name="other.ach", content=content, **given)
    assert (again.pk, new) == (row.pk, False)
    sends(ach, content)
    assert len(looked(ach)) == 1


def test_a_quarantined_upload_is_kept(ach: AchConfiguration) -> None:
    officer = User.objects.create_user("finance1")
    row, _ = inbox.upload(ach, name="x", content=b"x", user=officer, actor="finance1", reason="?", now=THURSDAY)
    assert row.faults
    assert (ach.inbox / ".quarantine" / row.sha256).read_bytes() == b"x"


def test_an_upload_that_can_not_be_kept_applies_nothing(ach: AchConfiguration) -> None:
    content = bank_file(("CCD", [returned("R03", trace=one_paid())]))
    (ach.inbox / ".taken").write_bytes(b"in the way")
    with pytest.raises(InboxUnusable):
        inbox.upload(ach, name="x", content=content, user=a_user(), actor="finance1", reason="?", now=THURSDAY)
    assert not AchInboundFile.objects.exists()


def test_an_inbox_that_can_not_be_used_keeps_no_outcome_from_being_told(ach: AchConfiguration) -> None:
    trace = one_paid()
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    looked(ach)
    shutil.rmtree(ach.inbox / ".taken")
    (ach.inbox / ".taken").write_bytes(b"in the way")
    one_paid_later(2)
    # The return is told; of the other one the bank could not have spoken.
    assert [notice.outcome for notice in told(days_later(9))] == [RailOutcome.RETURNED]


def test_a_file_that_fails_keeps_no_other_from_being_applied(
    ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trace, take_in = one_paid(), intake.take_in
    sends(ach, b"a bug", "a.ach")
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])), "b.ach")

    def fails(arrived: Arrived, **others: Any) -> Any:
        if arrived.content == b"a bug":
            raise ZeroDivisionError
        return take_in(arrived, **others)

    with monkeypatch.context() as broken:
        broken.setattr(intake, "take_in", fails)
        assert [notice.outcome for notice in told(days_later(9))] == [RailOutcome.RETURNED]
    assert "ZeroDivisionError" in caplog.text
    # Nothing is lost: the next look reads it.
    assert [file.name for file in looked(ach)] == ["b.ach", "a.ach"]


def test_account_numbers_of_the_banks_files_are_stored_nowhere(ach: AchConfiguration, caplog: Any) -> None:
    trace = one_paid()
    items = [changed("C01", "9988776655", trace=trace)]
    sends(ach, bank_file(("COR", items), ("CCD", [returned("R03", trace=trace)])))
    sends(ach, spoil(bank_file(("COR", items)), 3, 30, "X"), "broken.ach")
    looked(ach)
    with connection.cursor() as cursor:
        for table in ("rails_achinboundfile", "rails_achinbounditem", "rails_destination", "rails_recipientedit"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text ~ '9988776655|744-5678-99'")
            assert cursor.fetchone() == (0,), table
    assert "9988776655" not in caplog.text


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


def test_a_file_that_answers_before_we_know_that_ours_went_out_waits(
    ach: AchConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: Any) -> None:
        raise handover.OutboxUnusable("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(handover, "hand_over", fails)
        pay(order(1, payee(), 100))
    trace = AchEntry.objects.get(milestone_id=1).trace_number
    sends(ach, bank_file(("CCD", [returned("R03", trace=trace)])))
    assert inbox.read(ach, now=THURSDAY).troubles == {
        "returns.ach": f"the file answers {AchFile.objects.get().name}, which counts as not handed over yet"
    }
    assert not AchInboundFile.objects.exists()
    assert [notice.outcome for notice in told()] == [RailOutcome.RETURNED]


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
