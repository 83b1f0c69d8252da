"""The settings of logging in are refused when they are wrong."""

from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from chainpay import environment
from tests.access.conftest import Person

DEFAULTS = {
    "CHAINPAY_IDLE_MINUTES": 30,
    "CHAINPAY_SESSION_HOURS": 10,
    "CHAINPAY_RECENT_LOGIN_MINUTES": 30,
    "CHAINPAY_LOGIN_FAILURES": 5,
    "CHAINPAY_LOCKOUT_MINUTES": 15,
    "CHAINPAY_TRUSTED_PROXIES": 0,
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_has_a_default_and_bounds(monkeypatch, tmp_path: Path, name):
    monkeypatch.delenv(name, raising=False)
    field = name.removeprefix("CHAINPAY_").lower()
    assert getattr(environment.read(tmp_path), field) == DEFAULTS[name]
    for wrong in ("-1", "1.5", "ten", "99999", "١"):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(ImproperlyConfigured, match=name):
            environment.read(tmp_path)


def test_sessions_that_nobody_came_back_to_leave_the_database(olga, clock):
    Session.objects.create(pk="old", session_data="", expire_date=timezone.now())
    clock.shift(1)
    Person("olga").password()
    assert not Session.objects.filter(pk="old").exists()
