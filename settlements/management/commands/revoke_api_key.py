"""`manage.py revoke_api_key NAME`: ends an API key from the next request on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from settlements import api_keys
from settlements.management.integrations import actor, name_in, told_in_a_sentence


class Command(BaseCommand):
    """May be repeated."""

    help = "Revokes an API key, at once and for good."

    def add_arguments(self, parser: CommandParser) -> None:
        """Keys are told by name."""
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        name = name_in(options)
        with told_in_a_sentence():
            ended = api_keys.revoke(name, actor=actor(), now=timezone.now())
        self.stdout.write(f"API key {name} is revoked{'' if ended else ' since before'}.")
