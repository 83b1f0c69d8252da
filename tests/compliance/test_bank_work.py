"""What concerns files of banks stands in the work list, is counted, and leaves it when somebody dealt with it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance import counters
from compliance.roles import Role
from rails import bank_inboxes, handover
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.base import SettlementProvider
from rails.models import (
    AchFile,
    AchInboundFile,
    AchInboundItem,
    BankFileDealing,
    FileVerdict,
    InboxTrouble,
    WireMessage,
)
from rails.wire import inbox as wire_inbox
from rails.wire.rail import WireRail
from settlements import bank_work
from settlements.statuses import BankWorkKind as K
from tests.compliance.conftest import Staff, logged_in
from tests.rails.ach.bank import MONDAY, configured, order, pay, payee, sends
from tests.rails.ach.samples import bank_file, returned
from tests.rails.wire.bank import configured as wires_configured

pytestmark = pytest.mark.django_db
LIST = reverse("admin:compliance_work_list")


@pytest.fixture
def ach(tmp_path: Path, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def finance(staff: Staff) -> Client:
    return logged_in(staff(Role.FINANCE))


@pytest.fixture
def quarantined(ach: AchConfiguration) -> AchInboundFile:
    sends(ach, b"no NACHA file", "broken.ach")
    AchRail().hear(now=MONDAY)
    return AchInboundFile.objects.get()


@pytest.fixture
def put_aside(tmp_path: Path) -> WireMessage:
    place = tmp_path / "wires"
    place.mkdir()
    (place / "broken.xml").write_bytes(b"<Document>")
    wire_inbox.read(place, whole_after=0)
    return WireMessage.objects.get()


def text(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def kinds() -> list[tuple[K, str]]:
    return [(item.kind, item.rail.value) for item in bank_work.listed()[1]]


def counted(user: User) -> int:
    return counters.counts(user, timezone.now()).work


def page(row: Any, name: str = "change") -> str:
    return f"/admin/rails/{row._meta.model_name}/{row.pk}/{name}/"


def test_quarantined_files_are_work_until_somebody_dealt_with_them(
    quarantined: AchInboundFile, put_aside: WireMessage, finance: Client, officer: User
) -> None:
    assert kinds() == [(K.QUARANTINED, "ACH"), (K.QUARANTINED, "WIRE")]
    assert counted(officer) == 2
    shown = text(finance)
    for words in (
        "broken.ach",
        "broken.xml",
        "Line 1: ",
        "returns in it are not known",
        "<strong>2</strong> to look at",
    ):
        assert words in shown
    for row in (quarantined, put_aside):
        assert page(row) in shown
        assert 'data-dialog="dialog-deal"' in text(finance, page(row))
        answer = finance.post(page(row, "deal"), {"reason": "The bank sent it again"}, follow=True)
        assert "Dealt with." in answer.content.decode()
        assert "UTC: The bank sent it again" in text(finance, page(row))
        assert 'data-dialog="dialog-deal"' not in text(finance, page(row))
        assert finance.post(page(row, "deal"), {"reason": "Again"}).status_code == 409
    assert (kinds(), counted(officer)) == ([], 0)
    assert "All money at providers goes its way" in text(finance)
    assert BankFileDealing.objects.count() == 2


def test_the_lists_of_files_find_what_waits(
    quarantined: AchInboundFile, put_aside: WireMessage, finance: Client, officer: User
) -> None:
    for row in (quarantined, put_aside):
        listed = f"/admin/rails/{row._meta.model_name}/"
        assert row.name in text(finance, f"{listed}?quarantined=waits")
        bank_inboxes.deal_with(row, reason="?", user=officer, actor="user:olga", now=MONDAY)
        assert row.name not in text(finance, f"{listed}?quarantined=waits")
        assert "Quarantined, dealt with" in text(finance, f"{listed}?quarantined=1")
        assert row.name not in text(finance, f"{listed}?quarantined=0")


@pytest.mark.parametrize("role", Role)
def test_who_may_not_handle_the_banks_files_deals_with_none(
    quarantined: AchInboundFile, put_aside: WireMessage, staff: Staff, role: Role
) -> None:
    client = logged_in(staff(role))
    allowed = role in {Role.FINANCE, Role.COMPLIANCE_MANAGER, Role.OPERATIONS}
    for row in (quarantined, put_aside):
        assert ('data-dialog="dialog-deal"' in text(client, page(row))) is allowed
        sent = client.post(page(row, "deal"), {"reason": "The bank sent it again"})
        assert sent.status_code == (302 if allowed else 403)


def test_nothing_is_dealt_with_by_looking_or_without_a_reason(quarantined: AchInboundFile, finance: Client) -> None:
    text(finance, page(quarantined, "deal"))
    assert finance.post(page(quarantined, "deal"), {"reason": " "}).status_code == 400
    assert not BankFileDealing.objects.exists()


def test_the_database_takes_down_one_dealing_of_a_quarantined_file_and_keeps_it(
    quarantined: AchInboundFile, ach: AchConfiguration, officer: User
) -> None:
    sends(ach, bank_file(), "good.ach")
    AchRail().hear(now=MONDAY)
    good = AchInboundFile.objects.get(name="good.ach")
    with pytest.raises(bank_inboxes.FileDealtWith):
        bank_inboxes.deal_with(good, reason="?", user=officer, actor="user:olga", now=MONDAY)
    dealing = bank_inboxes.deal_with(quarantined, reason="?", user=officer, actor="user:olga", now=MONDAY)
    given = {"dealt_by": officer, "actor": "user:olga", "reason": "?"}
    for wrong in ({"ach_file": good}, {"ach_file": quarantined}, {}):
        with pytest.raises(DatabaseError), transaction.atomic():
            BankFileDealing.objects.create(**wrong, **given)
    for change in (dealing.delete, lambda: BankFileDealing.objects.update(reason="!")):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_items_of_the_bank_that_wait_are_work(ach: AchConfiguration, finance: Client, officer: User) -> None:
    sends(ach, bank_file(("CCD", [returned("R03", trace="999999990000001")])))
    AchRail().hear(now=MONDAY)
    assert (kinds(), counted(officer)) == ([(K.ITEM, "ACH")], 1)
    item = AchInboundItem.objects.get()
    shown = text(finance)
    assert f"R03 of {item.trace_number}" in shown
    assert page(item) in shown
    finance.post(page(item, "deal"), {"reason": "Of our other company"})
    assert (kinds(), counted(officer)) == ([], 0)


def test_an_inbox_that_can_not_be_read_is_told_once_until_it_can(
    ach: AchConfiguration, finance: Client, officer: User
) -> None:
    shutil.rmtree(ach.inbox)
    for _ in range(2):
        AchRail().hear(now=MONDAY)
    (trouble,) = InboxTrouble.objects.all()
    assert (trouble.rail, trouble.name, trouble.ended_at) == ("ACH", "", None)
    assert (kinds(), counted(officer)) == ([(K.INBOX, "ACH")], 1)
    shown = text(finance)
    for words in ("The whole inbox", "it can not be opened: No such file or directory", "tried again by itself"):
        assert words in shown
    ach.inbox.mkdir()
    AchRail().hear(now=MONDAY)
    trouble.refresh_from_db()
    assert trouble.ended_at is not None
    assert (kinds(), counted(officer)) == ([], 0)
    # Another time is another trouble.
    shutil.rmtree(ach.inbox)
    AchRail().hear(now=MONDAY)
    assert InboxTrouble.objects.count() == 2


def test_each_rail_tells_of_its_own_inbox(ach: AchConfiguration, tmp_path: Path, settings: Any) -> None:
    settings.WIRE = wires_configured(tmp_path, inbox=tmp_path / "nowhere")
    shutil.rmtree(ach.inbox)
    WireRail().hear(now=MONDAY)
    AchRail().hear(now=MONDAY)
    assert kinds() == [(K.INBOX, "WIRE"), (K.INBOX, "ACH")]
    (tmp_path / "nowhere").mkdir()
    WireRail().hear(now=MONDAY)
    assert kinds() == [(K.INBOX, "ACH")]


def test_a_trouble_of_a_file_is_told_by_its_name_and_stays_as_it_was_told(officer: User) -> None:
    bank_inboxes.tell_troubles(SettlementProvider.ACH, {"evil\n\udcff" + "x" * 300: "Permission denied"})
    trouble = InboxTrouble.objects.get()
    assert trouble.name == "x" * 200
    for change in ({"words": "!"}, {"began_at": MONDAY}):
        with pytest.raises(DatabaseError, match="stays so"), transaction.atomic():
            InboxTrouble.objects.update(**change)
    bank_inboxes.tell_troubles(SettlementProvider.ACH, {})
    with pytest.raises(DatabaseError, match="stays so"), transaction.atomic():
        InboxTrouble.objects.update(ended_at=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        trouble.delete()


def test_the_filters_of_payments_hide_what_has_neither_amount_nor_recipient(
    quarantined: AchInboundFile, put_aside: WireMessage, finance: Client
) -> None:
    assert "broken.ach" in (shown := text(finance, f"{LIST}?rail=ach"))
    assert "broken.xml" not in shown
    for query in ("kind=FAILED", "currency=USD", "recipient=x", "age=1", "rail=stripe", "rail=ach&currency=USD"):
        assert "broken." not in text(finance, f"{LIST}?{query}")


def test_the_list_is_cut_and_says_so(ach: AchConfiguration, finance: Client) -> None:
    for number in range(bank_work.MOST + 1):
        sends(ach, f"broken {number}".encode(), f"{number}.ach")
    AchRail().hear(now=MONDAY)
    total, items = bank_work.listed()
    assert (total, len(items)) == (51, 50)
    assert "the first 50 of them below" in text(finance)


class TestLostFiles:
    @pytest.fixture
    def lost(self, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> AchFile:
        """A file that was staged, and whose outbox is another one by now."""
        settings.ACH = configured(tmp_path)

        def dies(*_: Any) -> None:
            raise handover.OutboxUnusable("the disk does not answer")

        with monkeypatch.context() as dying:
            dying.setattr(handover, "hand_over", dies)
            pay(order(1, payee()))
        shutil.rmtree(settings.ACH.outbox)
        settings.ACH.outbox.mkdir()
        AchRail().hear(now=MONDAY)
        return AchFile.objects.get()

    def test_two_people_judge_it_on_its_page(self, lost: AchFile, staff: Staff, officer: User) -> None:
        one, other = logged_in(staff(Role.FINANCE, "fiona")), logged_in(staff(Role.FINANCE, "felix"))
        assert (kinds(), counted(officer)) == ([(K.LOST, "ACH")], 1)
        assert "Lost before it was handed over" in text(one)
        assert page(lost) in text(one)
        for act in ("at_the_bank", "never_sent"):
            assert f'data-dialog="dialog-{act}"' in text(one, page(lost))
        assert one.post(page(lost, "never_sent"), {"reason": ""}).status_code == 400
        assert one.post(page(lost, "never_sent"), {"reason": "They have none of it"}).status_code == 302
        assert "fiona says that the bank never got it" in text(other)
        seen = {"verdict": FileVerdict.objects.get().pk}
        own = one.post(page(lost, "confirm_verdict"), {"reason": "So it is", **seen})
        assert own.status_code == 403
        assert "another person confirms it" in own.content.decode()
        AchRail().hear(now=MONDAY)
        assert f'name="verdict" value="{seen["verdict"]}"' in text(other, page(lost))
        assert other.post(page(lost, "confirm_verdict"), {"reason": "They told me too", **seen}).status_code == 302
        shown = text(other, page(lost))
        for words in ("Never sent", "The bank never got it", "fiona", "felix", "They told me too"):
            assert words in shown
        assert 'data-dialog="dialog-' not in shown
        assert (kinds(), counted(officer)) == ([], 0)
        assert other.post(page(lost, "confirm_verdict"), {"reason": "Again", **seen}).status_code == 409

    def test_what_is_confirmed_is_what_was_on_the_screen(self, lost: AchFile, staff: Staff) -> None:
        one, other = logged_in(staff(Role.FINANCE, "fiona")), logged_in(staff(Role.FINANCE, "felix"))
        one.post(page(lost, "never_sent"), {"reason": "They have none of it"})
        seen = {"verdict": FileVerdict.objects.get().pk}
        one.post(page(lost, "take_back_verdict"), {"reason": "I misheard", **seen})
        one.post(page(lost, "at_the_bank"), {"reason": "They have it", "bank_reference": "BANK-7"})
        AchRail().hear(now=MONDAY)
        for given in (seen, {}, {"verdict": "x"}):
            answer = other.post(page(lost, "confirm_verdict"), {"reason": "They have none", **given})
            assert answer.status_code == (409 if given == seen else 400)
            assert not FileVerdict.objects.filter(confirmed_at__isnull=False).exists()

    @pytest.mark.parametrize("role", Role)
    def test_who_may_not_handle_the_banks_files_judges_none(self, lost: AchFile, staff: Staff, role: Role) -> None:
        client = logged_in(staff(role))
        allowed = role in {Role.FINANCE, Role.COMPLIANCE_MANAGER, Role.OPERATIONS}
        given = {"reason": "They have it", "bank_reference": "BANK-7"}
        assert client.post(page(lost, "at_the_bank"), given).status_code == (302 if allowed else 403)
        assert FileVerdict.objects.exists() is allowed

    def test_looking_judges_nothing(self, lost: AchFile, finance: Client) -> None:
        for act in ("at_the_bank", "never_sent", "confirm_verdict", "take_back_verdict"):
            finance.get(page(lost, act))
        assert not FileVerdict.objects.exists()
