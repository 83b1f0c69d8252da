"""An auditor takes the dossier of a payment from its page, checks it, and looks up the checkpoint that covers it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize, expect

from settlements.models import PaymentIntent
from settlements.proof import checkpoints
from tests.browser import accessibility, desk
from tests.browser.conftest import PHONE, Visit
from tests.factories import now

LIST = "/admin/settlements/checkpoint/"
SCREENS = (ViewportSize(width=1280, height=900), PHONE)


def test_the_button_hands_out_a_zip_that_passes(visit: Visit, tmp_path: Path) -> None:
    """One test for both screens: what the server has published outlives the database that tests empty."""
    desk.waiting("SHIP-1")
    for number, screen in enumerate(SCREENS):
        page = visit("finance1", screen=screen)
        page.goto(f"/admin/settlements/paymentintent/{PaymentIntent.objects.get().pk}/change/")
        assert accessibility.faults(page) == []
        with page.expect_download() as download:
            page.get_by_role("button", name="Dossier").click()
        packed, place = tmp_path / f"{number}.zip", tmp_path / f"{number}"
        download.value.save_as(packed)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(place)
        command = [sys.executable, "-I", str(place / "verify.py")]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        expect(page.get_by_role("button", name="Dossier")).to_be_enabled()


@pytest.mark.parametrize("screen", SCREENS, ids=["desk", "phone"])
def test_checkpoints_and_what_they_saw_fit_on_every_screen(visit: Visit, screen: ViewportSize) -> None:
    desk.waiting("SHIP-1")
    assert checkpoints.make(now=now())
    page = visit("finance1", screen=screen)
    for address in (LIST, f"{LIST}1/change/", "/admin/settlements/checkpointhead/"):
        page.goto(address)
        assert accessibility.faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
