"""The work list in Chromium: readable by everybody, on a desk, in the dark and on a phone; a retry by its dialog."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import ViewportSize, expect

from rails import bank_inboxes
from rails.base import RailOutcome, SettlementProvider
from rails.money import Money
from rails.wire import inbox as wire_inbox
from settlements.statuses import SettlementStatus as S
from tests.browser import accessibility, desk
from tests.browser.conftest import PHONE, Visit
from tests.compliance.test_stripe_event_pages import an_event
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import failed, in_question, paid, returned, tell

LIST = reverse("admin:compliance_work_list")
PICTURE = ViewportSize(width=1280, height=900)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendProvider]:
    with pretend_provider(monkeypatch) as pretended:
        yield pretended


@pytest.fixture
def album(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the pictures go: into the documents if somebody asked for it."""
    chosen = request.config.getoption("--screenshots", default=None)
    if not chosen:
        return tmp_path
    place: Path = request.config.rootpath / chosen / "work-list"
    place.mkdir(exist_ok=True)
    return place


def test_a_failed_payment_is_read_and_sent_again(provider: PretendProvider, visit: Visit, album: Path) -> None:
    recipient = a_payable_recipient()
    settlement = failed(provider, recipient, amount=Decimal("1000"))
    returned(provider, recipient)
    in_question(provider, recipient)
    partly = paid(provider, recipient)
    tell(notice(RailOutcome.RETURNED, partly.reference, amount=Money(100, "USD")))
    places = {"work-list": LIST, "work-item": f"{LIST}{settlement.pk}/"}
    for screen, dark, suffix in ((PICTURE, False, ""), (PICTURE, True, "-dark"), (PHONE, False, "-phone")):
        page = visit("officer1", screen=screen, dark=dark)
        for name, address in places.items():
            page.goto(address)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=album / f"{name}{suffix}.png")
            assert accessibility.faults(page, colours_only=dark) == []
    page = visit("officer1", screen=PICTURE)
    page.goto(places["work-item"])
    desk.decide(page, "Approve a retry", "the recipient has a new account")
    expect(desk.main(page)).to_contain_text("Approval recorded")
    # The server is a process of its own, without the pretended provider: the sweep sends it once the rail is set up.
    settlement.refresh_from_db()
    assert (settlement.status, settlement.blocked_reason) == (S.FAILED, "rail stripe is not set up")


def test_files_of_banks_are_found_and_dealt_with(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "broken.xml").write_bytes(b"<Document>")
    wire_inbox.read(tmp_path, whole_after=0)
    bank_inboxes.tell_troubles(SettlementProvider.ACH, {"": "it can not be opened: Permission denied"})
    for screen in (PICTURE, PHONE):
        page = visit("finance1", screen=screen)
        page.goto(LIST)
        expect(desk.main(page)).to_contain_text("The whole inbox")
        assert accessibility.faults(page) == []
    page.get_by_role("link", name="broken.xml").click()
    page.get_by_role("link", name="Dealt with").last.click()
    page.get_by_label("Reason").fill("The bank sent it again")
    page.get_by_role("dialog").get_by_role("button", name="Dealt with").click()
    expect(page.get_by_text("Quarantined, dealt with")).to_be_visible()
    page.goto(LIST)
    expect(desk.main(page)).not_to_contain_text("broken.xml")


def test_an_unclear_event_of_stripes_is_found_and_dealt_with(visit: Visit) -> None:
    event = an_event(
        "it is not what attempt 1 ordered: tr_1PgqZx2eZvKYlo2CabcdEFGH of 0.01 USD to acct_1032D82eZvKYlo2C"
    )
    row = f"/admin/rails/stripeevent/{event.pk}/"
    for screen in (PICTURE, PHONE):
        page = visit("officer1", screen=screen)
        for address in (f"{row}again/", f"{row}deal/", "/admin/rails/stripeevent/?waits=1", f"{row}change/", LIST):
            page.goto(address)
            page.wait_for_load_state("networkidle")
            assert accessibility.faults(page) == []
    page.get_by_role("link", name="transfer.created").click()
    page.get_by_role("link", name="Dealt with").last.click()
    page.get_by_role("textbox", name="Reason").fill("Stripe's support says that it was a test")
    page.get_by_role("dialog").get_by_role("button", name="Dealt with").click()
    expect(desk.main(page)).to_contain_text("Stripe's support says that it was a test")
    assert accessibility.faults(page) == []
    page.goto(LIST)
    expect(desk.main(page)).not_to_contain_text("transfer.created")
    page.goto("/admin/rails/stripeeventdecision/")
    assert accessibility.faults(page) == []
