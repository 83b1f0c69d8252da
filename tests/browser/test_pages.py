"""Every page of an officer's day reads well: on a desk and on a phone, in light and dark, and without eyes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from settlements.models import MilestoneSettlement
from tests.browser import accessibility, desk
from tests.browser.conftest import DESKTOP, PHONE, Visit

SCREENS = {"desk": DESKTOP, "phone": PHONE}
DIALOGS = ("Approve", "Reject", "Put on hold", "Assign", "Add a note", "Add evidence")

PAGES: dict[str, Callable[[MilestoneSettlement], str]] = {
    "overview": lambda _: "/admin/",
    "queue": lambda _: desk.QUEUE,
    "nothing found": lambda _: f"{desk.QUEUE}?q=SHIP-NOWHERE",
    "approve": lambda settlement: f"{desk.item(settlement)}approve/",
    "settlements": lambda _: "/admin/settlements/milestonesettlement/",
    "settlement": lambda settlement: f"/admin/settlements/milestonesettlement/{settlement.pk}/change/",
    "intents": lambda _: "/admin/settlements/paymentintent/",
    "audit": lambda _: "/admin/settlements/auditevent/",
    "rubber stamps": lambda _: f"{desk.QUEUE}rubber-stamps/",
    "second factor": lambda _: "/admin/account/second-factor/",
    "authenticator app": lambda _: "/admin/account/second-factor/app/",
    "item": desk.item,
}

every_screen = pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
light_and_dark = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@light_and_dark
@every_screen
def test_every_page_can_be_read_by_everybody(visit: Visit, screen: ViewportSize, dark: bool) -> None:
    desk.waiting("SHIP-ANTWERP")
    settlement = desk.waiting("SHIP-GENOA", "48000.00")
    page = visit("manager1", screen=screen, dark=dark)
    faults = {}
    for name, address in PAGES.items():
        answer = page.goto(address(settlement))
        assert answer
        assert (name, answer.status) == (name, 200)
        faults[name] = accessibility.faults(page, colours_only=dark)
    faults |= {act: of_dialog(page, act, dark=dark) for act in DIALOGS}
    faults["selection"] = of_selection(page, dark=dark)
    assert {name: found for name, found in faults.items() if found} == {}


def of_dialog(page: Page, act: str, *, dark: bool) -> list[str]:
    """The faults of a dialog of the page of a settlement."""
    desk.begin(page, act)
    faults = accessibility.faults(page, within="dialog[open]", colours_only=dark)
    page.keyboard.press("Escape")
    expect(desk.dialog(page)).to_have_count(0)
    return faults


def of_selection(page: Page, *, dark: bool) -> list[str]:
    """The faults of the page that decides about many."""
    page.goto(desk.QUEUE)
    for box in page.locator(".cp-queue tbody").get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Approve").click()
    expect(desk.main(page)).to_contain_text("Each is decided for itself")
    return accessibility.faults(page, colours_only=dark)


@light_and_dark
@every_screen
def test_the_login_can_be_read_by_everybody(visit: Visit, screen: ViewportSize, dark: bool) -> None:
    page = visit(screen=screen, dark=dark)
    page.goto("/admin/")
    expect(page.get_by_label("Password")).to_be_visible()
    assert accessibility.faults(page, colours_only=dark) == []
