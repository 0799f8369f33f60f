"""Dates of rows: their range, and signs that day and month were swapped, which no single date shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from data.complaint import LabelledRow

_SLASHED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}(?!\d)")
_ISO = re.compile(r"\d{4}-\d{2}-(\d{2})")
# LAPOR! began in 2011; older dates are mostly slips of the keyboard.
_EARLIEST = "2011"
# So many dates that all fit a swap are no chance: one in 2.5 has a day of 12 or less.
_FEWEST_SWAPPED = 20
_TWELVE = 12


@dataclass(frozen=True)
class DateCheck:
    """The dates of rows: first and last, rows without, ids of rows in the future or before LAPOR!, rows by year.

    `month_first`: cells like 01/18/2024, which only read with the month first; `ambiguous`: cells beside them that can
    be read both ways. `is_swapped`: a spreadsheet took day and month for each other where it could.
    """

    first: str
    last: str
    without: int
    future: tuple[str, ...]
    early: tuple[str, ...]
    years: dict[str, int]
    month_first: int
    ambiguous: int
    is_swapped: bool


def check_dates(rows: Sequence[LabelledRow], cells: Sequence[str], today: str) -> DateCheck:
    """Look at the rows' dates and at the date cells as they stand in the files; `today` is an ISO 8601 date."""
    dated = [(row.received_at, row.id) for row in rows if row.received_at]
    slashed = [(int(found[1]), int(found[2])) for cell in cells if (found := _SLASHED.match(cell))]
    month_first = sum(left <= _TWELVE < right for left, right in slashed)
    days = [int(found[1]) for cell in cells if (found := _ISO.match(cell))]
    # Where it could, the spreadsheet made a date of the text (day and month swapped); else the text stayed.
    swapped = (
        min(len(days), len(slashed)) >= _FEWEST_SWAPPED
        and max(days) <= _TWELVE
        and all(max(pair) > _TWELVE for pair in slashed)
    )
    return DateCheck(
        first=min(dated)[0][:10] if dated else "",
        last=max(dated)[0][:10] if dated else "",
        without=len(rows) - len(dated),
        future=tuple(row_id for date, row_id in dated if date[:10] > today),
        early=tuple(row_id for date, row_id in dated if date < _EARLIEST),
        years=dict(sorted(Counter(date[:4] for date, _ in dated).items())),
        month_first=month_first,
        ambiguous=sum(max(pair) <= _TWELVE for pair in slashed) if month_first else 0,
        is_swapped=swapped,
    )
