"""Labelled rows: from files of any known layout to typed rows, refusing with the row's number what can't be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from data.complaint import Complaint, Confidentiality, Jurisdiction, LabelledRow, Urgency
from data.dates import EXPECTED as DATE_EXPECTED
from data.dates import parse_date
from data.errors import BadRows, Problem
from data.region import NamedAgency, known_regions, load_region
from data.sectors import all_sectors
from data.tables import Table, TableRow, fold_column, read_table
from data.writing import write_csv

# Our own column names, and LAPOR!'s. Columns that are known only after routing (category, status) are not read at all.
COLUMNS = {
    "id": ("id", "tracking id"),
    "received_at": ("received at", "tanggal laporan masuk"),
    "clock": ("waktu laporan masuk",),
    "title": ("title", "judul laporan", "judul"),
    # "Awal" is what the citizen typed; "Akhir" what an admin made of it.
    "text": ("text", "isi laporan awal", "isi laporan", "isi laporan akhir"),
    "location": ("location", "lokasi"),
    "village": ("kelurahan",),
    "district": ("district", "kecamatan"),
    "region": ("region",),
    "agency": ("agency", "instansi terdisposisi"),
    "sector": ("sector",),
    "not_agency": ("not agency",),
    "not_sector": ("not sector",),
    "area": ("area",),
    "urgency": ("urgency",),
    "jurisdiction": ("jurisdiction", "level"),
    "complete": ("complete",),
    "label_source": ("label source",),
    "confidentiality": ("confidentiality", "tipe laporan (anonim/rahasia)"),
    "language": ("language",),
    "channel": ("channel", "sumber laporan"),
}
HEADER_NAMES = frozenset(name for names in COLUMNS.values() for name in names)
# Between several agencies or sectors in one cell.
SEPARATOR = "; "
_NO_AGENCY = NamedAgency(None, None)
_URGENCY_EXPECTED = "0, 1, 2, 3 or rendah, sedang, tinggi, darurat"
_JURISDICTION_EXPECTED = f"one of {', '.join(Jurisdiction)}"
_COMPLETE_EXPECTED = "1 (complete) or 0 (not)"
_AGENCIES_EXPECTED = "agencies that the row's region file knows, in any of their spellings, parted by ';'"
_CONFIDENTIALITY_EXPECTED = "terbuka, anonim or rahasia"
TEXT_EXPECTED = "a column 'text' (or LAPOR!'s 'Isi Laporan Awal')"
_VALUE_SHOWN = 60

Parsed = TypeVar("Parsed")


@dataclass
class RowsRead:
    """What a reading gave: the rows, the problems of those that were left out, and what the user should know."""

    rows: list[LabelledRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rejected: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # The file and the row number, as a spreadsheet counts, that each of `rows` stands in.
    places: list[tuple[str, int]] = field(default_factory=list)


def read_rows(
    paths: Sequence[Path], region: str, *, annotations: Path | None = None, labels: bool = True, skip_bad: bool = False
) -> RowsRead:
    """Read row files of any region; `region` is that of rows that name none.

    With `labels` false, label columns are ignored, as for rows that are only to be predicted. `annotations` adds
    urgency, jurisdiction and completeness by id. Raises `BadRows` with every problem, unless `skip_bad`.
    """
    load_region(region)
    read = RowsRead()
    reader = _RowReader(region, labels, read)
    for path in paths:
        try:
            reader.read_file(path)
        except BadRows as error:
            read.problems += error.problems
    added = _read_annotations(annotations, read) if annotations else {}
    unreadable_files = any(problem.row == 0 for problem in read.problems)
    if read.problems and (unreadable_files or not skip_bad or not read.rows):
        raise BadRows(read.problems)
    if added:
        read.rows = [_annotated(row, added.get(row.id)) for row in read.rows]
        missed = len(added.keys() - {row.id for row in read.rows})
        if missed:
            read.notes.append(f"{missed} of {len(added)} annotations are for ids that are not among the rows.")
    read.notes += reader.notes()
    return read


def read_tables(
    tables: Sequence[tuple[Table, Mapping[str, tuple[str, ...]]]], region: str, *, labels: bool = True
) -> RowsRead:
    """The rows of tables read already, each with the columns that hold our fields (as `match_columns` gives them).

    Nothing is raised for rows: what is wrong with them stands in the result.
    """
    load_region(region)
    read = RowsRead()
    reader = _RowReader(region, labels, read)
    for table, columns in tables:
        reader.read_table(table, columns)
    read.notes += reader.notes()
    return read


def write_rejected(read: RowsRead, path: Path) -> None:
    """Write the rows that were left out, with what was wrong and all their cells, so that nothing is lost."""
    write_csv(path, ("file", "row", "column", "value", "expected", "original"), read.rejected)


@dataclass
class _RowReader:
    """Reads files one by one, remembering ids across them."""

    region: str
    labels: bool
    into: RowsRead
    ids: dict[str, str] = field(default_factory=dict)
    files: int = 0
    names: set[str] = field(default_factory=set)
    unresolved: Counter[str] = field(default_factory=Counter)

    def read_file(self, path: Path) -> None:
        table = read_table(path, HEADER_NAMES)
        if table.file in self.names:  # each week's cleaned rows have the same name
            table = replace(table, file=str(path))
        self.names.add(table.file)
        columns = match_columns(table)
        if "text" not in columns and not (table.rows and all(row.problem for row in table.rows)):
            # Without a known name the first row may be a citizen's words, so it isn't shown.
            found = f"no text column among: {', '.join(table.columns[:30])}" if columns else "no header that is known"
            raise BadRows([Problem(table.file, 0, "", found, TEXT_EXPECTED)])
        self.read_table(table, columns)

    def read_table(self, table: Table, columns: Mapping[str, tuple[str, ...]]) -> None:
        self.files += 1
        for table_row in table.rows:
            if table_row.problem:
                self.into.problems.append(table_row.problem)
                self.into.rejected.append(_rejected(table_row.problem, table_row))
                continue
            cells = _Cells(table.file, table_row, columns)
            row = self._parse(cells)
            if cells.problems:
                self.into.problems += cells.problems
                self.into.rejected += [_rejected(problem, table_row) for problem in cells.problems]
            else:
                self.into.rows.append(row)
                self.into.places.append((table.file, table_row.number))

    def notes(self) -> Iterator[str]:
        for region, count in sorted(self.unresolved.items()):
            yield (
                f"{count} rows of region {region!r}, which has no region file, name an agency but no sector: "
                "they carry no sector label."
            )

    def _parse(self, cells: _Cells) -> LabelledRow:
        region = cells.get("region").casefold() or self.region
        row = LabelledRow(
            id=self._row_id(cells),
            complaint=Complaint(
                text=cells.text("text"),
                title=cells.get("title"),
                location=_location(cells),
                region=region,
            ),
            received_at=cells.parse("received_at", lambda v: parse_date(v, cells.get("clock")), DATE_EXPECTED) or "",
            confidentiality=cells.parse("confidentiality", _parse_confidentiality, _CONFIDENTIALITY_EXPECTED)
            or Confidentiality.TERBUKA,
            label_source=cells.get("label_source"),
            language=cells.get("language"),
            channel=cells.get("channel"),
        )
        return self._with_labels(row, cells) if self.labels else row

    def _with_labels(self, row: LabelledRow, cells: _Cells) -> LabelledRow:
        sectors = ", ".join(all_sectors())
        sector = cells.parse("sector", _parse_sector, f"one of {sectors}")
        region = row.complaint.region
        named = self._named_agency(region, cells, has_sector=sector is not None)
        return replace(
            row,
            agency=named.agency,
            sector=sector or named.sector,
            area=cells.get("area") or named.area,
            not_agencies=cells.parse("not_agency", lambda v: _parse_agencies(region, v), _AGENCIES_EXPECTED) or (),
            not_sectors=cells.parse("not_sector", _parse_sectors, f"of {sectors}, parted by ';'") or (),
            urgency=cells.parse("urgency", _parse_urgency, _URGENCY_EXPECTED),
            jurisdiction=cells.parse("jurisdiction", Jurisdiction, _JURISDICTION_EXPECTED),
            complete=cells.parse("complete", _parse_complete, _COMPLETE_EXPECTED),
        )

    def _named_agency(self, region: str, cells: _Cells, *, has_sector: bool) -> NamedAgency:
        name = cells.get("agency")
        if not name:
            return _NO_AGENCY
        if region not in known_regions():
            if not has_sector:
                self.unresolved[region] += 1
            return _NO_AGENCY
        named = load_region(region).resolve_agency_name(name)
        if named is None:
            cells.problem("agency", f"an agency that the region file of {region} knows, in any of its spellings")
        return named or _NO_AGENCY

    def _row_id(self, cells: _Cells) -> str:
        row_id = cells.get("id") or self._made_id(cells)
        here = f"{cells.file}, row {cells.row.number}"
        if row_id in self.ids:
            cells.problem("id", f"an id of its own; {self.ids[row_id]} has it too")
        else:
            self.ids[row_id] = here
        return row_id

    def _made_id(self, cells: _Cells) -> str:
        made = f"{Path(cells.file).stem}:{cells.row.number}"
        return f"{self.files}:{made}" if made in self.ids else made


@dataclass
class _Cells:
    """One row's cells under our names, gathering what is wrong with them."""

    file: str
    row: TableRow
    columns: Mapping[str, tuple[str, ...]]
    problems: list[Problem] = field(default_factory=list)

    def get(self, name: str) -> str:
        """The first filled cell among the columns that carry `name`."""
        for column in self.columns.get(name, ()):
            # NUL bytes are remains of old exports; no store takes them, and no reader would miss them.
            if value := self.row.cells.get(column, "").replace("\0", "").strip():
                return value
        return ""

    def text(self, name: str) -> str:
        """The complaint's text; a row that has neither text nor title is a problem."""
        value = self.get(name)
        if not value and not self.get("title"):
            self.problem(name, "the complaint's text", shown="empty")
        return value

    def parse(self, name: str, parser: Callable[[str], Parsed], expected: str) -> Parsed | None:
        """The parsed cell; None if it is empty or, with a problem noted, if the parser raises ValueError."""
        value = self.get(name)
        if not value:
            return None
        try:
            return parser(value)
        except ValueError:
            self.problem(name, expected)
            return None

    def problem(self, name: str, expected: str, *, shown: str | None = None) -> None:
        column = next(iter(self.columns.get(name, (name,))))
        value = self.get(name)
        short = value if len(value) <= _VALUE_SHOWN else value[:_VALUE_SHOWN] + "..."
        self.problems.append(
            Problem(self.file, self.row.number, column, repr(short) if shown is None else shown, expected)
        )


