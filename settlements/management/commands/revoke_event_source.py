"""`manage.py revoke_event_source NAME`: ends secrets of an event source from the next message on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from settlements import sources
from settlements.management.integrations import actor, source_named, told_in_a_sentence
from settlements.models import SourceSecret


class Command(BaseCommand):
    """One secret, told by its last characters, or all; the only one need not be told."""

    help = "Revokes secrets of an event source, at once and for good."

    def add_arguments(self, parser: CommandParser) -> None:
        """The hints stand in `list_integrations` and in the admin."""
        parser.add_argument("name")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--secret", metavar="HINT", help="the last four characters of the secret to end")
        which.add_argument("--all", action="store_true", help="every secret")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        row = source_named(options)
        chosen = _chosen(list(row.secrets.filter(revoked_at__isnull=True).order_by("pk")), options)
        with told_in_a_sentence():
            ended = sources.revoke(row.pk, [secret.pk for secret in chosen], actor=actor(), now=timezone.now())
        self.stdout.write(f"{ended} secret{'' if ended == 1 else 's'} of {row.name} revoked.")


def _chosen(unrevoked: list[SourceSecret], options: dict[str, Any]) -> list[SourceSecret]:
    if not unrevoked:
        raise CommandError("Its secrets are all revoked already.")
    if options["all"]:
        return unrevoked
    hint = options["secret"]
    chosen = [secret for secret in unrevoked if hint is None or secret.hint == hint.removeprefix("…")]
    if len(chosen) == 1:
        return chosen
    hints = ", ".join(secret.hint for secret in unrevoked)
    if not chosen:
        raise CommandError(f"No secret that is not revoked ends in that; there are {hints}.")
    raise CommandError(f"Say which secret: --secret with its last characters ({hints}), or --all.")
