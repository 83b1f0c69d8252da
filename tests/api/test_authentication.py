"""Who is calling: the demo's client and logins, staff by session, and 401 for everybody else."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

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


class TestStaffBySession:
    def test_a_staff_login_acts_in_its_own_name(self, client: Client, officer: User) -> None:
        client.force_login(officer)
        answer = client.get("/probe").json()
        assert (answer["actor"], answer["user"]) == ("user:officer1", officer.pk)

    def test_it_may_what_its_permissions_allow_and_nothing_else(self, client: Client, officer: User) -> None:
        client.force_login(officer)
        assert client.post("/decide", {}, content_type=JSON).status_code == 200
        assert_error(client.post("/probe", {}, content_type=JSON), 403, "permission_denied")
        assert_error(client.post("/probe", b"{", content_type="text/plain"), 403, "permission_denied")

    def test_forcing_an_approval_needs_the_permission_to_decide(self, client: Client, officer: User) -> None:
        officer.user_permissions.clear()
        grant(officer, Codename.SETTLE_INTENT)
        client.force_login(officer)
        assert client.post("/settle", {}, content_type=JSON).status_code == 200
        assert_error(client.post("/settle", {"force_approval": True}, content_type=JSON), 403, "permission_denied")
        grant(officer, Codename.DECIDE_SETTLEMENT)
        assert client.post("/settle", {"force_approval": True}, content_type=JSON).status_code == 200

    def test_an_unsafe_method_needs_the_csrf_token(self, officer: User) -> None:
        client = Client(enforce_csrf_checks=True, SERVER_NAME="localhost", raise_request_exception=False)
        client.force_login(officer)
        assert client.get("/probe").status_code == 200
        for media_type in (JSON, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert_error(client.post("/decide", b"{}", content_type=media_type), 403, "csrf_failed")
        token = "a" * 32
        client.cookies["csrftoken"] = token
        response = client.post("/decide", {}, content_type=JSON, HTTP_X_CSRFTOKEN=token)
        assert response.status_code == 200
        assert_error(client.post("/decide", {}, content_type=JSON, HTTP_X_CSRFTOKEN="b" * 32), 403, "csrf_failed")
        foreign = client.post(
            "/decide", {}, content_type=JSON, HTTP_X_CSRFTOKEN=token, HTTP_ORIGIN="https://evil.example"
        )
        assert_error(foreign, 403, "csrf_failed")

    @pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
    def test_who_is_no_active_staff_is_401(self, client: Client, officer: User, change: dict[str, Any]) -> None:
        client.force_login(officer)
        User.objects.filter(pk=officer.pk).update(**change)
        assert_error(client.get("/probe"), 401, "not_authenticated")

    @pytest.mark.django_db
    def test_an_ended_session_is_401(self, client: Client) -> None:
        client.cookies["sessionid"] = "gone"
        assert_error(client.get("/probe"), 401, "not_authenticated")

    def test_an_authorization_beside_it_is_still_wrong(self, client: Client, officer: User) -> None:
        client.force_login(officer)
        assert_error(client.get("/probe", HTTP_AUTHORIZATION="Bearer x"), 401, "invalid_credentials")


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

    @pytest.mark.django_db
    def test_an_ended_session_does_not_turn_into_the_demo_client(self, client: Client) -> None:
        client.cookies["sessionid"] = "gone"
        assert_error(client.get("/probe"), 401, "not_authenticated")

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
    assert set(PERMISSION_OF_SCOPE) == set(Scope) - {Scope.PUBLIC}
    assert len(set(PERMISSION_OF_SCOPE.values())) == len(PERMISSION_OF_SCOPE)


def test_the_decisions_are_those_the_demo_client_lacks() -> None:
    assert {Codename.DECIDE_SETTLEMENT} == DECISIONS


def test_an_endpoint_whose_scopes_and_handlers_differ_is_refused_when_it_is_written() -> None:
    from settlements.api.endpoint import Endpoint

    def handler(self: Any, request: Any) -> None: ...

    for members in ({"get": handler}, {"scopes": {"GET": Scope.PUBLIC}}):
        with pytest.raises(TypeError, match="handles"):
            type("Wrong", (Endpoint,), members)
