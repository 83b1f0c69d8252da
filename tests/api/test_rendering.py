"""Answers carry exact literals: amounts with their currency's digits, scores, times in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from rails.money import Money
from settlements.api.rendering import answer, dump, money, number


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Money(1_000_000, "USD"), b"10000.00"),
        (Money(1, "USD"), b"0.01"),
        (Money(0, "EUR"), b"0.00"),
        (Money(9_999_999_999_999, "USD"), b"99999999999.99"),
        (Money(10_000, "JPY"), b"10000"),
        (Money(1_234, "KWD"), b"1.234"),
    ],
)
def test_money_is_a_number_with_the_digits_of_its_currency(amount: Money, text: bytes) -> None:
    assert dump({"amount": money(amount)}) == b'{"amount":' + text + b"}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", b"0"), ("0.00", b"0"), ("-0.0", b"0"), ("0.15", b"0.15"), ("0.15000000000000000000", b"0.15"),
        ("1", b"1"), ("1E+2", b"100"), ("1E-20", b"0.00000000000000000001"), ("100", b"100"), ("10.50", b"10.5"),
    ],
)  # fmt: skip
def test_a_score_is_a_plain_number(value: str, text: bytes) -> None:
    assert dump(number(Decimal(value))) == text


def test_an_unknown_score_is_null_and_nan_is_a_bug() -> None:
    assert dump(number(None)) == b"null"
    for value in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="no NaN"):
            number(Decimal(value))


def test_times_are_in_utc_with_a_z() -> None:
    at = datetime(2025, 11, 7, 15, 30, 15, tzinfo=UTC)
    assert dump(at) == b'"2025-11-07T15:30:15Z"'
    assert dump(at.replace(tzinfo=ZoneInfo("UTC"))) == b'"2025-11-07T15:30:15Z"'
    assert dump(at.replace(tzinfo=timezone(timedelta(0)))) == b'"2025-11-07T15:30:15Z"'


def test_a_bare_decimal_is_a_bug_not_a_guess() -> None:
    with pytest.raises(TypeError):
        dump({"amount": Decimal("1.10")})


def test_an_answer_is_json_with_its_status_and_headers() -> None:
    response = answer({"a": 1}, status=201, headers={"X-Thing": "1"})
    assert (response.status_code, response.content) == (201, b'{"a":1}')
    assert (response.headers["Content-Type"], response.headers["X-Thing"]) == ("application/json", "1")


def test_a_drf_response_is_rendered_the_same_way() -> None:
    class Plain(APIView):
        authentication_classes = ()

        def get(self, request: object) -> Response:
            return Response({"amount": money(Money(100, "USD"))})

    response = Plain.as_view()(APIRequestFactory().get("/", HTTP_ACCEPT="application/json")).render()
    assert response.content == b'{"amount":1.00}'
