"""The page of one settlement: delays, notes and papers, and all of it without a mouse."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from compliance.demo_logins import DEMO_PASSWORD
from compliance.models import Evidence
from settlements.models import MilestoneSettlement
from tests.browser import desk
from tests.browser.conftest import Visit
from tests.factories import MEDIUM, PICKUP, POD, a_recipient, a_token, an_intent, post_event, settlement_of


def delayed(shipment_id: str) -> MilestoneSettlement:
    """A settlement of MEDIUM risk that is released by itself after a day."""
    token = a_token(shipment_id=shipment_id, risk_score=MEDIUM)
    settlement = settlement_of(an_intent(token=token, recipient=a_recipient()), PICKUP)
    post_event(shipment_id, POD)
    return settlement


def test_a_delayed_release_is_put_off_and_never_brought_forward_by_that(visit: Visit) -> None:
    settlement = delayed("SHIP-ANTWERP")
    until = timezone.now() + timedelta(days=3)
    page = visit("officer1")
    for day, said in ((until, "Waits until"), (until - timedelta(days=2), "later")):
        page.goto(desk.item(settlement))
        desk.begin(page, "Extend")
        desk.dialog(page).get_by_label("Wait until").fill(f"{day:%Y-%m-%dT%H:%M}")
        desk.dialog(page).get_by_label("Reason").fill("the carrier is asked for photos")
        desk.confirm(page, "Extend")
        expect(desk.main(page)).to_contain_text(said)
    settlement.refresh_from_db()
    assert settlement.settlement_delayed_until is not None
    assert f"{settlement.settlement_delayed_until:%Y-%m-%d %H:%M}" == f"{until:%Y-%m-%d %H:%M}"


def test_a_delayed_release_is_expedited(visit: Visit) -> None:
    settlement = delayed("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Expedite", "the driver waits for fuel money")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    assert desk.releases(settlement) == [100_000]


def test_a_note_is_there_for_colleagues(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("finance1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Add a note", "The invoice came twice.\nThe second one is void.")
    colleague = visit("officer1")
    colleague.goto(desk.item(settlement))
    expect(colleague.get_by_role("region", name="Notes")).to_contain_text("The invoice came twice.")
    expect(colleague.get_by_role("region", name="Notes")).to_contain_text("finance1")


def test_evidence_is_kept_with_its_hash_and_comes_back_as_a_file(visit: Visit, tmp_path: Path) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    paper = tmp_path / "delivery note.txt"
    paper.write_text("Received in good order: 12 pallets.\n")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.begin(page, "Add evidence")
    desk.dialog(page).get_by_label("File").set_input_files(paper)
    desk.dialog(page).get_by_label("What it shows").fill("the consignee's signature")
    desk.confirm(page, "Add evidence")
    papers = page.get_by_role("region", name="Evidence")
    expect(papers).to_contain_text("the consignee's signature")
    [kept] = Evidence.objects.all()
    expect(papers).to_contain_text(kept.sha256)
    with page.expect_download() as download:
        papers.get_by_role("link", name="delivery note.txt").click()
    assert download.value.suggested_filename == "delivery note.txt"
    assert download.value.path().read_text() == paper.read_text()


def test_a_page_of_html_is_no_evidence(visit: Visit, tmp_path: Path) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    paper = tmp_path / "note.pdf"
    paper.write_text("<html><script>alert(1)</script></html>")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.begin(page, "Add evidence")
    desk.dialog(page).get_by_label("File").set_input_files(paper)
    desk.dialog(page).get_by_label("What it shows").fill("the consignee's signature")
    desk.confirm(page, "Add evidence")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("textbox", name="What it shows")).to_have_value("the consignee's signature")
    assert not Evidence.objects.exists()


def test_escape_closes_a_dialog_and_nothing_has_happened(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.begin(page, "Approve")
    page.keyboard.type("half a tho")
    page.keyboard.press("Escape")
    expect(desk.dialog(page)).to_have_count(0)
    expect(desk.way(page, "Approve")).to_be_focused()
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])


def test_from_the_login_to_the_approval_without_a_mouse(visit: Visit) -> None:
    first, second = desk.waiting("SHIP-GENOA", "9000.00"), desk.waiting("SHIP-ANTWERP")
    page = visit()
    page.goto(desk.QUEUE)
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("officer1")
    page.keyboard.press("Tab")
    page.keyboard.type(DEMO_PASSWORD)
    page.keyboard.press("Enter")
    desk.arrive(page, desk.QUEUE)
    page.keyboard.press("j")
    expect(desk.row(page, first).get_by_role("link").first).to_be_focused()
    page.keyboard.press("j")
    expect(desk.row(page, second).get_by_role("link").first).to_be_focused()
    page.keyboard.press("Enter")
    desk.arrive(page, desk.item(second))
    tab_to(page, "Approve")
    page.keyboard.press("Enter")
    expect(desk.dialog(page).get_by_label("Reason")).to_be_focused()
    page.keyboard.type("papers are in order")
    page.keyboard.press("Control+Enter")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    assert (desk.releases(first), desk.releases(second)) == ([], [80_000])


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what is focused has this name."""
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    pytest.fail(f"{name} can not be reached by Tab")
