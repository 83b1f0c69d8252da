"""Commands about event sources and API keys: what they make, what they refuse in a sentence, and who sees a secret."""

import io
import logging
import os
import pwd
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from settlements import api_keys, sources
from settlements.models import ApiKey, EventSource, SourceSecret

pytestmark = pytest.mark.django_db

ODD = [
    "", " ", "a b", "é", "na\u00efve-\u540d", "a\x00b", "a\x1b[31m", "a\nb", "\udcff", "\u202ea", "x" * 51,
    "x" * 10_000, "'; --", "../a",
]  # fmt: skip
ACTOR = f"command:{pwd.getpwuid(os.getuid()).pw_name}"


def run(*words: Any, **options: Any) -> list[str]:
    """The lines that a command writes."""
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=out, **options)
    return out.getvalue().splitlines()


def refused(*words: Any) -> str:
    with pytest.raises(CommandError) as error:
        run(*words)
    return str(error.value)


def a_source(name: str = "haulier", **fields: Any) -> EventSource:
    row, _ = sources.create(name, carrier_id="C-7", actor="test", now=timezone.now(), **fields)
    return row


def staff(username: str = "anna", **fields: Any) -> User:
    return User.objects.create_user(username, **{"is_staff": True, **fields})


def counts() -> tuple[int, int, int]:
    return EventSource.objects.count(), SourceSecret.objects.count(), ApiKey.objects.count()


def key_of(shown: str) -> Any:
    """The key that a request with it would be taken for."""
    return api_keys.find(shown, now=timezone.now())


def live(source: EventSource) -> set[str]:
    found = sources.known(source.name, fresh=True)
    assert found is not None
    return {SourceSecret.objects.get(pk=secret.pk).hint for secret in found.live(timezone.now())}


def test_a_source_of_a_carrier_may_post_all_but_the_end_of_its_claim_window():
    secret = run("create_event_source", "haulier", "--carrier", "C-7", "--requests-per-second", "20")[-1]
    row = EventSource.objects.get(name="haulier")
    assert (row.kind, row.carrier_id, row.requests_per_second, row.created_by) == ("carrier", "C-7", 20, ACTOR)
    assert set(row.allowed_event_types) == set(sources.DEFAULT_OF_A_CARRIER)
    assert secret.startswith("whsec_")
    assert sources.secret_for_sending("haulier", now=timezone.now())


def test_a_source_without_a_carrier_is_the_platforms_and_may_post_everything():
    run("create_event_source", "tms")
    row = EventSource.objects.get(name="tms")
    assert (row.kind, row.allowed_event_types, row.requests_per_second) == ("platform", [], None)


def test_types_that_are_named_are_all_that_is_allowed():
    run("create_event_source", "haulier", "--carrier", "C-7", "--allow", "POD_CONFIRMED", "--allow", "IN_TRANSIT")
    assert EventSource.objects.get(name="haulier").allowed_event_types == ["POD_CONFIRMED", "IN_TRANSIT"]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_refused_by_every_command_in_a_short_sentence(name):
    before = counts()
    for words in (
        ["create_event_source", name],
        ["rotate_event_source", name],
        ["revoke_event_source", name, "--all"],
        ["create_api_key", name, "--service", "s", "--scope", "audit:read"],
        ["create_api_key", "k", "--service", name, "--scope", "audit:read"],
        ["create_api_key", "k", "--user", name, "--scope", "audit:read"],
        ["revoke_api_key", name],
    ):
        sentence = refused(*words)
        assert len(sentence) < 200, words
        assert sentence.endswith("."), words
    assert counts() == before


