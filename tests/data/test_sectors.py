"""The sectors are frozen: their codes, their order and the promises other parts rely on."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from data.complaint import Jurisdiction
from data.errors import UnknownName
from data.sectors import AREA_SECTORS, all_sectors, find_sector

ROOT = Path(__file__).parents[2]


def test_there_are_forty_three_sectors_each_once() -> None:
    with (ROOT / "data" / "sectors.csv").open(encoding="utf-8", newline="") as handle:
        codes = [row["code"] for row in csv.DictReader(handle)]
    assert len(codes) == len(set(codes)) == 43
    assert list(all_sectors()) == codes


def test_every_sector_has_a_code_a_name_of_its_own_and_what_it_covers() -> None:
    sectors = all_sectors().values()
    assert len({sector.name for sector in sectors}) == 43
    for sector in sectors:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", sector.code)
        assert sector.name.strip() == sector.name != ""
        assert sector.covers


def test_the_usual_level_of_a_sector_is_local_or_central() -> None:
    assert {sector.level for sector in all_sectors().values()} == {Jurisdiction.LOCAL, Jurisdiction.CENTRAL}
    assert find_sector("public-works").level is Jurisdiction.LOCAL
    assert find_sector("energy").level is Jurisdiction.CENTRAL


def test_the_area_sectors_are_sectors() -> None:
    assert set(AREA_SECTORS) <= all_sectors().keys()
    assert len(AREA_SECTORS) == 2


def test_a_sector_is_found_by_its_code() -> None:
    assert find_sector("health").name == "Kesehatan"


@pytest.mark.parametrize("code", ["", "Health", "kesehatan", "health "])
def test_an_unknown_sector_names_the_known_ones(code: str) -> None:
    with pytest.raises(UnknownName) as caught:
        find_sector(code)
    assert str(caught.value).startswith(f"No sector {code!r}. Known: public-works, spatial-planning, ")
    assert len(caught.value.known) == 43


def test_the_codes_are_those_of_the_shared_list(shared_datasets: Path) -> None:
    shared = shared_datasets.parent / "reference" / "sectors.csv"
    if not shared.is_file():
        pytest.skip("the shared list of sectors is not here")
    with shared.open(encoding="utf-8", newline="") as handle:
        assert [row["code"] for row in csv.DictReader(handle)] == list(all_sectors())
