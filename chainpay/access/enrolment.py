"""The secret of an authenticator app between the page that shows it and the first code: sealed in the session."""

from typing import Final

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.utils import decrypt, encrypt
from django.http import HttpRequest

from chainpay.access import codes
from rails.sealing import CannotUnseal

_WAITING: Final = "second_factor_waiting"


def waiting_secret(request: HttpRequest) -> str:
    """The secret that this person is about to confirm; made when there is none."""
    sealed = request.session.get(_WAITING)
    if sealed:
        try:
            return decrypt(sealed)
        except CannotUnseal:
            pass  # sealed under a key that has gone since, or for who was logged in before: a new one will do
    secret = generate_totp_secret()
    request.session[_WAITING] = encrypt(secret)
    return secret


def forget(request: HttpRequest) -> None:
    """The secret was confirmed."""
    request.session.pop(_WAITING, None)


def used_up(authenticator: Authenticator, counter: int) -> None:
    """The code that confirmed the secret is no code to log in with."""
    codes.mark_used(authenticator, counter)
