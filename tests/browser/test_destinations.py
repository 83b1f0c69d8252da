"""Where a recipient is paid, on the screens: one person writes it down, another one believes it."""

from playwright.sync_api import Page, expect

from rails import destinations
from rails.models import Destination, Recipient
from tests.browser import accessibility, desk
from tests.browser.conftest import PHONE, Visit
from tests.factories import a_recipient, now
from tests.rails.test_routing import ACH

NUMBER, CHANGED = "12345678901234567", "99887766554433"


def paid_recipient() -> Recipient:
    recipient = a_recipient()
    destinations.propose(recipient.pk, [destinations.read("ach", ACH)], actor="test", now=now())
    return recipient


def page_of(recipient: Recipient) -> str:
    return f"/admin/rails/recipient/{recipient.pk}/change/"


def write_down(page: Page, number: str, again: str) -> None:
    desk.begin(page, "Set ACH destination")
    dialog = desk.dialog(page)
    dialog.get_by_label("Account number", exact=True).fill(number)
    dialog.get_by_label("Account number again").fill(again)
    dialog.get_by_label("Reason").fill("their mail of today")
    desk.confirm(page, "Set ACH destination")


def test_one_writes_it_down_and_another_confirms(visit: Visit) -> None:
    recipient = paid_recipient()
    clerk = visit("ops1")
    clerk.goto(page_of(recipient))
    write_down(clerk, CHANGED, CHANGED)
    expect(desk.main(clerk)).to_contain_text("Another person confirms it")
    expect(desk.main(clerk)).to_contain_text("••4433")
    officer = visit("officer1")
    officer.goto("/admin/")
    officer.get_by_role("link", name="Destinations to confirm").click()
    officer.locator("#result_list tbody a").first.click()
    desk.begin(officer, "Confirm")
    expect(desk.dialog(officer)).to_contain_text("their mail of today")
    desk.dialog(officer).get_by_label("The number, as the recipient told you").fill(CHANGED)
    desk.dialog(officer).get_by_label("Reason").fill("called them on the number of the contract")
    desk.confirm(officer, "Confirm")
    expect(desk.main(officer)).to_contain_text("Destination confirmed; it is usable from")
    assert Destination.objects.get(state="ACTIVE").details["last4"] == "4433"


def test_a_slip_of_the_pen_is_told_and_the_number_is_typed_again(visit: Visit) -> None:
    recipient = paid_recipient()
    page = visit("ops1")
    page.goto(page_of(recipient))
    write_down(page, CHANGED, NUMBER)
    expect(desk.main(page)).to_contain_text("The two numbers differ")
    assert page.get_by_label("Account number", exact=True).input_value() == ""
    assert page.get_by_label("Holder").input_value() == "BOZZA HAULAGE LLC"
    assert Destination.objects.count() == 1


def test_who_wrote_it_finds_no_way_to_confirm_it(visit: Visit) -> None:
    recipient = paid_recipient()
    page = visit("manager1")
    page.goto(page_of(recipient))
    write_down(page, CHANGED, CHANGED)
    page.goto("/admin/rails/destination/?state=PROPOSED")
    page.locator("#result_list tbody a").first.click()
    expect(desk.main(page)).to_contain_text("You proposed this destination; another person confirms it.")
    expect(desk.way(page, "Confirm")).to_have_count(0)
    expect(desk.way(page, "Take back")).to_have_count(1)


def test_a_rail_is_turned_off_and_on(visit: Visit) -> None:
    page = visit("ops1")
    page.goto("/admin/rails/railswitch/")
    row = page.get_by_role("row").filter(has_text="Internal ledger").first
    for act, reason in (("Turn off", "month end"), ("Turn on", "month is closed")):
        row.get_by_role("link", name=act).click()
        desk.dialog(page).get_by_label("Reason").fill(reason)
        desk.confirm(page, act)
        expect(desk.main(page)).to_contain_text(f"{act.replace('Turn', 'Turned')}: {reason}")


def test_the_screens_are_readable_by_everybody(visit: Visit) -> None:
    recipient = paid_recipient()
    changed = destinations.read("ach", {**ACH, "account_number": CHANGED})
    (change,) = destinations.propose(recipient.pk, [changed], actor="test", now=now())
    for page in (visit("manager1"), visit("manager1", screen=PHONE), visit("manager1", dark=True)):
        for path in (
            page_of(recipient),
            f"/admin/rails/destination/{change.pk}/change/",
            f"/admin/rails/destination/{change.pk}/confirm/",
            f"/admin/rails/recipient/{recipient.pk}/set_wire/",
            "/admin/rails/destination/find/",
            "/admin/rails/railswitch/",
            "/admin/rails/methodrule/new/",
        ):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert accessibility.faults(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
