"""Charts: where the bars and intervals of a page's SVG stand, in per cent, so that they fit any width.

Words beside them are text of the page: at 320 px they are as large as everywhere. `charts.html` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

from serving.wording import number

# Of the room for one column, what stays white beside it.
_GAP = 0.2
_MOST_LABELS = 3


@dataclass(frozen=True)
class Column:
    """One upright bar."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A word on an axis: `at` from the left or the top; `anchor` as SVG's text-anchor."""

    at: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class ColumnChart:
    """Upright bars over a time axis."""

    title: str
    columns: tuple[Column, ...]
    levels: tuple[Mark, ...]
    times: tuple[Mark, ...]


@dataclass(frozen=True)
class Bar:
    """A level bar from the left."""

    width: float


@dataclass(frozen=True)
class IntervalBar:
    """A value with where it may lie, and where it was promised to be, if that is asked."""

    low: float
    value: float
    high: float
    target: float | None = None


def column_chart(title: str, counts: Sequence[int], times: Sequence[str]) -> ColumnChart:
    """A chart of counts in the order given, and the names of their times; of nothing it has no columns."""
    top = round_top(max(counts, default=0))
    room = 100 / max(len(counts), 1)
    columns = tuple(
        Column(
            x=(place + _GAP / 2) * room,
            y=100 - 100 * count / top,
            width=(1 - _GAP) * room,
            height=100 * count / top,
        )
        for place, count in enumerate(counts)
    )
    levels = (Mark(0.0, number(top)), Mark(50.0, number(top // 2))) if top > 1 else (Mark(0.0, number(top)),)
    return ColumnChart(title, columns, levels, _times(times))


def round_top(largest: int) -> int:
    """Where a scale for counts up to this ends: the next of 1, 2, 4, 6, 8, 10, 20, 40 and so on."""
    if largest <= 1:
        return 1
    power: int = 10 ** ceil(log10(largest))
    return next(top for share in (0.2, 0.4, 0.6, 0.8, 1) if (top := max(round(power * share), 2)) >= largest)


def bar(count: float, largest: float) -> Bar:
    """A bar as long as its part of the largest."""
    return Bar(100 * count / largest if largest else 0.0)


def interval_bar(low: float, value: float, high: float, target: float | None = None) -> IntervalBar:
    """Shares from 0 to 1 on a line from 0 to 100 %."""
    return IntervalBar(100 * low, 100 * value, 100 * high, None if target is None else 100 * target)


def _times(names: Sequence[str]) -> tuple[Mark, ...]:
    """The first, the middle and the last name, as far as there are so many."""
    if len(names) < _MOST_LABELS:
        room = 100 / max(len(names), 1)
        return tuple(Mark((place + 0.5) * room, name, "middle") for place, name in enumerate(names))
    return Mark(0.0, names[0]), Mark(50.0, names[(len(names) - 1) // 2], "middle"), Mark(100.0, names[-1], "end")
