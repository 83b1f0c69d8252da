"""Whether a secret or a key is still good, in words for people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from settlements.models import ApiKey, SourceSecret

_TO_THE_MINUTE: Final = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True)
class State:
    """`good` as long as whoever holds it is let in; `more` says why not, or until when."""

    good: bool
    word: str
    more: str = ""

    @property
    def in_words(self) -> str:
        """Both on one line."""
        return f"{self.word} {self.more}".rstrip()


def of_secret(secret: SourceSecret, *, now: datetime) -> State:
    """What a message that is signed with it meets."""
    ended = _ended(secret.revoked_at, secret.expires_at, now)
    if ended is not None:
        return ended
    return (
        _live(secret.expires_at)
        if secret.source.active
        else State(False, "not accepted", "while the source is inactive")
    )


def of_key(key: ApiKey, *, now: datetime) -> State:
    """What a request that shows it meets."""
    ended = _ended(key.revoked_at, key.expires_at, now)
    if ended is not None:
        return ended
    if key.user is not None and not (key.user.is_active and key.user.is_staff):
        return State(False, "not accepted", "while its owner is no active staff login")
    return _live(key.expires_at)


def moment(at: datetime | None) -> str:
    """A time to the minute, or that there is none."""
    return "never" if at is None else f"{at:{_TO_THE_MINUTE}}"


def _ended(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> State | None:
    if revoked_at is not None:
        return State(False, "revoked")
    if expires_at is not None and expires_at <= now:
        return State(False, "expired")
    return None


def _live(expires_at: datetime | None) -> State:
    return State(True, "live", "" if expires_at is None else f"until {moment(expires_at)}")
