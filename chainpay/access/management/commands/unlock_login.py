"""Ends the wait of a person, or of an address, after too many failed attempts."""

import logging
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chainpay.access import lockout
from chainpay.access.addresses import network
from chainpay.access.lockout import Kind, Subject

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """By user name, by address, or both."""

    help = "Forgets the failed attempts of a login (password and codes), and with --address those of an address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?")
        parser.add_argument("--address", help="an IPv4 or IPv6 address")

    def handle(self, *args: Any, **options: Any) -> None:
        username, address = options["username"], options["address"]
        subjects = self._of_login(username) if username else []
        if address:
            subjects.append(Subject(Kind.ADDRESS, network(address) or address))
        if not subjects:
            raise CommandError("Name a login, or an --address.")
        lifted = lockout.lift(subjects)
        logger.warning("Unlocked by hand: login=%s, address=%s, counts forgotten=%s", username, address, lifted)
        self.stdout.write("Unlocked." if lifted else "Nothing was counted; nobody had to wait.")

    def _of_login(self, username: str) -> list[Subject]:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no login {username!r}.")
        return lockout.of_person(user.pk, username)
