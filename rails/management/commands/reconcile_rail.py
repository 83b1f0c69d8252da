"""`manage.py reconcile_rail stripe`: exits 1 if our payments and the provider's differ, 2 if nothing was compared."""

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from rails import reconciling, registry
from rails.models import RailDifference
from rails.reconciling import NotReconcilable
from rails.registry import RailNotEnabled, UnknownRail
from rails.wording import counted

ACTOR = "command:reconcile_rail"
NOT_COMPARED: Final = 2


class Command(BaseCommand):
    """Prints each difference with its age; the run is kept and shown in the admin."""

    help = (
        "Lists what we and a provider tell differently of the same payments. Exits 0 if there is nothing, 1 if there "
        "is something, 2 if nothing was compared: Stripe has a list to compare with; banks have none for ACH and wires."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rail", help="a payment method, like stripe")
        parser.add_argument("--days", type=int, default=reconciling.DAYS, help="how far back, 90 by default")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compares; CommandError, with exit code 1 for differences, and 2 where nothing could be compared."""
        now = timezone.now()
        if not 1 <= options["days"] <= 3650:
            raise CommandError("--days must be from 1 to 3650.", returncode=NOT_COMPARED)
        try:
            provider = registry.provider_of(method=options["rail"])
            run = reconciling.reconcile(provider=provider, days=options["days"], actor=ACTOR, now=now)
        except (UnknownRail, RailNotEnabled, NotReconcilable) as error:
            raise CommandError(error.detail, returncode=NOT_COMPARED) from error
        if run.error:
            raise CommandError(run.error, returncode=NOT_COMPARED)
        self.stdout.write(
            f"{provider.method} since {run.since:%Y-%m-%d}: {counted(run.ours, 'payment')} of ours, "
            f"{run.theirs} of theirs"
        )
        for item in run.items.all():
            self.stdout.write(_line(item, (now - item.occurred_at).days))
        if run.differences:
            raise CommandError(f"{counted(run.differences, 'difference')}.")
        self.stdout.write("No differences.")


def _line(item: RailDifference, days: int) -> str:
    """`Amounts differ, 3 days old: milestone settlement 17, attempt 1: ours tr_1: ...; theirs tr_1: ...`"""
    named = f" milestone settlement {item.milestone_id}, attempt {item.attempt_number}:" if item.milestone_id else ""
    sides = "; ".join(f"{side} {said}" for side, said in (("ours", item.ours), ("theirs", item.theirs)) if said)
    return f"{item.get_kind_display()}, {counted(days, 'day')} old:{named} {sides}"
