"""Is this code right, and was it never used before? Codes of the authenticator app and recovery codes.

RFC 6238, 5.2: a code is accepted once. The number of its half minute is kept with the authenticator under a lock, and
only later ones count from then on, in every process and whether or not a cache remembers.
"""

import logging
from typing import Final

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.contrib.auth.models import User
from django.db import transaction

from rails.sealing import CannotUnseal

logger = logging.getLogger(__name__)

_LAST_COUNTER: Final = "last_counter"


class CannotCheck(Exception):
    """The person's second factor can not be read: its key is missing from the settings."""


def use(user: User, code: str) -> Authenticator | None:
    """The authenticator whose code this is, which is used up by it; None if it is wrong or was used before.

    Raises CannotCheck.
    """
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=user).order_by("pk")
        for row in rows:
            if _KINDS.get(row.type, _refuse)(row, code):
                return row
    return None


def counter_of(secret: str, code: str, *, later_than: int = -1) -> int | None:
    """Which half minute around now the code belongs to, of those after `later_than`."""
    for counter in yield_hotp_counters_from_time():
        if counter > later_than and compare_user_code(
            actual=code, expected=format_hotp_value(hotp_value(secret, counter))
        ):
            return counter
    return None


def mark_used(row: Authenticator, counter: int) -> None:
    """From now on only later codes of this authenticator count."""
    row.data[_LAST_COUNTER] = counter
    row.save(update_fields=["data"])


def _use_totp(row: Authenticator, code: str) -> bool:
    counter = counter_of(_open(row, "secret"), code, later_than=row.data.get(_LAST_COUNTER, -1))
    if counter is None:
        return False
    mark_used(row, counter)
    return True


def _use_recovery_code(row: Authenticator, code: str) -> bool:
    _open(row, "seed")
    return bool(row.wrap().validate_code(code))


def _refuse(row: Authenticator, code: str) -> bool:
    return False


def _open(row: Authenticator, name: str) -> str:
    try:
        return decrypt(row.data[name])
    except CannotUnseal as error:
        logger.error("The second factor of user %s can not be read: %s", row.user_id, error)
        raise CannotCheck from error


_KINDS: Final = {
    Authenticator.Type.TOTP.value: _use_totp,
    Authenticator.Type.RECOVERY_CODES.value: _use_recovery_code,
}