def match_columns(table: Table) -> dict[str, tuple[str, ...]]:
    """The file's columns under our names, in our order of preference."""
    folded = {fold_column(column): column for column in table.columns}
    matched = {ours: tuple(folded[name] for name in theirs if name in folded) for ours, theirs in COLUMNS.items()}
    return {ours: theirs for ours, theirs in matched.items() if theirs}


def _location(cells: _Cells) -> str:
    """The intake's location, from its own field or from LAPOR!'s village and district columns."""
    village, district = cells.get("village"), cells.get("district")
    parts = [
        cells.get("location"),
        f"Kelurahan {village}" if village else "",
        f"Kecamatan {district}" if district else "",
    ]
    return ", ".join(part for part in parts if part)


def _parse_sector(value: str) -> str:
    value = value.strip()
    if value not in all_sectors():
        raise ValueError(value)
    return value


def _parse_sectors(value: str) -> tuple[str, ...]:
    return tuple(_parse_sector(part) for part in value.split(SEPARATOR.strip()))


def _parse_agencies(region: str, value: str) -> tuple[str, ...]:
    """Agencies' codes; villages that share a name have none, nor has any agency of a region without a file."""
    if region not in known_regions():
        return ()
    named = [load_region(region).resolve_agency_name(part) for part in value.split(SEPARATOR.strip())]
    if None in named:
        raise ValueError(value)
    return tuple(found.agency for found in named if found and found.agency)


