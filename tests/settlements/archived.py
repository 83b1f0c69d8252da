"""Intents that are over, and archives of their audit events."""

from datetime import UTC, date, datetime

from settlements import books_checks, intents, requests
from settlements.archives import files
from settlements.archiving import archiving
from settlements.archiving.archiving import Archived, Progress
from settlements.closing import closing
from settlements.models import AuditEvent, PaymentIntent
from tests.factories import ACTOR, a_recipient, an_intent, now

MONTH = date(2024, 2, 1)
# In it, and so near to its end that few days are to be closed.
OLD = datetime(2024, 2, 28, 12, tzinfo=UTC)


def an_intent_that_is_over(*, at: datetime = OLD) -> PaymentIntent:
    """Everything of it arrived by the ledger; its last audit event is of `at`."""
    intent = an_intent(recipient=a_recipient())
    requests.settle(intent.pk, actor=ACTOR, now=at)
    requests.complete(intent.pk, actor=ACTOR, now=at)
    return intent


def a_cancelled_intent(*, at: datetime = OLD) -> PaymentIntent:
    """Nothing of it was ever paid; its last audit event is of `at`."""
    intent = an_intent()
    intents.cancel(intent.pk, reason="mistake", actor=ACTOR, now=at)
    return intent


def ready() -> None:
    """The days of the month and of the week after it are closed, and the books are proven."""
    opened, last = closing.next_to_close(), date(2024, 3, 7)
    if opened is not None and opened <= last:
        for _ in closing.close_through(last, actor="user:finance1", now=now()):
            pass
    _, _ = books_checks.verify_on_record(actor="test", clock=now)
    assert books_checks.alarm(now=now()) is None


def archived(month: date = MONTH, *, progress: Progress = lambda step, events: None) -> list[Archived]:
    """What a run of the command does."""
    return archiving.archive(month, actor="command:test", clock=now, progress=progress)


def sequences(intent: PaymentIntent) -> list[int]:
    """Which audit events of an intent are in the table."""
    return list(AuditEvent.objects.filter(intent=intent).order_by("sequence").values_list("sequence", flat=True))


def file_of(month: date = MONTH, number: int = 1) -> str:
    """The name of an archive's file."""
    return files.name_of(month, number)
