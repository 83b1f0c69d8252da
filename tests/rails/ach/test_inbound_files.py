"""Which files of the bank's are taken in: each once whatever it is called, and a broken one kept out whole."""

import shutil
import stat
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from rails import handover
from rails.ach import inbox, intake
from rails.ach.configuration import AchConfiguration
from rails.ach.intake import Arrived
from rails.base import RailOutcome
from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem, AchOutcome
from rails.pickup import InboxUnusable, PickedUp
from tests.factories import a_user
from tests.rails.ach.bank import MONDAY, days_later, looked, order, paid, pay, payee, sends
from tests.rails.ach.inbound import THURSDAY, one_paid, told
from tests.rails.ach.samples import DATA, bank_file, changed, returned, spoil

pytestmark = pytest.mark.django_db


def test_the_same_bytes_under_two_names_are_one_file(ach: AchConfiguration) -> None:
    content = bank_file(("CCD", [returned("R03", trace=one_paid())]))
    sends(ach, content, "monday.ach")
    looked(ach)
    sends(ach, content, "tuesday.ach")
    assert [file.name for file in looked(ach)] == ["monday.ach"]
    assert AchInboundItem.objects.count() == 1
    assert list((ach.inbox / ".done").iterdir()) != []
    assert [path for path in ach.inbox.iterdir() if not path.name.startswith(".")] == []


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
