"""Sheets for people to fill in, and their decisions taken back into the rows, of which nothing is lost."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

from data.complaint import LabelledRow, Provenance
from data.errors import BadRows, CannotWrite, OutputExists, Problem
from data.region import Region, fold_name
from data.sectors import all_sectors
from data.tables import Table, TableRow, fold_column, read_table
from data.writing import whole_file
from model.masking import mask_personal_data
from training.mapping import ColumnMapping
from training.row_check import Source
from training.row_cleaning import DECISION_COLUMNS
from training.suspects import CONFIDENT, COPIES, UNSURE, Suspect

SHEET_COLUMNS = (
    *("rank", "id", "file", "row", "title", "text", "agency", "sector", "likely_sector", "likely_agency"),
    *("sector_probability", "likely_probability", "reason", "decision", "new_label"),
)
KEEP, CHANGE, EMPTY = "tetap", "ganti", "kosongkan"
DECISIONS = {KEEP: KEEP, "keep": KEEP, CHANGE: CHANGE, "change": CHANGE, EMPTY: EMPTY, "empty": EMPTY}
DECIDED, BEFORE = DECISION_COLUMNS
_EXPECTED = f"{KEEP}, {CHANGE} or {EMPTY}, or nothing if undecided"
_LABEL_EXPECTED = "a sector's code or name, or an agency's name as the region file knows it"
# What a cell that a spreadsheet would work out begins with (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_WIDE = {"text": 80, "title": 30, "reason": 60}


@dataclass(frozen=True)
class Decision:
    """What a person decided of one row: its id, where the sheet says so, and the new label of a change."""

    row: int
    id: str
    what: str
    sector: str = ""
    agency: str = ""


@dataclass(frozen=True)
class Applied:
    """The rows with decisions applied under `columns`, and how many decisions of each kind."""

    columns: tuple[str, ...]
    rows: list[dict[str, str]]
    counts: dict[str, int] = field(default_factory=dict)


def sheet_rows(
    suspects: Sequence[Suspect], rows: Sequence[LabelledRow], places: Sequence[tuple[str, int]], region: Region
) -> list[dict[str, object]]:
    """The suspects under `SHEET_COLUMNS`, masked, with the reason in Indonesian and two columns to fill in."""
    found = []
    for rank, suspect in enumerate(suspects, 1):
        row, (file, number) = rows[suspect.row], places[suspect.row]
        agency = region.all_agencies.get(row.agency or "")
        likely = region.agency_of_sector.get(suspect.likely)
        found.append(
            {
                "rank": rank,
                "id": row.id,
                "file": file,
                "row": number,
                "title": mask_personal_data(row.complaint.title),
                "text": mask_personal_data(row.complaint.text),
                "agency": agency.name if agency else "",
                "sector": suspect.given,
                "likely_sector": suspect.likely,
                "likely_agency": likely.name if likely else "",
                "sector_probability": round(suspect.given_probability, 4),
                "likely_probability": round(suspect.likely_probability, 4),
                "reason": reason_in_words(suspect, region.family_of_sector),
                "decision": "",
                "new_label": "",
            }
        )
    return found


def reason_in_words(suspect: Suspect, offices: Collection[str] = ()) -> str:
    """Why a label is doubted, in Indonesian. `offices` are the sectors of area offices, which take many matters."""
    given, likely = (all_sectors()[code].name for code in (suspect.given, suspect.likely))
    shares = (
        f"{_percent(suspect.given_probability)} untuk {given}, {_percent(suspect.likely_probability)} untuk {likely}"
    )
    caution = " Kantor wilayah bisa menangani banyak hal, jadi belum tentu salah." if suspect.given in offices else ""
    reason = {
        COPIES: f"{suspect.copies} laporan yang hampir sama berlabel {likely}. Peluang: {shares}.",
        CONFIDENT: f"Laporan yang serupa hampir selalu berlabel {likely}. Peluang: {shares}.",
        UNSURE: f"Teksnya kurang cocok dengan {given}. Peluang: {shares}.",
    }[suspect.reason]
    return reason + caution


def check_sheet(path: Path) -> None:
    """Raise `CannotWrite` or `OutputExists` unless a sheet may be written there; ask before long work."""
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise CannotWrite(f"Can't write {path}: the name must end in .csv or .xlsx.")
    if path.exists():
        raise OutputExists(f"{path} is there already, perhaps filled in. Choose another name, or move it away.")


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a sheet as CSV or XLSX, by the name's ending, whole or not at all; no cell is ever a formula.

    Raises `OutputExists` for a file that is there already: somebody may have filled it in; `CannotWrite`.
    """
    check_sheet(path)
    if path.suffix.lower() == ".csv":
        with whole_file(path) as handle:
            handle.write(_BOM)
            writer = csv.writer(handle)
            writer.writerow(columns)
            writer.writerows([_inert(row.get(column)) for column in columns] for row in rows)
        return
    content = _workbook(columns, rows)
    with whole_file(path) as handle:
        cast(TextIO, handle).buffer.write(content)


