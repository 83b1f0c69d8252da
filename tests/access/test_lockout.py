"""Who fails too often waits, by login and by address; what is right is refused meanwhile too."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from chainpay.access import lockout
from chainpay.access.addresses import client_address
from chainpay.access.lockout import Kind, LockedOut, Subject
from chainpay.access.models import Lockout
from tests.access.conftest import CONFIRM, LOGIN, PASSWORD, Person

WRONG = "do not belong to a login of staff"
WAIT = "Too many failed attempts. Try again after"


def fail(person: Person, times: int, **extra: str) -> list[str]:
    return [person.password("wrong", **extra).content.decode() for _ in range(times)]


def test_the_fifth_wrong_password_locks_and_then_the_right_one_is_refused_too(olga, clock):
    *first, fifth = fail(Person("olga"), 5)
    assert all(WRONG in page for page in first)
    assert WAIT in fifth
    refused = Person("olga").password()
    assert refused.status_code == 429
    assert WAIT in refused.content.decode()
    assert "in 15 minutes" in refused.content.decode()


def test_the_wait_is_over_after_fifteen_minutes_and_is_not_made_longer_by_trying(olga, clock):
    fail(Person("olga"), 5)
    clock.shift(14 * 60)
    assert all(WAIT in page for page in fail(Person("olga"), 3))
    clock.shift(59)
    assert Person("olga").password().status_code == 429
    clock.shift(1)
    assert Person("olga").password().status_code == 302
    assert not Lockout.objects.filter(locked_until__isnull=False).exists()


def test_a_right_password_begins_the_count_anew(olga, clock):
    for _ in range(3):
        assert WAIT not in "".join(fail(Person("olga"), 4))
        assert Person("olga").password().status_code == 302


def test_failures_are_forgotten_after_a_while(olga, clock):
    fail(Person("olga"), 4)
    clock.shift(15 * 60)
    assert WAIT not in "".join(fail(Person("olga"), 4))


def test_a_login_that_does_not_exist_is_answered_word_for_word_like_one_that_does(olga, clock):
    import re

    def words(page: str) -> str:
        return re.sub(r'(csrfmiddlewaretoken" value=")[^"]+|(value=")(olga|nobody)', "", page)

    real, unreal = fail(Person("olga"), 7), fail(Person("nobody"), 7)
    assert [words(page) for page in real] == [words(page) for page in unreal]


@pytest.mark.parametrize("name", ["OLGA", " olga ", "olga\u200b"[:4], "ｏｌｇａ"])
def test_other_ways_to_write_a_name_are_no_new_attempts(olga, clock, name):
    fail(Person(name), 5)
    assert Person("olga").password().status_code == 429


def test_an_address_waits_after_many_names(olga, clock):
    for number in range(25):
        fail(Person(f"guess{number}"), 1, REMOTE_ADDR="198.51.100.7")
    assert Person("olga").password(REMOTE_ADDR="198.51.100.7").status_code == 429
    assert Person("olga").password(REMOTE_ADDR="198.51.100.8").status_code == 302
    clock.shift(15 * 60)
    assert Person("olga").password(REMOTE_ADDR="198.51.100.7").status_code == 302


def test_logging_in_rightly_in_between_does_not_free_the_address(olga, clock):
    for number in range(25):
        Person("olga").password()
        last = fail(Person(f"guess{number}"), 1)
    assert WAIT in last[0]


def test_five_wrong_codes_lock_the_second_step_and_the_right_code_is_refused_too(enrolled, clock):
    enrolled.password()
    pages = [enrolled.type_code("000000").content.decode() for _ in range(5)]
    assert WAIT in pages[-1]
    assert WAIT in enrolled.type_code().content.decode()
    assert WAIT in enrolled.type_code(enrolled.recovery_codes[0]).content.decode()
    enrolled.client = Client()
    enrolled.password()
    assert WAIT in enrolled.type_code().content.decode()
    clock.shift(15 * 60)
    enrolled.client = Client()
    enrolled.password()
    assert enrolled.type_code().status_code == 302


def test_who_is_logged_in_has_five_tries_to_confirm_and_strangers_do_not_use_them_up(enrolled, clock):
    enrolled.password()
    enrolled.type_code()
    fail(Person("olga"), 5)
    clock.shift(60)
    assert enrolled.confirm(password=PASSWORD, code=enrolled.code()).status_code == 302
    clock.shift(60)
    for _ in range(5):
        page = enrolled.confirm(password="wrong", code=enrolled.code()).content.decode()
    assert WAIT in page
    assert WAIT in enrolled.confirm(password=PASSWORD, code=enrolled.code()).content.decode()


def test_guesses_at_the_old_password_are_counted(enrolled, clock):
    enrolled.password()
    enrolled.type_code()
    new = {"new_password1": "another good password", "new_password2": "another good password"}
    for _ in range(5):
        page = enrolled.client.post("/admin/password_change/", {"old_password": "wrong", **new}).content.decode()
    assert WAIT in page
    assert WAIT in enrolled.client.post("/admin/password_change/", {"old_password": PASSWORD, **new}).content.decode()


def test_a_new_password_ends_the_other_sessions(enrolled, clock):
    other = Person("olga", secret=enrolled.secret)
    other.password()
    other.type_code()
    clock.shift(60)
    enrolled.password()
    enrolled.type_code()
    new = {"old_password": PASSWORD, "new_password1": "another good password", "new_password2": "another good password"}
    assert enrolled.client.post("/admin/password_change/", new)["Location"] == "/admin/"
    assert enrolled.is_inside
    assert not other.is_inside


def test_unlocked_by_command(olga, clock):
    fail(Person("olga"), 5)
    call_command("unlock_login", "olga")
    assert Person("olga").password().status_code == 302
    for number in range(25):
        fail(Person(f"guess{number}"), 1, REMOTE_ADDR="2001:db8::7")
    assert Person("olga").password(REMOTE_ADDR="2001:db8::8").status_code == 429
    call_command("unlock_login", address="2001:db8::9")
    assert Person("olga").password(REMOTE_ADDR="2001:db8::8").status_code == 302
    for wrong in ({}, {"username": "nobody"}):
        with pytest.raises(CommandError):
            call_command("unlock_login", *wrong.values())


def test_without_redis_people_log_in_and_failures_are_counted_all_the_same(olga, clock, settings):
    settings.CELERY_BROKER_URL = settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    person = Person("olga").enrol()
    assert person.is_inside
    assert WAIT in fail(Person("olga"), 5)[-1]
    assert Person("olga").password().status_code == 429


def test_user_names_as_typed_stand_nowhere(olga, clock, caplog):
    fail(Person("hunter2-typed-in-the-wrong-field"), 6)
    assert "hunter2" not in str(list(Lockout.objects.values()))
    assert "hunter2" not in caplog.text


def test_forgotten_counts_are_removed(db, clock):
    for number in range(5):
        lockout.begin([Subject(Kind.LOGIN, f"guess{number}")], now=timezone.now())
    clock.shift(15 * 60)
    lockout.begin([Subject(Kind.LOGIN, "one more")], now=timezone.now())
    assert Lockout.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_forty_guesses_at_the_same_moment_are_five():
    subject, now, looked_at = Subject(Kind.LOGIN, "olga"), timezone.now(), []
    start = threading.Barrier(8)

    def guess() -> None:
        start.wait()
        for _ in range(5):
            try:
                lockout.begin([subject], now=now)
                looked_at.append(1)
                lockout.failed([subject], now=now)
            except LockedOut:
                pass
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked_at) == 5


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (0, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),
        (2, "10.9.9.9, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "not an address", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_address_can_not_be_forged(rf, settings, proxies, forwarded, counted):
    settings.CHAINPAY_TRUSTED_PROXIES = proxies
    request = rf.get(LOGIN, REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == counted


def test_an_address_that_nobody_tells_is_one_of_its_own(rf):
    assert client_address(rf.get(CONFIRM, REMOTE_ADDR="")) == "unknown"
