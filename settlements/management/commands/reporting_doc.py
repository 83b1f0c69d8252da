"""`manage.py reporting_doc`: writes docs/reporting-columns.md from the views; `--check` fails when it is stale."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settlements.exports.columns import Kind
from settlements.reporting.views import VIEWS, View, statements

_PAGE = """# Columns of the reporting views

Written by `manage.py reporting_doc` from the code; do not edit. [reporting.md](reporting.md) says how to get at them.
The same words are comments in the database. A column keeps its name, meaning and type; new ones come at the end.
"""
_TYPES = {
    Kind.TEXT: "text",
    Kind.WORD: "text, a word of ours",
    Kind.NUMBER: "number",
    Kind.AMOUNT: "numeric, major units",
    Kind.TIME: "timestamptz",
    Kind.HASH: "text, hexadecimal",
    Kind.BOOLEAN: "boolean",
}


class Command(BaseCommand):
    """Writes the page, compares it, or prints what a migration of the views executes."""

    help = "Writes docs/reporting-columns.md from the views of the code."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` compares instead of writing, `--sql` prints the statements."""
        parser.add_argument("--check", action="store_true", help="exit 1 when docs/reporting-columns.md is stale")
        parser.add_argument("--sql", action="store_true", help="print the statements that make the views")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when `--check` finds another text than the code gives."""
        if options["sql"]:
            self.stdout.write(";\n".join(statements()) + ";")
            return
        file = Path(settings.BASE_DIR) / "docs" / "reporting-columns.md"
        text = "\n".join([_PAGE, *(_section(view) for view in VIEWS)])
        if not options["check"]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            raise CommandError("docs/reporting-columns.md is stale; write it again with `manage.py reporting_doc`.")


def _section(view: View) -> str:
    columns = [f"| `{column.name}` | {_TYPES[column.kind]} | {column.says} |" for column in view.columns]
    return "\n".join(
        [f"## {view.full_name}", "", view.says, "", "| column | type | what it is |\n|---|---|---|", *columns, ""]
    )
