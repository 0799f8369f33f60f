"""The sectors: fields of government work, the same everywhere in Indonesia and frozen."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.complaint import Jurisdiction
from data.errors import UnknownName

DISTRICT_OFFICE = "district-office"
VILLAGE_OFFICE = "village-office"
OTHER = "other"
AREA_SECTORS = (DISTRICT_OFFICE, VILLAGE_OFFICE)


@dataclass(frozen=True)
class Sector:
    """One field of government work; `name` and `covers` are Indonesian, `level` the usual level of government."""

    code: str
    name: str
    level: Jurisdiction
    covers: str


@cache
def all_sectors() -> dict[str, Sector]:
    """Every sector by its code, in the order of the file."""
    with Path(__file__).with_name("sectors.csv").open(encoding="utf-8", newline="") as handle:
        return {
            row["code"]: Sector(row["code"], row["nama"], Jurisdiction(row["level"]), row["covers"])
            for row in csv.DictReader(handle)
        }


def find_sector(code: str) -> Sector:
    """The sector of that code, or `UnknownName`."""
    try:
        return all_sectors()[code]
    except KeyError:
        raise UnknownName("sector", code, all_sectors()) from None
