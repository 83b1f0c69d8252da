"""Who is calling: keys, the demo's client and logins, and 401 for everybody else."""

import hashlib
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils import timezone

from settlements import api_keys
from settlements.models import ApiKey
from settlements.permissions import DECISIONS, PERMISSION_OF_SCOPE, Scope
from settlements.permissions import Permission as Codename
from tests.api.conftest import assert_error

JSON = "application/json"


def grant(user: User, *codenames: Codename) -> None:
    """Gives permissions of the app `settlements`, making those that no model has declared."""
    content_type, _ = ContentType.objects.get_or_create(app_label="settlements", model="apiprobe")
    for codename in codenames:
        permission = Permission.objects.filter(content_type__app_label="settlements", codename=codename).first()
        user.user_permissions.add(
            permission or Permission.objects.create(content_type=content_type, codename=codename, name=codename)
        )


@pytest.fixture
def officer(db: None) -> User:
    user = User.objects.create_user("officer1", password="chainpay-demo", is_staff=True)
    grant(user, Codename.READ_INTENTS, Codename.DECIDE_SETTLEMENT)
    return user


_keys = count(1)


def key_of(user: User | None, *scopes: Scope, lives: int | None = None) -> dict[str, Any]:
    """The header of a new key; `lives` in hours."""
    _, shown = api_keys.create(
        f"key-{next(_keys)}",
        scopes=scopes,
        user=user,
        service="" if user else "tms",
        lives=timedelta(hours=lives) if lives else None,
        actor="test",
        now=timezone.now(),
    )
    return {"HTTP_AUTHORIZATION": f"Bearer {shown}"}


def newest_but(number: int) -> ApiKey:
    return ApiKey.objects.order_by("-pk")[number]


class TestOutsideTheDemo:
    @pytest.mark.parametrize("path", ["/probe", "/fail/bug"])
    def test_a_request_without_credentials_is_401(self, client: Client, path: str) -> None:
        response = client.get(path)
        assert_error(response, 401, "not_authenticated")
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_the_demo_header_means_nothing(self, client: Client) -> None:
        assert_error(client.get("/probe", HTTP_X_DEMO_USER="officer1"), 401, "not_authenticated")

    @pytest.mark.parametrize("value", ["Bearer abc", "Basic b2ZmaWNlcjE6eA==", "Bearer", "", "\xff"])
    def test_any_authorization_is_401(self, client: Client, value: str) -> None:
        response = client.get("/probe", HTTP_AUTHORIZATION=value)
        assert_error(response, 401, "invalid_credentials")
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_401_comes_before_anything_is_read(self, client: Client) -> None:
        assert_error(client.post("/probe", b"{", content_type="text/plain"), 401, "not_authenticated")
        assert_error(client.get("/probe?unknown=1"), 401, "not_authenticated")

    def test_health_asks_for_nothing(self, client: Client) -> None:
        assert client.get("/healthz").status_code == 200


