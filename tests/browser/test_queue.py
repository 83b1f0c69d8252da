"""The list of what waits: found, filtered, shared out, and decided about many at a time."""

import re

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from settlements.models import Approval
from tests.browser import desk
from tests.browser.conftest import PHONE, Visit
from tests.factories import CLAIM, HIGH, POD, a_recipient, a_token, an_intent, post_event, settlement_of


def shipments(page: Page) -> list[str]:
    """The shipments of the list, in its order."""
    return re.findall(r"SHIP-[A-Z]+", " ".join(page.locator(".cp-queue tbody").all_inner_texts()))


def select(page: Page, *wanted: str) -> None:
    for shipment in wanted:
        page.get_by_role("row").filter(has_text=shipment).get_by_role("checkbox").check()


def test_the_largest_comes_first_and_filters_and_search_narrow_the_list(visit: Visit) -> None:
    desk.waiting("SHIP-ANTWERP", "1000.00")
    desk.waiting("SHIP-GENOA", "48000.00")
    never_scored = desk.waiting("SHIP-LISBON", "7000.00", risk=None)
    post_event("SHIP-LISBON", CLAIM)
    page = visit("officer1")
    page.goto(desk.QUEUE)
    assert shipments(page) == ["SHIP-GENOA", "SHIP-LISBON", "SHIP-LISBON", "SHIP-ANTWERP"]
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Amount from").fill("2000")
    page.get_by_label("Currency").select_option("USD")
    page.get_by_label("Event").select_option(POD)
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_label("Filters that are on")).to_contain_text("POD confirmed")
    assert shipments(page) == ["SHIP-GENOA", "SHIP-LISBON"]
    page.get_by_role("searchbox").fill("SHIP-LIS")
    page.get_by_role("button", name="Search").click()
    expect(desk.row(page, never_scored)).to_have_count(1)
    assert shipments(page) == ["SHIP-LISBON"]
    page.get_by_role("link", name="Remove all").click()
    expect(page.locator(".cp-queue tbody tr")).to_have_count(4)


def test_a_search_that_finds_nothing_says_so_and_leads_back(visit: Visit) -> None:
    desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(f"{desk.QUEUE}?q=SHIP-NOWHERE")
    expect(desk.main(page)).to_contain_text("No settlement fits these filters.")
    page.get_by_role("link", name="Show the whole queue").click()
    expect(page.locator(".cp-queue tbody tr")).to_have_count(1)


def test_what_is_assigned_to_me_is_on_my_own_list(visit: Visit) -> None:
    settlement, _ = desk.waiting("SHIP-ANTWERP"), desk.waiting("SHIP-GENOA")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.begin(page, "Assign")
    desk.dialog(page).get_by_label("Assignee").select_option("officer2")
    desk.dialog(page).get_by_label("Reason").fill("knows this carrier")
    desk.confirm(page, "Assign")
    expect(desk.main(page)).to_contain_text("Assigned to officer2")
    page.goto(desk.QUEUE)
    expect(desk.row(page, settlement)).to_contain_text("officer2")
    mine = visit("officer2")
    mine.goto(desk.QUEUE)
    mine.get_by_role("navigation", name="Lists").get_by_role("link", name="Mine").click()
    expect(mine.locator(".cp-queue tbody tr")).to_have_count(1)
    assert shipments(mine) == ["SHIP-ANTWERP"]


def test_many_are_approved_with_one_reason_and_one_refusal_leaves_the_others(
    visit: Visit, staff: dict[str, User]
) -> None:
    first, last = desk.waiting("SHIP-ANTWERP", "1000.00"), desk.waiting("SHIP-GENOA", "900.00")
    own = desk.waiting("SHIP-LISBON", "950.00", creator=staff["officer1"])
    page = visit("officer1")
    page.goto(desk.QUEUE)
    select(page, "SHIP-ANTWERP", "SHIP-LISBON", "SHIP-GENOA")
    expect(page.get_by_text("3 selected:")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(desk.main(page)).to_contain_text("2,280.00 USD")
    page.get_by_label("Reason").fill("the week's papers are complete")
    page.get_by_role("button", name="Approve: 3 settlements").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile("2 .*1 ", re.DOTALL))
    expect(desk.row(page, own)).to_contain_text(re.compile("refused"))
    expect(desk.row(page, own)).to_contain_text(re.compile("created"))
    assert [desk.releases(each) for each in (first, own, last)] == [[80_000], [], [72_000]]
    assert {approval.reason for approval in Approval.objects.all()} == {"the week's papers are complete"}
    page.get_by_role("link", name="Back to the queue").click()
    expect(page.locator(".cp-queue tbody tr")).to_have_count(1)
    assert shipments(page) == ["SHIP-LISBON"]


