"""Event sources and API keys in the admin: who may do what, and that a secret is seen once."""

import logging
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from compliance.roles import Role
from settlements import api_keys
from settlements.models import ApiKey, EventSource, SourceSecret
from settlements.permissions import GRANTABLE
from settlements.statuses import EVENT_WORDS
from tests.compliance.conftest import logged_in
from tests.compliance.integrations import (
    KEYS,
    NEW_CARRIER,
    NEW_KEY,
    NEW_PLATFORM,
    POD,
    SECRETS,
    SOURCES,
    a_key,
    a_new_key,
    a_source,
    errors,
    everything,
    pages,
    rotation,
    secret_in,
)


@pytest.mark.parametrize("role", [*(role for role in Role if role is not Role.OPERATIONS), None])
def test_those_who_do_not_manage_integrations_change_nothing(staff, role):
    source, key = a_source(), a_key()
    client, before = logged_in(staff(role)), everything()
    for address, form in pages(source, key).items():
        assert client.get(address).status_code == 403, address
        assert client.post(address, form).status_code == 403, address
    assert everything() == before


def test_those_who_do_not_manage_integrations_look_and_are_offered_nothing(staff):
    source, key = a_source(), a_key()
    client = logged_in(staff(Role.AUDITOR))
    for address in (SOURCES, f"{SOURCES}{source.pk}/change/", SECRETS, KEYS, f"{KEYS}{key.pk}/change/"):
        page = client.get(address).content.decode()
        assert "haulier" in page or "portal" in page
        assert not re.search(r'href="[^"]*/(new|edit|rotate|revoke)/', page), address


def test_nobody_who_is_not_logged_in_comes_in():
    source, key = a_source(), a_key()
    before = everything()
    for address, form in pages(source, key).items():
        assert Client().post(address, form).status_code == 302
    assert everything() == before


def test_looking_changes_nothing(browser):
    source, key = a_source(), a_key()
    before = everything()
    for address in pages(source, key):
        assert browser.get(address, {"name": "x", "reason": "x", "overlap_hours": "0"}).status_code == 200, address
        assert browser.head(address).status_code == 200, address
    assert everything() == before


def test_forged_posts_without_the_token_of_the_form_change_nothing(ona):
    source, key = a_source(), a_key()
    client, before = logged_in(ona, csrf=True), everything()
    for address, form in pages(source, key).items():
        assert client.post(address, form).status_code == 403, address
    assert everything() == before


@pytest.mark.parametrize("reason", ["", "   ", "\u200b", "a\x00b", "a\x1bb", "x" * 501])
def test_nothing_is_done_without_a_reason_that_can_be_read(browser, reason):
    source, key = a_source(), a_key()
    before = everything()
    for address, form in pages(source, key).items():
        if "reason" in form:
            assert "reason" in errors(browser.post(address, {**form, "reason": reason})), address
    assert everything() == before


def test_every_act_names_who_when_and_why_in_the_history(browser, ona):
    source, key = a_source(), a_key()
    for address in pages(source, key):
        form = pages(source, key)[address]
        assert browser.post(address, form).status_code in {200, 302}, address
    told = LogEntry.objects.order_by("pk").values_list("user__username", "object_repr", "change_message")
    assert {who for who, _, _ in told} == {"ona"}
    whats = [(of, what) for _, of, what in told]
    hint = source.secrets.earliest("pk").hint
    assert whats[0] == ("new-one", "Created.")
    assert whats[2][1].startswith("Changed allowed_event_types from [")
    assert whats[2][1].endswith("requests_per_second from None to 7: Less is enough.")
    assert whats[3][1].endswith("at the latest: It was due.")
    assert whats[4] == ("haulier", f"Secret …{hint} revoked: It leaked.")
    assert whats[5] == ("k", "Created for service tms.")
    assert whats[6] == ("portal", "Revoked: It leaked.")
    page = browser.get(f"{SOURCES}{source.pk}/change/").content.decode()
    assert "It was due." in page
    assert "ona" in page


def test_a_secret_is_shown_once_and_kept_nowhere(browser, caplog):
    caplog.set_level(logging.DEBUG)
    shown = [browser.post(NEW_CARRIER, {"name": "haulier", "carrier_id": "C-7", "allowed_event_types": [POD]})]
    source = EventSource.objects.get(name="haulier")
    shown.append(browser.post(f"{SOURCES}{source.pk}/rotate/", rotation(source)))
    shown.append(browser.post(NEW_KEY, a_new_key()))
    key = ApiKey.objects.get()
    for answer in shown:
        assert "no-store" in answer["Cache-Control"]
        assert "Location" not in answer
        secret = secret_in(answer)
        assert secret not in caplog.text
        assert secret not in str(dict(answer.cookies))
        for session in Session.objects.all():
            assert secret not in str(session.get_decoded())
        for kept in everything():
            assert secret not in str(kept)
        for address in ("/admin/", SOURCES, SECRETS, KEYS, f"{SOURCES}{source.pk}/change/", f"{KEYS}{key.pk}/change/"):
            assert secret not in browser.get(address).content.decode(), address
        for secret_row in SourceSecret.objects.all():
            page = browser.get(f"{SECRETS}{secret_row.pk}/change/").content.decode()
            assert secret not in page
            assert secret_row.sealed not in page


def test_a_reason_that_holds_a_secret_is_kept_without_it(browser):
    key, secret = a_key(), "cpk_" + "x" * 43
    browser.post(f"{KEYS}{key.pk}/revoke/", {"reason": f"{secret} stood in a mail."})
    assert LogEntry.objects.get().change_message == "Revoked: cpk_[redacted] stood in a mail."


