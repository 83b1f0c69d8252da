"""How django-allauth behaves here: no sign-up, local addresses only, secrets sealed, our own count of failures."""

import logging
import time
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.stagekit import unstash_login
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from chainpay.access import sessions
from chainpay.access.addresses import client_address
from rails import sealing

logger = logging.getLogger(__name__)

# How long after showing who one is the second factor may be changed.
_CHANGES_WITHIN_SECONDS: Final = 15 * 60


class AccountAdapter(DefaultAccountAdapter):
    """Passwords, sessions and redirects."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The member of staff with this user name and password. Who is no staff, or inactive, is nobody here."""
        user = authenticate(request, **credentials)
        return user if isinstance(user, User) and user.is_staff else None

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().login(request, user)
        sessions.start(request)
        logger.info("Logged in: user=%s, address=%s", user.pk, client_address(request))

    def is_safe_url(self, url: str | None) -> bool:
        """People are sent to pages of the admin only."""
        local = url_has_allowed_host_and_scheme(url, allowed_hosts=None)
        return url is not None and local and url.startswith("/admin/")

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether logging in or confirming was too long ago to change a second factor."""
        request = context.request
        records = get_authentication_records(request, request.user)
        wanted = {"password", "mfa"} if has_second_factor(request.user) else {"password"}
        since = time.time() - _CHANGES_WITHIN_SECONDS
        return not wanted <= {record["method"] for record in records if record["at"] > since}

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, str]]:
        if not user.is_authenticated:
            return []
        page = {"id": "reauthenticate", "description": "Password and code", "url": reverse("account_reauthenticate")}
        key = {
            "id": "mfa_reauthenticate:webauthn",
            "description": "Security key",
            "url": reverse("mfa_reauthenticate_webauthn"),
        }
        return [page, key] if has_second_factor(user, [Authenticator.Type.WEBAUTHN]) else [page]

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """No mails about logins: addresses of logins are not verified."""


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are sealed for the person they belong to."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, belongs_to=_owner())

    def decrypt(self, encrypted_text: str) -> str:
        """Raises CannotUnseal, for a secret that was sealed for somebody else too."""
        return sealing.unseal(encrypted_text, belongs_to=_owner())

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return user.get_username()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": settings.MFA_TOTP_ISSUER}


def has_second_factor(
    user: AbstractBaseUser | AnonymousUser,
    types: tuple[Authenticator.Type, ...] | list[Authenticator.Type] = (
        Authenticator.Type.TOTP,
        Authenticator.Type.WEBAUTHN,
    ),
) -> bool:
    """Whether an authenticator app or a security key is set up; recovery codes alone are none."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=types).exists()


def owner_label(user_id: int | None) -> str:
    """What the secrets of a person's second factors are bound to."""
    return f"second_factor:{'nobody' if user_id is None else user_id}"


def _owner() -> str:
    """Whose secret this request is about: who is logged in, or who has shown a password and is about to be."""
    request = context.request
    if request.user.is_authenticated:
        return owner_label(request.user.pk)
    login = unstash_login(request, peek=True)
    return owner_label(login.user.pk if login and login.user else None)
