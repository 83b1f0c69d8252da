"""Every code that the sources spell out is registered, with its status and a sentence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from rails.money import REFUSED as REFUSED_MONEY
from settlements.api import catalogue
from settlements.api.codes import CODES, SUFFIXES
from settlements.management.commands import errors_doc
from settlements.refusals import known, sentence

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    file
    for app in ("chainpay", "compliance", "settlements", "rails")
    for file in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in file.parts
]
# Where a code stands among the arguments of each call that makes one.
PLACES: dict[str, int | str] = {
    "Refused": 0,
    "unauthenticated": 0,
    "fault": 1,
    "Fault": "code",
    "InvalidValue": 0,
    "MoneyError": 0,
}
ROWS = {row.code: row for section in catalogue.sections() for row in section.rows}


def made() -> Iterator[tuple[str, str, ast.Call, ast.expr]]:
    """Each place that makes a code: where it is, by which call, and the code's expression."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                code = _code(node, PLACES[name]) if name in PLACES else None
                if code is not None and not _is_handed_on(code, file):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", name, node, code


def _code(call: ast.Call, place: int | str) -> ast.expr | None:
    if isinstance(place, str):
        return next((each.value for each in call.keywords if each.arg == place), None)
    return call.args[place] if len(call.args) > place else None


def _is_handed_on(code: ast.expr, file: Path) -> bool:
    """The two modules that make faults of the codes they are given."""
    return isinstance(code, ast.Name) and code.id == "code" and file.name in {"errors.py", "fields.py"}


MADE = list(made())


def test_all_of_them_are_found() -> None:
    assert len(MADE) > 80


def is_registered(by: str, code: ast.expr) -> bool:
    match code:
        case ast.Constant(value=str(word)):
            own = {"InvalidValue": SUFFIXES, "MoneyError": REFUSED_MONEY}.get(by, CODES)
            return word in own or (by == "fault" and any(word.endswith(f"_{suffix}") for suffix in SUFFIXES))
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(end))]):
            return end.removeprefix("_") in SUFFIXES
        case ast.JoinedStr(values=[*_, ast.FormattedValue(value=ast.Attribute(attr="code"))]):
            return True  # of an InvalidValue, behind its field
        case ast.Attribute(attr="code"):
            return True  # of a refusal that is translated
    return False


@pytest.mark.parametrize(("where", "by", "call", "code"), MADE, ids=[each[0] for each in MADE])
def test_a_code_that_is_made_is_a_registered_one(where: str, by: str, call: ast.Call, code: ast.expr) -> None:
    assert is_registered(by, code), f"{where}: register {ast.unparse(code)} in settlements/api/codes.py"
    if by == "Refused" and isinstance(code, ast.Constant):
        given = [each.value for each in call.args[2:3] if isinstance(each, ast.Constant)]
        assert given in ([], [CODES[str(code.value)].status])


def test_every_refusal_of_the_domain_says_what_it_means() -> None:
    ours = [refusal for refusal in known() if refusal.__module__.startswith(("settlements.", "compliance.", "rails."))]
    assert len(ours) > 25
    for refusal in ours:
        assert refusal.code in ROWS
        assert sentence(refusal).endswith("."), refusal
    assert all(row.says.endswith((".", "`")) for row in ROWS.values())


def test_a_code_stands_in_one_row() -> None:
    codes = [row.code for section in catalogue.sections() for row in section.rows]
    assert len(codes) == len(set(codes))
    assert ROWS["recipient_unknown"].statuses == (400, 404)


def test_the_document_in_the_repository_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("errors_doc", check=True)
    monkeypatch.setattr(errors_doc, "target", lambda: tmp_path / "errors.md")
    with pytest.raises(CommandError):
        call_command("errors_doc", check=True)
    call_command("errors_doc")
    call_command("errors_doc", check=True)
    assert (tmp_path / "errors.md").read_text() == errors_doc.page()
