"""What the fields of a body may be, and that several faults are told at once."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rails.money import Money
from settlements import values
from settlements.api.errors import RefusedFields
from settlements.api.fields import Fields
from settlements.api.parsing import parse_body


class Event(StrEnum):
    POD = "POD_CONFIRMED"
    PICKUP = "PICKUP_CONFIRMED"


def read(body: dict[str, Any], reader: Callable[[Fields], Any], *, allowed: set[str] | None = None) -> Any:
    with Fields(body, allowed=allowed) as fields:
        value = reader(fields)
    return value


def codes(body: dict[str, Any], reader: Callable[[Fields], Any], *, allowed: set[str] | None = None) -> list[Any]:
    with pytest.raises(RefusedFields) as caught:
        read(body, reader, allowed=allowed)
    assert caught.value.status_code == 400
    return [(fault.code, fault.field) for fault in caught.value.faults]


class TestText:
    @pytest.mark.parametrize(
        "text",
        ["SHIP-BOZZA-001", "x", "x" * 200, "a b", "Spedition M\u00fcller", "\u8ca8\u7269", "a/b?c#d", "=1+1",
         "\U0001f469\u200d\U0001f527", "e\u0301", "<script>", "\u0627\u0644"],
    )  # fmt: skip
    def test_visible_text_is_kept_as_given(self, text: str) -> None:
        assert read({"a": text}, lambda fields: fields.text("a")) == text

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            ("", "a_empty"), ("   ", "a_empty"), ("\u00a0\u2003", "a_empty"), ("\u200b\u200d", "a_empty"),
            ("\u3164", "a_empty"), ("\u2800", "a_empty"), ("\ufeff", "a_empty"), ("\u0301", "a_empty"),
            ("x" * 201, "a_too_long"), (" x", "a_not_visible"), ("x ", "a_not_visible"), ("x\u00a0", "a_not_visible"),
            ("a\nb", "a_not_visible"), ("a\tb", "a_not_visible"), ("a\x00b", "a_not_visible"),
            ("a\x7f", "a_not_visible"), ("a\x85b", "a_not_visible"), ("a\u2028b", "a_not_visible"),
            ("a\u202eb", "a_not_visible"), ("a\u2066b", "a_not_visible"),
            (None, "a_not_text"), (7, "a_not_text"), (True, "a_not_text"), (["x"], "a_not_text"), ({}, "a_not_text"),
        ],
    )  # fmt: skip
    def test_what_can_not_be_seen_is_refused(self, value: object, code: str) -> None:
        assert codes({"a": value}, lambda fields: fields.text("a")) == [(code, "a")]

    def test_a_description_may_have_lines(self) -> None:
        assert read({"a": " one\r\n\ttwo"}, lambda fields: fields.text("a", multiline=True)) == " one\r\n\ttwo"
        assert codes({"a": "\n\t \r"}, lambda fields: fields.text("a", multiline=True)) == [("a_empty", "a")]
        assert codes({"a": "a\x1bb"}, lambda fields: fields.text("a", multiline=True)) == [("a_not_visible", "a")]

    def test_an_absent_one_is_missing_where_it_is_needed(self) -> None:
        assert codes({}, lambda fields: fields.text("a")) == [("a_missing", "a")]
        assert read({}, lambda fields: fields.maybe_text("a")) is None
        assert read({"a": None}, lambda fields: fields.maybe_text("a")) is None
        assert codes({"a": None}, lambda fields: fields.maybe_text("a", nullable=False)) == [("a_not_text", "a")]

    @pytest.mark.parametrize(("value", "text"), [("3", "3"), (3, "3"), ("SHIP", "SHIP"), (2**63 - 1, str(2**63 - 1))])
    def test_an_upstream_id_may_be_a_number(self, value: object, text: str) -> None:
        assert read({"a": value}, lambda fields: fields.text_or_integer("a")) == text

    @pytest.mark.parametrize("value", [0, -1, 2**63, True, Decimal("3.0"), None, [3], ""])
    def test_an_upstream_id_is_nothing_else(self, value: object) -> None:
        assert codes({"a": value}, lambda fields: fields.text_or_integer("a"))

    @given(st.text(max_size=210))
    def test_whatever_is_accepted_can_be_stored_and_seen(self, text: str) -> None:
        try:
            accepted = values.visible_text(text)
        except values.InvalidValue:
            return
        assert accepted == text
        assert "\x00" not in text
        assert 1 <= len(text.encode()) <= 800
        assert text.strip() == text


class TestIds:
    @pytest.mark.parametrize("value", [1, 7, 2**63 - 1])
    def test_a_positive_whole_number_is_one(self, value: int) -> None:
        assert read({"id": value}, lambda fields: fields.positive_id("id")) == value

    @pytest.mark.parametrize(
        "value", [0, -1, 2**63, 10**4_000, True, False, None, "1", Decimal("1.0"), Decimal(1), [1]]
    )
    def test_nothing_else_is(self, value: object) -> None:
        assert codes({"id": value}, lambda fields: fields.positive_id("id")) == [("id_not_an_id", "id")]


class TestScores:
    @pytest.mark.parametrize(
        ("json", "score"),
        [
            ("0", "0"), ("0.0", "0"), ("-0.0", "0"), ("0e99", "0"), ("1", "1"), ("1.0", "1"), ("0.3299", "0.3299"),
            ("0.33", "0.33"), ("0.6699", "0.6699"), ("0.67", "0.67"), ("33e-2", "0.33"), ('"0.33"', "0.33"),
            ('"0"', "0"), ('"1.000"', "1"), ('"0.67"', "0.67"), ("0." + "1" * 20, "0." + "1" * 20),
        ],
    )  # fmt: skip
    def test_it_is_exact_as_number_and_as_text(self, json: str, score: str) -> None:
        value = read(parse_body(f'{{"s": {json}}}'.encode()), lambda fields: fields.score("s"))
        assert value == Decimal(score)
        assert type(value) is Decimal

    def test_unknown_is_none_and_zero_is_not(self) -> None:
        assert read({}, lambda fields: fields.score("s")) is None
        assert read({"s": None}, lambda fields: fields.score("s")) is None
        assert read({"s": 0}, lambda fields: fields.score("s")) == 0

    @pytest.mark.parametrize(
        "json",
        [
            "1.0001", "-0.1", "2", "1e999999999", "-1e999999999", "7" * 5_000, "true", "false", "[0.5]", "{}",
            '""', '" 0.5"', '"0.5 "', '"+0.5"', '"-0"', '"5e-1"', '".5"', '"1."', '"0,5"', '"0_1"', '"NaN"',
            '"Infinity"', '"\u0660.\u0665"', '"\uff10.\uff15"', '"0.5\\n"', '"LOW"', '"' + "0" * 5_000 + '"',
            "0." + "1" * 21, '"0.' + "1" * 21 + '"', "1e-999999999", "0." + "3" * 5_000,
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, json: str) -> None:
        ((code, field),) = codes(parse_body(f'{{"s": {json}}}'.encode()), lambda fields: fields.score("s"))
        assert field == "s"
        assert code in {"s_not_a_number", "s_out_of_range", "s_too_precise"}

    @pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), 0.5])
    def test_what_json_can_not_even_say_is_refused(self, value: object) -> None:
        assert codes({"s": value}, lambda fields: fields.score("s"))


class TestWords:
    def test_a_word_is_one_of_its_vocabulary(self) -> None:
        assert read({"e": "POD_CONFIRMED"}, lambda fields: fields.word("e", Event)) is Event.POD
        assert codes({"e": "pod_confirmed"}, lambda fields: fields.word("e", Event)) == [("e_unknown", "e")]

    @pytest.mark.parametrize("text", ["pod_confirmed", "Pod_Confirmed", "POD_CONFIRMED"])
    def test_letter_case_is_free_where_it_may_be(self, text: str) -> None:
        assert read({"e": text}, lambda fields: fields.word("e", Event, any_case=True)) is Event.POD

    @pytest.mark.parametrize(
        "value", ["", "POD", "PIC\u212aUP_CONFIRMED", "pod_con\ufb01rmed", " POD_CONFIRMED", None, 1, True, []]
    )
    def test_another_word_is_refused_with_the_known_ones_named(self, value: object) -> None:
        with pytest.raises(RefusedFields) as caught:
            read({"e": value}, lambda fields: fields.word("e", Event, any_case=True))
        assert "POD_CONFIRMED, PICKUP_CONFIRMED" in caught.value.faults[0].detail

    def test_an_absent_word_takes_its_default_and_null_is_refused(self) -> None:
        assert read({}, lambda fields: fields.maybe_word("e", Event, default=Event.POD)) is Event.POD
        assert codes({"e": None}, lambda fields: fields.maybe_word("e", Event)) == [("e_unknown", "e")]

    @pytest.mark.parametrize("value", [0, 1, "true", None, []])
    def test_a_boolean_is_true_or_false(self, value: object) -> None:
        assert read({"b": True}, lambda fields: fields.boolean("b", default=False)) is True
        assert read({}, lambda fields: fields.boolean("b", default=True)) is True
        assert codes({"b": value}, lambda fields: fields.boolean("b", default=False)) == [("b_not_a_boolean", "b")]


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "at", "naive"),
        [
            ("2025-11-07T15:30:00Z", datetime(2025, 11, 7, 15, 30, tzinfo=UTC), False),
            ("2025-11-07t15:30:00z", datetime(2025, 11, 7, 15, 30, tzinfo=UTC), False),
            ("2025-11-07T15:30:00+02:00", datetime(2025, 11, 7, 13, 30, tzinfo=UTC), False),
            ("2025-11-07T15:30:00-0530", datetime(2025, 11, 7, 21, 0, tzinfo=UTC), False),
            ("2025-11-07T15:30Z", datetime(2025, 11, 7, 15, 30, tzinfo=UTC), False),
            ("2025-11-07T15:30:00.5Z", datetime(2025, 11, 7, 15, 30, 0, 500_000, tzinfo=UTC), False),
            ("2025-11-07T15:30:00,123456789Z", datetime(2025, 11, 7, 15, 30, 0, 123_456, tzinfo=UTC), False),
            ("2025-11-07T15:30:00", datetime(2025, 11, 7, 15, 30, tzinfo=UTC), True),
            ("2024-02-29T00:00:00-00:00", datetime(2024, 2, 29, tzinfo=UTC), False),
            ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC), False),
            ("9999-12-31T23:59:59", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        ],
    )
    def test_iso_8601_is_read_into_utc(self, text: str, at: datetime, naive: bool) -> None:
        moment = read({"t": text}, lambda fields: fields.moment("t"))
        assert (moment.at, moment.was_naive) == (at, naive)
        assert moment.at.tzinfo is UTC

    @pytest.mark.parametrize(
        "value",
        [
            "", "2025-11-07", "2025-W45-5T15:30:00Z", "2025-311T15:30:00Z", "20251107T153000Z", "2025-11-07 15:30:00Z",
            "2025-11-07T15Z", "2025-11-07T24:00:00Z", "2025-11-07T15:60:00Z", "2025-11-07T15:30:60Z",
            "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z", "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-23:59", "2025-11-07T15:30:00+24:00",
            "2025-11-07T15:30:00+00:60", "2025-11-07T15:30:00 Z", " 2025-11-07T15:30:00Z", "2025-11-07T15:30:00Z\n",
            "\u0662\u0660\u0662\u0665-11-07T15:30:00Z", "2025-11-07T15:30:00.Z", "2025-11-07T15:30:00UTC",
            "2025-11-07T15:30:00[UTC]", "+002025-11-07T15:30:00Z", "-2025-11-07T15:30:00Z", "now", "1762529400",
            1_762_529_400, Decimal("1.5"), None, True, [], {},
        ],
    )  # fmt: skip
    def test_anything_else_is_refused(self, value: object) -> None:
        assert codes({"t": value}, lambda fields: fields.moment("t")) == [("t_not_a_time", "t")]

    @given(st.datetimes(timezones=st.timezones(no_cache=True)))
    def test_every_moment_python_writes_comes_back_or_is_out_of_range(self, moment: datetime) -> None:
        if moment.utcoffset() is None or moment.utcoffset().seconds % 60:  # type: ignore[union-attr]
            return
        try:
            expected = moment.astimezone(UTC)
        except OverflowError:
            return
        assert values.moment(moment.isoformat()).at == expected


class TestMoney:
    def test_it_is_read_with_its_currency(self) -> None:
        assert read({"amount": 10000}, lambda fields: fields.money()) == Money(1_000_000, "USD")
        assert read({"amount": "12.5", "currency": "EUR"}, lambda fields: fields.money()) == Money(1_250, "EUR")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "amount"), ({"amount": None}, "amount"), ({"amount": 0}, "amount"), ({"amount": True}, "amount"),
            ({"amount": 1, "currency": None}, "currency"), ({"amount": 1, "currency": "usd"}, "currency"),
            ({"amount": Decimal("1e999999999")}, "amount"), ({"amount": Decimal("7" * 5_000)}, "amount"),
        ],
    )  # fmt: skip
    def test_its_refusals_name_the_field(self, body: dict[str, Any], field: str) -> None:
        ((_, named),) = codes(body, lambda fields: fields.money())
        assert named == field


class TestTogether:
    def test_unknown_fields_are_refused_by_name(self) -> None:
        faults = codes({"a": "x", "b": 1, "A": 2}, lambda fields: fields.text("a"), allowed={"a"})
        assert faults == [("unknown_field", "b"), ("unknown_field", "A")]

    def test_unknown_fields_pass_where_upstream_may_add_some(self) -> None:
        assert read({"a": "x", "b": 1}, lambda fields: fields.text("a"), allowed=None) == "x"

    def test_all_faults_are_told_in_one_answer(self) -> None:
        def reader(fields: Fields) -> None:
            fields.text("a")
            fields.positive_id("b")
            fields.score("c")

        faults = codes({"b": 0, "c": 2}, reader, allowed={"a", "b", "c"})
        assert faults == [("a_missing", "a"), ("b_not_an_id", "b"), ("c_out_of_range", "c")]

    def test_a_thousand_faults_are_cut_short(self) -> None:
        assert len(codes({f"x{number}": 1 for number in range(1_000)}, lambda fields: None, allowed=set())) == 20

    def test_nested_fields_are_named_by_their_path(self) -> None:
        def reader(fields: Fields) -> None:
            schedule = fields.nested("schedule", allowed={"items"})
            assert schedule is not None
            for item in schedule.nested_list("items", allowed={"share"}, most=3):
                item.need("share", values.fraction)

        body = {"schedule": {"items": [{"share": "0.5"}, {"share": "2"}, {"shares": 1}], "x": 1}}
        assert codes(body, reader) == [
            ("unknown_field", "schedule.x"),
            ("unknown_field", "schedule.items[2].shares"),
            ("share_out_of_range", "schedule.items[1].share"),
            ("share_missing", "schedule.items[2].share"),
        ]

    @pytest.mark.parametrize("value", [None, [], {}, "x", [1], [{}, None], [{}] * 4])
    def test_a_list_of_objects_is_nothing_else(self, value: object) -> None:
        faults = codes({"a": value}, lambda fields: fields.nested_list("a", allowed=set(), most=3))
        assert faults == [("a_not_an_array", "a")]

    def test_an_absent_object_is_none_and_another_value_is_refused(self) -> None:
        assert read({}, lambda fields: fields.nested("a", allowed=set())) is None
        assert codes({"a": [1]}, lambda fields: fields.nested("a", allowed=set())) == [("a_not_an_object", "a")]

    def test_a_fault_of_the_callers_own_is_told_too(self) -> None:
        faults = codes({}, lambda fields: fields.fault("reason", "reason_missing", "Say why."))
        assert faults == [("reason_missing", "reason")]

    def test_another_exception_is_not_hidden_by_faults(self) -> None:
        with pytest.raises(ZeroDivisionError):
            read({}, lambda fields: [fields.text("a"), 1 // 0])
