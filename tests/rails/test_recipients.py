from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from rails import recipients
from rails.models import Recipient, RecipientEdit
from rails.recipients import RecipientError, RecipientUnknown
from tests.rails.rail_contract import NOW
from tests.rails.test_ledger import at_once

pytestmark = pytest.mark.django_db


def put(recipient_id: str = "CARRIER-1", name: str = "Bozza Haulage", **others: Any) -> tuple[Recipient, bool]:
    return recipients.put(recipient_id, name, **{"actor": "demo", "now": NOW, **others})


def test_a_new_recipient_is_recorded_with_who_made_it() -> None:
    officer = User.objects.create_user("officer1")
    recipient, created = put(user=officer)
    assert (created, recipient.revision, recipient.payouts_enabled) == (True, 1, True)
    edit = RecipientEdit.objects.get()
    assert (edit.edited_by, edit.actor, edit.changes, edit.revision) == (
        officer,
        "demo",
        {"name": [None, "Bozza Haulage"]},
        1,
    )


def test_the_same_put_again_changes_nothing() -> None:
    put()
    recipient, created = put(now=NOW + timedelta(days=1))
    assert (created, recipient.revision, recipient.updated_at) == (False, 1, NOW)
    assert RecipientEdit.objects.count() == 1


def test_a_new_name_is_a_new_revision_with_before_and_after() -> None:
    put()
    recipient, created = put(name="Bozza Freight")
    assert (created, recipient.name, recipient.revision) == (False, "Bozza Freight", 2)
    assert RecipientEdit.objects.get(revision=2).changes == {"name": ["Bozza Haulage", "Bozza Freight"]}


def test_payouts_are_stopped_by_a_recorded_edit() -> None:
    put()
    recipient = recipients.set_payouts(recipient_id="CARRIER-1", enabled=False, actor="manager1", now=NOW)
    assert (recipient.payouts_enabled, recipient.revision) == (False, 2)
    assert RecipientEdit.objects.get(revision=2).changes == {"payouts_enabled": [True, False]}


def test_a_recipient_is_found_as_its_id_was_written() -> None:
    put("Träger-Ω-7")
    assert recipients.find(recipient_id="Träger-Ω-7").name == "Bozza Haulage"
    for unknown in ("träger-ω-7", "CARRIER-2", "", "a\x00b"):
        with pytest.raises(RecipientUnknown):
            recipients.find(recipient_id=unknown)


@pytest.mark.parametrize("recipient_id", ["", " ", "a b", "a\n", "a\tb", "a\x00b", "a\u200bb", "x" * 201, 7, None])
def test_an_id_is_visible_characters(recipient_id: Any) -> None:
    with pytest.raises(RecipientError) as refusal:
        put(recipient_id)
    assert (refusal.value.code, refusal.value.field) == ("recipient_id_invalid", "recipient_id")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 201, None, 7])
def test_a_name_is_printable(name: Any) -> None:
    with pytest.raises(RecipientError) as refusal:
        put(name=name)
    assert (refusal.value.code, refusal.value.field) == ("name_invalid", "name")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another"},
        {"payouts_enabled": False},
        {"recipient_id": "OTHER", "revision": 2},
        {"revision": 0},
        {"revision": 3},
        {"name": "Another", "revision": 3},
        {"name": "", "revision": 2},
    ],
)
def test_the_database_refuses_an_edit_that_is_not_one_revision(change: dict[str, Any]) -> None:
    put()
    with pytest.raises(DatabaseError):
        Recipient.objects.update(**change)


@pytest.mark.parametrize("recipient_id", ["", "a b", "a\n", "x" * 201])
def test_the_database_refuses_an_id_that_is_not_visible_characters(recipient_id: str) -> None:
    with pytest.raises(DatabaseError, match="recipient_id_is_visible_characters"):
        Recipient.objects.create(recipient_id=recipient_id, name="Bozza Haulage")


def test_a_recipient_is_never_deleted() -> None:
    recipient, _ = put("CARRIER-2")
    with pytest.raises(DatabaseError):
        Recipient.objects.filter(pk=recipient.pk)._raw_delete("default")


@pytest.mark.django_db(transaction=True)
def test_two_who_rename_at_once_are_two_revisions() -> None:
    put()
    at_once([partial(put, name=f"Name {number}") for number in range(4)])
    assert Recipient.objects.get().revision == 5
    assert RecipientEdit.objects.count() == 5
