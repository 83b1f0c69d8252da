"""ACH in the admin: what was sent, what came back, and the acts of those who handle the bank's files."""

from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from compliance.roles import Role
from compliance.uploads import LARGEST_BANK_FILE
from rails.ach.configuration import AchConfiguration
from rails.ach.rail import AchRail
from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem, AchReversal
from tests.compliance.conftest import logged_in
from tests.rails.ach.bank import MONDAY, configured, days_later, order, paid, payee
from tests.rails.ach.samples import DATA, bank_file, returned

pytestmark = pytest.mark.django_db
UPLOAD = "/admin/rails/achinboundfile/upload/"


@pytest.fixture
def ach(tmp_path: Any, settings: Any) -> AchConfiguration:
    settings.ACH = configured(tmp_path)
    configuration: AchConfiguration = settings.ACH
    return configuration


@pytest.fixture
def finance(staff: Any) -> Client:
    return logged_in(staff(Role.FINANCE))


@pytest.fixture
def sent(ach: AchConfiguration) -> AchEntry:
    paid(order(1, payee(account_number="98765432101"), 12_345_00))
    return AchEntry.objects.get(kind="PAYMENT")


def of(row: Any, page: str = "change") -> str:
    return f"/admin/rails/{row._meta.model_name}/{row.pk}/{page}/"


def listed(model: Any) -> str:
    return f"/admin/rails/{model._meta.model_name}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def a_file(content: bytes, name: str = "returns.ach") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_files_and_entries_are_listed_with_their_totals_and_without_account_numbers(
    finance: Client, sent: AchEntry
) -> None:
    pages = [
        text(finance.get(address))
        for address in (
            listed(AchFile),
            of(sent.file),
            listed(AchEntry),
            f"{listed(AchEntry)}?file__id__exact={sent.file_id}",
            of(sent),
        )
    ]
    assert "12,345.00 USD" in pages[0]
    assert "Handed over" in pages[0]
    assert sent.file.sha256 in pages[1]
    assert ">1 payment</a>" in pages[1]
    assert sent.trace_number in pages[3]
    assert not any("98765432101" in page for page in pages)


def test_a_refused_file_is_taken_down_with_a_reason(finance: Client, sent: AchEntry) -> None:
    address = of(sent.file, "refuse")
    assert finance.post(address, {"reason": " "}).status_code == 400
    answer = finance.post(address, {"reason": "Wrong origin, says Jane at the bank"}, follow=True)
    assert "come back" in text(answer)
    row = AchFile.objects.get()
    assert (row.state, row.refused_reason) == ("REFUSED", "Wrong origin, says Jane at the bank")
    assert row.refused_by is not None
    assert finance.post(address, {"reason": "again"}).status_code == 409
    assert "The bank refused it" not in text(finance.get(of(sent.file)))


def test_a_reversal_needs_a_permitted_reason_and_another_permission(
    finance: Client, sent: AchEntry, staff: Any
) -> None:
    given = {"permitted_reason": "DUPLICATE", "reason": "Paid twice"}
    assert finance.post(of(sent, "reverse"), given).status_code == 403
    manager = logged_in(staff(Role.COMPLIANCE_MANAGER))
    assert manager.post(of(sent, "reverse"), {**given, "permitted_reason": "REGRET"}).status_code == 400
    assert not AchReversal.objects.exists()
    with time_machine.travel(MONDAY):
        manager = logged_in(staff(Role.COMPLIANCE_MANAGER))
        answer = manager.post(of(sent, "reverse"), given, follow=True)
    assert "goes out with the next window, by 2026-12-08" in text(answer)
    row = AchReversal.objects.get()
    assert (row.permitted_reason, row.reason) == ("DUPLICATE", "Paid twice")


def test_a_reversal_that_went_through_is_taken_down_with_the_banks_reference(sent: AchEntry, staff: Any) -> None:
    with time_machine.travel(MONDAY):
        manager = logged_in(staff(Role.COMPLIANCE_MANAGER))
        manager.post(of(sent, "reverse"), {"permitted_reason": "DUPLICATE", "reason": "Paid twice"})
        AchRail().hear(now=days_later(1))
        reversing = AchEntry.objects.get(kind="REVERSAL")
        assert "May come back" in text(manager.get(listed(AchReversal)))
    given = {"bank_reference": "ADV 4711", "reason": "Debited, says Jane at the bank"}
    with time_machine.travel(days_later(2)):
        clerk = logged_in(staff(Role.FINANCE))
        page = text(clerk.get(of(reversing)))
        assert "It went through" in page
        assert "on 2027-02-04, if it does not come back" in page
        assert "from 2026-12-07 on" in text(clerk.post(of(reversing, "went_through"), given))
    assert not reversing.outcomes.exists()
    with time_machine.travel(days_later(8)):
        auditor = logged_in(staff(Role.AUDITOR))
        assert auditor.post(of(reversing, "went_through"), given).status_code == 403
        clerk = logged_in(staff(Role.FINANCE))
        assert clerk.post(of(reversing, "went_through"), {**given, "bank_reference": " "}).status_code == 400
        answer = clerk.post(of(reversing, "went_through"), given, follow=True)
        assert "counts as returned with the next look" in text(answer)
        assert clerk.post(of(reversing, "went_through"), given).status_code == 409
        assert "Went through" in text(clerk.get(listed(AchReversal)))
    outcome = reversing.outcomes.get()
    assert (outcome.fate, outcome.bank_reference) == ("CONFIRMED", "ADV 4711")
    assert outcome.said_by is not None


