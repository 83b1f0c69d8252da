"""Staff of all kinds, and a browser that logs in as people do: password, then a code of the authenticator app."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import Group, User
from django.test import Client

from compliance.roles import Role

PASSWORD = "correct horse battery"
LOGIN, CODE, CONFIRM = "/admin/login/", "/admin/account/code/", "/admin/account/confirm/"
FACTORS, APP, CODES = (
    "/admin/account/second-factor/",
    "/admin/account/second-factor/app/",
    "/admin/account/recovery-codes/",
)
_SECRET = re.compile(r"cp-secret\">([A-Z2-7]+)<")
_RECOVERY_CODE = re.compile(r"<code>(\d{8})</code>")


@pytest.fixture(autouse=True)
def _staff_pages(settings, db):
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still at the beginning of a half minute until it is moved."""
    with time_machine.travel((time.time() // 30) * 30, tick=False) as traveller:
        yield traveller


def make_staff(username: str = "olga", role: Role | None = Role.COMPLIANCE_OFFICER, **extra: Any) -> User:
    """A member of staff without a second factor."""
    user = User.objects.create_user(username, password=PASSWORD, **{"is_staff": True, **extra})
    if role:
        user.groups.add(Group.objects.get(name=role.value))
    return user


@pytest.fixture
def olga(db) -> User:
    """A compliance officer who has just been given her login."""
    return make_staff()


@dataclass
class Person:
    """Somebody at a browser, with a phone."""

    username: str
    client: Client = field(default_factory=Client)
    secret: str = ""
    recovery_codes: list[str] = field(default_factory=list)

    def password(self, password: str = PASSWORD, **extra):
        """Types user name and password."""
        return self.client.post(LOGIN, {"username": self.username, "password": password}, **extra)

    def code(self, ahead: int = 0) -> str:
        """What the app shows now, or `ahead` half minutes later."""
        return format_hotp_value(hotp_value(self.secret, int(time.time()) // 30 + ahead))

    def type_code(self, code: str = "", **extra):
        """Types a code at the second step."""
        return self.client.post(CODE, {"code": code or self.code()}, **extra)

    def enrol(self):
        """First login: sets up the app and notes the recovery codes."""
        self.password()
        (self.secret,) = _SECRET.findall(self.client.get(APP).content.decode())
        answer = self.client.post(APP, {"code": self.code()})
        assert answer["Location"] == CODES, answer
        self.recovery_codes = _RECOVERY_CODE.findall(self.client.get(CODES).content.decode())
        return self

    def confirm(self, **fields: str):
        """The page that asks again."""
        return self.client.post(CONFIRM, fields)

    @property
    def is_inside(self) -> bool:
        """Whether the admin opens."""
        return self.client.get("/admin/").status_code == 200


@pytest.fixture
def enrolled(olga, clock) -> Person:
    """Olga after her first login, a minute later, logged out."""
    person = Person("olga").enrol()
    clock.shift(60)
    person.client = Client()
    return person


def stored() -> str:
    """Everything that the database has of second factors and sessions, as text."""
    from django.contrib.sessions.models import Session

    factors = [str(row.data) for row in Authenticator.objects.all()]
    return "\n".join([*factors, *(str(row.get_decoded()) for row in Session.objects.all())])
