"""`manage.py rotate_event_source NAME`: a new secret beside the live ones, told once, alone on the last line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from settlements import sources
from settlements.credential_states import moment
from settlements.integration_forms import OverlapForm
from settlements.management.integrations import actor, source_named, told_in_a_sentence, values


class Command(BaseCommand):
    """The others end when the overlap is over."""

    help = "Makes a new secret of an event source and prints it, once, on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        """0 hours end the other secrets at once."""
        parser.add_argument("name")
        parser.add_argument(
            "--overlap-hours",
            metavar="N",
            default=24,
            help="how long the live secrets are accepted too (default: 24; 0 ends them at once)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        row = source_named(options)
        overlap, now = values(OverlapForm(options))["overlap_hours"], timezone.now()
        with told_in_a_sentence():
            secret = sources.rotate(row.pk, overlap=overlap, actor=actor(), now=now)
        until = f"accepted until {moment(now + overlap)} at the latest" if overlap else "no longer accepted"
        self.stdout.write(f"The other secrets of {row.name} are {until}. The new one, which is not shown again:")
        self.stdout.write(secret)