@pytest.mark.parametrize("odd", ["a\x00b", "a\x1b[31m", "a\nb", "\udcff", "\u200b", "\u202eb", "x" * 201, "x" * 10_000])
def test_an_odd_carrier_is_refused(odd):
    before = counts()
    assert refused("create_event_source", "haulier", "--carrier", odd).startswith("--carrier: ")
    key = ["create_api_key", "k", "--service", "s", "--scope", "audit:read"]
    assert refused(*key, "--carrier", odd).startswith("--carrier: ")
    assert counts() == before


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "100001", "9" * 10_000, "", "١x", "\udcff"])
def test_odd_numbers_are_refused(number):
    a_source()
    before = counts()
    if number:  # nothing means no limit of its own
        assert refused("create_event_source", "other", f"--requests-per-second={number}")
    if number != "0":  # at once
        assert refused("rotate_event_source", "haulier", f"--overlap-hours={number}")
    key = ["create_api_key", "k", "--service", "s", "--scope", "audit:read"]
    assert refused(*key, f"--expires-in-days={number}")
    assert counts() == before


@pytest.mark.parametrize("word", ["NOPE", "pod_confirmed", "a\x00b", "x" * 10_000, "\udcff"])
def test_unknown_words_are_answered_with_the_known_ones(word):
    before = counts()
    assert "POD_CONFIRMED" in refused("create_event_source", "haulier", "--allow", word)
    assert "audit:read" in refused("create_api_key", "k", "--service", "s", "--scope", word)
    assert counts() == before


def test_a_name_is_taken_once():
    run("create_event_source", "haulier")
    assert refused("create_event_source", "haulier") == "There is an event source haulier already."
    run("create_api_key", "k", "--service", "s", "--scope", "audit:read")
    assert refused("create_api_key", "k", "--service", "s", "--scope", "audit:read") == "There is a key k already."


def test_names_that_nobody_has_are_told_so():
    assert refused("rotate_event_source", "nobody") == "There is no event source nobody."
    assert refused("revoke_event_source", "nobody", "--all") == "There is no event source nobody."
    assert refused("revoke_api_key", "nobody") == "API key nobody not found."
    key = ["create_api_key", "k", "--scope", "audit:read"]
    assert refused(*key, "--user", "nobody") == "--user: There is no such login."


def test_rotating_keeps_the_old_secret_for_a_day_unless_told_otherwise():
    row = a_source()
    old: Any = row.secrets.get()
    run("rotate_event_source", "haulier")
    old.refresh_from_db()
    assert timedelta(hours=23) < old.expires_at - timezone.now() <= timedelta(hours=24)
    assert len(live(row)) == 2


def test_rotating_without_an_overlap_leaves_the_new_secret_alone():
    row = a_source()
    secret = run("rotate_event_source", "haulier", "--overlap-hours", "0")[-1]
    assert live(row) == {secret[-4:]}


def test_the_only_secret_need_not_be_named_to_be_revoked():
    row = a_source()
    assert run("revoke_event_source", "haulier") == ["1 secret of haulier revoked."]
    assert live(row) == set()
    assert refused("revoke_event_source", "haulier") == "Its secrets are all revoked already."


def test_one_of_two_secrets_has_to_be_named_and_the_other_stays():
    row = a_source()
    old = row.secrets.get().hint
    new = run("rotate_event_source", "haulier")[-1][-4:]
    sentence = refused("revoke_event_source", "haulier")
    assert old in sentence and new in sentence  # noqa: PT018
    assert "ends in that" in refused("revoke_event_source", "haulier", "--secret", "\x00")
    assert live(row) == {old, new}
    run("revoke_event_source", "haulier", "--secret", old)
    assert live(row) == {new}


def test_all_secrets_can_be_revoked_at_once():
    row = a_source()
    run("rotate_event_source", "haulier")
    assert run("revoke_event_source", "haulier", "--all") == ["2 secrets of haulier revoked."]
    assert live(row) == set()


def test_a_key_of_a_person_lives_a_year_unless_told_otherwise():
    anna = staff()
    shown = run("create_api_key", "k", "--user", "anna", "--scope", "compliance:decide", "--scope", "audit:read")[-1]
    key = key_of(shown)
    assert (key.user, key.service, key.created_by) == (anna, "", ACTOR)
    assert key.scopes == ["audit:read", "compliance:decide"]
    assert key.expires_at - key.created_at == timedelta(days=365)


