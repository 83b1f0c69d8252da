"""Sending digests by mail: claimed and committed, sent with no transaction open, recorded.

Who dies between leaves a lease that runs out; the mail then goes out again, under the same Message-ID and with the same
words. SMTP can not do better than that: a server that took the message may not have been heard (docs/adr/0031).
"""

import logging
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection

logger = logging.getLogger(__name__)

# Longer than a task may run (CELERY_TASK_TIME_LIMIT), so nobody takes a mail from a sender that is still at it.
LEASE: Final = timedelta(minutes=11)
# The wait after the first failure, the second, ...; the last one repeats, for ever: nothing is given up.
BACKOFF: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
MOST_AT_ONCE: Final = 50
_CONSOLE: Final = "django.core.mail.backends.console.EmailBackend"

_CLAIM = """
    UPDATE compliance_reviewdigest SET attempts = attempts + 1, next_attempt_at = %s
    WHERE id = (
        SELECT id FROM compliance_reviewdigest WHERE next_attempt_at <= %s
        ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, message_id, subject, text, html, created_at, attempts
"""
# Whoever got it through has got it through, also when the lease had run out meanwhile.
_SENT = """
    UPDATE compliance_reviewdigest SET sent_at = %s, next_attempt_at = NULL, last_error = ''
    WHERE id = %s AND sent_at IS NULL
"""
_FAILED = """
    UPDATE compliance_reviewdigest SET next_attempt_at = %s, last_error = %s
    WHERE id = %s AND sent_at IS NULL AND attempts = %s
"""


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    message_id: str
    subject: str
    text: str
    html: str
    created_at: datetime
    attempt: int


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Sends the mails that wait, until none does or one fails; how many went out. Outside any transaction."""
    if not settings.CHAINPAY_DIGEST_TO:
        return 0
    for sent in range(MOST_AT_ONCE):
        claimed = _claim(clock())
        if claimed is None or not _attempt(claimed, clock):
            return sent
    return MOST_AT_ONCE


def _attempt(claimed: _Claimed, clock: Callable[[], datetime]) -> bool:
    try:
        hand_over(claimed)
    except OSError as error:  # what smtplib, ssl and sockets raise
        _record_failure(claimed, error, clock())
        return False
    _record_success(claimed, clock())
    return True


def hand_over(claimed: _Claimed) -> None:
    """One message to the whole team, through Django's mail settings; raises OSError."""
    mail = EmailMultiAlternatives(
        subject=claimed.subject,
        body=claimed.text,
        to=settings.CHAINPAY_DIGEST_TO,
        headers={
            "Message-ID": claimed.message_id,
            "Date": format_datetime(claimed.created_at),
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(claimed.html, "text/html")
    if settings.EMAIL_BACKEND == _CONSOLE:
        logger.info("Review digest %s is printed here, for EMAIL_URL is not set", claimed.id)
    mail.send()


def _claim(now: datetime) -> _Claimed | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now + LEASE, now])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return None if row is None else _Claimed(*row)


def _record_success(claimed: _Claimed, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [now, claimed.id])
    logger.info("Review digest %s was mailed, attempt %s", claimed.id, claimed.attempt)


def _record_failure(claimed: _Claimed, error: OSError, now: datetime) -> None:
    following = now + BACKOFF[min(claimed.attempt, len(BACKOFF)) - 1]
    with connection.cursor() as cursor:
        cursor.execute(_FAILED, [following, _in_words(error), claimed.id, claimed.attempt])
    logger.error(
        "Review digest %s could not be mailed, attempt %s, again at %s: %s",
        claimed.id,
        claimed.attempt,
        following.isoformat(timespec="seconds"),
        _in_words(error),
    )


def _in_words(error: OSError) -> str:
    """What went wrong, without the server's own words: they repeat addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({str(code) for code, _ in error.recipients.values()})
        return f"the mail server refused every recipient ({', '.join(codes)})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code} ({type(error).__name__})"
    if isinstance(error, TimeoutError):
        return "the mail server gave no answer in time"
    return f"the mail server could not be talked to ({type(error).__name__})"
