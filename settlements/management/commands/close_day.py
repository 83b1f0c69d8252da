"""`manage.py close_day DATE`: freezes a day of the books; `--through` all open days up to it."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from settlements.closing import closing
from settlements.closing.closing import Closed
from settlements.management.integrations import actor, told_in_a_sentence


class Command(BaseCommand):
    """Prints what was frozen, and the digest of it, day by day."""

    help = "Closes a day of the books for good (UTC); a day that is closed already is told again."

    def add_arguments(self, parser: CommandParser) -> None:
        """The day, as 2026-11-28."""
        parser.add_argument("day", metavar="DATE", help="like 2026-11-28")
        parser.add_argument("--through", action="store_true", help="close all open days before it as well, in order")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, and so exit code 1, for a day that can not be closed."""
        try:
            day = date.fromisoformat(options["day"])
        except ValueError:
            raise CommandError(f"Write the day like 2026-11-28, not {options['day']!r}.") from None
        close = closing.close_through if options["through"] else _one
        with told_in_a_sentence():
            for closed in close(day, actor=actor(), now=timezone.now()):
                self.stdout.write(_told(closed))


def _one(day: date, **options: Any) -> list[Closed]:
    return [closing.close(day, **options)]


def _told(closed: Closed) -> str:
    frozen = closing.frozen_figures(closed.row)
    still_open = len(frozen.open_items)
    what = "is closed" if closed.created else f"was closed at {closed.row.closed_at:%Y-%m-%d %H:%M:%S} UTC"
    entries = f"{frozen.entries} {'entry' if frozen.entries == 1 else 'entries'}"
    items = f"{still_open} open {'item' if still_open == 1 else 'items'}"
    return f"{closed.row.day} {what}: {entries}, {items}, SHA-256 {closed.row.sha256}"
