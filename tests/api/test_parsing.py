"""Strict JSON, judged by its rules and by two public corpora."""

import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from settlements.api.errors import Refused
from settlements.api.fields import Fields
from settlements.api.parsing import MAX_BODY_BYTES, parse_body, parse_json

DATA = Path(__file__).parent.parent / "data"
SUITE = sorted((DATA / "JSONTestSuite" / "test_parsing").iterdir())
NAUGHTY = json.loads((DATA / "blns" / "blns.json").read_text(encoding="utf-8"))


def refusal(body: bytes) -> str:
    with pytest.raises(Refused) as caught:
        parse_json(body)
    assert caught.value.status_code == 400
    fault = caught.value.faults[0]
    assert fault.code == "malformed_json"
    fault.detail.encode()  # can be answered
    return fault.detail


@pytest.mark.parametrize("file", [f for f in SUITE if f.name.startswith("n_")], ids=lambda f: f.name)
def test_every_malformed_text_of_the_corpus_is_refused(file: Path) -> None:
    refusal(file.read_bytes())


@pytest.mark.parametrize("file", [f for f in SUITE if f.name.startswith("y_")], ids=lambda f: f.name)
def test_every_valid_text_of_the_corpus_is_read(file: Path) -> None:
    body = file.read_bytes()
    assert parse_json(body) == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize("file", [f for f in SUITE if f.name.startswith("i_")], ids=lambda f: f.name)
def test_every_doubtful_text_of_the_corpus_is_read_or_refused_but_never_a_bug(file: Path) -> None:
    with suppress(Refused):
        parse_json(file.read_bytes())


def test_the_corpora_are_there() -> None:
    assert len(SUITE) > 100
    assert len(NAUGHTY) > 250


@pytest.mark.parametrize("text", NAUGHTY, ids=range(len(NAUGHTY)))
def test_a_naughty_string_is_kept_as_it_came_or_refused(text: str) -> None:
    for body in (json.dumps({"name": text}).encode(), json.dumps({"name": text}, ensure_ascii=False).encode()):
        with suppress(Refused):
            with Fields(parse_body(body), allowed={"name"}) as fields:
                name = fields.text("name")
            assert name == text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": 1, "a": 1}', "'a' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' appears twice"),
        (b'{"x": {"\\ud800": 1, "\\ud800": 1}}', "appears twice"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": "\x00"}', "control character"),
        (b'[["\\ud800"]]', "surrogate"),
        (b'{"a": {"\\udc00x": 1}}', "surrogate"),
        (b'"\\ud83d\\u0041"', "surrogate"),
        (b"[1] [2]", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b"[01]", "not valid JSON"),
        ("[\uff11]".encode(), "not valid JSON"),
        (b"[1e99999999999999999999999999]", "exponent"),
        (b"[1e-99999999999999999999999999]", "exponent"),
        (b"[" * 33 + b"]" * 33, "32 levels"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "32 levels"),
        (b"[" * 60_000, "32 levels"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_in_words(body: bytes, words: str) -> None:
    assert words in refusal(body)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude9a"') == "\U0001f69a"


def test_thirty_two_levels_are_read_and_brackets_in_texts_are_not_levels() -> None:
    assert parse_json(b"[" * 32 + b"]" * 32)
    assert parse_json(b'["' + b"[" * 500 + b'\\"{"]') == ["[" * 500 + '"{']


def test_many_shallow_objects_are_not_deep() -> None:
    assert parse_json(b"[" + b",".join([b'{"a": []}'] * 500) + b"]") == [{"a": []}] * 500


def test_numbers_are_exact() -> None:
    value = parse_json(b"[10000, 10000.00, 0.1, 1e2, -0.0, 1e400, 9007199254740993]")
    assert isinstance(value, list)
    assert [str(each) for each in value] == ["10000", "10000.00", "0.1", "1E+2", "-0.0", "1E+400", "9007199254740993"]
    assert [type(each) for each in value] == [int, Decimal, Decimal, Decimal, Decimal, Decimal, int]


def test_a_gigantic_exponent_stays_a_small_value() -> None:
    assert parse_json(b"1e999999999") == Decimal("1e999999999")


@pytest.mark.parametrize("digits", [41, 4_299, 4_301, 5_000, 65_000])
def test_thousands_of_digits_become_a_decimal(digits: int) -> None:
    value = parse_json(b"7" * digits)
    assert type(value) is Decimal
    assert len(value.as_tuple().digits) == digits


@pytest.mark.parametrize("body", [b'"\\"' * 20_000, b'"' + b"\\" * 60_000, b'[["\\"' * 13_000, b"[]" * 30_000])
def test_hostile_texts_of_full_size_are_refused_at_once(body: bytes) -> None:
    assert len(body) <= MAX_BODY_BYTES
    refusal(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"{}"', b"true", b"[{}]"])
def test_what_is_not_an_object_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_body(body)
    assert (caught.value.status_code, caught.value.faults[0].code) == (400, "not_an_object")


def test_an_empty_body_is_an_object_only_where_it_is_optional() -> None:
    assert parse_body(b"", optional=True) == {}
    with pytest.raises(Refused):
        parse_body(b"")
    with pytest.raises(Refused):
        parse_body(b" ", optional=True)
