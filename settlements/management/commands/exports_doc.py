"""`manage.py exports_doc`: writes docs/exports-columns.md from the datasets; `--check` fails when it is stale."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settlements.exports.columns import Kind
from settlements.exports.datasets import KNOWN, Dataset

_PAGE = """# Columns of the exports

Written by `manage.py exports_doc` from the code; do not edit. [exports.md](exports.md) says how to get them and how
cells are written. The first column is the key that lines are ordered by. Another meaning, order or name of a column is
another version.
"""
_KINDS = {
    Kind.TEXT: "text",
    Kind.WORD: "word",
    Kind.NUMBER: "number",
    Kind.AMOUNT: "amount",
    Kind.TIME: "time",
    Kind.HASH: "hexadecimal",
    Kind.BOOLEAN: "true or false",
}


class Command(BaseCommand):
    """Writes the page, or compares it."""

    help = "Writes docs/exports-columns.md from the datasets of the code."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` compares instead of writing."""
        parser.add_argument("--check", action="store_true", help="exit 1 when docs/exports-columns.md is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when `--check` finds another text than the code gives."""
        file = Path(settings.BASE_DIR) / "docs" / "exports-columns.md"
        text = "\n".join([_PAGE, *(_section(dataset) for dataset in KNOWN.values())])
        if not options["check"]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise CommandError("docs/exports-columns.md is stale; write it again with `manage.py exports_doc`.")


def _section(dataset: Dataset) -> str:
    columns = [f"| `{column.name}` | {_KINDS[column.kind]} | {column.says} |" for column in dataset.columns]
    filters = [f"| `{each.name}` | {each.says} |" for each in dataset.filters]
    return "\n".join(
        [
            f"## {dataset.title}",
            "",
            f"`{dataset.name}`, version {dataset.version}. {dataset.says} Over the API: `exports:read` and "
            f"`{dataset.scope}`.",
            "",
            "| column | written as | what it is |\n|---|---|---|",
            *columns,
            "",
            "| filter | what it lets through |\n|---|---|",
            *filters,
            "",
        ]
    )