def read_decisions(path: Path, table: Table, mapping: ColumnMapping, region: Region) -> list[Decision]:
    """The decisions of a filled sheet about the rows of one file. Raises `BadRows` with all that can't be followed.

    Lines without a decision are passed over, and those of other files where some are of this one.
    """
    names = frozenset(fold_column(column) for column in SHEET_COLUMNS)
    sheet = read_table(path, names, lenient=True)
    columns = {fold_column(column): column for column in sheet.columns}
    missing = [name for name in ("id", "decision", "new label") if name not in columns]
    if missing:
        what = f"no column named {', '.join(map(repr, missing))}"
        raise BadRows([Problem(sheet.file, 0, "", what, "a sheet that 'rows suspects' wrote")])
    known = row_ids(table, mapping)
    problems: list[Problem] = []
    decisions: dict[str, Decision] = {}
    elsewhere: Counter[str] = Counter()
    for line in sheet.rows:
        cells = {name: line.cells.get(column, "").strip() for name, column in columns.items()}
        if not cells["decision"] and not cells["new label"]:
            continue
        if (file := cells.get("file", "")) not in ("", table.file):
            elsewhere[file] += 1
            continue
        decision = _decision(cells, line, sheet.file, known, region, problems)
        if decision is None:
            continue
        other = decisions.setdefault(decision.id, decision)
        if (other.what, other.sector, other.agency) != (decision.what, decision.sector, decision.agency):
            what = f"{decision.id!r} is decided otherwise in row {other.row}"
            problems.append(Problem(sheet.file, line.number, columns["decision"], what, "one decision for each id"))
    if elsewhere and not decisions and not problems:
        files = ", ".join(f"{count} of {file}" for file, count in elsewhere.items())
        expected = f"decisions about {table.file}: name the file that the sheet was made of, under the name it had then"
        problems.append(Problem(sheet.file, 0, "file", f"decisions about other files alone ({files})", expected))
    if problems:
        raise BadRows(problems)
    return list(decisions.values())


def apply_decisions(source: Source, decisions: Sequence[Decision]) -> Applied:
    """Every row of a file with all its cells, those decided on with their new label and the old one beside it."""
    table, mapping = source.table, source.mapping
    by_id = {decision.id: decision for decision in decisions}
    ids = row_ids(table, mapping)
    agency, sector = (mapping.columns.get(name, (name,)) for name in ("agency", "sector"))
    origin = mapping.columns.get("label_source", ("label_source",))[0]
    made: dict[str, None] = dict.fromkeys(table.columns)
    for row in table.rows:
        made.update(dict.fromkeys(row.cells))
    made.update(dict.fromkeys((agency[0], sector[0], origin, DECIDED, BEFORE) if decisions else ()))
    numbers = {row.number: row_id for row_id, row in ids.items()}
    rows = []
    for row in table.rows:
        cells = dict.fromkeys(made, "") | row.cells
        decision = by_id.get(numbers.get(row.number, ""))
        if decision is not None:
            _apply(decision, cells, agency, sector, origin)
        rows.append(cells)
    return Applied(tuple(made), rows, dict(Counter(decision.what for decision in decisions)))


