"""The pictures of the documents: a desk with two weeks behind it (showcase.py) and a morning's queue."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from settlements.models import MilestoneSettlement
from tests.browser import accessibility, desk, showcase
from tests.browser.conftest import PHONE, Visit

PICTURE = ViewportSize(width=1280, height=900)
SHOWN = "SHIP-HOUSTON-131"


@pytest.fixture
def album(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures go: into the documents if somebody asked for it."""
    chosen = request.config.getoption("--screenshots", default=None)
    return request.config.rootpath / chosen if chosen else tmp_path


def test_the_screens_of_a_busy_desk_are_worth_a_picture(visit: Visit, album: Path) -> None:
    showcase.load()
    settlement = MilestoneSettlement.objects.get(intent__shipment__shipment_id=SHOWN, status="PENDING")
    colleague = visit("officer2")
    colleague.goto(desk.item(settlement))
    desk.decide(colleague, "Add a note", "Called the consignee: 12 pallets received, two of them wet. Photos follow.")
    expect(colleague.get_by_role("region", name="Notes")).to_contain_text("12 pallets")
    places = {"queue": desk.QUEUE, "item": desk.item(settlement), "dashboard": "/admin/"}
    page = visit("officer1", screen=PICTURE)
    for name, address in places.items():
        take(page, address, album / f"{name}.png")
    take(visit("officer1", screen=PICTURE, dark=True), desk.QUEUE, album / "queue-dark.png")
    take(visit("officer1", screen=PHONE), desk.item(settlement), album / "item-phone.png")
    sizes = {picture.name: picture.stat().st_size for picture in album.glob("*.png")}
    assert len(sizes) == len(places) + 2
    assert {name: size for name, size in sizes.items() if not 10_000 < size < 400_000} == {}


def take(page: Page, address: str, file: Path) -> None:
    """A picture of what is on the screen, once it has its fonts; with so much on it everybody can still read it."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => true)")
    assert accessibility.faults(page, colours_only="dark" in file.name) == []
    page.screenshot(path=file)
