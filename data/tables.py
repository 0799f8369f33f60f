"""Reading CSV, XLSX, JSONL and Parquet files into plain rows of text under their header, wherever the header stands."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from data.errors import BadRows, Problem

FORMATS = ("csv", "xlsx", "jsonl", "parquet")
HEADER_SEARCHED = 50
CELL_LIMIT = 10_000_000


@dataclass(frozen=True)
class TableRow:
    """One row: its number as a spreadsheet counts, its cells by column (an empty cell is ""), and what it has wrong."""

    number: int
    cells: dict[str, str]
    problem: Problem | None = None


@dataclass(frozen=True)
class Table:
    """A file's rows and its columns in order."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def read_table(path: Path, header_names: Collection[str]) -> Table:
    """Read one file. The header of a CSV or XLSX is the first row that holds two or more of `header_names`
    (folded with `fold_column`), or else the first row that isn't empty. Raises `BadRows` if the file can't be read;
    what is wrong with one row stands in the row."""
    suffix = path.suffix.lower().lstrip(".")
    if not path.is_file():
        raise _unreadable(path, "there is no such file", "the path of a file of rows")
    if suffix not in FORMATS:
        raise _unreadable(path, f"the name ends in {path.suffix!r}", "one of " + ", ".join(f".{f}" for f in FORMATS))
    try:
        if suffix == "jsonl":
            return _read_jsonl(path, header_names)
        if suffix == "parquet":
            return _read_parquet(path)
        grid = _read_xlsx(path) if suffix == "xlsx" else _read_csv(path, header_names)
        return _under_header(path, grid, header_names)
    except UnicodeDecodeError as error:
        raise _unreadable(
            path, f"byte {error.start} is not UTF-8", "a file saved as UTF-8 (in Excel: CSV UTF-8)"
        ) from None
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error), "a file that can be read") from error


def fold_column(name: str) -> str:
    """A column name as it is compared: no case, single spaces."""
    return " ".join(name.replace("_", " ").casefold().split())


def _read_csv(path: Path, header_names: Collection[str]) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        text = handle.read()
    csv.field_size_limit(CELL_LIMIT)
    head = text[:20_000].splitlines()[:HEADER_SEARCHED]
    delimiter = max(",;\t", key=lambda d: max((_known(line.split(d), header_names) for line in head), default=0))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        what = f"line {reader.line_num}: {error}"
        raise _unreadable(path, what, "a CSV file whose quotes are closed and, inside a text, doubled") from None


def _read_xlsx(path: Path) -> Iterator[list[str]]:
    import openpyxl  # here, because most commands never read a spreadsheet

    try:
        with warnings.catch_warnings():
            # It warns of styles and extensions that it leaves out; no cell is lost by that.
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                sheet = book.worksheets[0]
                sheet.reset_dimensions()
                grid = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
            finally:
                book.close()
    except OSError:
        raise
    except Exception as error:  # a damaged workbook can fail anywhere in the zip, XML and cell readers
        what = f"it is not an XLSX workbook, or a damaged one ({type(error).__name__})"
        raise _unreadable(path, what, "a workbook saved as .xlsx with its rows on the first sheet") from None
    yield from grid


def _under_header(path: Path, grid: Iterable[list[str]], header_names: Collection[str]) -> Table:
    """Rows below the header; empty rows are passed over but counted."""
    lines = list(grid)
    searched = lines[:HEADER_SEARCHED]
    header_row = next((i for i, line in enumerate(searched) if _known(line, header_names) >= 2), None)
    if header_row is None:
        header_row = next((i for i, line in enumerate(searched) if any(cell.strip() for cell in line)), None)
    if header_row is None:
        raise _unreadable(path, "it holds no rows", "a header and rows below it")
    columns = tuple(cell.strip() for cell in lines[header_row])
    repeated = [column for column, count in Counter(map(fold_column, columns)).items() if column and count > 1]
    known_twice = [column for column in repeated if column in header_names]
    if known_twice:
        raise _unreadable(path, f"two columns are named {', '.join(map(repr, known_twice))}", "one column of each name")
    rows = tuple(
        _table_row(path, number, columns, line)
        for number, line in enumerate(lines[header_row + 1 :], header_row + 2)
        if any(cell.strip() for cell in line)
    )
    return Table(path.name, tuple(c for c in columns if c), rows)


def _table_row(path: Path, number: int, columns: tuple[str, ...], line: list[str]) -> TableRow:
    cells = dict(zip(columns, line, strict=False))
    cells.pop("", None)
    extra = [cell for cell in line[len(columns) :] if cell.strip()]
    if not extra:
        return TableRow(number, cells)
    cells["(no column)"] = json.dumps(extra, ensure_ascii=False)
    what = f"{len(line)} cells under {len(columns)} columns"
    return TableRow(number, cells, Problem(path.name, number, "", what, "as many cells as columns, commas in quotes"))


def _known(line: list[str], header_names: Collection[str]) -> int:
    return sum(fold_column(cell.strip('"')) in header_names for cell in line)


def _read_jsonl(path: Path, header_names: Collection[str]) -> Table:
    rows: list[TableRow] = []
    columns: dict[str, None] = {}
    with path.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                row = _json_row(path, number, line, header_names)
                columns.update(dict.fromkeys(row.cells if row.problem is None else ()))
                rows.append(row)
    return Table(path.name, tuple(columns), tuple(rows))


def _json_row(path: Path, number: int, line: str, header_names: Collection[str]) -> TableRow:
    def refused(what: str, column: str = "", expected: str = "one JSON object a line") -> TableRow:
        return TableRow(number, {"(line)": line.strip()}, Problem(path.name, number, column, what, expected))

    try:
        record = json.loads(line)
    except ValueError as error:
        return refused(f"not JSON ({error})")
    except RecursionError:
        return refused("JSON nested too deep")
    if not isinstance(record, dict):
        return refused(f"a JSON {type(record).__name__}")
    for key, value in record.items():
        if isinstance(value, dict | list) and fold_column(str(key)) in header_names:
            return refused(f"a JSON {type(value).__name__}", str(key), "text or a number")
    return TableRow(number, {str(key): _cell(value) for key, value in record.items()})


def _read_parquet(path: Path) -> Table:
    import polars  # here, because it is large and most commands never need it

    try:
        frame = polars.read_parquet(path, glob=False)
    except polars.exceptions.PolarsError as error:
        raise _unreadable(path, f"it is not a Parquet file ({type(error).__name__})", "a Parquet file") from None
    # A Parquet file has no header row; row 2 is its first, as it is once opened as a spreadsheet.
    rows = tuple(
        TableRow(number, {name: _cell(value) for name, value in record.items()})
        for number, record in enumerate(frame.iter_rows(named=True), 2)
    )
    return Table(path.name, tuple(frame.columns), rows)


def _cell(value: object) -> str:
    """A cell as text: whole numbers without a point, times as ISO 8601, nothing as "", halves of characters as "?"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value) if value.is_integer() else value)
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()  # a spreadsheet has no dates without a time
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _unreadable(path: Path, what: str, expected: str) -> BadRows:
    return BadRows([Problem(path.name, 0, "", what, expected)])
