"""Finance at work on wires: what waits for the bank, its files beside it, and its word taken down in a dialog."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from rails import destinations
from rails.models import WireEntry
from rails.wire import inbox
from rails.wire.rail import WireRail
from settlements import submitting
from settlements.models import MilestoneSettlement
from tests.browser.conftest import Visit
from tests.factories import POD, a_recipient, a_user, an_intent, approve, now, settlement_of
from tests.rails.wire.bank import CREDITOR, IBAN, MONDAY, configured
from tests.rails.wire.test_inbox import CAMT054


def sent() -> None:
    recipient = a_recipient(name="Bozza Spedition")
    account = destinations.read("wire", {**CREDITOR, **IBAN})
    destinations.propose(recipient.pk, [account], actor="test", now=now())
    approvers = [a_user(username=f"approver-{number}") for number in (1, 2)]
    for _ in range(3):
        settlement = settlement_of(an_intent(recipient=recipient, payment_method="wire"), POD)
        for approver in approvers:
            approve(settlement, approver)
    submitting.submit(WireRail(), clock=lambda: MONDAY)


def test_a_wire_is_confirmed_in_a_dialog_that_knows_the_banks_reference(
    visit: Visit, tmp_path: Path, settings: Any, request: pytest.FixtureRequest
) -> None:
    place = tmp_path / "inbox"
    place.mkdir()
    settings.WIRE = configured(tmp_path, inbox=place)
    sent()
    wire = WireEntry.objects.earliest("id")
    (place / "n.xml").write_text(
        CAMT054.format(side="DBIT", status="BOOK", reference=wire.end_to_end_id).replace("70.00", "7000.00")
    )
    inbox.read(place, whole_after=0)
    page = visit("finance1")
    page.goto("/admin/rails/wireentry/?said=waiting")
    if wanted := request.config.getoption("--screenshots", default=None):
        page.screenshot(path=Path(wanted) / "wires.png")
    page.get_by_role("link", name=wire.end_to_end_id).click()
    if wanted:
        page.screenshot(path=Path(wanted) / "wire.png", full_page=True)
    page.get_by_role("link", name="Confirm", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Bank's reference")).to_have_value("IMAD-1")
    dialog.get_by_label("Reason").fill("Debit on the statement of Tuesday")
    if wanted:
        page.screenshot(path=Path(wanted) / "wire-confirm.png")
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text(re.compile("is confirmed under IMAD-1"))).to_be_visible()
    assert MilestoneSettlement.objects.get(pk=wire.milestone_id).status == "SETTLED"
