"""The button on the page of a payment intent: who has it, what it hands out, and what it says when it can not."""

import errno
import io
import os
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from compliance.roles import Role
from settlements.dossier import verify
from settlements.models import AuditEvent, OfficeEvent, PaymentIntent
from tests.compliance.conftest import freight, intent, logged_in

MAKERS = (Role.COMPLIANCE_MANAGER, Role.FINANCE, Role.AUDITOR)


@pytest.fixture
def page(db: None) -> str:
    """The address of an intent's page."""
    intent(freight("0.15"))
    return f"/admin/settlements/paymentintent/{PaymentIntent.objects.latest('pk').pk}/"


@pytest.mark.parametrize("role", Role)
def test_only_those_who_may_export_have_the_button_and_get_the_zip(role: Role, page: str, staff: Any) -> None:
    client = logged_in(staff(role, "sam"))
    allowed = role in MAKERS
    assert (f'action="{page}dossier/"' in client.get(f"{page}change/").content.decode()) is allowed
    answer = client.post(f"{page}dossier/")
    assert answer.status_code == (200 if allowed else 403)
    assert OfficeEvent.objects.filter(action="dossier_made", actor="user:sam").exists() is allowed
    if allowed:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            verify.check({name: archive.read(name) for name in archive.namelist()})
        assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/zip", "no-store")
        assert answer["Content-Disposition"].startswith('attachment; filename="chainpay_dossier_')


@pytest.fixture
def auditor(staff: Any) -> User:
    user: User = staff(Role.AUDITOR, "aud")
    return user


def test_looking_hands_out_nothing(page: str, auditor: User) -> None:
    assert logged_in(auditor).get(f"{page}dossier/").status_code == 405
    assert not OfficeEvent.objects.exists()


def test_an_intent_that_is_not_there_is_not_found(page: str, auditor: User) -> None:
    assert logged_in(auditor).post("/admin/settlements/paymentintent/999999/dossier/").status_code == 404


def test_what_is_in_the_way_is_said_on_the_page(
    page: str, auditor: User, settings: Settings, behind_the_guards: Any
) -> None:
    client = logged_in(auditor)
    key, settings.CHAINPAY_CHECKPOINT_KEY = settings.CHAINPAY_CHECKPOINT_KEY, b""
    assert "No dossier was made. CHAINPAY_CHECKPOINT_KEY is not set" in _said(client, page)
    settings.CHAINPAY_CHECKPOINT_KEY = key
    assert client.post(f"{page}dossier/").status_code == 200
    behind_the_guards(
        "UPDATE settlements_auditevent SET reason = 'x' WHERE id = %s", AuditEvent.objects.latest("pk").pk
    )
    assert "do not fit its audit chain: chain.jsonl: its hashes do not lead" in _said(client, page)
    behind_the_guards("DELETE FROM settlements_auditevent")
    assert "has 0 audit events, but" in _said(client, page)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_directory_that_can_not_be_written_to_is_said_on_the_page(
    number: int, page: str, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), "/private/checkpoints")

    monkeypatch.setattr("settlements.proof.publishing.tempfile.mkstemp", refuse)
    words = _said(logged_in(auditor), page)
    assert f"No dossier was made. The checkpoint that covers it can not be written out: {os.strerror(number)}." in words
    assert "/private/checkpoints" not in words
    assert not OfficeEvent.objects.filter(action="dossier_made").exists()


def _said(client: Any, page: str) -> str:
    answer = client.post(f"{page}dossier/", follow=True)
    assert answer.redirect_chain == [(f"{page}change/", 302)]
    words: str = answer.content.decode()
    return words
