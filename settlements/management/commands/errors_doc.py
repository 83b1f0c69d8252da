"""`manage.py errors_doc`: writes docs/errors.md from the codes of the code; `--check` fails when it is stale."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settlements.api.catalogue import Section, sections

_PAGE = """# Errors

Written by `manage.py errors_doc` from the code; do not edit. A running service shows the same at `/docs/errors`.

Every refusal has [one shape](api.md#errors). `code` is stable: decide by it, and by the status where it has two.
`detail` is for people and may change.
"""


class Command(BaseCommand):
    """Writes the page, or compares it."""

    help = "Writes docs/errors.md from the codes of the code."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` compares instead of writing."""
        parser.add_argument("--check", action="store_true", help="exit 1 when docs/errors.md is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when `--check` finds another text than the code gives."""
        file, text = target(), page()
        if not options["check"]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise CommandError("docs/errors.md is stale; write it again with `manage.py errors_doc`.")


def target() -> Path:
    """Where the page lies."""
    return Path(settings.BASE_DIR) / "docs" / "errors.md"


def page() -> str:
    """The whole of docs/errors.md."""
    return "\n".join([_PAGE, *(_section(section) for section in sections())])


def _section(section: Section) -> str:
    rows = [f"| `{row.code}` | {', '.join(map(str, row.statuses))} | {row.says} |" for row in section.rows]
    head = f"## {section.title}\n\n{section.says}\n\n| code | status | what it says |\n|---|---|---|"
    return "\n".join([head, *rows, ""])
