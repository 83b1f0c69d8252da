"""Numbers become bars: no wider, higher or more than they should be."""

import itertools
import random

import pytest

from compliance.dashboard_charts import WIDTH, Series, ceiling, columns, short, stacked_rows, told

PLOT = 110


def a_chart(*values: list[int], **others):
    places = [f"place {number}" for number in range(len(values[0]))]
    series = [Series(name=f"series {n}", kind=f"kind-{n}", values=each) for n, each in enumerate(values)]
    return columns(summary="a chart", places=places, series=series, **{"every": 3, **others})


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, 1, 0), (1, 1, 1), (2, 1, 2), (3, 1, 5), (5, 1, 5), (6, 1, 10), (11, 1, 20), (999, 1, 1000),
        (1, 100, 100), (100, 100, 100), (101, 100, 200), (123_456_789, 100, 200_000_000), (10**18, 1000, 10**18),
    ],
)  # fmt: skip
def test_an_axis_ends_at_a_round_number(value, unit, expected):
    assert ceiling(value, unit) == expected


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0"), (999, "999"), (1000, "1k"), (1250, "1.2k"), (20_000, "20k"), (1_999_999, "1.9M"),
        (150_000_000, "150M"), (5 * 10**9, "5G"), (2 * 10**12, "2T"),
    ],
)  # fmt: skip
def test_numbers_for_little_room_are_cut(number, written):
    assert short(number) == written


@pytest.mark.parametrize(
    ("value", "unit", "currency", "words"),
    [
        (1234, 1, "", "1,234"), (123_456, 100, "USD", "1,234.56 USD"), (5, 100, "USD", "0.05 USD"),
        (1234, 1, "JPY", "1,234 JPY"), (1_234_005, 1000, "KWD", "1,234.005 KWD"),
    ],
)  # fmt: skip
def test_a_bar_tells_its_value_with_all_its_digits(value, unit, currency, words):
    assert told(value, unit, currency) == words


def test_a_column_is_as_high_as_its_share_of_the_axis():
    chart = a_chart([100, 50, 0, 1])
    assert [bar.height for bar in chart.bars] == [PLOT, PLOT // 2, 1]
    assert {bar.y + bar.height for bar in chart.bars} == {10 + PLOT}


def test_what_is_there_at_all_is_seen_and_what_is_not_is_not_drawn():
    chart = a_chart([1, 0, 10**15])
    assert [bar.height for bar in chart.bars] == [1, PLOT]


def test_every_nth_place_is_named_counted_from_the_last():
    chart = a_chart([1] * 14, every=4)
    assert [label.text for label in chart.labels if label.anchor == "middle"] == [
        "place 1", "place 5", "place 9", "place 13",
    ]  # fmt: skip


def test_an_empty_chart_has_an_axis_and_nothing_on_it():
    for chart in (a_chart([0, 0, 0]), columns(summary="none", places=[], series=[], every=1)):
        assert (list(chart.bars), [rule.kind for rule in chart.rules]) == ([], ["axis"])
        assert [label.text for label in chart.labels if label.anchor == "end"] == ["0"]


def test_there_are_no_negative_columns():
    with pytest.raises(ValueError, match="no negative height"):
        a_chart([1, -1])


def test_columns_stay_in_their_frame_and_never_overlap():
    chance = random.Random(7)
    for _ in range(50):
        length = chance.randrange(1, 31)
        chart = a_chart(*[[chance.randrange(10**6) for _ in range(length)] for _ in range(chance.randrange(1, 4))])
        at = sorted((bar.x, bar.x + bar.width) for bar in chart.bars)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(at))
        assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH and bar.y >= 10 for bar in chart.bars)


def test_parts_of_a_row_meet_and_fill_it():
    chance = random.Random(8)
    for _ in range(50):
        rows = [[chance.randrange(1000) for _ in range(4)] for _ in range(3)]
        series = [Series(name=str(n), kind=str(n), values=values) for n, values in enumerate(rows)]
        chart = stacked_rows(summary="rows", places=["a", "b", "c", "d"], series=series)
        sums = [sum(column) for column in zip(*rows, strict=True)]
        for place, total in enumerate(sums):
            parts = [bar for bar in chart.bars if bar.y == place * 26 + 5]
            assert sum(bar.width for bar in parts) <= 290 * total // max(sums) + len(parts)
            assert all(left.x + left.width >= right.x for left, right in itertools.pairwise(parts))
        assert all(bar.x + bar.width <= WIDTH for bar in chart.bars)
    assert list(stacked_rows(summary="none", places=["a"], series=[]).bars) == []
