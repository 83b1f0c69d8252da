"""The bank's files at the desk of finance: uploaded, refused with line and reason, applied, dealt with."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from rails.models import AchEntry, AchFile, AchInboundFile, AchInboundItem
from tests.browser import accessibility
from tests.browser.conftest import Visit
from tests.rails.ach.bank import configured, order, paid, payee
from tests.rails.ach.samples import DATA, bank_file, returned

UPLOAD = "/admin/rails/achinboundfile/upload/"


@pytest.fixture
def payments(tmp_path: Path, settings: Any) -> list[AchEntry]:
    """A file of three payments that the bank has."""
    settings.ACH = configured(tmp_path)
    paid(order(1, payee(), 1_245_000), order(2, payee(), 98_050), order(3, payee(sec_code="PPD"), 310_000))
    return list(AchEntry.objects.filter(kind="PAYMENT").order_by("pk"))


def returns(entries: list[AchEntry]) -> bytes:
    """One of them came back, and one that is nobody's."""
    (first, *_) = entries
    ours = returned("R03", trace=first.trace_number, amount_minor=first.amount_minor)
    return bank_file(("CCD", [ours, returned("R02", trace="999999990000001", number=2)]))


def test_a_file_of_the_bank_is_taken_in_by_hand(
    visit: Visit, payments: list[AchEntry], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page = visit("finance1")
    for name, content in (
        ("monday.ach", (DATA / "corrupt" / "short-line.ach").read_bytes()),
        ("tuesday.ach", returns(payments)),
    ):
        (tmp_path / name).write_bytes(content)
        page.goto(UPLOAD)
        page.get_by_label("File").set_input_files(tmp_path / name)
        page.get_by_label("How it came").fill("By mail from the bank")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", name=f"File of the bank {name}")).to_be_visible()
        assert accessibility.faults(page) == []
    expect(page.get_by_text("2 items read, 1 applied; 1 waits for a person.")).to_be_visible()
    broken = AchInboundFile.objects.get(name="monday.ach")
    page.goto("/admin/rails/achinboundfile/")
    expect(page.get_by_text("the line has 74 characters instead of 94")).to_be_visible()
    assert broken.item_count == 0

    item = AchInboundItem.objects.get(waits=True)
    page.goto(f"/admin/rails/achinbounditem/{item.pk}/change/")
    page.get_by_role("link", name="Dealt with").click()
    page.get_by_label("Reason").fill("A payment of our other company")
    page.get_by_role("dialog").get_by_role("button", name="Dealt with").click()
    expect(page.get_by_text("Dealt with.")).to_be_visible()
    item.refresh_from_db()
    assert not item.waits


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_of_ach_can_be_read_by_everybody(
    visit: Visit, payments: list[AchEntry], tmp_path: Path, dark: bool
) -> None:
    page = visit("finance1", dark=dark)
    (tmp_path / "returns.ach").write_bytes(returns(payments))
    page.goto(UPLOAD)
    page.get_by_label("File").set_input_files(tmp_path / "returns.ach")
    page.get_by_label("How it came").fill("By mail from the bank")
    page.get_by_role("button", name="Upload").click()
    file, entry = AchFile.objects.get(), payments[0]
    for address in (
        UPLOAD,
        "/admin/rails/achfile/",
        f"/admin/rails/achfile/{file.pk}/change/",
        "/admin/rails/achentry/",
        f"/admin/rails/achentry/{entry.pk}/change/",
        "/admin/rails/achinboundfile/",
        "/admin/rails/achinbounditem/",
    ):
        answer = page.goto(address)
        assert answer
        assert answer.status == 200, address
        assert accessibility.faults(page, colours_only=dark) == [], address
