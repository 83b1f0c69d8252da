"""What may be evidence: told by the content, and by an ending that agrees with it; and how a file's name is shown."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from settlements.refusals import Refusal

LONGEST_NAME = 150

# What a browser or an office program would take for something to run, wherever in a text it stands.
_MARKUP = re.compile(
    rb"<\s*(?:!doctype|\?xml|html|head|body|svg|script|iframe|object|embed|math)\b|<!--", re.IGNORECASE
)
_RICH_TEXT = b"{\\rtf"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NEVER_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class EvidenceTypeRefused(Refusal):
    """Evidence is a PDF, PNG, JPEG, plain text or CSV, by its content and by its name."""

    code = "evidence_type_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileType:
    """One kind of file: what it is called, how its name may end, and how its content shows it."""

    words: str
    media_type: str
    endings: tuple[str, ...]
    is_it: Callable[[bytes], bool]


def _begins(signature: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signature)


def _is_text(content: bytes) -> bool:
    """UTF-8 without control characters, and nothing of markup in it."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    if _CONTROLS.search(text) or _MARKUP.search(content):
        return False
    return not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((_RICH_TEXT, b"%PDF-"))


TYPES: Final = (
    FileType(words="PDF", media_type="application/pdf", endings=("pdf",), is_it=_begins(b"%PDF-")),
    FileType(words="PNG", media_type="image/png", endings=("png",), is_it=_begins(b"\x89PNG\r\n\x1a\n")),
    FileType(words="JPEG", media_type="image/jpeg", endings=("jpg", "jpeg"), is_it=_begins(b"\xff\xd8\xff")),
    FileType(words="CSV", media_type="text/csv", endings=("csv",), is_it=_is_text),
    FileType(words="plain text", media_type="text/plain", endings=("txt", "text", "log"), is_it=_is_text),
)
ENDINGS: Final = tuple(ending for kind in TYPES for ending in kind.endings)


def type_of(name: str, content: bytes) -> FileType:
    """The kind that both name and content tell; raises EvidenceTypeRefused."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    for kind in TYPES:
        if ending in kind.endings:
            if not kind.is_it(content):
                raise EvidenceTypeRefused(f"{name} is named like a {kind.words} file, but its content is not.")
            return kind
    raise EvidenceTypeRefused("Evidence is a PDF, PNG, JPEG, plain text or CSV file, and its name says which.")


def shown_name(given: str) -> str:
    """The name as people see it: no folders, nothing invisible or turning the reading direction, not too long."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    visible = "".join(" " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter for letter in last)
    visible = "".join(letter for letter in visible if unicodedata.category(letter) not in _NEVER_SHOWN)
    name = " ".join(visible.split()).strip(". ") or "unnamed"
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        return name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"
