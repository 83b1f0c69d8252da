"""What an officer finds and does on the screens, by the words that are on them."""

from decimal import Decimal
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from rails.models import JournalEntry
from settlements.models import MilestoneSettlement
from tests.factories import HIGH, POD, a_recipient, a_token, an_intent, settlement_of

QUEUE = "/admin/compliance/reviewqueue/"


def waiting(
    shipment_id: str, amount: str = "1000.00", *, risk: Decimal | None = HIGH, creator: User | None = None
) -> MilestoneSettlement:
    """A settlement of 80 % of the amount that waits for an officer."""
    token = a_token(shipment_id=shipment_id, risk_score=risk)
    return settlement_of(an_intent(token=token, amount=Decimal(amount), recipient=a_recipient(), creator=creator), POD)


def item(settlement: MilestoneSettlement) -> str:
    """The address of its page."""
    return f"{QUEUE}{settlement.pk}/"


def arrive(page: Page, path: str) -> None:
    """Waits until the page is there with its scripts; an address that only names it on the way does not count."""
    page.wait_for_url(lambda address: urlsplit(address).path == path)


def row(page: Page, settlement: MilestoneSettlement) -> Locator:
    """Its row of the queue."""
    return page.get_by_role("row").filter(has_text=settlement.intent.shipment.shipment_id)


def main(page: Page) -> Locator:
    """The page without its navigation."""
    return page.locator("#main")


def decide(page: Page, act: str, reason: str) -> None:
    """Presses the button, gives the reason, and confirms."""
    begin(page, act)
    dialog(page).get_by_role("textbox").last.fill(reason)
    confirm(page, act)


def begin(page: Page, act: str) -> None:
    """Presses the button of an act on the page of a settlement."""
    way(page, act).click()
    expect(dialog(page)).to_be_visible()


def confirm(page: Page, act: str) -> None:
    """Presses the last button of an act."""
    dialog(page).get_by_role("button", name=act).click()


def way(page: Page, act: str) -> Locator:
    """What opens the dialog of an act."""
    return main(page).get_by_role("link", name=act, exact=True)


def dialog(page: Page) -> Locator:
    """The dialog that is open."""
    return page.get_by_role("dialog")


def state(settlement: MilestoneSettlement) -> str:
    """What became of it."""
    return MilestoneSettlement.objects.get(pk=settlement.pk).status


def releases(settlement: MilestoneSettlement) -> list[int]:
    """What was paid for it, in minor units, one figure for each release in the books."""
    booked = JournalEntry.objects.filter(kind="release", milestone_id=settlement.pk)
    return list(booked.values_list("amount_minor", flat=True))
