"""Sessions end; the login page says why, and leads back to where the person was, and nowhere else."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse

from tests.access.conftest import LOGIN, PASSWORD, Person

QUEUE = "/admin/compliance/reviewqueue/"


@pytest.fixture
def inside(enrolled) -> Person:
    enrolled.password()
    enrolled.type_code()
    return enrolled


def log_in_again(person: Person, url: str) -> str:
    form = {
        "username": person.username,
        "password": PASSWORD,
        "next": person.client.get(url).context["redirect_field_value"],
    }
    assert person.client.post(LOGIN, form)["Location"] == "/admin/account/code/"
    return str(person.type_code()["Location"])


def test_an_idle_session_ends_on_the_server_and_the_login_page_says_why_and_leads_back(inside, clock):
    key = inside.client.session.session_key
    clock.shift(30 * 60)
    answer = inside.client.get(f"{QUEUE}?page=1")
    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2Fcompliance%2Freviewqueue%2F%3Fpage%3D1&ended=idle"
    assert not Session.objects.filter(pk=key).exists()
    assert "because nothing happened for 30 minutes" in inside.client.get(answer["Location"]).content.decode()
    assert log_in_again(inside, answer["Location"]) == f"{QUEUE}?page=1"


def test_who_keeps_working_stays_but_not_for_ever(inside, clock):
    for _ in range(23):
        clock.shift(25 * 60)
        assert inside.is_inside
    clock.shift(25 * 60)
    answer = inside.client.get(QUEUE)
    assert answer["Location"].endswith("&ended=over")
    assert "10 hours have passed" in inside.client.get(answer["Location"]).content.decode()


def test_a_form_sent_too_late_changes_nothing_and_leads_back_to_its_page(inside, clock):
    clock.shift(31 * 60)
    answer = inside.client.post(
        "/admin/password_change/", {}, HTTP_REFERER=f"http://testserver{QUEUE}7/approve/?version=1"
    )
    assert (
        answer["Location"]
        == f"{LOGIN}?next=%2Fadmin%2Fcompliance%2Freviewqueue%2F7%2Fapprove%2F%3Fversion%3D1&ended=idle"
    )


@pytest.mark.parametrize("referer", ["", "https://evil.example/admin/", "javascript:alert(1)"])
def test_a_form_sent_too_late_from_elsewhere_leads_to_the_overview(inside, clock, referer):
    clock.shift(31 * 60)
    answer = inside.client.post(QUEUE, {}, HTTP_REFERER=referer)
    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F&ended=idle"


def test_a_copied_cookie_is_worth_nothing_after_logging_out(inside):
    thief = Client()
    thief.cookies.update(inside.client.cookies)
    assert thief.get("/admin/").status_code == 200
    inside.client.post("/admin/logout/")
    answer = thief.get("/admin/")
    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F&ended=gone"
    assert "Your session has ended" in thief.get(answer["Location"]).content.decode()


def test_logging_out_is_by_post_only(inside):
    assert inside.client.get("/admin/logout/").status_code == 405
    assert inside.is_inside
    assert inside.client.post("/admin/logout/")["Location"] == f"{LOGIN}?ended=logout"
    assert not inside.is_inside


def test_logging_out_wants_the_forms_token(inside):
    inside.client.handler.enforce_csrf_checks = True
    refused = inside.client.post("/admin/logout/")
    assert refused.status_code == 403
    assert b"<style" not in refused.content
    assert inside.is_inside


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "http://testserver.evil.example/admin/",
     "javascript:alert(1)", "https://testserver/admin/", "/docs", "/admin/\r\nX: 1", "admin/"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_logging_in(enrolled, settings, elsewhere):
    settings.CSRF_TRUSTED_ORIGINS = ["https://evil.example"]
    page = enrolled.client.get(LOGIN, {"next": elsewhere})
    assert page.status_code == 200
    enrolled.client.post(LOGIN, {"username": "olga", "password": PASSWORD, "next": elsewhere})
    answer = enrolled.type_code()
    assert answer["Location"] in {"/admin/", "/admin/%0D%0AX:%201"}


def test_an_unknown_reason_is_not_repeated(db):
    assert b"<b>" not in Client().get(LOGIN, {"ended": "<b>pay here</b>"}).content


INTENDED = {
    "account_login", "account_logout", "account_change_password", "account_reauthenticate", "mfa_authenticate",
    "mfa_reauthenticate_webauthn", "mfa_index", "mfa_activate_totp", "mfa_deactivate_totp", "mfa_add_webauthn",
    "mfa_remove_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
}  # fmt: skip


def test_of_the_librarys_routes_only_those_that_are_meant_exist(db):
    from allauth.account import urls as account
    from allauth.mfa.base import urls as base
    from allauth.mfa.recovery_codes import urls as recovery_codes
    from allauth.mfa.totp import urls as totp
    from allauth.mfa.webauthn import urls as webauthn

    routes = [route for module in (account, base, recovery_codes, totp, webauthn) for route in module.urlpatterns]
    names = {route.name for route in routes if getattr(route, "name", None)} - INTENDED
    assert {"account_signup", "account_reset_password", "account_email", "account_set_password"} <= names
    for name in names:
        with pytest.raises(NoReverseMatch):
            reverse(name)
    ours = {
        name for name in get_resolver().reverse_dict if isinstance(name, str) and name.startswith(("account_", "mfa_"))
    }
    assert ours == INTENDED


@pytest.mark.parametrize(
    "path", ["signup/", "password/reset/", "email/", "confirm-email/", "login/code/", "inactive/", "password/set/"]
)
def test_nobody_signs_up_or_gets_in_by_mail(inside, path):
    for prefix in ("/admin/account/", "/admin/", "/accounts/"):
        for answer in (inside.client.get(prefix + path), inside.client.post(prefix + path, {"email": "a@b.example"})):
            assert answer.status_code == 404, prefix + path


def test_addresses_and_factors_have_no_pages_among_the_lists(inside, django_user_model):
    django_user_model.objects.update(is_superuser=True)
    for path in ("account/emailaddress/", "account/emailconfirmation/", "mfa/authenticator/"):
        assert inside.client.get(f"/admin/{path}").status_code == 404
