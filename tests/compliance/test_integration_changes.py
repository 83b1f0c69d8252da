"""Changing, rotating and revoking event sources and API keys in the admin."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from compliance.roles import Role
from settlements import api_keys, sources
from settlements.models import SourceSecret
from tests.compliance.conftest import logged_in
from tests.compliance.integrations import (
    KEYS,
    POD,
    SECRETS,
    SOURCES,
    a_key,
    a_source,
    change,
    errors,
    everything,
    known,
    rotation,
    secret_in,
)


def test_a_change_holds_from_the_next_message_on(browser):
    source = a_source()
    answer = browser.post(f"{SOURCES}{source.pk}/edit/", change(source, active=""))
    assert answer.status_code == 302
    found = known()
    assert (found.active, found.source.allowed_event_types, found.requests_per_second) == (False, {POD}, 7)
    assert "not accepted" in browser.get(f"{SOURCES}{source.pk}/change/").content.decode()


def test_a_rotation_that_is_posted_twice_is_done_once(browser):
    source = a_source()
    address, form = f"{SOURCES}{source.pk}/rotate/", rotation(source, overlap_hours="0")
    secret = secret_in(browser.post(address, form))
    before = everything()
    again = browser.post(address, form)
    assert errors(again) == {"__all__": ["haulier has changed since you looked; nothing was done. Look again."]}
    assert "cp-secret" not in again.content.decode()
    assert everything() == before
    found = known()
    assert [SourceSecret.objects.get(pk=live.pk).hint for live in found.live(timezone.now())] == [secret[-4:]]
    # The form that was refused is about the source as it is now.
    source.refresh_from_db()
    assert f'name="revision" value="{source.revision}"' in again.content.decode()


def test_a_change_of_what_somebody_else_has_changed_is_refused_and_kept_on_the_screen(browser):
    source = a_source()
    mine = change(source, allowed_event_types=[POD, "IN_TRANSIT"])
    browser.post(f"{SOURCES}{source.pk}/edit/", change(source, active=""))
    before = everything()
    again = browser.post(f"{SOURCES}{source.pk}/edit/", mine)
    assert "__all__" in errors(again)
    assert again.context["form"]["allowed_event_types"].value() == [POD, "IN_TRANSIT"]
    assert everything() == before


def test_revoking_twice_tells_the_history_once(browser):
    source, key = a_source(), a_key()
    secret = source.secrets.get()
    for address in (f"{SOURCES}{source.pk}/revoke/{secret.pk}/", f"{KEYS}{key.pk}/revoke/"):
        browser.post(address, {"reason": "It leaked."})
        before = everything()[-1]
        assert "since before" in browser.post(address, {"reason": "Again."}, follow=True).content.decode()
        assert everything()[-1] == before
    assert known().live(timezone.now()) == []
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_secret_is_revoked_on_the_page_of_its_own_source_only(browser):
    mine, other = a_source(), a_source("other")
    before = everything()
    address = f"{SOURCES}{mine.pk}/revoke/{other.secrets.get().pk}/"
    assert browser.get(address).status_code == 404
    assert browser.post(address, {"reason": "x"}).status_code == 404
    assert everything() == before


@pytest.mark.parametrize("number", ["0", "999999999", "9" * 30])
def test_pages_of_what_does_not_exist_are_not_there(browser, number):
    a_source()
    before = everything()
    for address in (f"{SOURCES}{number}/{act}/" for act in ("edit", "rotate", "revoke/1")):
        assert browser.post(address, {"reason": "x"}).status_code == 404
    assert browser.post(f"{KEYS}{number}/revoke/", {"reason": "x"}).status_code == 404
    assert everything() == before


def test_who_ends_the_last_live_secret_is_warned(browser):
    source = a_source()
    address = f"{SOURCES}{source.pk}/revoke/{source.secrets.get().pk}/"
    assert "No other secret is live" in browser.get(address).content.decode()
    sources.rotate(source.pk, actor="test", now=timezone.now())
    assert "No other secret is live" not in browser.get(address).content.decode()


def test_states_are_told_in_words(browser, staff):
    source, anna = a_source(), staff(Role.FINANCE, "anna")
    sources.rotate(source.pk, actor="test", now=timezone.now())
    sources.revoke(source.pk, [source.secrets.earliest("pk").pk], actor="test", now=timezone.now())
    a_key(), a_key("hers", user=anna), a_key("over")
    api_keys.revoke("over", actor="test", now=timezone.now())
    User.objects.filter(pk=anna.pk).update(is_active=False)
    page = browser.get(f"{SOURCES}{source.pk}/change/").content.decode()
    assert [f">{word}</span>" in page for word in ("live", "revoked", "expired")] == [True, True, False]
    page = browser.get(KEYS).content.decode()
    assert [f">{word}</span>" in page for word in ("live", "revoked", "not accepted")] == [True] * 3
    assert "while its owner is no active staff login" in page


def test_nothing_can_be_deleted(staff):
    source, key = a_source(), a_key()
    root, before = logged_in(staff(None, is_superuser=True)), everything()
    for address in (f"{SOURCES}{source.pk}/", f"{KEYS}{key.pk}/", f"{SECRETS}{source.secrets.get().pk}/"):
        assert root.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    for address, pk in ((SOURCES, source.pk), (KEYS, key.pk)):
        root.post(address, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert everything() == before