def _parse_urgency(value: str) -> int:
    name = value.upper()
    return int(Urgency[name] if name in Urgency.__members__ else Urgency(int(value.removesuffix(".0"))))


def _parse_complete(value: str) -> bool:
    value = value.removesuffix(".0")
    if value not in ("0", "1"):
        raise ValueError(value)
    return value == "1"


def _parse_confidentiality(value: str) -> Confidentiality:
    return Confidentiality(value.casefold())


def _read_annotations(path: Path, read: RowsRead) -> dict[str, LabelledRow]:
    """Labels by id; they are rows without a text. What is wrong with them joins the other problems."""
    try:
        table = read_table(path, HEADER_NAMES)
    except BadRows as error:
        read.problems += error.problems
        return {}
    columns = match_columns(table)
    if "id" not in columns:
        read.problems.append(Problem(table.file, 0, "", "no id column", "a column 'id' that names rows"))
        return {}
    added: dict[str, LabelledRow] = {}
    for table_row in table.rows:
        cells = _Cells(table.file, table_row, columns)
        cells.problems += [table_row.problem] if table_row.problem else []
        row = LabelledRow(
            id=cells.get("id"),
            complaint=Complaint(""),
            urgency=cells.parse("urgency", _parse_urgency, _URGENCY_EXPECTED),
            jurisdiction=cells.parse("jurisdiction", Jurisdiction, _JURISDICTION_EXPECTED),
            complete=cells.parse("complete", _parse_complete, _COMPLETE_EXPECTED),
        )
        if not row.id or row.id in added:
            cells.problem("id", "an id that no other annotation has")
        if cells.problems:
            read.problems += cells.problems
            read.rejected += [_rejected(problem, table_row) for problem in cells.problems]
        else:
            added[row.id] = row
    return added


def _annotated(row: LabelledRow, added: LabelledRow | None) -> LabelledRow:
    if added is None:
        return row
    return replace(
        row,
        urgency=row.urgency if added.urgency is None else added.urgency,
        jurisdiction=added.jurisdiction or row.jurisdiction,
        complete=row.complete if added.complete is None else added.complete,
    )


def _rejected(problem: Problem, row: TableRow) -> dict[str, object]:
    return {
        "file": problem.file,
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "expected": problem.expected,
        "original": json.dumps(row.cells, ensure_ascii=False),
    }
