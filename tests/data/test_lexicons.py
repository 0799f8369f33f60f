"""The list of place names that are also words: sorted, folded, and each name a place that some region has."""

from __future__ import annotations

from pathlib import Path

from data.region import fold_name, known_regions, load_region

PATH = Path(__file__).parents[2] / "data" / "lexicons" / "place_names_that_are_words.txt"


def names() -> list[str]:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def spellings_of_areas() -> set[str]:
    """Every spelling the finder of areas compares with: names, aliases, and names written as one word."""
    areas = [area for code in known_regions() for area in load_region(code).areas]
    folded = {fold_name(spelling) for area in areas for spelling in (area.name, *area.aliases)}
    return folded | {fold_name(area.name).replace(" ", "") for area in areas}


def test_the_list_holds_names() -> None:
    assert len(names()) >= 20


def test_no_name_stands_twice() -> None:
    assert len(set(names())) == len(names())


def test_the_names_are_sorted() -> None:
    assert names() == sorted(names())


def test_every_name_is_folded_as_it_is_compared() -> None:
    assert [name for name in names() if fold_name(name) != name] == []


def test_every_name_is_an_area_of_some_region() -> None:
    assert sorted(set(names()) - spellings_of_areas()) == []


def test_every_region_has_names_in_the_list() -> None:
    for code in known_regions():
        folded = {fold_name(area.name) for area in load_region(code).areas}
        assert folded & set(names()), code
