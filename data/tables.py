"""Reading CSV, XLSX, JSONL and Parquet files into plain rows of text under their header, wherever the header stands."""

from __future__ import annotations

import csv
import io
import json
import zipfile
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
    """One row: its number as a spreadsheet counts, and its cells by column; an empty cell is ""."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A file's rows and its columns in order."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def read_table(path: Path, header_names: Collection[str]) -> Table:
    """Read one file. The header of a CSV or XLSX is the first row that holds two or more of `header_names`
    (folded with `fold_column`), or else the first row that isn't empty. Raises `BadRows`."""
    suffix = path.suffix.lower().lstrip(".")
    if not path.is_file():
        raise _unreadable(path, "there is no such file", "the path of a file of rows")
    if suffix not in FORMATS:
        raise _unreadable(path, f"the name ends in {path.suffix!r}", "one of " + ", ".join(f".{f}" for f in FORMATS))
    try:
        if suffix == "jsonl":
            return _read_jsonl(path)
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
    text = path.read_text(encoding="utf-8-sig")
    csv.field_size_limit(CELL_LIMIT)
    head = text[:20_000].splitlines()[:HEADER_SEARCHED]
    delimiter = max(",;\t", key=lambda d: max((_known(line.split(d), header_names) for line in head), default=0))
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise _unreadable(path, str(error), "a CSV file whose quotes are closed") from None


def _read_xlsx(path: Path) -> Iterator[list[str]]:
    import openpyxl  # here, because most commands never read a spreadsheet

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, SyntaxError) as error:
        raise _unreadable(
            path, f"it is not an XLSX workbook ({type(error).__name__})", "a workbook saved as .xlsx"
        ) from None
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True):
            yield [_cell(value) for value in row]
    finally:
        book.close()


def _under_header(path: Path, grid: Iterable[list[str]], header_names: Collection[str]) -> Table:
    """Rows below the header; empty rows are passed over but counted."""
    waiting: list[list[str]] = []
    lines = iter(grid)
    header_row = -1
    for line in lines:
        waiting.append(line)
        if _known(line, header_names) >= 2:
            header_row = len(waiting) - 1
            break
        if len(waiting) == HEADER_SEARCHED:
            break
    if header_row < 0:
        header_row = next((i for i, line in enumerate(waiting) if any(cell.strip() for cell in line)), -1)
    if header_row < 0:
        raise _unreadable(path, "it holds no rows", "a header and rows below it")
    columns = tuple(cell.strip() for cell in waiting[header_row])
    body = [*waiting[header_row + 1 :], *lines]
    rows = []
    for number, line in enumerate(body, header_row + 2):
        if any(cell.strip() for cell in line):
            cells = dict(zip(columns, line, strict=False))
            cells.pop("", None)
            rows.append(TableRow(number, cells))
    return Table(path.name, tuple(c for c in columns if c), tuple(rows))


def _known(line: list[str], header_names: Collection[str]) -> int:
    return sum(fold_column(cell.strip('"')) in header_names for cell in line)


def _read_jsonl(path: Path) -> Table:
    rows: list[TableRow] = []
    columns: dict[str, None] = {}
    problems = []
    with path.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                problems.append(Problem(path.name, number, "", f"not JSON ({error})", "one JSON object a line"))
                continue
            if not isinstance(record, dict):
                problems.append(
                    Problem(path.name, number, "", f"a JSON {type(record).__name__}", "one JSON object a line")
                )
                continue
            cells = {str(key): _cell(value) for key, value in record.items()}
            columns.update(dict.fromkeys(cells))
            rows.append(TableRow(number, cells))
    if problems:
        raise BadRows(problems)
    return Table(path.name, tuple(columns), tuple(rows))


def _read_parquet(path: Path) -> Table:
    import polars  # here, because it is large and most commands never need it

    try:
        frame = polars.read_parquet(path)
    except polars.exceptions.PolarsError as error:
        raise _unreadable(path, f"it is not a Parquet file ({type(error).__name__})", "a Parquet file") from None
    # A Parquet file has no header row; row 2 is its first, as it is once opened as a spreadsheet.
    rows = tuple(
        TableRow(number, {name: _cell(value) for name, value in record.items()})
        for number, record in enumerate(frame.iter_rows(named=True), 2)
    )
    return Table(path.name, tuple(frame.columns), rows)


def _cell(value: object) -> str:
    """A cell as text: whole numbers without a point, times as ISO 8601, nothing as ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


def _unreadable(path: Path, what: str, expected: str) -> BadRows:
    return BadRows([Problem(path.name, 0, "", what, expected)])
