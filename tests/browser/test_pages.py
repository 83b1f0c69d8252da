"""Every page of an officer's day reads well: on a desk and on a phone, in light and dark, and without eyes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import ViewportSize, expect

from settlements.models import MilestoneSettlement
from tests.browser import accessibility
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.factories import HIGH, POD, a_recipient, an_intent, settlement_of

SCREENS = {"desk": DESKTOP, "phone": PHONE}


def waiting(amount: str = "1000.00") -> MilestoneSettlement:
    """A settlement of HIGH risk that waits for an officer."""
    return settlement_of(an_intent(risk=HIGH, amount=amount, recipient=a_recipient()), POD)


def queue(settlement: MilestoneSettlement) -> str:
    return "/admin/compliance/reviewqueue/"


def item(settlement: MilestoneSettlement) -> str:
    return f"/admin/compliance/reviewqueue/{settlement.pk}/"


PAGES: dict[str, Callable[[MilestoneSettlement], str]] = {
    "overview": lambda _: "/admin/",
    "queue": queue,
    "item": item,
    "approve": lambda settlement: f"{item(settlement)}approve/",
    "reject": lambda settlement: f"{item(settlement)}reject/",
    "hold": lambda settlement: f"{item(settlement)}hold/",
    "settlements": lambda _: "/admin/settlements/milestonesettlement/",
    "settlement": lambda settlement: f"/admin/settlements/milestonesettlement/{settlement.pk}/change/",
    "intents": lambda _: "/admin/settlements/paymentintent/",
    "intent": lambda settlement: f"/admin/settlements/paymentintent/{settlement.intent_id}/change/",
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_every_page_can_be_read_by_everybody(visit: Visit, screen: ViewportSize, dark: bool) -> None:
    for amount in ("1000.00", "48000.00"):
        settlement = waiting(amount)
    page = visit("officer1", screen=screen, dark=dark)
    faults = {}
    for name, address in PAGES.items():
        answer = page.goto(address(settlement))
        assert answer
        assert (name, answer.status) == (name, 200)
        faults[name] = accessibility.faults(page, colours_only=dark)
    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_the_login_can_be_read_by_everybody(visit: Visit, screen: ViewportSize, dark: bool) -> None:
    page = visit(screen=screen, dark=dark)
    page.goto("/admin/")
    expect(page.get_by_label("Password")).to_be_visible()
    assert accessibility.faults(page, colours_only=dark) == []