def test_an_upload_is_applied_and_shown_with_its_digest(finance: Client, sent: AchEntry) -> None:
    content = bank_file(("CCD", [returned("R03", trace=sent.trace_number, amount_minor=sent.amount_minor)]))
    answer = finance.post(UPLOAD, {"file": a_file(content), "reason": "By mail from the bank"}, follow=True)
    row = AchInboundFile.objects.get()
    assert "1 item read, 1 applied." in text(answer)
    assert row.sha256 in text(answer)
    assert row.uploaded_by is not None
    assert row.reason == "By mail from the bank"
    assert "R03 No account" in text(finance.get(listed(AchInboundItem)))
    assert len(AchRail().hear(now=MONDAY)) == 1
    again = finance.post(UPLOAD, {"file": a_file(content, "other.ach"), "reason": "Again"}, follow=True)
    assert "read before" in text(again)
    assert AchInboundFile.objects.count() == 1


def test_a_broken_upload_shows_line_and_reason(finance: Client, ach: AchConfiguration) -> None:
    content = (DATA / "corrupt" / "short-line.ach").read_bytes()
    answer = finance.post(UPLOAD, {"file": a_file(content, "<b>x</b>.ach"), "reason": "By mail"}, follow=True)
    assert "quarantined" in text(answer)
    assert "<strong>Line 5</strong>: the line has 74 characters instead of 94" in text(answer)
    assert "<b>x</b>" not in text(answer)
    assert "<strong>Line 5</strong>" in text(finance.get(listed(AchInboundFile)))
    assert "Quarantined" in text(finance.get(f"{listed(AchInboundFile)}?quarantined=1"))


@pytest.mark.parametrize("given", [{}, {"reason": "By mail"}, {"file": a_file(b"x"), "reason": ""}])
def test_an_upload_needs_a_file_and_a_reason(finance: Client, ach: AchConfiguration, given: dict[str, Any]) -> None:
    assert finance.post(UPLOAD, given).status_code == 400
    assert not AchInboundFile.objects.exists()


def test_an_upload_is_not_too_large(finance: Client, ach: AchConfiguration) -> None:
    answer = finance.post(UPLOAD, {"file": a_file(b"9" * (LARGEST_BANK_FILE + 1)), "reason": "By mail"})
    assert answer.status_code == 413
    assert not AchInboundFile.objects.exists()


def test_an_upload_that_can_not_be_kept_is_refused_and_applies_nothing(finance: Client, ach: AchConfiguration) -> None:
    ach.inbox.rename(ach.inbox.with_name("elsewhere"))
    page = finance.post(UPLOAD, {"file": SimpleUploadedFile("returns.ach", bank_file()), "reason": "By mail"})
    assert page.status_code == 409
    assert "can not be kept in the inbox" in page.content.decode()
    assert not AchInboundFile.objects.exists()


def test_an_empty_upload_is_quarantined(finance: Client, ach: AchConfiguration) -> None:
    answer = finance.post(UPLOAD, {"file": a_file(b""), "reason": "By mail"}, follow=True)
    assert "the file is empty" in text(answer)


def test_who_deals_with_an_item_says_how(finance: Client, ach: AchConfiguration, staff: Any) -> None:
    content = bank_file(("CCD", [returned("R03", trace="999999990000001")]))
    finance.post(UPLOAD, {"file": a_file(content), "reason": "By mail"})
    item = AchInboundItem.objects.get()
    assert "Waits for a person" in text(finance.get(f"{listed(AchInboundItem)}?waits__exact=1"))
    assert finance.post(of(item, "deal"), {"reason": "Of our other company"}).status_code == 302
    item.refresh_from_db()
    assert (item.waits, item.dealt_reason) == (False, "Of our other company")
    assert finance.post(of(item, "deal"), {"reason": "Again"}).status_code == 409


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.COMPLIANCE_OFFICER])
def test_others_look_and_do_nothing(ach: AchConfiguration, sent: AchEntry, staff: Any, role: Role) -> None:
    client = logged_in(staff(role))
    assert client.get(listed(AchInboundFile)).status_code == 200
    assert "Upload a file" not in text(client.get(listed(AchInboundFile)))
    assert client.get(UPLOAD).status_code == client.post(UPLOAD, {}).status_code == 403
    assert client.post(of(sent.file, "refuse"), {"reason": "x"}).status_code == 403
    assert AchFile.objects.get().state == "HANDED_OVER"


def test_without_ach_nothing_is_uploaded(finance: Client, settings: Any) -> None:
    settings.ACH = None
    assert "Upload a file" not in text(finance.get(listed(AchInboundFile)))
    assert finance.post(UPLOAD, {"file": a_file(b"x"), "reason": "x"}).status_code == 409


def test_nothing_changes_on_get(finance: Client, sent: AchEntry) -> None:
    for address in (UPLOAD, of(sent.file, "refuse"), of(sent)):
        assert finance.get(address).status_code == 200
    assert AchFile.objects.get().state == "HANDED_OVER"
