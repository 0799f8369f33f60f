"""Files and folders appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import OutputExists
from data.tables import read_table
from data.writing import check_free, whole_file, whole_folder, write_csv


class Interrupted(BaseException):
    """Stands for Ctrl-C, which is no Exception."""


def agrees(_folder: Path) -> bool:
    """Any folder may be replaced."""
    return True


both_ends = pytest.mark.parametrize("error", [RuntimeError, Interrupted])


def write_half_a_file(path: Path, error: type[BaseException]) -> None:
    with whole_file(path) as handle:
        handle.write("half")
        handle.flush()
        raise error


def write_half_a_folder(
    path: Path, error: type[BaseException], *, replaceable: Callable[[Path], bool] | None = None
) -> None:
    with whole_folder(path, replaceable=replaceable) as aside:
        (aside / "one").write_text("new", encoding="utf-8")
        raise error


def write_while_another_does(path: Path) -> None:
    with whole_folder(path) as aside:
        (aside / "one").write_text("slow", encoding="utf-8")
        path.mkdir()
        (path / "one").write_text("fast", encoding="utf-8")


def content_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_file_appears_with_its_whole_content(tmp_path: Path) -> None:
    with whole_file(tmp_path / "rows.csv") as handle:
        handle.write("é\u2028\n")
    assert content_of(tmp_path) == {"rows.csv": "é\u2028\n"}


def test_a_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "rows.csv") as handle:
        handle.write("a" * 100_000)
        handle.flush()
        assert not (tmp_path / "rows.csv").exists()


@both_ends
def test_a_file_that_fails_in_the_middle_leaves_nothing_behind(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        write_half_a_file(tmp_path / "rows.csv", error)
    assert list(tmp_path.iterdir()) == []


@both_ends
def test_a_file_that_fails_in_the_middle_leaves_the_old_one_intact(error: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("old", encoding="utf-8")
    with pytest.raises(error):
        write_half_a_file(tmp_path / "rows.csv", error)
    assert content_of(tmp_path) == {"rows.csv": "old"}


def test_a_file_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("old and longer", encoding="utf-8")
    with whole_file(tmp_path / "rows.csv") as handle:
        handle.write("new")
    assert content_of(tmp_path) == {"rows.csv": "new"}


def test_the_folders_above_a_file_are_made(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a" / "b" / "rows.csv") as handle:
        handle.write("x")
    assert (tmp_path / "a" / "b" / "rows.csv").is_file()


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o022, 0o600, 0o755), (0o077, 0o600, 0o700)])
def test_a_folder_goes_by_the_umask_and_a_file_of_rows_is_its_owners_alone(
    mask: int, file_mode: int, folder_mode: int, tmp_path: Path
) -> None:
    old = os.umask(mask)
    try:
        with whole_file(tmp_path / "file") as handle:
            handle.write("x")
        with whole_folder(tmp_path / "folder") as aside:
            (aside / "x").write_text("x", encoding="utf-8")
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == file_mode
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == folder_mode


def test_a_csv_is_written_under_its_header_and_none_is_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", ("b", "a"), [{"a": 'x, "y"', "b": None}, {"a": "1\n2", "b": 0}])
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as handle:
        assert list(csv.reader(handle)) == [["b", "a"], ["", 'x, "y"'], ["0", "1\n2"]]


def test_a_csv_whose_rows_run_into_an_error_is_not_written(tmp_path: Path) -> None:
    def rows() -> object:
        yield {"a": 1}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_csv(tmp_path / "rows.csv", ("a",), rows())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_csv_row_with_an_unknown_column_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fields not in"):
        write_csv(tmp_path / "rows.csv", ("a",), [{"a": 1, "b": 2}])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_with_its_whole_content(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "bundle") as aside:
        (aside / "one").write_text("1", encoding="utf-8")
        assert not (tmp_path / "bundle").exists()
        (aside / "two").write_text("2", encoding="utf-8")
    assert content_of(tmp_path / "bundle") == {"one": "1", "two": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@both_ends
def test_a_folder_that_fails_in_the_middle_leaves_nothing_behind(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        write_half_a_folder(tmp_path / "bundle", error)
    assert list(tmp_path.iterdir()) == []


@both_ends
def test_a_folder_that_fails_in_the_middle_leaves_the_old_one_intact(
    error: type[BaseException], tmp_path: Path
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "one").write_text("old", encoding="utf-8")
    with pytest.raises(error):
        write_half_a_folder(tmp_path / "bundle", error, replaceable=agrees)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert content_of(tmp_path / "bundle") == {"one": "old"}


def test_a_folder_that_is_replaced_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "old").write_text("old", encoding="utf-8")
    with whole_folder(tmp_path / "bundle", replaceable=agrees) as aside:
        (aside / "new").write_text("new", encoding="utf-8")
    assert content_of(tmp_path / "bundle") == {"new": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with whole_folder(tmp_path / "bundle") as aside:
        (aside / "new").write_text("new", encoding="utf-8")
    assert content_of(tmp_path / "bundle") == {"new": "new"}


def test_a_folder_that_holds_something_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "old").write_text("old", encoding="utf-8")
    with pytest.raises(OutputExists, match="Choose another name"), whole_folder(tmp_path / "bundle"):
        pytest.fail("the block must not be entered")
    assert content_of(tmp_path / "bundle") == {"old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("replaceable", [agrees, None])
def test_a_file_is_never_replaced_by_a_folder(replaceable: Callable[[Path], bool] | None, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputExists) as caught:
        check_free(tmp_path / "bundle", replaceable=replaceable)
    assert "Choose another name." in str(caught.value)
    assert (tmp_path / "bundle").read_text(encoding="utf-8") == "a file"


def test_what_is_free_is_said_to_be_free(tmp_path: Path) -> None:
    check_free(tmp_path / "new")
    check_free(tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "x").touch()
    check_free(tmp_path / "old", replaceable=agrees)


def test_a_folder_that_may_not_be_replaced_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "x").touch()
    with pytest.raises(OutputExists, match="something else than a bundle"):
        check_free(tmp_path / "old", replaceable=lambda _folder: False)
    assert (tmp_path / "old" / "x").is_file()


def test_a_file_that_is_no_csv_is_never_overwritten_by_one(tmp_path: Path) -> None:
    (tmp_path / "cases.db").write_text("complaints", encoding="utf-8")
    with pytest.raises(OutputExists):
        write_csv(tmp_path / "cases.db", ("a",), [])
    assert (tmp_path / "cases.db").read_text(encoding="utf-8") == "complaints"


def test_a_lone_carriage_return_survives_writing_and_reading(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", ("id", "text"), [{"id": "1", "text": "got\rmampet"}])
    table = read_table(tmp_path / "rows.csv", {"id", "text"})
    assert [row.cells for row in table.rows] == [{"id": "1", "text": "got\rmampet"}]


def test_a_folder_put_in_place_meanwhile_is_not_lost(tmp_path: Path) -> None:
    # Two trainings into one folder: the slower one must not throw the faster one's bundle away.
    with pytest.raises(OutputExists):
        write_while_another_does(tmp_path / "bundle")
    assert content_of(tmp_path / "bundle") == {"one": "fast"}
