"""Takes a person's second factors away, for who has lost phone and recovery codes."""

import logging
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from chainpay.access import lockout, sessions

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Ends the sessions of the login too; the next login sets up a new second factor."""

    help = (
        "Takes a login's second factors and recovery codes away and ends its sessions; the next login sets up new ones."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="why, and how you know that it is this person who asks")

    def handle(self, *args: Any, **options: Any) -> None:
        username, reason = options["username"], options["reason"].strip()
        if not reason:
            raise CommandError("Say why.")
        with transaction.atomic():
            user = User.objects.select_for_update().filter(username=username).first()
            if user is None:
                raise CommandError(f"There is no login {username!r}.")
            taken, _ = Authenticator.objects.filter(user=user).delete()
            ended = sessions.end_all_of(user.pk)
            lockout.lift(lockout.of_person(user.pk, username))
            LogEntry.objects.log_actions(
                user.pk,
                [user],
                CHANGE,
                f"Second factor reset by manage.py reset_second_factor: {reason}",
                single_object=True,
            )
        logger.warning("Second factor reset: user=%s, taken=%s, sessions ended=%s", user.pk, taken, ended)
        self.stdout.write(f"{username}: second factors taken away: {taken}, sessions ended: {ended}.")
