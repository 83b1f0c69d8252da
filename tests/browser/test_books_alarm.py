"""What could not be proven stands in red on a desk, in the dark and on a phone, and leads to the run that found it."""

from pathlib import Path

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import ViewportSize, expect

from settlements.models import BooksCheck
from tests.browser import accessibility, desk
from tests.browser.conftest import PHONE, Visit

DESK = ViewportSize(width=1280, height=900)


def test_the_red_is_read_everywhere_and_leads_to_its_run(visit: Visit, tmp_path: Path) -> None:
    at = timezone.now()
    BooksCheck.objects.create(
        actor="beat",
        night=at.date(),
        started_at=at,
        finished_at=at,
        rows=1_250_000,
        proven=[{"check": "audit events are chained", "rows": 1_250_000, "seconds": "31.0"}],
        failed_check="journal entries balance",
        difference="journal entry 4711 (INTERNAL_LEDGER:20261128T093000000000Z:1234): it is of 100000 USD in minor "
        "units, but its postings sum to 100001",
    )
    for screen, dark, suffix in ((PHONE, False, "-phone"), (DESK, True, "-dark"), (DESK, False, "")):
        page = visit("officer1", screen=screen, dark=dark)
        for name, address in {
            "front": "/admin/",
            "work": reverse("admin:compliance_work_list"),
            "runs": "/admin/settlements/bookscheck/",
        }.items():
            page.goto(address)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=tmp_path / f"{name}{suffix}.png")
            assert accessibility.faults(page, colours_only=dark) == []
    page.goto("/admin/")
    page.get_by_role("link", name="The run").click()
    expect(desk.main(page)).to_contain_text("its postings sum to 100001")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "run.png")
    assert accessibility.faults(page) == []
