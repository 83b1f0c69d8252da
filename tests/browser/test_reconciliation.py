"""The reconciliation page in Chromium: readable on a desk, in the dark and on a phone; a difference is resolved."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize, expect

from rails.base import RailOutcome
from rails.models import AttemptState, RailAttempt, RailDifference, RailReconciliation
from settlements.reconciliation import comparing
from tests.browser import accessibility, desk
from tests.browser.conftest import PHONE, Visit
from tests.factories import LOW, POD, an_intent, now, settlement_of
from tests.flows.pretend_provider import PretendProvider, a_payable_recipient, notice, pretend_provider
from tests.flows.resolving import paid, returned, tell

LIST = "/admin/compliance/reviewqueue/reconciliation/"
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
    place: Path = request.config.rootpath / chosen / "reconciliation"
    place.mkdir(exist_ok=True)
    return place


def test_differences_are_read_and_resolved(
    provider: PretendProvider, visit: Visit, album: Path, behind_the_guards: Callable[..., None]
) -> None:
    recipient = a_payable_recipient()
    for _ in range(3):
        tell(notice(RailOutcome.CONFIRMED, paid(provider, recipient).reference))
        settlement_of(an_intent(risk=LOW, amount=Decimal("1250.50")), POD)
    returned(provider, recipient, amount=Decimal("1000"))
    wrong = paid(provider, recipient, amount=Decimal("2000"))
    unbooked = paid(provider, recipient)
    missing = paid(provider, recipient, amount=Decimal("48000"))
    behind_the_guards(
        "UPDATE settlements_milestonesettlement SET amount_minor = amount_minor + 500 WHERE id = %s", wrong.pk
    )
    behind_the_guards(
        "DELETE FROM rails_posting WHERE entry_id IN (SELECT id FROM rails_journalentry WHERE milestone_id = %s)",
        unbooked.pk,
    )
    run = RailReconciliation.objects.create(
        provider="STRIPE", since=now(), started_at=now(), actor="beat", ours=8, theirs=8, differences=2
    )
    at = {"reconciliation": run, "occurred_at": now(), "first_seen_at": now()}
    RailDifference.objects.create(
        kind="MISSING_THERE", milestone_id=missing.pk, attempt_number=1, reference=missing.reference, **at
    )
    RailDifference.objects.create(
        kind="MISSING_HERE",
        reference="tr_1Stranger",
        theirs="tr_1Stranger: 512.00 USD to acct_1Unknown",
        amount_minor=51_200,
        returned_minor=0,
        currency="USD",
        **at,
    )
    assert RailAttempt.objects.filter(state=AttemptState.ACCEPTED).count() == 3
    comparing.compare(actor="beat", now=now())
    for screen, dark, suffix in ((PICTURE, False, ""), (PICTURE, True, "-dark"), (PHONE, False, "-phone")):
        page = visit("finance1", screen=screen, dark=dark)
        for name, query in {"open": "", "matched": "?view=matched", "resolved": "?view=resolved"}.items():
            page.goto(f"{LIST}{query}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=album / f"{name}{suffix}.png", full_page=True)
            assert accessibility.faults(page, colours_only=dark) == []
    page = visit("finance1", screen=PICTURE)
    page.goto(f"{LIST}?kind=AMOUNT")
    page.get_by_role("link", name="Resolve difference").click()
    page.screenshot(path=album / "resolve.png", full_page=True)
    assert accessibility.faults(page) == []
    page.get_by_label("Reason").fill("Agreed with the carrier: five dollars of parking")
    page.get_by_role("button", name="Resolve").click()
    expect(desk.main(page)).to_contain_text("No open difference with these filters")
    page.goto(f"{LIST}?view=resolved")
    expect(desk.main(page)).to_contain_text("five dollars of parking")
