"""An officer's decisions, as they are made on the screen: once, with a reason, by whom they may be made."""

import re

import pytest
from playwright.sync_api import Page, expect

from compliance.demo_logins import DEMO_PASSWORD
from settlements.models import Approval
from tests.browser import desk
from tests.browser.conftest import Visit
from tests.browser.watching import path_of


def test_an_officer_logs_in_approves_and_the_money_is_in_the_books(visit: Visit) -> None:
    settlement, other = desk.waiting("SHIP-ANTWERP"), desk.waiting("SHIP-GENOA")
    page = visit()
    page.goto(desk.QUEUE)
    page.get_by_label("Username").fill("officer1")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    desk.arrive(page, desk.QUEUE)
    desk.row(page, settlement).get_by_role("link").first.click()
    expect(desk.main(page)).to_contain_text("HIGH risk (0.81 >= 0.67) at POD_CONFIRMED: manual review")
    desk.decide(page, "Approve", "delivery note and photos agree")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    page.goto(desk.QUEUE)
    expect(desk.row(page, other)).to_be_visible()
    expect(desk.row(page, settlement)).to_have_count(0)
    assert desk.state(settlement) == "APPROVED"
    assert desk.releases(settlement) == [80_000]
    [approval] = Approval.objects.all()
    assert (approval.approver.username, approval.reason) == ("officer1", "delivery note and photos agree")


def test_a_wrong_password_opens_nothing_and_says_so(visit: Visit) -> None:
    page = visit()
    page.goto(desk.QUEUE)
    page.get_by_label("Username").fill("officer1")
    page.get_by_label("Password").fill("chainpay-demi")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text(re.compile("do not belong to a login"))).to_be_visible()
    page.goto(desk.QUEUE)
    assert path_of(page) == "/admin/login/"


def test_what_is_rejected_is_paid_never(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Reject", "the consignee never received the goods")
    expect(desk.main(page)).to_contain_text("rejected")
    expect(desk.way(page, "Approve")).to_have_count(0)
    assert (desk.state(settlement), desk.releases(settlement)) == ("REJECTED", [])


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_decided_without_a_reason(visit: Visit, reason: str) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Approve", reason)
    expect(page.get_by_role("textbox", name="Reason")).to_be_visible()
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])


def test_two_officers_at_once_and_the_second_is_told_what_the_first_did(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    first, second = visit("officer1"), visit("officer2")
    for page in (first, second):
        page.goto(desk.item(settlement))
        desk.begin(page, "Approve")
        desk.dialog(page).get_by_label("Reason").fill("papers are in order")
    desk.confirm(first, "Approve")
    expect(desk.main(first)).to_contain_text("Settlement approved")
    desk.confirm(second, "Approve")
    expect(second.get_by_role("alert")).to_contain_text(re.compile("approved|decided"))
    assert desk.releases(settlement) == [80_000]
    assert [approval.approver.username for approval in Approval.objects.all()] == ["officer1"]


def test_who_rejects_what_was_just_approved_is_told_and_changes_nothing(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    first, second = visit("officer1"), visit("officer2")
    second.goto(desk.item(settlement))
    desk.begin(second, "Reject")
    desk.dialog(second).get_by_label("Reason").fill("the photos are of another truck")
    first.goto(desk.item(settlement))
    desk.decide(first, "Approve", "papers are in order")
    expect(desk.main(first)).to_contain_text("Settlement approved")
    desk.confirm(second, "Reject")
    expect(second.get_by_role("alert")).to_contain_text(re.compile("approved|decided"))
    assert (desk.state(settlement), desk.releases(settlement)) == ("APPROVED", [80_000])


def test_above_the_four_eyes_amount_the_money_goes_with_the_second_officer(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP", "48000.00")
    first, second = visit("officer1"), visit("officer2")
    first.goto(desk.item(settlement))
    desk.decide(first, "Approve", "delivery note and photos agree")
    expect(desk.main(first)).to_contain_text("1 of 2")
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])
    first.goto(desk.QUEUE)
    expect(desk.row(first, settlement)).to_contain_text("1 of 2")
    second.goto(desk.item(settlement))
    desk.decide(second, "Approve", "called the consignee")
    expect(desk.main(second)).to_contain_text("Settlement approved")
    assert (desk.state(settlement), desk.releases(settlement)) == ("APPROVED", [3_840_000])


def test_nobody_is_both_officers(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP", "48000.00")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Approve", "delivery note and photos agree")
    expect(desk.main(page).get_by_role("button", name="Approve")).to_be_disabled()
    page.goto(f"{desk.item(settlement)}approve/")
    page.get_by_label("Reason").fill("and once more")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("another officer")
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])


def test_a_hold_keeps_the_money_until_it_is_lifted(visit: Visit) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit("officer1")
    page.goto(desk.item(settlement))
    desk.decide(page, "Put on hold", "a claim was filed by phone")
    expect(desk.main(page)).to_contain_text("a claim was filed by phone")
    expect(desk.way(page, "Approve")).to_have_count(0)
    page.goto(desk.QUEUE)
    expect(desk.row(page, settlement)).to_contain_text("On hold")
    page.goto(desk.item(settlement))
    desk.decide(page, "Release hold", "the claim was withdrawn")
    desk.decide(page, "Approve", "papers are in order")
    expect(desk.main(page)).to_contain_text("Settlement approved")
    assert desk.releases(settlement) == [80_000]


@pytest.mark.parametrize("login", ["finance1", "ops1", "auditor1"])
def test_other_roles_see_no_button_and_the_typed_address_is_refused(visit: Visit, login: str) -> None:
    settlement = desk.waiting("SHIP-ANTWERP")
    page = visit(login)
    page.goto(desk.item(settlement))
    expect(desk.main(page)).to_contain_text("HIGH risk")
    for act in ("approve", "reject", "hold"):
        assert offered(page, act) == 0
        answer = page.goto(f"{desk.item(settlement)}{act}/")
        assert answer
        assert (act, answer.status) == (act, 403)
        page.go_back()
    assert (desk.state(settlement), desk.releases(settlement)) == ("PENDING", [])


def offered(page: Page, act: str) -> int:
    """How many ways to an act the page has, whatever they look like."""
    return desk.main(page).locator(f"[href*='{act}/'], [action*='{act}/'], [formaction*='{act}/']").count()