def test_a_key_of_a_service_is_bounded_as_asked():
    words = ["--scope", "audit:read", "--carrier", "C-7", "--expires-in-days", "2", "--requests-per-second", "5"]
    shown = run("create_api_key", "k", "--service", "portal", *words)[-1]
    key = key_of(shown)
    assert (key.user, key.service, key.carrier_id, key.requests_per_second) == (None, "portal", "C-7", 5)
    assert key.expires_at - key.created_at == timedelta(days=2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--service", "s", "--scope", "compliance:decide"], "Only a staff user's key holds compliance:decide."),
        (["--service", "s", "--scope", "events:write"], "--scope: Scopes are"),
        (["--service", "s", "--scope", "intents:write", "--carrier", "C"], "A carrier's key only reads"),
        (["--service", "s"], "--scope: A key needs at least one scope."),
        (["--user", "anna", "--scope", "audit:read", "--carrier", "C"], "A carrier's key belongs to a service."),
        (["--user", "gone", "--scope", "audit:read"], "gone is no active staff login."),
        (["--user", "visitor", "--scope", "audit:read"], "visitor is no active staff login."),
        (["--user", "anna", "--service", "s", "--scope", "audit:read"], "not allowed with"),
        (["--scope", "audit:read"], "one of the arguments --user --service is required"),
    ],
)
def test_what_nobody_may_hold_is_refused(words, sentence):
    staff()
    staff("gone", is_active=False)
    staff("visitor", is_staff=False)
    assert sentence in refused("create_api_key", "k", *words)
    assert not ApiKey.objects.exists()


def test_a_key_is_revoked_once_and_again_without_harm():
    shown = run("create_api_key", "k", "--service", "s", "--scope", "audit:read")[-1]
    assert run("revoke_api_key", "k") == ["API key k is revoked."]
    assert key_of(shown) is None
    ended = ApiKey.objects.get().revoked_at
    assert run("revoke_api_key", "k") == ["API key k is revoked since before."]
    assert ApiKey.objects.get().revoked_at == ended


def test_only_the_last_line_shows_the_secret_and_nothing_logs_it(caplog):
    caplog.set_level(logging.DEBUG)
    key = ["create_api_key", "k", "--service", "s", "--scope", "audit:read"]
    told = []
    for words in (["create_event_source", "haulier"], ["rotate_event_source", "haulier"], key):
        *before, secret = run(*words)
        assert secret.startswith(("whsec_", "cpk_"))
        assert not any(secret in line for line in before)
        told.append(secret)
    lines = run("list_integrations")
    for secret in told:
        assert secret not in caplog.text
        assert secret[6:-4] not in "\n".join(lines)
    assert "haulier" in caplog.text


def test_the_list_tells_the_state_of_everything():
    row = a_source()
    run("rotate_event_source", "haulier")
    run("revoke_event_source", "haulier", "--secret", row.secrets.earliest("pk").hint)
    a_source("asleep")
    EventSource.objects.filter(name="asleep").update(active=False, revision=2)
    staff()
    run("create_api_key", "hers", "--user", "anna", "--scope", "audit:read")
    run("create_api_key", "old", "--service", "s", "--scope", "audit:read")
    run("revoke_api_key", "old")
    User.objects.update(is_active=False)
    lines = run("list_integrations")
    at = lines.index("  haulier: carrier C-7, active, " + ", ".join(sources.DEFAULT_OF_A_CARRIER))
    assert ": live; created" in lines[at + 1]
    assert ": revoked; created" in lines[at + 2]
    assert any("not accepted while the source is inactive" in line for line in lines)
    assert any(line.startswith("  hers") and "not accepted while its owner" in line for line in lines)
    assert any(line.startswith("  old") and "revoked" in line for line in lines)
    assert "    no secret" in lines
