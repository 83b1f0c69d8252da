"""`manage.py create_api_key NAME --service NAME --scope S`: an API key, told once, alone on the last line."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from settlements import api_keys
from settlements.integration_forms import DEFAULT_DAYS, KeyForm
from settlements.management.integrations import actor, allow_requests_per_second, told_in_a_sentence, values
from settlements.permissions import GRANTABLE
from settlements.values import InvalidValue, visible_text


class Command(BaseCommand):
    """Of a staff user, whose permissions then bound it, or of a service."""

    help = "Makes an API key and prints it, once, on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        """compliance:decide, :hold, :assign and :note are for persons only."""
        parser.add_argument("name", help="letters, digits, - and _")
        owner = parser.add_mutually_exclusive_group(required=True)
        owner.add_argument("--user", metavar="LOGIN", help="the staff login it belongs to")
        owner.add_argument("--service", metavar="NAME", help="the program it belongs to")
        parser.add_argument(
            "--scope",
            metavar="S",
            action="append",
            default=[],
            help=f"what it may do, may be repeated: {', '.join(sorted(GRANTABLE))}",
        )
        parser.add_argument("--carrier", metavar="ID", default="", help="reads only what is about its tokens")
        parser.add_argument("--expires-in-days", metavar="N", default=DEFAULT_DAYS, help=f"default: {DEFAULT_DAYS}")
        allow_requests_per_second(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        given = {
            "name": options["name"],
            "service": options["service"],
            "carrier_id": options["carrier"],
            "scopes": options["scope"],
            "expires_in_days": options["expires_in_days"],
            "requests_per_second": options["requests_per_second"],
        }
        key = values(KeyForm(given))
        lives = key.pop("expires_in_days")
        user = None if options["user"] is None else _user(options["user"])
        with told_in_a_sentence():
            row, shown = api_keys.create(**key, user=user, lives=lives, actor=actor(), now=timezone.now())
        owner = f"user {user.get_username()}" if user else f"service {row.service}"
        self.stdout.write(f"API key {row.name} of {owner} is made. It is not shown again:")
        self.stdout.write(shown)


def _user(login: str) -> User:
    try:
        found = User.objects.filter(username=visible_text(login, longest=150)).first()
    except InvalidValue:
        found = None
    if found is None:
        raise CommandError("--user: There is no such login.")
    return found
