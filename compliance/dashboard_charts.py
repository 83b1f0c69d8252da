"""Numbers become the geometry of a chart, in whole units of its view box; the template only writes it out as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 420
_LEFT, _RIGHT, _TOP, _BOTTOM, _PLOT = 46, 4, 10, 18, 110
_ROW, _ROW_BAR, _ROW_LEFT, _ROW_RIGHT = 26, 16, 86, 44
_SHORT: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A filled rectangle; `kind` is the end of its CSS class, `told` what a pointer over it reads."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A piece of text; `anchor` is the CSS class that says which end of it stands at x."""

    x: int
    y: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A horizontal line across the plot."""

    x: int
    y: int
    to_x: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that is drawn; `summary` says in words what a screen reader tells of it."""

    width: int
    height: int
    summary: str
    bars: Sequence[Bar]
    labels: Sequence[Label]
    rules: Sequence[Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers in one colour, one per column."""

    name: str
    kind: str
    values: Sequence[int]


def columns(
    *, summary: str, places: Sequence[str], series: Sequence[Series], every: int, unit: int = 1, currency: str = ""
) -> Chart:
    """Columns side by side, a group per place; every n-th place is named below, counted from the last.

    Values of `unit` make one of what is written at the axis: 100 for cents, 1 for numbers. Negative ones raise
    ValueError.
    """
    values = [value for one in series for value in one.values]
    if min(values, default=0) < 0:
        raise ValueError("a column has no negative height")
    top = ceiling(max(values, default=0), unit)
    room = (WIDTH - _LEFT - _RIGHT) // max(len(places), 1)
    thick = max((room - 2) // max(len(series), 1), 1)
    base = _TOP + _PLOT
    bars = [
        Bar(
            x=_LEFT + place * room + 1 + number * thick,
            y=base - _height(one.values[place], top),
            width=thick,
            height=_height(one.values[place], top),
            kind=one.kind,
            told=f"{name}: {one.name} {told(one.values[place], unit, currency)}",
        )
        for place, name in enumerate(places)
        for number, one in enumerate(series)
        if one.values[place]
    ]
    named = [
        Label(x=_LEFT + place * room + room // 2, y=base + 13, text=name, anchor="middle")
        for place, name in enumerate(places)
        if (len(places) - 1 - place) % every == 0
    ]
    heights = [Label(x=_LEFT - 4, y=base + 4, text="0", anchor="end")] + (
        [Label(x=_LEFT - 4, y=_TOP + 4, text=short(top // unit), anchor="end")] if top else []
    )
    edge = WIDTH - _RIGHT
    rules = [Rule(x=_LEFT, y=base, to_x=edge, kind="axis")]
    if top:
        rules = [Rule(x=_LEFT, y=y, to_x=edge, kind="rule") for y in (_TOP, _TOP + _PLOT // 2)] + rules
    return Chart(width=WIDTH, height=base + _BOTTOM, summary=summary, bars=bars, labels=[*heights, *named], rules=rules)


def stacked_rows(*, summary: str, places: Sequence[str], series: Sequence[Series]) -> Chart:
    """A bar per place, its parts one after the other, with the sum behind it."""
    sums = [sum(one.values[place] for one in series) for place in range(len(places))]
    room, top = WIDTH - _ROW_LEFT - _ROW_RIGHT, max(sums, default=0)
    bars, labels = list[Bar](), list[Label]()
    for place, name in enumerate(places):
        y, passed = place * _ROW, 0
        labels.append(Label(x=_ROW_LEFT - 8, y=y + 17, text=name, anchor="end"))
        for one in series:
            value = one.values[place]
            # Both ends are rounded from the running sum, so that parts meet and never overrun the whole.
            begin, end = (room * at // top if top else 0 for at in (passed, passed + value))
            passed += value
            if value:
                bars.append(
                    Bar(
                        x=_ROW_LEFT + begin,
                        y=y + 5,
                        width=max(end - begin, 1),
                        height=_ROW_BAR,
                        kind=one.kind,
                        told=f"{name}: {one.name} {value}",
                    )
                )
        behind = room * sums[place] // top if top else 0
        labels.append(Label(x=_ROW_LEFT + behind + 6, y=y + 17, text=short(sums[place]), anchor="start"))
    return Chart(width=WIDTH, height=_ROW * len(places) + 6, summary=summary, bars=bars, labels=labels, rules=[])


def ceiling(value: int, unit: int = 1) -> int:
    """The next 1, 2 or 5 times a power of ten, in units, that is no less than the value; 0 for 0."""
    if value <= 0:
        return 0
    power = unit
    while True:
        for step in (1, 2, 5):
            if value <= step * power:
                return step * power
        power *= 10


def short(number: int) -> str:
    """A number for little room: `950`, `20k`, `1.2M`; cut, not rounded, after one digit."""
    for size, letter in _SHORT:
        if number >= size:
            whole, tenth = divmod(number * 10 // size, 10)
            return f"{whole}.{tenth}{letter}" if tenth and whole < 100 else f"{whole}{letter}"
    return str(number)


def told(value: int, unit: int, currency: str) -> str:
    """A value in words: its number, or its amount with as many digits as its unit has."""
    if not currency:
        return f"{value:,}"
    whole, rest = divmod(value, unit)
    digits = len(str(unit)) - 1
    return f"{whole:,}.{rest:0{digits}} {currency}" if digits else f"{whole:,} {currency}"


def _height(value: int, top: int) -> int:
    # What is there at all is seen.
    return max(value * _PLOT // top, 1) if value else 0