class TestKeys:
    def test_of_a_member_of_staff_acts_in_that_name(self, client: Client, officer: User) -> None:
        answer = client.get("/probe", **key_of(officer, Scope.INTENTS_READ)).json()
        assert (answer["actor"], answer["user"]) == ("user:officer1", officer.pk)

    @pytest.mark.django_db
    def test_of_a_service_acts_in_the_name_of_the_service(self, client: Client) -> None:
        answer = client.get("/probe", **key_of(None, Scope.INTENTS_READ)).json()
        assert (answer["actor"], answer["user"]) == ("service:tms", None)

    def test_may_what_its_scopes_and_the_permissions_of_its_user_both_allow(
        self, client: Client, officer: User
    ) -> None:
        both = key_of(officer, Scope.INTENTS_READ, Scope.COMPLIANCE_DECIDE, Scope.INTENTS_WRITE)
        assert client.post("/decide", {}, content_type=JSON, **both).status_code == 200
        error = assert_error(client.post("/probe", {}, content_type=JSON, **both), 403, "permission_denied")
        assert error["detail"] == "The roles of officer1 do not include intents:write."
        assert_error(client.post("/probe", b"{", content_type="text/plain", **both), 403, "permission_denied")
        less = key_of(officer, Scope.INTENTS_READ)
        error = assert_error(client.post("/decide", {}, content_type=JSON, **less), 403, "permission_denied")
        assert error["detail"] == "This key does not hold the scope compliance:decide."

    def test_forcing_an_approval_needs_the_scope_to_decide(self, client: Client, officer: User) -> None:
        grant(officer, Codename.SETTLE_INTENT)
        key = key_of(officer, Scope.INTENTS_SETTLE)
        assert client.post("/settle", {}, content_type=JSON, **key).status_code == 200
        forced = client.post("/settle", {"force_approval": True}, content_type=JSON, **key)
        assert_error(forced, 403, "permission_denied")

    @pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
    def test_of_who_may_no_longer_log_in_is_401(self, client: Client, officer: User, change: dict[str, Any]) -> None:
        key = key_of(officer, Scope.INTENTS_READ)
        User.objects.filter(pk=officer.pk).update(**change)
        assert_error(client.get("/probe", **key), 401, "invalid_credentials")

    def test_that_was_revoked_or_has_expired_is_401_at_once(self, client: Client, officer: User) -> None:
        revoked, dying = key_of(officer, Scope.INTENTS_READ), key_of(officer, Scope.INTENTS_READ, lives=1)
        assert client.get("/probe", **revoked).status_code == client.get("/probe", **dying).status_code == 200
        api_keys.revoke(newest_but(1).name, actor="test", now=timezone.now())
        assert_error(client.get("/probe", **revoked), 401, "invalid_credentials")
        with time_machine.travel(timezone.now() + timedelta(seconds=3_600 - 5), tick=False):
            assert client.get("/probe", **dying).status_code == 200
        with time_machine.travel(timezone.now() + timedelta(seconds=3_601), tick=False):
            assert_error(client.get("/probe", **dying), 401, "invalid_credentials")

    def test_is_nowhere_in_the_database(self, client: Client, officer: User) -> None:
        shown = key_of(officer, Scope.INTENTS_READ)["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        row = ApiKey.objects.values().get()
        assert bytes(row["digest"]) == hashlib.sha256(shown.encode()).digest()
        assert [name for name, value in row.items() if shown[11:] in str(value)] == []
        assert shown.startswith(row["prefix"])
        assert len(row["prefix"]) == 10

    def test_tells_when_it_was_last_used_to_the_minute(self, client: Client, officer: User) -> None:
        key = key_of(officer, Scope.INTENTS_READ)
        assert ApiKey.objects.get().last_used_at is None
        first = timezone.now()
        for seconds, noted in ((0, 0), (59, 0), (60, 60), (100, 60), (200, 200)):
            with time_machine.travel(first + timedelta(seconds=seconds), tick=False):
                assert client.get("/probe", **key).status_code == 200
            assert ApiKey.objects.get().last_used_at == first + timedelta(seconds=noted)

    def test_any_case_of_the_word_bearer_will_do_and_nothing_else(self, client: Client, officer: User) -> None:
        shown = key_of(officer, Scope.INTENTS_READ)["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        for good in (f"bearer {shown}", f"BEARER {shown}"):
            assert client.get("/probe", HTTP_AUTHORIZATION=good).status_code == 200
        for bad in (shown, f"Basic {shown}", f"Bearer  {shown}", f"Bearer {shown} ", f"Bearer {shown[:-1]}",
                    f"Bearer {shown.upper()}", f"Token {shown}", f"Bearer {shown},{shown}"):  # fmt: skip
            assert_error(client.get("/probe", HTTP_AUTHORIZATION=bad), 401, "invalid_credentials")

    def test_beside_a_signature_is_401(self, client: Client, officer: User) -> None:
        key = key_of(officer, Scope.INTENTS_READ)
        for header in ("HTTP_WEBHOOK_SIGNATURE", "HTTP_X_EVENT_SOURCE"):
            both: dict[str, Any] = {header: "x", **key}
            assert_error(client.get("/probe", **both), 401, "invalid_credentials")


class TestSessions:
    def test_of_the_admin_are_no_credentials(self, client: Client, officer: User) -> None:
        client.force_login(officer)
        assert_error(client.get("/probe"), 401, "not_authenticated")
        assert_error(client.post("/settle", {}, content_type=JSON), 401, "not_authenticated")

    def test_of_the_admin_mean_nothing_in_the_demo_either(self, client: Client, officer: User, demo: None) -> None:
        client.force_login(officer)
        assert client.get("/probe").json()["actor"] == "demo"


@pytest.mark.usefixtures("demo")
class TestTheDemo:
    def test_its_client_needs_no_credentials_and_no_sql(self, client: Client) -> None:
        answer = client.get("/probe").json()
        assert (answer["actor"], answer["user"]) == ("demo", None)
        assert client.post("/probe", {}, content_type=JSON).status_code == 201
        assert client.post("/settle", {}, content_type=JSON).status_code == 200

    def test_its_client_decides_nothing(self, client: Client) -> None:
        assert_error(client.post("/decide", {}, content_type=JSON), 403, "demo_client_may_not_decide")
        forced = client.post("/settle", {"force_approval": True}, content_type=JSON)
        assert_error(forced, 403, "demo_client_may_not_decide")

    def test_a_demo_login_acts_in_its_own_name(self, client: Client, officer: User) -> None:
        headers: dict[str, Any] = {"HTTP_X_DEMO_USER": "officer1"}
        assert client.get("/probe", **headers).json()["actor"] == "user:officer1"
        assert client.post("/decide", {}, content_type=JSON, **headers).json() == {"actor": "user:officer1"}
        assert_error(client.post("/probe", {}, content_type=JSON, **headers), 403, "permission_denied")

    @pytest.mark.parametrize(
        "name", ["", "nobody", "OFFICER1", "officer1 ", "x" * 5_000, "\x00", "off\xffcer", "officer1,x"]
    )
    def test_an_unknown_demo_login_is_401(self, client: Client, officer: User, name: str) -> None:
        response = client.get("/probe", HTTP_X_DEMO_USER=name)
        assert_error(response, 401, "unknown_demo_user")
        assert response.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
    def test_a_login_that_may_not_log_in_is_401(self, client: Client, officer: User, change: dict[str, Any]) -> None:
        User.objects.filter(pk=officer.pk).update(**change)
        assert_error(client.get("/probe", HTTP_X_DEMO_USER="officer1"), 401, "unknown_demo_user")

    @pytest.mark.parametrize("extra", [{}, {"HTTP_X_DEMO_USER": "officer1"}])
    @pytest.mark.parametrize(
        "wrong", [{"HTTP_AUTHORIZATION": "Bearer x"}, {"HTTP_AUTHORIZATION": ""}, {"HTTP_WEBHOOK_SIGNATURE": "v1,AAAA"}]
    )
    def test_wrong_credentials_are_401_even_here(
        self, client: Client, officer: User, wrong: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        assert_error(client.get("/probe", **wrong, **extra), 401, "invalid_credentials")
        assert_error(client.post("/probe", {}, content_type=JSON, **wrong, **extra), 401, "invalid_credentials")

    def test_a_message_id_alone_is_no_credential(self, client: Client) -> None:
        assert client.post("/probe", {}, content_type=JSON, HTTP_WEBHOOK_ID="msg_1").status_code == 201

    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://localhost:3000", "https://localhost", ""]
    )
    def test_a_page_of_another_origin_is_refused(self, client: Client, origin: str) -> None:
        assert_error(client.post("/settle", content_type=JSON, HTTP_ORIGIN=origin), 403, "foreign_origin")
        assert_error(client.get("/probe", HTTP_ORIGIN=origin), 403, "foreign_origin")

    def test_its_own_pages_are_not(self, client: Client) -> None:
        assert client.post("/settle", content_type=JSON, HTTP_ORIGIN="http://localhost").status_code == 200
        own: dict[str, Any] = {"HTTP_ORIGIN": "http://127.0.0.1:8003", "HTTP_HOST": "127.0.0.1:8003"}
        assert client.post("/settle", content_type=JSON, **own).status_code == 200

    def test_what_a_browser_calls_cross_site_is_refused_unless_it_only_reads(self, client: Client) -> None:
        for site in ("cross-site", "same-site"):
            assert_error(client.post("/settle", content_type=JSON, HTTP_SEC_FETCH_SITE=site), 403, "foreign_origin")
            assert client.get("/probe", HTTP_SEC_FETCH_SITE=site).status_code == 200
        assert client.post("/settle", content_type=JSON, HTTP_SEC_FETCH_SITE="same-origin").status_code == 200

    def test_a_form_of_another_page_is_415(self, client: Client) -> None:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            response = client.post("/settle", b'{"a": 1}', content_type=media_type)
            assert_error(response, 415, "unsupported_media_type")


def test_every_scope_but_the_public_one_stands_for_one_permission() -> None:
    assert set(PERMISSION_OF_SCOPE) == set(Scope) - {Scope.PUBLIC, Scope.ANYONE}
    assert len(set(PERMISSION_OF_SCOPE.values())) == len(PERMISSION_OF_SCOPE)


def test_the_decisions_are_those_the_demo_client_lacks() -> None:
    assert {scope for scope in Scope if scope.startswith("compliance:")} - {Scope.COMPLIANCE_READ} == DECISIONS


def test_an_endpoint_whose_scopes_and_handlers_differ_is_refused_when_it_is_written() -> None:
    from settlements.api.endpoint import Endpoint

    def handler(self: Any, request: Any) -> None: ...

    for members in ({"get": handler}, {"scopes": {"GET": Scope.PUBLIC}}):
        with pytest.raises(TypeError, match="handles"):
            type("Wrong", (Endpoint,), members)
