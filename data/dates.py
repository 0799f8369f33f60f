"""Dates as LAPOR! exports and spreadsheets write them, turned into ISO 8601 text that sorts."""

from __future__ import annotations

import re
from datetime import date, time

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januari january",
            "feb februari february peb",
            "mar maret march",
            "apr april",
            "mei may",
            "jun juni june",
            "jul juli july",
            "agu agt agust agustus aug august",
            "sep sept september",
            "okt oktober oct october",
            "nov november nop",
            "des desember dec december",
        ),
        1,
    )
    for name in names.split()
}
_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](.+))?)?)?", re.ASCII)
_WORDS = re.compile(r"(\d{1,2})[ -]([A-Za-z]+)\.?[ -](\d{4})(?:[ ,]+(.+))?", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ ,]+(.+))?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII)

EXPECTED = "a date such as 2024-01-18, 18 Jan 2024, 18 Januari 2024 or 18/01/2024, or a year"


def parse_date(text: str, clock: str = "") -> str:
    """ISO 8601 for a date, with `clock` (or the time in the text) after it; "" stays "". Day comes before month.

    Raises ValueError for anything else.
    """
    text = text.strip()
    if not text:
        return ""
    if found := _ISO.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
        if day is None:
            if month is not None and not 1 <= int(month) <= 12:
                raise ValueError(text)
            return year if month is None else f"{year}-{int(month):02}"
    elif found := _WORDS.fullmatch(text):
        year, month, day = found[3], str(_MONTHS.get(found[2].casefold(), 0)), found[1]
    elif found := _SLASHED.fullmatch(text):
        year, month, day = found[3], found[2], found[1]
    else:
        raise ValueError(text)
    return date(int(year), int(month), int(day)).isoformat() + _parse_clock(found[4] or clock)


def _parse_clock(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(text)
    return "T" + time(int(found[1]), int(found[2]), int(found[3] or 0)).isoformat() + (found[4] or "")
