"""Outside the demo nobody gets in without a second factor, and a code opens once."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from compliance.roles import Role
from rails import sealing
from tests.access.conftest import APP, CODE, CODES, CONFIRM, FACTORS, LOGIN, PASSWORD, Person, make_staff, stored

FOR_ENROLMENT = {FACTORS, APP, "/admin/account/second-factor/keys/add/", CONFIRM}
FOR_ALL = {LOGIN, "/admin/logout/", CODE}


def addresses(resolver: URLResolver | None = None, prefix: str = "/") -> list[str]:
    """Every address below /admin/, with a 1 wherever something is to be filled in."""
    found = []
    for route in (resolver or get_resolver()).url_patterns:
        text = str(route.pattern).lstrip("^").removesuffix("$").removesuffix(r"\Z")
        if isinstance(route, URLResolver):
            found += addresses(route, prefix + text)
        elif isinstance(route, URLPattern):
            found.append(prefix + text)
    return found


def admin_addresses() -> list[str]:
    import re

    filled = {re.sub(r"<[^>]+>|\(\?P.*\)", "1", address) for address in addresses()}
    return sorted(address for address in filled if address.startswith("/admin/"))


def test_the_list_of_addresses_is_no_toy():
    found = admin_addresses()
    assert len(found) > 100
    assert {"/admin/", "/admin/compliance/reviewqueue/1/approve/", *FOR_ENROLMENT, *FOR_ALL} <= set(found)


@pytest.mark.parametrize("role", [Role.COMPLIANCE_MANAGER, Role.OPERATIONS, None])
def test_without_a_second_factor_every_page_leads_to_setting_one_up(role):
    person = Person(make_staff(role=role, is_superuser=role is None).username)
    person.password()
    for address in admin_addresses():
        if address in FOR_ENROLMENT | FOR_ALL:
            continue
        for answer in (person.client.get(address), person.client.post(address, {"reason": "x", "_save": "yes"})):
            assert answer.status_code == 302, address
            assert answer["Location"].startswith(f"{FACTORS}?next="), address


def test_without_a_second_factor_a_form_changes_nothing():
    make_staff("root", None, is_superuser=True)
    person = Person("root")
    person.password()
    new = {"username": "mallory", "password1": PASSWORD, "password2": PASSWORD}
    assert person.client.post("/admin/auth/user/add/", new).status_code == 302
    assert person.client.post("/admin/password_change/", {"old_password": PASSWORD}).status_code == 302
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


def test_the_pages_of_enrolment_open_and_show_no_way_elsewhere(olga):
    person = Person("olga")
    person.password()
    for address in sorted(FOR_ENROLMENT):
        page = person.client.get(address)
        assert page.status_code == 200, address
        assert b"Milestone settlements" not in page.content


def test_the_first_login_sets_up_an_app_shows_recovery_codes_once_and_lets_in(olga, clock):
    person = Person("olga").enrol()
    assert len(person.recovery_codes) == 10
    assert person.is_inside
    again = person.client.get(CODES).content.decode()
    assert "10 of 10 codes are left" in again
    assert not any(code in again for code in person.recovery_codes)


def test_a_wrong_first_code_sets_up_nothing(olga, clock):
    person = Person("olga")
    person.password()
    person.client.get(APP)
    assert b"This code is wrong" in person.client.post(APP, {"code": "000000"}).content
    assert not Authenticator.objects.exists()
    assert not person.is_inside


def test_a_password_alone_opens_nothing_once_an_app_is_set_up(enrolled):
    answer = enrolled.password()
    assert answer["Location"] == CODE
    assert not enrolled.is_inside
    assert enrolled.client.get("/admin/")["Location"].startswith(LOGIN)
    assert enrolled.type_code()["Location"] == "/admin/"
    assert enrolled.is_inside


def test_the_session_gets_a_new_key_with_the_login(enrolled):
    enrolled.client.get(LOGIN)
    enrolled.password()
    before = enrolled.client.session.session_key
    enrolled.type_code()
    assert enrolled.client.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()


def test_the_code_that_set_the_app_up_does_not_log_in(olga, clock):
    person = Person("olga").enrol()
    code = person.code()
    person.client = Client()
    person.password()
    assert b"was used before" in person.type_code(code).content
    assert not person.is_inside


@pytest.mark.parametrize("seconds", [0, 29, 31, 59])
def test_a_code_logs_in_once_as_long_as_it_is_valid(enrolled, clock, seconds):
    code = enrolled.code(ahead=1)
    enrolled.password()
    assert enrolled.type_code(code).status_code == 302
    clock.shift(seconds)
    enrolled.client = Client()
    enrolled.password()
    assert b"was used before" in enrolled.type_code(code).content
    assert not enrolled.is_inside


def test_an_earlier_code_does_not_log_in_after_a_later_one(enrolled, clock):
    earlier, later = enrolled.code(), enrolled.code(ahead=1)
    enrolled.password()
    enrolled.type_code(later)
    enrolled.client = Client()
    enrolled.password()
    assert enrolled.type_code(earlier).status_code == 200
    assert not enrolled.is_inside


@pytest.mark.parametrize("ahead", [-2, 2])
def test_a_code_of_another_minute_does_not_log_in(enrolled, ahead):
    enrolled.password()
    assert enrolled.type_code(enrolled.code(ahead)).status_code == 200
    assert not enrolled.is_inside


def test_a_recovery_code_logs_in_once(enrolled, clock):
    code = enrolled.recovery_codes[3]
    enrolled.password()
    assert enrolled.type_code(code).status_code == 302
    assert enrolled.is_inside
    enrolled.client = Client()
    enrolled.password()
    assert enrolled.type_code(code).status_code == 200
    assert not enrolled.is_inside


def test_the_second_step_waits_five_minutes(enrolled, clock):
    enrolled.password()
    clock.shift(301)
    assert enrolled.type_code()["Location"].startswith(LOGIN)
    assert not enrolled.is_inside


def test_a_session_that_never_showed_its_factor_is_asked_for_it(enrolled, olga):
    client = Client()
    client.force_login(olga)
    enrolled.client = client
    assert client.get("/admin/")["Location"] == f"{CONFIRM}?next=%2Fadmin%2F"
    for address in (FACTORS, APP, f"{APP}remove/", "/admin/account/second-factor/keys/add/", CODES):
        assert client.post(address, {"code": enrolled.code()})["Location"].startswith(CONFIRM), address
    assert Authenticator.objects.filter(user=olga).count() == 2
    enrolled.confirm(password=PASSWORD, code=enrolled.code())
    assert enrolled.is_inside


def test_who_removes_their_app_is_outside_until_another_one_is_set_up(enrolled, clock):
    enrolled.password()
    enrolled.type_code()
    assert enrolled.client.post(f"{APP}remove/")["Location"] == FACTORS
    assert not Authenticator.objects.exists()
    assert not enrolled.is_inside
    clock.shift(60)
    assert Person("olga", client=enrolled.client).enrol().is_inside


def test_a_session_that_was_left_open_does_not_change_the_second_factor(enrolled, clock):
    enrolled.password()
    enrolled.type_code()
    clock.shift(16 * 60)
    for address in (f"{APP}remove/", "/admin/account/recovery-codes/new/"):
        assert enrolled.client.post(address)["Location"].startswith(CONFIRM), address
    assert Authenticator.objects.count() == 2


def test_in_the_demo_a_password_is_enough(settings, olga):
    settings.CHAINPAY_DEMO = True
    person = Person("olga")
    assert person.password()["Location"] == "/admin/"
    assert person.is_inside


def test_a_login_that_is_no_staff_or_inactive_is_nobody(olga):
    User.objects.create_user("customer", password=PASSWORD)
    make_staff("left", is_active=False)
    answers = [Person(name).password().content.decode() for name in ("customer", "left", "nobody")]
    assert all("do not belong to a login of staff" in answer for answer in answers)


def test_secrets_are_sealed_in_the_database_for_their_person(olga, clock):
    person = Person("olga")
    person.password()
    waiting = person.client.get(APP).content.decode()
    person.enrol()
    assert person.secret in waiting
    text = stored()
    assert person.secret not in text
    assert not any(code in text for code in person.recovery_codes)
    for row in Authenticator.objects.all():
        sealed = row.data.get("secret") or row.data["seed"]
        assert sealing.unseal(sealed, belongs_to=f"second_factor:{olga.pk}")


def test_a_secret_copied_to_another_login_opens_nothing(enrolled, caplog):
    eve = make_staff("eve")
    Authenticator.objects.create(user=eve, type="totp", data=Authenticator.objects.get(type="totp").data)
    enrolled.username = "eve"
    enrolled.password()
    assert b"can not be read" in enrolled.type_code().content
    assert not enrolled.is_inside
    assert f"user {eve.pk}" in caplog.text
    assert enrolled.secret not in caplog.text


def test_a_lost_phone_is_reset_by_command_which_ends_the_sessions_and_is_kept(enrolled, olga, clock):
    enrolled.password()
    enrolled.type_code()
    call_command("reset_second_factor", "olga", reason="phone stolen, seen in person")
    assert not Authenticator.objects.exists()
    assert not enrolled.is_inside
    assert "phone stolen" in LogEntry.objects.get().change_message
    enrolled.client = Client()
    assert enrolled.enrol().is_inside


def test_a_reset_wants_a_login_that_exists_and_a_reason(olga):
    with pytest.raises(CommandError, match="no login"):
        call_command("reset_second_factor", "nobody", reason="x")
    with pytest.raises(CommandError):
        call_command("reset_second_factor", "olga", reason=" ")


def test_security_keys_can_be_set_up_too(olga, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    person = Person("olga")
    person.password()
    page = person.client.get("/admin/account/second-factor/keys/add/").content.decode()
    assert '"rp": {"name": "ChainPay", "id": "testserver"}' in page.replace("&quot;", '"')
    wrong = person.client.post("/admin/account/second-factor/keys/add/", {"name": "x", "credential": "{}"})
    assert wrong.status_code == 200
    assert not Authenticator.objects.exists()