def row_ids(table: Table, mapping: ColumnMapping) -> dict[str, TableRow]:
    """A file's rows by id, made as a reading of that file alone makes it; of a repeated id the first."""
    found: dict[str, TableRow] = {}
    for row in table.rows:
        filled = (cell for column in mapping.columns.get("id", ()) if (cell := row.cells.get(column, "").strip()))
        found.setdefault(next(filled, f"{Path(table.file).stem}:{row.number}"), row)
    return found


def decided_ids(sources: Iterable[Source]) -> set[str]:
    """Ids of rows that carry a decision from an earlier sheet, so that nobody is asked twice."""
    return {
        row_id
        for source in sources
        for row_id, row in row_ids(source.table, source.mapping).items()
        if row.cells.get(DECIDED, "").strip() in (KEEP, CHANGE)
    }


def _decision(
    cells: Mapping[str, str],
    line: TableRow,
    file: str,
    known: Mapping[str, TableRow],
    region: Region,
    problems: list[Problem],
) -> Decision | None:
    """The decision of one line; None, with what is wrong among `problems`, if it can't be followed."""

    def refuse(column: str, value: str, expected: str) -> None:
        problems.append(Problem(file, line.number, column, value, expected))

    before = len(problems)
    row_id, new = cells["id"].removeprefix("'"), cells["new label"].removeprefix("'")
    what = DECISIONS.get(cells["decision"].casefold(), "")
    sector = agency = ""
    if row_id not in known:
        refuse("id", repr(row_id), "an id of the file's rows (a spreadsheet may change ids in CSV: use .xlsx)")
    if not cells["decision"]:
        refuse("decision", f"empty beside the new label {new[:60]!r}", f"{CHANGE}, or no new label")
    elif not what:
        refuse("decision", repr(cells["decision"][:60]), _EXPECTED)
    elif what == CHANGE and not new:
        refuse("new_label", "empty", _LABEL_EXPECTED)
    elif what != CHANGE and new:
        refuse("new_label", f"{new[:60]!r} beside {cells['decision']!r}", f"nothing, or the decision {CHANGE}")
    elif what == CHANGE and (found := _label(new, region)) is None:
        refuse("new_label", repr(new[:60]), _LABEL_EXPECTED)
    elif what == CHANGE and found:
        sector, agency = found
    return Decision(line.number, row_id, what, sector, agency) if len(problems) == before else None


def _label(name: str, region: Region) -> tuple[str, str] | None:
    """The sector and agency that a new label means; None if it means none."""
    by_name = {fold_name(sector.name): code for code, sector in all_sectors().items()}
    code = name if name in all_sectors() else by_name.get(fold_name(name))
    if code is not None:
        agency = region.agency_of_sector.get(code)
        return code, agency.name if agency else ""
    named = region.resolve_agency_name(name)
    return (named.sector, name) if named and named.sector else None


def _apply(
    decision: Decision, cells: dict[str, str], agency: Sequence[str], sector: Sequence[str], origin: str
) -> None:
    cells[DECIDED] = decision.what
    if decision.what == KEEP:
        return
    old = " | ".join(filled for column in (*agency, *sector) if (filled := cells.get(column, "").strip()))
    cells[BEFORE] = "; ".join(filter(None, (cells.get(BEFORE, ""), old)))
    # Of several columns for one field the first that is filled counts, so the others are emptied.
    for columns, value in ((agency, decision.agency), (sector, decision.sector)):
        for column in columns:
            cells[column] = ""
        cells[columns[0]] = value
    cells[origin] = Provenance.HUMAN_CORRECTED.value if decision.what == CHANGE else ""


def _workbook(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("baris")
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDE.get(column, 16)
    header = dict(zip(columns, columns, strict=True))
    for row in (header, *rows):
        made = []
        for value in map(row.get, columns):
            cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value)
            if isinstance(value, str) and value:
                cell.data_type = "s"  # never a formula
            made.append(cell)
        sheet.append(made)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _inert(value: object) -> object:
    """A cell of CSV, with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "kurang dari 1 %"