def test_what_is_shown_works(browser):
    secret = secret_in(browser.post(NEW_PLATFORM, {"name": "tms", "requests_per_second": "3"}))
    row = EventSource.objects.get(name="tms")
    assert (row.kind, row.carrier_id, row.allowed_event_types, row.requests_per_second) == ("platform", "", [], 3)
    assert row.created_by == "user:ona"
    assert row.secrets.get().hint == secret[-4:]
    key: Any = api_keys.find(secret_in(browser.post(NEW_KEY, a_new_key())), now=timezone.now())
    assert (key.name, key.service, key.user, (key.expires_at - key.created_at).days) == ("k", "tms", None, 365)


def test_a_carrier_is_offered_all_but_the_end_of_its_claim_window(browser):
    ticked = re.findall(r'value="([A-Z_]+)"[^>]*checked', browser.get(NEW_CARRIER).content.decode())
    assert set(ticked) == set(EVENT_WORDS) - {"CLAIM_WINDOW_CLOSED"}
    assert "checked" not in browser.get(NEW_PLATFORM).content.decode()


@pytest.mark.parametrize("carrier", ["", "\u200b", "a\x07b", "a\u202eb", "x" * 201])
def test_a_carrier_id_is_visible_text(browser, carrier):
    before = everything()
    form = {"name": "haulier", "carrier_id": carrier, "allowed_event_types": [POD]}
    assert list(errors(browser.post(NEW_CARRIER, form))) == ["carrier_id"]
    assert everything() == before


def test_a_carrier_id_of_200_letters_of_any_alphabet_is_kept_as_given_and_shown_escaped(browser):
    carrier = ("<b>荷</b>" * 30)[:200]
    secret_in(browser.post(NEW_CARRIER, {"name": "haulier", "carrier_id": carrier, "allowed_event_types": [POD]}))
    assert EventSource.objects.get(name="haulier").carrier_id == carrier
    assert "<b>荷" not in browser.get(SOURCES).content.decode()


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 51, "../a", "<b>"])
def test_names_that_are_none_are_refused(browser, name):
    before = everything()
    for address, form in ((NEW_PLATFORM, {}), (NEW_KEY, a_new_key())):
        assert list(errors(browser.post(address, {**form, "name": name}))) == ["name"]
    assert everything() == before


def test_what_the_domain_refuses_stands_at_its_field(browser):
    a_source(), a_key("k")
    before = everything()
    assert errors(browser.post(NEW_PLATFORM, {"name": "haulier"})) == {
        "name": ["There is an event source haulier already."]
    }
    assert errors(browser.post(NEW_CARRIER, {"name": "x", "carrier_id": "C"})) == {
        "allowed_event_types": ["A carrier's source needs at least one event type."]
    }
    assert errors(browser.post(NEW_KEY, a_new_key())) == {"name": ["There is a key k already."]}
    assert list(errors(browser.post(NEW_KEY, a_new_key(scopes=["compliance:decide"])))) == ["scopes"]
    assert list(errors(browser.post(NEW_KEY, a_new_key(scopes=["events:write"])))) == ["scopes"]
    assert list(errors(browser.post(NEW_KEY, a_new_key(service="")))) == ["service"]
    assert list(errors(browser.post(NEW_KEY, a_new_key(owner="mine")))) == ["service"]
    assert list(errors(browser.post(NEW_KEY, a_new_key(owner="mine", service="", carrier_id="C")))) == ["carrier_id"]
    assert list(errors(browser.post(NEW_KEY, a_new_key(scopes=["intents:write"], carrier_id="C")))) == ["scopes"]
    assert everything() == before


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x", "9" * 5_000, "100001"])
def test_numbers_out_of_bounds_are_refused(browser, number):
    source = a_source()
    before = everything()
    assert "requests_per_second" in errors(browser.post(NEW_PLATFORM, {"name": "x", "requests_per_second": number}))
    assert "expires_in_days" in errors(browser.post(NEW_KEY, a_new_key(expires_in_days=number)))
    if number != "0":  # at once
        form = rotation(source, overlap_hours=number)
        assert "overlap_hours" in errors(browser.post(f"{SOURCES}{source.pk}/rotate/", form))
    assert everything() == before


@pytest.mark.parametrize("superuser", [False, True])
def test_nobody_makes_a_key_in_another_persons_name(staff, superuser):
    other = staff(Role.COMPLIANCE_OFFICER, "olga")
    me = staff(Role.OPERATIONS, "ona", is_superuser=superuser)
    client = logged_in(me)
    assert "olga" not in client.get(NEW_KEY).content.decode()
    for owner in ("olga", str(other.pk), "user:olga"):
        assert "owner" in errors(client.post(NEW_KEY, a_new_key(owner=owner, service="")))
    assert not ApiKey.objects.exists()
    forged = {"user": other.pk, "user_id": other.pk, "username": "olga", "actor": "user:olga", "created_by": "olga"}
    scopes = [scope.value for scope in GRANTABLE]
    client.post(NEW_KEY, {**a_new_key(owner="mine", service="", scopes=scopes), **forged})
    key = ApiKey.objects.get()
    assert (key.user, key.created_by) == (me, "user:ona")


@pytest.mark.parametrize("superuser", [False, True])
def test_nobody_grants_a_service_what_they_may_not_do_themselves(staff, superuser):
    client = logged_in(staff(Role.OPERATIONS, "ona", is_superuser=superuser))
    answer = client.post(
        NEW_KEY, a_new_key(owner="service", service="tms", scopes=["intents:read", "intents:complete"])
    )
    assert ApiKey.objects.count() == int(superuser)
    if not superuser:
        assert errors(answer)["scopes"] == ["You may not do yourself what this key would: intents:complete."]
