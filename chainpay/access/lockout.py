"""Who failed too often waits: counted by login and by address, in the database, so no other server is needed for it.

Every attempt is counted before it is looked at, so a hundred at the same moment are no hundred guesses. Whoever waits
is refused whatever they bring, the right password too, and unknown user names wait like known ones.
"""

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from chainpay.access.models import Lockout

logger = logging.getLogger(__name__)

# An office has one address and many people who mistype.
ADDRESS_FACTOR: Final = 5
# Forgotten rows are removed by the attempts that come later, a bounded number each.
_SWEPT: Final = 100
_COUNT: Final = """
    INSERT INTO access_lockout AS known (subject, failures, locked_until, forgotten_at)
    VALUES (%(subject)s, 1, NULL, %(forgotten_at)s)
    ON CONFLICT (subject) DO UPDATE SET
        failures = CASE WHEN known.forgotten_at <= %(now)s THEN 1 ELSE known.failures + 1 END,
        locked_until = CASE WHEN known.forgotten_at <= %(now)s THEN NULL ELSE known.locked_until END,
        forgotten_at = CASE WHEN known.locked_until > %(now)s THEN known.forgotten_at ELSE %(forgotten_at)s END
    RETURNING failures, locked_until
"""
_LOCK: Final = """
    UPDATE access_lockout SET locked_until = %(until)s, forgotten_at = %(until)s
    WHERE subject = %(subject)s AND failures >= %(limit)s AND locked_until IS NULL
"""
_SWEEP: Final = """
    DELETE FROM access_lockout WHERE subject IN (
        SELECT subject FROM access_lockout WHERE forgotten_at <= %(now)s LIMIT %(swept)s FOR UPDATE SKIP LOCKED
    )
"""


class Kind(StrEnum):
    """What is counted together."""

    ADDRESS = "address"
    LOGIN = "login"  # user name and password, by strangers
    CONFIRMATION = "confirmation"  # the password again, by who is logged in
    CODE = "code"  # codes of the second factor


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose failures are counted: an address, a user name as typed, or a user's number."""

    kind: Kind
    name: str

    @property
    def key(self) -> str:
        """What stands in the database; user names that look alike share it."""
        folded = unicodedata.normalize("NFKC", self.name).strip().casefold()
        return salted_hmac("chainpay.access.lockout", f"{self.kind}:{folded}", algorithm="sha256").hexdigest()

    @property
    def limit(self) -> int:
        """How many failures are one too many."""
        allowed: int = settings.CHAINPAY_LOGIN_FAILURES
        return allowed * ADDRESS_FACTOR if self.kind is Kind.ADDRESS else allowed


class LockedOut(Exception):
    """Too many failures; `until` is when the next attempt is looked at."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"locked until {until:%Y-%m-%d %H:%M:%S}")
        self.until = until


def begin(subjects: Sequence[Subject], *, now: datetime) -> None:
    """Counts an attempt before it is looked at. Raises LockedOut if any of its subjects has failed too often."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP, {"now": now, "swept": _SWEPT})
    until = [waiting for subject in subjects if (waiting := _count(subject, now)) is not None]
    if until:
        raise LockedOut(max(until))


def failed(subjects: Sequence[Subject], *, now: datetime) -> None:
    """The attempt was wrong. Raises LockedOut if it was the last one allowed."""
    until = now + _period()
    locked = [subject.kind for subject in subjects if _lock(subject, until)]
    if locked:
        logger.warning("Locked out until %s by %s", until.isoformat(timespec="seconds"), " and ".join(locked))
        raise LockedOut(until)


def succeeded(subjects: Sequence[Subject]) -> None:
    """The attempt was right: its own count ends. That of the address only loses this attempt, or whoever has one login
    could guess at others without end."""
    with connection.cursor() as cursor:
        for subject in subjects:
            if subject.kind is Kind.ADDRESS:
                cursor.execute(
                    "UPDATE access_lockout SET failures = failures - 1 WHERE subject = %s AND failures > 1",
                    [subject.key],
                )
            else:
                cursor.execute("DELETE FROM access_lockout WHERE subject = %s", [subject.key])


def lift(subjects: Sequence[Subject]) -> int:
    """Ends the wait of these subjects; how many were counted."""
    _, deleted = Lockout.objects.filter(subject__in=[subject.key for subject in subjects]).delete()
    return deleted.get("access.Lockout", 0)


def of_person(user_id: int, username: str) -> list[Subject]:
    """Everything that is counted of a person."""
    number = str(user_id)
    return [Subject(Kind.LOGIN, username), Subject(Kind.CONFIRMATION, number), Subject(Kind.CODE, number)]


def _period() -> timedelta:
    return timedelta(minutes=settings.CHAINPAY_LOCKOUT_MINUTES)


def _count(subject: Subject, now: datetime) -> datetime | None:
    """Until when the subject waits, if it does."""
    forgotten_at = now + _period()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"subject": subject.key, "now": now, "forgotten_at": forgotten_at})
        failures, locked_until = cursor.fetchone()
    if locked_until is not None:
        return locked_until
    if failures <= subject.limit:
        return None
    _lock(subject, forgotten_at)  # others of the same moment took all that were left
    return forgotten_at


def _lock(subject: Subject, until: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"subject": subject.key, "until": until, "limit": subject.limit})
        return cursor.rowcount == 1
