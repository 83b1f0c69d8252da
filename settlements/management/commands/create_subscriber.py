"""manage.py create_subscriber NAME URL [--event ...] [--carrier ID]: a subscriber and its secret, told once."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug
from django.utils import timezone

from settlements import subscribers
from settlements.refusals import Refusal
from settlements.statuses import PLATFORM_NEWS, SETTLEMENT_NEWS

_LONGEST_NAME = 50


class Command(BaseCommand):
    help = "Makes a subscriber to settlement events and prints its secret, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="letters, digits, - and _")
        parser.add_argument("url", help="where messages are posted to")
        parser.add_argument(
            "--event",
            action="append",
            metavar="TYPE",
            help=f"what it is told of, may be repeated (default: all of {', '.join(SETTLEMENT_NEWS)}); "
            f"without a carrier also {', '.join(PLATFORM_NEWS)}",
        )
        parser.add_argument("--carrier", default="", metavar="ID", help="only settlements of this carrier's tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        try:
            validate_slug(name)
        except ValidationError as error:
            raise CommandError(f"{name!r} is no name: {error.messages[0]}") from error
        if len(name) > _LONGEST_NAME:
            raise CommandError(f"A name has at most {_LONGEST_NAME} characters.")
        try:
            _, secret = subscribers.create(
                name,
                options["url"],
                event_types=options["event"] or list(SETTLEMENT_NEWS),
                carrier_id=options["carrier"],
                actor="command:create_subscriber",
                now=timezone.now(),
            )
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(secret)
        self.stderr.write(f"Subscriber {name} is made. The line above is its secret; it is not shown again.")
