"""The documents say what the code does: links lead somewhere, every endpoint and every code is told of."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern

from compliance import urls as compliance_urls
from settlements.api import urls as settlements_urls
from settlements.refusals import Refusal

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
API = (ROOT / "docs/api.md").read_text()

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
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


@pytest.mark.parametrize("endpoint", [*settlements_urls.urlpatterns, *compliance_urls.urlpatterns], ids=str)
def test_every_endpoint_and_method_has_its_heading(endpoint: URLPattern) -> None:
    path = "/" + re.sub(PARAMETER, lambda found: "{" + word(found[1]) + "}", str(endpoint.pattern))
    untold = [f"{method} {path}" for method in scopes(endpoint) if f"### {method} {path}\n" not in API]
    assert untold == []


def test_every_heading_of_an_endpoint_is_one() -> None:
    known = {
        f"{method} /" + re.sub(PARAMETER, lambda found: "{}", str(endpoint.pattern))
        for endpoint in [*settlements_urls.urlpatterns, *compliance_urls.urlpatterns]
        for method in scopes(endpoint)
    }
    told = {re.sub(r"\{\w+\}", "{}", title) for title in HEADING.findall(API) if re.match(r"[A-Z]+ /", title)}
    assert told == known


def test_every_refusal_of_the_domain_is_in_the_table_of_codes() -> None:
    rows = set(re.findall(r"^\| `([a-z_]+)` \| [0-9]{3}", API, re.MULTILINE))
    codes = {refusal.code for refusal in every(Refusal)} - {Refusal.code}
    assert codes, "no refusal was found at all"
    assert codes - rows == set()


def test_every_code_the_interface_spells_out_is_told_of() -> None:
    sources = "".join(file.read_text() for file in sorted((ROOT / "settlements/api").glob("*.py")))
    spelled = set(re.findall(r'(?:Refused|unauthenticated)\(\s*"([a-z_]+)"', sources))
    spelled |= set(re.findall(r'Fault\(\s*code="([a-z_]+)"', sources))
    assert len(spelled) > 20
    assert {code for code in spelled if f"`{code}`" not in API} == set()


def test_the_readme_names_the_two_commands_before_anything_else() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.strip()]
    assert [line.split("#")[0].strip() for line in lines[1:3]] == ["make test", "make run"]


def test_every_document_is_listed_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    records = (ROOT / "docs/adr/README.md").read_text()
    assert [file.name for file in (ROOT / "docs").glob("[!R]*.md") if f"({file.name})" not in index] == []
    assert [file.name for file in (ROOT / "docs/adr").glob("0*.md") if f"({file.name})" not in records] == []


def every(base: type[Refusal]) -> Iterator[type[Refusal]]:
    """All refusals that the running code knows; the URL modules have imported what can raise them."""
    for refusal in base.__subclasses__():
        if refusal.__module__.startswith(("settlements", "compliance", "rails")):
            yield refusal
        yield from every(refusal)


def scopes(endpoint: URLPattern) -> list[str]:
    """The methods an endpoint answers to."""
    view = endpoint.callback.view_class  # type: ignore[attr-defined]
    return list(view.scopes)


def word(parameter: str) -> str:
    """Ids of intents and tokens are just {id} in the document."""
    return "id" if parameter in {"intent_id", "token_id"} else parameter


def anchors(file: Path) -> set[str]:
    """The names that headings of a Markdown file can be linked by."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(file.read_text())
    }
