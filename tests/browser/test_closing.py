"""Finance closes a day and hands out a statement, in Chromium: on a desk, on a phone, in the dark and on paper."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize, expect

from rails.models import ClosedDay, Recipient
from settlements.closing import closing
from tests.browser import accessibility, desk, showcase
from tests.browser.conftest import PHONE, Visit

PICTURE = ViewportSize(width=1280, height=900)
DAYS = "/admin/rails/closedday/"


@pytest.fixture
def album(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures go: into the documents if somebody asked for it."""
    chosen = request.config.getoption("--screenshots", default=None)
    if not chosen:
        return tmp_path
    place: Path = request.config.rootpath / chosen / "closing"
    place.mkdir(exist_ok=True)
    return place


def test_finance_closes_a_day_and_draws_up_a_statement(visit: Visit, album: Path, tmp_path: Path) -> None:
    showcase.load()
    now = datetime.now(UTC)
    yesterday = now.date() - timedelta(days=1)
    list(closing.close_through(yesterday - timedelta(days=1), actor="user:finance1", now=now))
    recipient = Recipient.objects.get(recipient_id="acme-haulage")
    statement = (
        f"/admin/rails/recipient/{recipient.pk}/statement/?first={yesterday - timedelta(days=14)}&last={now:%Y-%m-%d}"
    )
    places = {"days": DAYS, "day": f"{DAYS}open/{yesterday}/", "statement": statement, "paper": f"{statement}&paper=1"}
    for screen, dark, suffix in ((PICTURE, False, ""), (PHONE, False, "-phone"), (PICTURE, True, "-dark")):
        page = visit("finance1", screen=screen, dark=dark)
        for name, address in places.items():
            page.goto(address)
            page.wait_for_load_state("networkidle")
            if not dark:
                page.screenshot(path=album / f"{name}{suffix}.png")
            assert accessibility.faults(page, colours_only=dark) == [], name
            sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(sideways) <= 0, name
    page = visit("finance1", screen=PICTURE)
    page.goto(places["paper"])
    page.pdf(path=tmp_path / "statement.pdf", prefer_css_page_size=True)
    assert (tmp_path / "statement.pdf").read_bytes().count(b"/Type /Page") >= 2
    page.goto(DAYS)
    page.get_by_role("link", name="Look and close").click()
    page.get_by_role("link", name="Close the day").click()
    expect(desk.dialog(page)).to_contain_text("It can not be undone.")
    page.screenshot(path=album / "close.png")
    assert accessibility.faults(page) == []
    desk.dialog(page).get_by_role("button", name="Close the day").click()
    expect(desk.main(page)).to_contain_text("Its figures are frozen.")
    page.screenshot(path=album / "closed.png")
    row = ClosedDay.objects.get(day=yesterday)
    expect(desk.main(page)).to_contain_text(row.sha256)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the figures").click()
    assert download.value.path().read_text() == row.figures
    page.goto(statement)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.path().read_text().startswith("what,booked_on,")
