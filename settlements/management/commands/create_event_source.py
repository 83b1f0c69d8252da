"""`manage.py create_event_source NAME`: an event source and its first secret, told once, alone on the last line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from settlements import sources
from settlements.integration_forms import SourceForm
from settlements.management.integrations import actor, allow_requests_per_second, told_in_a_sentence, values
from settlements.statuses import EVENT_WORDS


class Command(BaseCommand):
    """With --carrier it is that carrier's, otherwise the platform's."""

    help = "Makes an event source and prints its secret, once, on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        """A carrier's source may post every type but CLAIM_WINDOW_CLOSED unless told otherwise."""
        parser.add_argument("name", help="letters, digits, - and _; what is sent as X-Event-Source")
        parser.add_argument("--carrier", metavar="ID", default="", help="only freight tokens with this carrier_id")
        parser.add_argument(
            "--allow",
            metavar="TYPE",
            action="append",
            help=f"an event type it may post, may be repeated: {', '.join(EVENT_WORDS)} (default: all; for a carrier "
            "all but CLAIM_WINDOW_CLOSED)",
        )
        allow_requests_per_second(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        allowed = options["allow"]
        given = {
            "name": options["name"],
            "carrier_id": options["carrier"],
            "allowed_event_types": allowed or [],
            "requests_per_second": options["requests_per_second"],
        }
        source = values(SourceForm(given))
        if allowed is None:
            source["allowed_event_types"] = None
        with told_in_a_sentence():
            row, secret = sources.create(**source, actor=actor(), now=timezone.now())
        whose = f"of carrier {row.carrier_id}" if row.carrier_id else "of the platform"
        self.stdout.write(f"Event source {row.name} {whose} is made. Its secret, which is not shown again:")
        self.stdout.write(secret)
