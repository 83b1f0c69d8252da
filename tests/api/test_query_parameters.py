"""The query string is read as strictly as a body."""

import pytest
from django.test import Client

from tests.api.conftest import assert_error

pytestmark = pytest.mark.usefixtures("demo")


def test_defaults_hold_when_nothing_is_asked_for(client: Client) -> None:
    answer = client.get("/probe").json()
    assert (answer["skip"], answer["limit"], answer["colour"], answer["milestone_id"]) == (0, 10, None, None)


def test_what_is_asked_for_is_given(client: Client) -> None:
    answer = client.get("/probe?skip=5&limit=100&colour=red&milestone_id=7").json()
    assert (answer["skip"], answer["limit"], answer["colour"], answer["milestone_id"]) == (5, 100, "red", 7)


@pytest.mark.parametrize("name", ["skip", "limit", "milestone_id"])
@pytest.mark.parametrize(
    "value",
    ["", "-1", "+1", "1.0", "1e2", "x", "%D9%A1", "1_0", "%201", "1%20", "9" * 5_000, "1001", "0x1", "%00", "true"],
)
def test_a_number_is_ascii_digits_within_bounds(client: Client, name: str, value: str) -> None:
    if (name, value) != ("milestone_id", "1001"):
        assert_error(client.get(f"/probe?{name}={value}"), 400, f"{name}_invalid", field=name)


def test_bounds_are_inclusive(client: Client) -> None:
    for query in ("limit=1", "limit=100", "skip=0", "skip=1000"):
        assert client.get(f"/probe?{query}").status_code == 200
    for name, query in (("limit", "limit=0"), ("limit", "limit=101"), ("milestone_id", "milestone_id=0")):
        assert_error(client.get(f"/probe?{query}"), 400, f"{name}_invalid", field=name)


@pytest.mark.parametrize("value", ["", "RED", "green", "red%00", "red,blue"])
def test_a_word_must_be_known_and_the_answer_names_the_known_ones(client: Client, value: str) -> None:
    body = assert_error(client.get(f"/probe?colour={value}"), 400, "colour_invalid", field="colour")
    assert "red, blue" in body["detail"]


def test_an_unknown_parameter_is_refused_by_name(client: Client) -> None:
    body = assert_error(client.get("/probe?Limit=1"), 400, "unknown_parameter", field="Limit")
    assert "limit" in body["detail"]
    assert_error(client.post("/settle?x=1"), 400, "unknown_parameter", field="x")
    assert_error(client.get("/healthz?x=1"), 400, "unknown_parameter", field="x")


def test_a_parameter_twice_is_refused(client: Client) -> None:
    assert_error(client.get("/probe?limit=1&limit=1"), 400, "repeated_parameter", field="limit")


def test_thousands_of_parameters_are_refused(client: Client) -> None:
    query = "&".join(f"p{number}=1" for number in range(6_000))
    assert_error(client.get(f"/probe?{query}"), 400, "too_many_parameters")


def test_a_long_or_broken_name_is_answered_all_the_same(client: Client) -> None:
    assert len(client.get("/probe?" + "n" * 5_000 + "=1").json()["field"]) == 80
    assert client.get("/probe?%ff%fe=1").status_code == 400
    assert client.get("/probe?%ED%A0%80=1").status_code == 400
