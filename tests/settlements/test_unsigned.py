"""What happened and no checkpoint signs for long is told; that nothing happened is not."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection

from settlements.models import AuditEvent
from settlements.proof import checkpoints, unsigned
from tests.factories import an_intent, now
from tests.settlements.prompt import one

pytestmark = pytest.mark.django_db
HOURS = timedelta(hours=1)


def counted(at: datetime) -> int:
    allowed = unsigned.allowed().total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {unsigned.COUNT}", {"now": at, "unsigned_allowed": allowed})
        number: int = cursor.fetchone()[0]
    return number


def lived(hours_ago: float) -> datetime:
    """An intent of then; when its first audit event was written."""
    with time_machine.travel(now() - hours_ago * HOURS, tick=False):
        an_intent()
        return AuditEvent.objects.latest("pk").created_at


def test_three_times_the_usual_is_allowed_to_the_microsecond() -> None:
    since = lived(1)
    for late, at in ((None, since + 3 * HOURS), (since, since + 3 * HOURS + timedelta(microseconds=1))):
        assert unsigned.late_since(now=at) == late
        assert counted(at) == int(late is not None)


def test_nothing_that_happened_is_nothing_to_sign() -> None:
    assert unsigned.late_since(now=now() + 1000 * HOURS) is None
    assert counted(now() + 1000 * HOURS) == 0
    lived(1)
    checkpoints.make(now=now())
    assert unsigned.late_since(now=now() + 1000 * HOURS) is None


def test_what_happened_after_a_long_silence_has_its_time_too() -> None:
    """The newest checkpoint is old because nothing happened since, until just now."""
    lived(40)
    with time_machine.travel(now() - 39 * HOURS, tick=False):
        checkpoints.make(now=now())
    assert unsigned.late_since(now=now()) is None
    lived(0.1)
    assert unsigned.late_since(now=now()) is None


@pytest.mark.parametrize("signed", range(6))
def test_the_first_that_is_not_signed_is_found_wherever_it_stands(signed: int) -> None:
    """Also where ids have gaps between them."""
    moments = []
    for hours_ago in (60, 50, 40, 30, 20, 10):
        moments.append(lived(hours_ago))
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval('settlements_auditevent_id_seq', %s)", [
                one("SELECT max(id) + 37 FROM settlements_auditevent")
            ])  # fmt: skip
    if signed:
        with time_machine.travel(moments[signed - 1] + HOURS, tick=False):
            checkpoints.make(now=now())
    assert unsigned.late_since(now=now()) == moments[signed]


def test_verify_books_says_so_and_ends_well_for_nothing_is_contradicted() -> None:
    since = lived(5)
    out, err = StringIO(), StringIO()
    call_command("verify_books", stdout=out, stderr=err)
    assert "All is proven." in out.getvalue()
    assert f"No checkpoint has signed what happened since {since:%Y-%m-%d %H:%M} UTC" in err.getvalue()
    checkpoints.make(now=now())
    out, err = StringIO(), StringIO()
    call_command("verify_books", stdout=out, stderr=err)
    assert "No checkpoint" not in err.getvalue()
