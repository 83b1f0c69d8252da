"""The documents say what the code does: links lead somewhere, every endpoint is told of."""

import re
from pathlib import Path

import pytest

from tests.openapi.routes import endpoints

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
API = (ROOT / "docs/api.md").read_text()

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    dead = []
    for target in LINK.findall(document.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


ENDPOINTS = dict(endpoints())


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_endpoint_and_method_has_its_heading(path: str) -> None:
    untold = [f"{method} {path}" for method in ENDPOINTS[path].scopes if f"### {method} {path}\n" not in API]
    assert untold == []


def test_every_heading_of_an_endpoint_is_one() -> None:
    known = {f"{method} {path}" for path, endpoint in ENDPOINTS.items() for method in endpoint.scopes}
    assert {title for title in HEADING.findall(API) if re.match(r"[A-Z]+ /", title)} == known


def test_the_tour_leads_to_what_a_running_service_says_of_itself() -> None:
    head = API.partition("\n## ")[0]
    assert all(place in head for place in ("`/docs`", "`/openapi.json`", "(errors.md)"))


def test_the_readme_names_the_two_commands_before_anything_else() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.strip()]
    assert [line.split("#")[0].strip() for line in lines[1:3]] == ["make test", "make run"]


def test_every_document_is_listed_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    records = (ROOT / "docs/adr/README.md").read_text()
    assert [file.name for file in (ROOT / "docs").glob("[!R]*.md") if f"({file.name})" not in index] == []
    assert [file.name for file in (ROOT / "docs/adr").glob("0*.md") if f"({file.name})" not in records] == []


def anchors(file: Path) -> set[str]:
    """The names that headings of a Markdown file can be linked by."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(file.read_text())
    }