def test_many_are_not_approved_without_a_reason_nor_without_a_selection(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.QUEUE)
    page.get_by_role("button", name="Approve").click()
    expect(desk.main(page)).to_contain_text("Select settlements in the list first.")
    select(page, "SHIP-ANTWERP")
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Reason").fill("   ")
    page.get_by_role("button", name="Approve: 1 settlement").click()
    expect(desk.main(page)).to_contain_text("Write down the reason")
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])


def test_what_is_approved_unread_is_on_the_managers_report(visit: Visit) -> None:
    desk.waiting("SHIP-ANTWERP")
    read = desk.waiting("SHIP-GENOA")
    page = visit("officer1")
    page.goto(desk.item(read))
    with page.expect_response(re.compile("/opened/$")):
        page.reload()
    desk.decide(page, "Approve", "papers are in order")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    page.goto(desk.QUEUE)
    select(page, "SHIP-ANTWERP")
    page.get_by_role("button", name="Approve").click()
    page.get_by_label("Reason").fill("the week's papers are complete")
    page.get_by_role("button", name="Approve: 1 settlement").click()
    expect(page.get_by_role("status")).to_be_visible()
    report = visit("manager1")
    report.goto("/admin/")
    report.get_by_role("link", name=re.compile("Rubber")).first.click()
    expect(report.get_by_role("row").filter(has_text="SHIP-ANTWERP")).to_contain_text("Not opened")
    expect(report.get_by_role("row").filter(has_text="SHIP-GENOA")).not_to_contain_text("Not opened")
    with report.expect_download() as download:
        report.get_by_role("button", name="Download CSV").click()
    assert "SHIP-ANTWERP" in download.value.path().read_text()
    officer = visit("officer1")
    officer.goto("/admin/")
    expect(officer.get_by_role("link", name=re.compile("Rubber"))).to_have_count(0)


def test_the_front_page_counts_what_waits_and_leads_there(visit: Visit) -> None:
    desk.waiting("SHIP-ANTWERP")
    desk.waiting("SHIP-GENOA", "48000.00")
    page = visit("officer1")
    page.goto("/admin/")
    expect(desk.main(page)).to_contain_text(re.compile("waiting", re.IGNORECASE))
    desk.main(page).locator(f"a[href^='{desk.QUEUE}']").first.click()
    page.wait_for_url(f"**{desk.QUEUE}**")
    expect(page.locator(".cp-queue tbody tr").first).to_be_visible()


def test_on_a_phone_the_queue_is_worked_with_a_thumb(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1", screen=PHONE)
    page.goto(desk.QUEUE)
    page.get_by_role("link", name="800.00 USD").click()
    desk.decide(page, "Approve", "papers are in order")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    assert desk.releases(settlement) == [80_000]


def test_a_name_that_is_a_program_stays_a_name(visit: Visit) -> None:
    """Whatever the outside world sends is shown as text."""
    recipient = a_recipient(name="<script>document.title = 'mine'</script><b>bold</b>")
    token = a_token(shipment_id="SHIP-<IMG/SRC=x>", risk_score=HIGH)
    settlement = settlement_of(an_intent(token=token, recipient=recipient), POD)
    page = visit("officer1")
    for address in (desk.QUEUE, desk.item(settlement), "/admin/"):
        page.goto(address)
        assert "mine" not in page.title()
    page.goto(desk.item(settlement))
    expect(desk.main(page)).to_contain_text("<b>bold</b>")
