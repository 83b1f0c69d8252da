"""Mail that is to arrive once, through servers that hang, refuse and drop, and senders that are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from compliance import digest, digest_mail, tasks
from compliance.models import DigestItem, ReviewDigest
from settlements.models import EventSource, MilestoneSettlement
from tests.compliance.conftest import waiting
from tests.compliance.smtp_server import Mailbox, Mood, mail_server
from tests.flows.conftest import at_once

TEAM = ["team@example.com", "lead@example.com"]
BASE = "https://pay.example.com"
AFTER_THE_LEASE = digest_mail.LEASE + timedelta(seconds=1)


@pytest.fixture
def box(settings: Any) -> Iterator[Mailbox]:
    with mail_server() as found:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", found.port, 10
        settings.CHAINPAY_DIGEST_TO = TEAM
        settings.CHAINPAY_BASE_URL = BASE
        yield found


@pytest.fixture
def one(box: Mailbox, transactional_db: None) -> MilestoneSettlement:
    """A settlement that waits, committed."""
    EventSource.objects.get_or_create(name="platform", defaults={"kind": "platform", "created_at": timezone.now()})
    return waiting()


def clock(after: timedelta = timedelta(0)) -> Callable[[], datetime]:
    return lambda: timezone.now() + after


def send(after: timedelta = timedelta(0)) -> int:
    return digest_mail.send_due(clock=clock(after))


def test_the_team_gets_one_message_with_a_text_and_a_page(one: MilestoneSettlement, box: Mailbox) -> None:
    assert tasks.tell_the_team() == {"written": 1, "sent": 1}
    assert tasks.tell_the_team() == {"written": 0, "sent": 0}
    (message,) = box.messages
    row = ReviewDigest.objects.get()
    assert (message["Subject"], message["Message-ID"]) == ("Review queue: 1 new (1 waiting)", row.message_id)
    assert (message["To"], box.recipients) == (", ".join(TEAM), [TEAM])
    assert message["From"] == "chainpay@localhost"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    body = message.get_body(("plain",))
    assert body is not None
    assert f"{BASE}/admin/compliance/reviewqueue/{one.pk}/" in body.get_content()
    assert (row.attempts, row.next_attempt_at, row.sent_at is not None, row.last_error) == (1, None, True, "")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        (Mood.BUSY, "the mail server answered 421 (SMTPConnectError)"),
        (Mood.NO_RECIPIENTS, "the mail server refused every recipient (550)"),
        (Mood.REFUSE, "the mail server answered 554 (SMTPDataError)"),
        (Mood.LOSE, "the mail server could not be talked to (SMTPServerDisconnected)"),
    ],
)
def test_a_server_that_does_not_take_it_is_asked_again_later_and_nothing_is_lost(
    one: MilestoneSettlement, box: Mailbox, caplog: pytest.LogCaptureFixture, mood: Mood, words: str
) -> None:
    box.moods = [mood]
    assert tasks.tell_the_team() == {"written": 1, "sent": 0}
    row = ReviewDigest.objects.get()
    assert (row.attempts, row.sent_at, row.last_error) == (1, None, words)
    assert words in caplog.text
    assert "example.com" not in caplog.text.replace(BASE, "")
    assert send() == 0
    assert box.connections == 1
    assert send(digest_mail.BACKOFF[0] + timedelta(seconds=1)) == 1
    assert box.ids == [row.message_id]
    assert DigestItem.objects.count() == 1


def test_a_server_that_is_not_there_is_asked_less_and_less_often(one: MilestoneSettlement, settings: Any) -> None:
    with mail_server() as gone:
        settings.EMAIL_PORT = gone.port
    assert tasks.tell_the_team() == {"written": 1, "sent": 0}
    waits = []
    for _ in range(6):
        due = ReviewDigest.objects.get().next_attempt_at
        assert due is not None
        digest_mail.send_due(clock=partial(max, due, due))
        following = ReviewDigest.objects.get().next_attempt_at
        assert following is not None
        waits.append(following - due)
    assert waits == [*digest_mail.BACKOFF[1:], *[digest_mail.BACKOFF[-1]] * 3]
    assert ReviewDigest.objects.get().last_error == "the mail server could not be talked to (ConnectionRefusedError)"


def test_a_server_that_hangs_is_left_after_the_timeout(one: MilestoneSettlement, box: Mailbox, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    box.moods = [Mood.HANG]
    assert tasks.tell_the_team() == {"written": 1, "sent": 0}
    assert ReviewDigest.objects.get().sent_at is None
    assert send(digest_mail.BACKOFF[0] * 2) == 1
    assert len(box.messages) == 1


def test_what_the_server_took_without_saying_so_comes_again_as_the_same_message(
    one: MilestoneSettlement, box: Mailbox
) -> None:
    box.moods = [Mood.TAKE_AND_DROP]
    assert tasks.tell_the_team() == {"written": 1, "sent": 0}
    assert send(digest_mail.BACKOFF[0] * 2) == 1
    first, second = box.messages
    assert is_the_same(first, second)


def is_the_same(first: Any, second: Any) -> bool:
    """Whether a mailbox takes one for the other, and a reader too."""
    headers = ("Message-ID", "Date", "Subject", "To", "From")
    return [first[name] for name in headers] == [second[name] for name in headers] and [
        part.get_content() for part in first.iter_parts()
    ] == [part.get_content() for part in second.iter_parts()]


def test_what_comes_while_the_mail_can_not_be_sent_is_gathered_in_one_more(
    one: MilestoneSettlement, box: Mailbox
) -> None:
    box.moods = [Mood.BUSY]
    tasks.tell_the_team()
    others = [waiting(), waiting()]
    assert digest.write(now=timezone.now()) is None
    assert digest.write(now=timezone.now()) is None
    assert send(digest_mail.BACKOFF[0] * 2) == 1
    others.append(waiting())
    row = digest.write(now=timezone.now())
    assert row is not None
    assert sorted(row.items.values_list("settlement_id", flat=True)) == [each.pk for each in others]
    assert send() == 1
    assert [message["Subject"] for message in box.messages] == [
        "Review queue: 1 new (1 waiting)",
        "Review queue: 3 new (4 waiting)",
    ]


def test_two_beats_at_once_write_and_send_one_message(one: MilestoneSettlement, box: Mailbox) -> None:
    for number in range(1, 9):
        reports = at_once([tasks.tell_the_team] * 4, threads=4)
        assert sum(report["written"] for report in reports) == sum(report["sent"] for report in reports) == 1
        assert len(box.messages) == number
        waiting()
    assert DigestItem.objects.count() == DigestItem.objects.values("settlement").distinct().count() == 8


def test_two_senders_at_once_send_a_message_that_waits_once(one: MilestoneSettlement, box: Mailbox) -> None:
    for number in range(1, 9):
        assert digest.write(now=timezone.now())
        assert sum(at_once([send] * 4, threads=4)) == 1
        assert len(box.messages) == number
        waiting()


KILLED = {
    "while it is written": ("digest._store = after(digest._store)", 1),
    "when it is written": ("digest.write = after(digest.write)", 1),
    "when it is claimed": ("digest_mail.hand_over = die", 1),
    "when the server has taken it": ("digest_mail._record_success = die", 2),
}


@pytest.mark.parametrize(("patch", "messages"), KILLED.values(), ids=KILLED)
def test_a_killed_sender_loses_nothing_and_what_it_repeats_is_the_same_message(
    one: MilestoneSettlement, box: Mailbox, patch: str, messages: int
) -> None:
    assert killed(box, patch) == -signal.SIGKILL
    later = waiting()
    for _ in range(3):
        send(AFTER_THE_LEASE)
        digest.write(now=timezone.now())
        send(AFTER_THE_LEASE)
    told = list(DigestItem.objects.order_by("settlement").values_list("settlement_id", "kind"))
    assert told == [(one.pk, DigestItem.NEW), (later.pk, DigestItem.NEW)]
    about_it = [message for message in box.messages if f"/{one.pk}/" in str(message.get_body(("plain",)))]
    assert len(about_it) == messages
    assert all(is_the_same(about_it[0], each) for each in about_it)
    assert len(set(box.ids)) == ReviewDigest.objects.count()
    assert not ReviewDigest.objects.filter(sent_at__isnull=True).exists()


def test_nobody_takes_a_mail_from_a_sender_who_may_still_be_at_it(
    one: MilestoneSettlement, box: Mailbox, settings: Any
) -> None:
    assert killed(box, "digest_mail.hand_over = die") == -signal.SIGKILL
    assert send(digest_mail.LEASE - timedelta(seconds=30)) == 0
    assert timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT) < digest_mail.LEASE


def test_a_slow_sender_who_got_it_through_after_its_lease_is_believed(
    one: MilestoneSettlement, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own success counts, and the failure of who took over does not undo it."""
    assert digest.write(now=timezone.now())
    hand_over = digest_mail.hand_over

    def slowly(claimed: Any) -> None:
        monkeypatch.setattr(digest_mail, "hand_over", hand_over)
        box.moods = [Mood.BUSY]
        assert send(AFTER_THE_LEASE) == 0
        hand_over(claimed)

    monkeypatch.setattr(digest_mail, "hand_over", slowly)
    assert send() == 1
    assert (len(box.messages), send(AFTER_THE_LEASE * 2)) == (1, 0)


def killed(box: Mailbox, patch: str) -> int:
    """How a process of its own ends that tells the team and is killed at one point."""
    program = (
        "import os, signal, django; django.setup()\n"
        "from compliance import digest, digest_mail, tasks\n"
        "def die(*args, **kwargs): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def after(call):\n"
        "    def wrapped(*args, **kwargs): call(*args, **kwargs); die()\n"
        "    return wrapped\n"
        f"{patch}\n"
        "tasks.tell_the_team()\n"
    )
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"].get("host", "")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chainpay.settings",
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={host}",
        "CHAINPAY_LOG_LEVEL": "CRITICAL",
        "CHAINPAY_DIGEST_TO": ",".join(TEAM),
        "CHAINPAY_BASE_URL": BASE,
        "CHAINPAY_MAIL_FROM": "chainpay@localhost",
        "EMAIL_URL": f"smtp://127.0.0.1:{box.port}",
    }
    return subprocess.run([sys.executable, "-c", program], env=environment, timeout=120, check=False).returncode
