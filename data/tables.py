"""Reading CSV, XLSX, JSONL and Parquet files into plain rows of text under their header, wherever the header stands."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from data.errors import BadRows, Problem

FORMATS = ("csv", "xlsx", "jsonl", "parquet")
HEADER_SEARCHED = 50
CELL_LIMIT = 10_000_000
REMARKS = ("encoding", "delimiter", "other sheets", "merged cells", "formulas without values")
_CHUNK, _LONGEST_TAG = 1 << 20, 200
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)"')
# A formula that no program has worked out yet: nothing stands after it in its cell.
_UNVALUED = re.compile(rb"(?:</f>|<f\b[^>]{0,100}/>)(?:<v ?/>|<v></v>)?</c>")


@dataclass(frozen=True)
class TableRow:
    """One row: its number as a spreadsheet counts, its cells by column (an empty cell is ""), and what it has wrong."""

    number: int
    cells: dict[str, str]
    problem: Problem | None = None


@dataclass(frozen=True)
class Remark:
    """Something odd about a file: `what` is one of `REMARKS`, `detail` a name or a number."""

    what: str
    detail: str


@dataclass(frozen=True)
class Table:
    """A file's rows and its columns in order. `remarks`: what was odd about the file and was read around."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    remarks: tuple[Remark, ...] = ()


def read_table(path: Path, header_names: Collection[str], *, lenient: bool = False) -> Table:
    """Read one file. The header of a CSV or XLSX is the first row that holds two or more of `header_names`
    (folded with `fold_column`), or else the first row that isn't empty. Raises `BadRows` if the file can't be read;
    what is wrong with one row stands in the row.

    With `lenient`, a CSV may be UTF-16 or Windows-1252 and parted by any of `,;` and tab, and the cells below the first
    of a merged column hold its value; the table's remarks tell what was done."""
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
        remarks: list[Remark] = []
        if suffix == "xlsx":
            merged: list[tuple[int, int, int]] = []
            grid = _read_xlsx(path, merged, remarks, lenient=lenient)
            return _under_header(path, grid, header_names, merged, remarks)
        return _under_header(path, _read_csv(path, header_names, remarks, lenient=lenient), header_names, [], remarks)
    except UnicodeDecodeError as error:
        raise _unreadable(
            path, f"byte {error.start} is not UTF-8", "a file saved as UTF-8 (in Excel: CSV UTF-8)"
        ) from None
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error), "a file that can be read") from error


def fold_column(name: str) -> str:
    """A column name as it is compared: no case, single spaces."""
    return " ".join(name.replace("_", " ").casefold().split())


def _read_csv(
    path: Path, header_names: Collection[str], remarks: list[Remark], *, lenient: bool
) -> Iterator[list[str]]:
    if lenient:
        text, encoding = _decode(path.read_bytes())
        if encoding != "UTF-8":
            remarks.append(Remark("encoding", encoding))
    else:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            text = handle.read()
    csv.field_size_limit(CELL_LIMIT)
    head = text[:20_000].splitlines()[:HEADER_SEARCHED]
    delimiter = max(",;\t", key=lambda d: max((_known(line.split(d), header_names) for line in head), default=0))
    if lenient and not any(_known(line.split(delimiter), header_names) for line in head):
        first = next((line for line in head if line.strip()), "")
        delimiter = max(",;\t", key=first.count)
    if lenient and delimiter != ",":
        remarks.append(Remark("delimiter", "tab" if delimiter == "\t" else delimiter))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        what = f"line {reader.line_num}: {error}"
        raise _unreadable(path, what, "a CSV file whose quotes are closed and, inside a text, doubled") from None


def _decode(raw: bytes) -> tuple[str, str]:
    """A file's text and the name of its encoding: by its mark, else UTF-8, else Windows-1252, which reads any byte."""
    for mark, encoding, name in (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    ):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace"), name
    try:
        return raw.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        pass
    # Without a mark, every second byte of UTF-16 in Latin letters is 0.
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = raw[start:2_000:2]
        if half.count(0) > len(half) * 0.8:
            return raw.decode(encoding, "replace"), "UTF-16"
    return raw.decode("cp1252", "replace"), "Windows-1252"


def _read_xlsx(
    path: Path, merged: list[tuple[int, int, int]], remarks: list[Remark], *, lenient: bool
) -> Iterator[list[str]]:
    """The cells of the first sheet that isn't hidden. `merged` is given its merged columns: column, first, last row."""
    import openpyxl  # here, because most commands never read a spreadsheet

    try:
        with warnings.catch_warnings():
            # It warns of styles and extensions that it leaves out; no cell is lost by that.
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), book.worksheets[0])
                if others := [each.title for each in book.worksheets if each is not sheet]:
                    remarks.append(Remark("other sheets", ", ".join(others)))
                if lenient:
                    _look_at_sheet(path, sheet._worksheet_path, merged, remarks)
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


def _look_at_sheet(path: Path, part: str, merged: list[tuple[int, int, int]], remarks: list[Remark]) -> None:
    """Merged columns and formulas without values, which openpyxl doesn't tell when it reads a sheet row by row."""
    from openpyxl.utils import column_index_from_string

    unvalued, kept = 0, b""
    with zipfile.ZipFile(path) as archive, archive.open(part.lstrip("/")) as handle:
        while chunk := handle.read(_CHUNK):
            text, done = kept + chunk, 0
            for found in _UNVALUED.finditer(text):
                unvalued, done = unvalued + 1, found.end()
            for found in _MERGED.finditer(text):
                done = found.end()
                if found[4] != found[2]:
                    merged.append((column_index_from_string(found[1].decode()) - 1, int(found[2]), int(found[4])))
            kept = text[max(done, len(text) - _LONGEST_TAG) :]
    if unvalued:
        remarks.append(Remark("formulas without values", str(unvalued)))


def _under_header(
    path: Path,
    grid: Iterable[list[str]],
    header_names: Collection[str],
    merged: Sequence[tuple[int, int, int]] = (),
    remarks: list[Remark] | None = None,
) -> Table:
    """Rows below the header; empty rows are passed over but counted."""
    lines = list(grid)
    remarks = [] if remarks is None else remarks
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
    if filled := _fill_merged(lines, header_row, merged):
        remarks.append(Remark("merged cells", str(filled)))
    rows = tuple(
        _table_row(path, number, columns, line)
        for number, line in enumerate(lines[header_row + 1 :], header_row + 2)
        if any(cell.strip() for cell in line)
    )
    return Table(path.name, tuple(c for c in columns if c), rows, tuple(remarks))


def _fill_merged(lines: list[list[str]], header_row: int, merged: Sequence[tuple[int, int, int]]) -> int:
    """Put a merged column's value into the cells below its first; how many were filled. Rows count from 1."""
    filled = 0
    for column, first, last in merged:
        value = (
            lines[first - 1][column] if header_row < first - 1 < len(lines) and column < len(lines[first - 1]) else ""
        )
        for line in lines[first : min(last, len(lines))] if value else []:
            # A merged row that holds nothing else is no row of its own.
            if any(cell.strip() for cell in line):
                line.extend([""] * (column + 1 - len(line)))
                line[column], filled = value, filled + 1
    return filled


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
