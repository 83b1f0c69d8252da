"""`manage.py reconcile`: compares all sides of every payment, and exits 1 while differences are open."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rails import reconciling, registry
from rails.base import Reconcilable
from rails.wording import in_words
from settlements.reconciliation import comparing, listing
from settlements.reconciliation.listing import Asked, Difference, View

ACTOR = "command:reconcile"
AT_A_TIME = 500


class Command(BaseCommand):
    """Reads the providers' lists unless told not to, compares everything, and prints each open difference."""

    help = "Compares settlements, attempts, journal and providers; exits 1 if a difference is open."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--stored", action="store_true", help="compare with the providers' lists as they were read last"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Compares; CommandError, and so exit code 1, for open differences and for a list that can not be read."""
        unread = [] if options["stored"] else list(self._read_lists())
        comparison = comparing.compare(actor=ACTOR, now=timezone.now())
        for total in listing.totals(comparison):
            held = "no clearing account" if total.clearing is None else f"clearing account {total.clearing}"
            self.stdout.write(f"{total.rail}: {total.payments} payments, {total.on_their_way} on their way, {held}")
        number, after = 0, None
        while page := listing.differences(View.OPEN, Asked(), after=after, limit=AT_A_TIME):
            number, after = number + len(page), page[-1].id
            for difference in page:
                self.stdout.write(_line(difference, (comparison.started_at - difference.occurred_at).days))
        if unread:
            raise CommandError(f"Not read: {'; '.join(unread)}. {number} open differences.")
        if number:
            raise CommandError(f"{number} open differences.")
        self.stdout.write("No open differences.")

    def _read_lists(self) -> Any:
        """What could not be read, and why."""
        for rail in registry.remote_rails():
            if isinstance(rail, Reconcilable):
                run = reconciling.reconcile(provider=rail.get_provider(), actor=ACTOR, now=timezone.now())
                if run.error:
                    yield f"{rail.get_provider().method}: {run.error}"


def _line(difference: Difference, days: int) -> str:
    """`Amount paid, stripe, 3 days old, milestone 17 attempt 1, tr_1: We ordered ...`"""
    said = difference.said
    named = f", milestone {difference.milestone_id}" if difference.milestone_id else ""
    named += f" attempt {difference.attempt_number}" if difference.attempt_number else ""
    reference = f", {difference.reference}" if difference.reference else ""
    return f"{said.title}, {in_words(said.provider.method).lower()}, {days} days old{named}{reference}: {said.sentence}"
