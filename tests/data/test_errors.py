"""Errors say in one message what is wrong, where, and the way out."""

from __future__ import annotations

import data.errors
from data.errors import BadRegion, BadRows, DisposisiError, Problem, UnknownName


def error_classes() -> list[type[DisposisiError]]:
    found = [value for value in vars(data.errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, DisposisiError) and value is not DisposisiError]


def test_a_failed_lookup_names_what_there_is() -> None:
    error = UnknownName("region", "bogor", ["kab-bandung", "kab-tangerang"])
    assert str(error) == "No region 'bogor'. Known: kab-bandung, kab-tangerang."
    assert (error.kind, error.name, error.known) == ("region", "bogor", ("kab-bandung", "kab-tangerang"))


def test_a_lookup_in_an_empty_list_says_none() -> None:
    assert str(UnknownName("recipe", "x", iter(()))) == "No recipe 'x'. Known: none."


def test_a_problem_tells_file_row_column_value_and_what_was_expected() -> None:
    problem = Problem("juni.csv", 7, "urgency", "'9'", "0, 1, 2 or 3")
    assert str(problem) == "juni.csv, row 7, column 'urgency': '9'; expected 0, 1, 2 or 3"


def test_a_problem_of_a_whole_file_tells_no_row_and_no_column() -> None:
    assert str(Problem("juni.csv", 0, "", "no text column", "one")) == "juni.csv: no text column; expected one"


def test_one_problem_is_not_called_problems() -> None:
    error = BadRows([Problem("a.csv", 2, "id", "''", "an id")])
    assert str(error).splitlines()[0] == "1 problem in the rows:"


def test_fifty_problems_are_all_shown_and_of_fifty_one_the_last_is_counted() -> None:
    problems = [Problem("a.csv", number, "id", "''", "an id") for number in range(51)]
    assert len(str(BadRows(problems[:50])).splitlines()) == 51
    lines = str(BadRows(problems)).splitlines()
    assert len(lines) == 52
    assert lines[0] == "51 problems in the rows:"
    assert lines[-1].strip() == "... and 1 more"
    assert len(BadRows(problems).problems) == 51


def test_a_bad_region_tells_every_problem_on_a_line() -> None:
    error = BadRegion("kab-x", ["one", "two"])
    assert str(error) == "The region file of 'kab-x' can't be used:\n  one\n  two"
    assert error.problems == ("one", "two")


def test_the_tree_in_the_docstring_shows_every_error() -> None:
    assert error_classes()
    for error in error_classes():
        assert f"── {error.__name__}" in (data.errors.__doc__ or "")


def test_every_error_says_what_it_stands_for() -> None:
    assert all(error.__doc__ for error in error_classes())
