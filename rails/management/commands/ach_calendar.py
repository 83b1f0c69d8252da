"""`manage.py ach_calendar [--days 7]`: when ACH files are made, and when their payments arrive and count as settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rails.ach import files
from rails.ach.calendar import Window, add_banking_days
from rails.ach.configuration import AchConfiguration


class Command(BaseCommand):
    help = "Tells the cut-offs of the next days, with the dates on which payments arrive and count as settled."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=7, choices=range(1, 367), metavar="1..366")

    def handle(self, *args: Any, **options: Any) -> None:
        configuration: AchConfiguration | None = settings.ACH
        if configuration is None:
            raise CommandError("ACH is not enabled: docs/ach.md tells the settings.")
        now = datetime.now(UTC)
        open_now = configuration.timetable.open_window(now)
        self.stdout.write(f"Cut-offs in {configuration.timetable.zone}; files in {configuration.outbox}")
        if open_now is not None:
            made = "has its file" if files.is_made(open_now) else "is open, and has no file yet"
            self.stdout.write(f"Window {open_now.name} {made}.")
        end = configuration.timetable.local(now).date() + timedelta(days=options["days"])
        window = configuration.timetable.next_window(now)
        while window.day <= end:
            self.stdout.write(_line(configuration, window))
            window = configuration.timetable.next_window(configuration.timetable.closes(window))


def _line(configuration: AchConfiguration, window: Window) -> str:
    arrives = window.effective_entry_date
    settled = add_banking_days(arrives, configuration.settled_after_days)
    return f"{window.name:<26} arrives {arrives:%a %Y-%m-%d}, counts as settled {settled:%a %Y-%m-%d}"
