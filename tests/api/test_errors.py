"""One shape for every refusal, bugs loud, outages honest, the admin in HTML."""

import logging
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client, RequestFactory

from settlements.api.error_pages import csrf_failure, handler400
from settlements.api.errors import Fault, RefusedFields, exception_handler
from tests.api.conftest import assert_error


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("name", "status", "code", "field"),
    [
        ("conflict", 409, "too_late", "version"),
        ("missing", 404, "intent_not_found", None),
        ("barred", 403, "own_intent", None),
        ("wrong", 400, "shares_not_whole", "schedule"),
        ("money", 400, "amount_not_positive", "amount"),
        ("http404", 404, "not_found", None),
        ("denied", 403, "permission_denied", None),
        ("suspicious", 400, "bad_request", None),
        ("unauthenticated", 401, "not_authenticated", None),
        ("parse", 400, "malformed_json", None),
        ("media", 415, "unsupported_media_type", None),
        ("throttled", 429, "too_many_requests", None),
    ],
)
def test_what_is_anticipated_is_answered_in_the_one_shape(
    client: Client, name: str, status: int, code: str, field: str | None
) -> None:
    response = client.get(f"/fail/{name}")
    assert_error(response, status, code, field=field)
    assert b"inner words" not in response.content


@pytest.mark.usefixtures("demo")
def test_a_domain_refusal_keeps_its_words(client: Client) -> None:
    assert client.get("/fail/missing").json()["detail"] == "Payment intent 7 not found."


@pytest.mark.usefixtures("demo")
def test_headers_that_a_status_demands_are_there(client: Client) -> None:
    assert client.get("/fail/unauthenticated").headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/fail/throttled").headers["Retry-After"] == "3"


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("path", ["/fail/bug", "/plain/bug"])
def test_a_bug_is_logged_with_its_traceback_and_answered_without(
    client: Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    response = client.get(path)
    assert_error(response, 500, "internal_error")
    assert b"secret-detail" not in response.content
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("path", ["/fail/database", "/plain/database"])
def test_a_lost_database_is_503_and_tells_no_host(client: Client, caplog: pytest.LogCaptureFixture, path: str) -> None:
    response = client.get(path)
    assert_error(response, 503, "database_unavailable")
    assert response.headers["Retry-After"]
    assert b"secret-host" not in response.content
    assert "Database unavailable" in caplog.text


@pytest.mark.parametrize("path", ["/nowhere", "/probe/", "/healthz/", "/probe%00", "/named/%00", "/named/%20"])
def test_an_unknown_path_is_404_even_without_credentials(client: Client, path: str) -> None:
    for method in ("GET", "POST", "BREW"):
        assert_error(client.generic(method, path), 404, "not_found")


@pytest.mark.parametrize("number", ["0", "01", "-1", "1.0", "9223372036854775808", "9" * 5_000, "%D9%A1", "x"])
def test_an_id_that_can_not_be_one_is_404(client: Client, number: str) -> None:
    assert_error(client.get(f"/probe/{number}"), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_not_there_is_405_and_names_those_that_are(client: Client, method: str) -> None:
    response = client.generic(method, "/probe")
    assert_error(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, POST, HEAD"


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1", "a b", "", "localhost:x"])
def test_a_foreign_host_is_400(client: Client, host: str) -> None:
    for path in ("/probe", "/healthz", "/nowhere"):
        assert_error(client.get(path, HTTP_HOST=host), 400, "host_not_allowed")


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "nonsense", "*/*;q=0", ""])
def test_the_answer_is_json_whatever_is_asked_for(client: Client, accept: str) -> None:
    assert client.get("/probe", HTTP_ACCEPT=accept).headers["Content-Type"] == "application/json"


def test_the_admin_keeps_its_html(client: Client) -> None:
    for name, status in (("bug", 500), ("http404", 404), ("denied", 403), ("suspicious", 400)):
        response = client.get(f"/admin/fail/{name}")
        assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert client.get("/admin/", HTTP_HOST="evil.example").headers["Content-Type"].startswith("text/html")


def test_a_form_without_its_token_is_told_in_the_shape_its_readers_expect(rf: RequestFactory) -> None:
    assert csrf_failure(rf.post("/elsewhere")).headers["Content-Type"] == "application/json"
    assert csrf_failure(rf.post("/admin/login/")).headers["Content-Type"].startswith("text/html")


def test_a_bug_is_nobodys_refusal(rf: RequestFactory) -> None:
    assert exception_handler(ZeroDivisionError()) is None
    assert handler400(rf.get("/"), ValueError("inner words")).status_code == 400


@pytest.mark.usefixtures("demo")
def test_several_faults_are_answered_together(client: Client) -> None:
    response = client.get("/probe?one=1&two=2")
    body = assert_error(response, 400, "unknown_parameter", field="one")
    assert [error["field"] for error in body["errors"]] == ["one", "two"]
    assert all(set(error) == {"code", "detail", "field", "request_id"} for error in body["errors"])


def test_one_fault_has_no_list_beside_it(client: Client) -> None:
    assert "errors" not in client.get("/nowhere").json()


def test_a_single_collected_fault_leads_itself() -> None:
    refused: Any = RefusedFields([Fault(code="a", detail="b", field="c")])
    assert (refused.status_code, refused.faults[0].field) == (400, "c")


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("name", ["SHIP-1", "a b", "a/b", "\u8ca8", "x" * 200, "a?b"])
def test_an_upstream_identifier_in_a_path_arrives_as_it_was_written(client: Client, name: str) -> None:
    assert client.get(f"/named/{quote(name, safe='')}").json() == {"name": name}
    assert_error(client.get("/named/" + "x" * 201), 404, "not_found")


@pytest.mark.usefixtures("demo")
def test_nul_in_a_path_is_404_before_any_handler_sees_it(client: Client) -> None:
    assert_error(client.get("/fail/bug%00"), 404, "not_found")
