"""Checking rows: everything that is wrong with files of labelled rows, told at once, and the rows cleaned of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rapidfuzz import fuzz, process

from data.complaint import Confidentiality, Provenance
from data.errors import BadRows, Problem
from data.progress import Progress, silent
from data.region import Region
from data.rows import RowsRead, read_tables
from data.tables import Remark, Table, fold_column, read_table
from model.masking import KINDS
from model.text import PreparedText
from training.mapping import (
    AFTER_ROUTING,
    ColumnMapping,
    ask_mapping,
    fit_mapping,
    guess_mapping,
    header_names,
    with_agency_spellings,
)
from training.provenance import only_people_label, source_of
from training.row_cleaning import DECISION_COLUMNS, Change, changes_of, cleaned_row, exact_copies, scan_all
from training.row_dates import DateCheck, check_dates
from training.splitting import Ints, near_copy_groups

# As training needs at least; and so many different complaints of a sector before a fold can learn and test it.
FEWEST_ROWS, FEWEST_OF_SECTOR = 20, 20
_NEAREST_FROM, _NEAREST_SHOWN = 60.0, 3
UNKNOWN_SHOWN = 100
# Citizens' texts may stand where agencies should: what is longer than a name isn't shown, nor any of many unknown
# spellings that occur hardly twice each.
_LEAST_REPEATED, _WORDS_OF_NAME = 2, 12
# A column that tells nearly every row's sector, and much better than the commonest sector does, gives it away.
_FEWEST_TO_TELL, _TELLING, _BETTER = 50, 0.9, 0.2

Asking = Callable[[str, str], str]


@dataclass(frozen=True)
class Source:
    """A file as it was read, and which of its columns holds what."""

    table: Table
    mapping: ColumnMapping


@dataclass(frozen=True)
class FileCheck:
    """What is to be said of one file: its rows, where each field was found and how, oddities, columns that tell."""

    name: str
    rows: int
    columns: tuple[tuple[str, tuple[str, ...], str], ...]
    remarks: tuple[Remark, ...]
    unused: tuple[str, ...]
    telling: tuple[str, ...]


@dataclass(frozen=True)
class ClassCount:
    """How many rows a sector or agency has, how many different ones (near-copies once), and how many it lacks."""

    code: str
    name: str
    rows: int
    different: int

    @property
    def lacking(self) -> int:
        return max(0, FEWEST_OF_SECTOR - self.different)


@dataclass(frozen=True)
class UnknownAgency:
    """A spelling that the region file doesn't know, how many rows have it, and the nearest known names."""

    spelling: str
    rows: int
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class RowCheck:
    """Everything that was found. No citizen's text is in it but for `changes` and `cleaned`."""

    region: str
    region_name: str
    files: tuple[FileCheck, ...]
    rows: int
    readable: int
    problems: tuple[Problem, ...]
    unknown_agencies: tuple[UnknownAgency, ...]
    unknown_spellings: int
    leaks: dict[str, int]
    names_own_agency: int
    with_agency: int
    copies: int
    near_copies: int
    largest_group: int
    conflicts: tuple[tuple[str, ...], ...]
    sectors: tuple[ClassCount, ...]
    agencies: tuple[ClassCount, ...]
    unlabelled: int
    secret: int
    machine: int
    languages: dict[str, int]
    personal: dict[str, int]
    with_personal: int
    dates: DateCheck
    notes: tuple[str, ...]
    changes: tuple[Change, ...]
    cleaned: tuple[dict[str, object], ...]

    @property
    def labelled(self) -> int:
        return sum(each.rows for each in self.sectors)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the files as they are aren't fit to train on; none if they are."""
        tests = {
            "unreadable": bool(self.problems),
            "too few": sum(each.different for each in self.sectors) < FEWEST_ROWS or len(self.sectors) < 2,
            "leaks": bool(self.leaks),
            "dates": bool(self.dates.future or self.dates.month_first or self.dates.is_swapped),
        }
        return tuple(reason for reason, holds in tests.items() if holds)


def read_sources(
    paths: Sequence[Path], region: Region, saved: ColumnMapping | None = None, ask: Asking | None = None
) -> list[Source]:
    """Read files of any encoding and match their columns. `ask` is asked where something was guessed.

    Raises `BadRows` with what is wrong with any of the files or with the mapping.
    """
    sources, problems = [], []
    for path in paths:
        try:
            table = read_table(path, header_names(saved), lenient=True)
            mapping = fit_mapping(saved, table, region) if saved else guess_mapping(table, region)
            if ask and not saved and not mapping.is_certain:
                mapping = ask_mapping(table, mapping, ask)
            if "text" not in mapping.columns:
                listed = ", ".join(map(repr, table.columns[:30]))
                expected = "a column of complaints; name it with --mapping, or answer on a terminal"
                problems.append(Problem(table.file, 0, "", f"no text column among: {listed}", expected))
            sources.append(Source(with_agency_spellings(table, mapping), mapping))
        except BadRows as error:
            problems += error.problems
    if problems:
        raise BadRows(problems)
    return sources


def check_sources(
    sources: Sequence[Source], region: Region, today: str, progress: Progress = silent
) -> tuple[RowCheck, RowsRead]:
    """Check the rows of all files together; `today` (ISO 8601) tells what lies in the future.

    The reading that comes with it holds the rows that can't be read, with all their cells.
    """
    progress("reading rows", 0.1)
    read = read_tables([(source.table, source.mapping.columns) for source in sources], region.code)
    read.rows = rows = only_people_label(read.rows)
    scans = scan_all(rows, progress)
    progress("near-copies", 0.8)
    groups = near_copy_groups([PreparedText(scan.words, "", "") for scan in scans])
    copies, conflicts = exact_copies(rows, scans)
    progress("counting", 0.95)
    unknown, spellings = _unknown_agencies(sources, region)
    kept = [i for i, row in enumerate(rows) if i not in copies and row.confidentiality is not Confidentiality.RAHASIA]
    sizes = Counter(groups[[i for i in range(len(rows)) if i not in copies]].tolist())
    cells = _raw_cells(sources)
    decided = {
        (source.table.file, row.number): [row.cells.get(name, "") for name in DECISION_COLUMNS]
        for source in sources
        for row in source.table.rows
    }
    personal = sum((scan.personal for scan in scans), Counter[str]())
    check = RowCheck(
        region=region.code,
        region_name=region.name,
        files=tuple(_file_check(source, read) for source in sources),
        rows=sum(len(source.table.rows) for source in sources),
        readable=len(rows),
        problems=tuple(read.problems),
        unknown_agencies=unknown,
        unknown_spellings=spellings,
        leaks=dict(Counter(kind for scan in scans for kind in {kind for kind, _ in scan.cuts})),
        names_own_agency=sum(scan.names_agency for scan in scans),
        with_agency=sum(row.agency is not None for row in rows),
        copies=len(copies),
        near_copies=sum(size for size in sizes.values() if size > 1),
        largest_group=max(sizes.values(), default=0),
        conflicts=conflicts,
        sectors=_class_counts([row.sector for row in rows], groups, lambda code: code),
        agencies=_class_counts([row.agency for row in rows], groups, _agency_namer(region)),
        unlabelled=sum(row.sector is None for row in rows),
        secret=sum(row.confidentiality is Confidentiality.RAHASIA for row in rows),
        machine=sum(source_of(row) == Provenance.MACHINE for row in rows),
        languages=dict(Counter(scan.language for scan in scans).most_common()),
        personal={kind: personal[kind] for kind in KINDS if personal[kind]},
        with_personal=sum(bool(scan.personal) for scan in scans),
        dates=check_dates(rows, _date_cells(sources), today),
        notes=tuple(read.notes),
        changes=tuple(changes_of(read, scans, copies)),
        cleaned=tuple(
            cleaned_row(rows[i], scans[i], cells.get(read.places[i], ""), decided[read.places[i]]) for i in kept
        ),
    )
    progress("done", 1.0)
    return check, read


def _class_counts(labels: Sequence[str | None], groups: Ints, name: Callable[[str], str]) -> tuple[ClassCount, ...]:
    """The labels with how often each occurs, rarest last."""
    rows = Counter(label for label in labels if label is not None)
    pairs = {(label, group) for label, group in zip(labels, groups.tolist(), strict=True) if label is not None}
    different = Counter(label for label, _ in pairs)
    return tuple(ClassCount(label, name(label), count, different[label]) for label, count in rows.most_common())


def _agency_namer(region: Region) -> Callable[[str], str]:
    def name(code: str) -> str:
        agency = region.all_agencies.get(code)
        return agency.name if agency else code

    return name


def _unknown_agencies(sources: Sequence[Source], region: Region) -> tuple[tuple[UnknownAgency, ...], int]:
    """Spellings of rows of `region` that its file doesn't know, most frequent first; and how many there are in all."""
    counts: Counter[str] = Counter()
    for source in sources:
        columns, of_region = source.mapping.columns.get("agency", ()), source.mapping.columns.get("region", ())
        for row in source.table.rows:
            spelling = next((cell for column in columns if (cell := row.cells.get(column, "").strip())), "")
            code = next((cell for column in of_region if (cell := row.cells.get(column, "").strip().casefold())), "")
            if spelling and code in ("", region.code):
                counts[spelling] += 1
    names = {region.name_key(agency.name): agency.name for agency in region.all_agencies.values()}
    for agency in region.agencies:
        names |= {region.name_key(alias): agency.name for alias in agency.aliases}
    unknown = [
        (spelling, count) for spelling, count in counts.most_common() if not region.resolve_agency_name(spelling)
    ]
    are_repeated = sum(count for _, count in unknown) >= _LEAST_REPEATED * len(unknown)
    names_shown = UNKNOWN_SHOWN if are_repeated or len(unknown) <= UNKNOWN_SHOWN else 0
    found = []
    for spelling, count in [each for each in unknown if len(each[0].split()) <= _WORDS_OF_NAME][:names_shown]:
        key = region.name_key(spelling)
        near = process.extract(key, list(names), scorer=fuzz.WRatio, limit=10, score_cutoff=_NEAREST_FROM)
        nearest = dict.fromkeys(names[name] for name, _, _ in near)
        found.append(UnknownAgency(spelling[:60], count, tuple(islice(nearest, _NEAREST_SHOWN))))
    return tuple(found), len(unknown)


def _file_check(source: Source, read: RowsRead) -> FileCheck:
    table, mapping = source.table, source.mapping
    used = {column for columns in mapping.columns.values() for column in columns}
    unused = tuple(column for column in table.columns if column not in used)
    filled = {column for row in table.rows for column, cell in row.cells.items() if cell.strip()}
    known = {column for column in unused if fold_column(column) in AFTER_ROUTING and column in filled}
    sectors = {
        number: row.sector
        for (file, number), row in zip(read.places, read.rows, strict=True)
        if file == table.file and row.sector
    }
    telling = tuple(column for column in unused if column in known or _tells(table, column, sectors))
    return FileCheck(
        name=table.file,
        rows=len(table.rows),
        columns=tuple((ours, theirs, mapping.found_by.get(ours, "")) for ours, theirs in mapping.columns.items()),
        remarks=table.remarks,
        unused=unused,
        telling=telling,
    )


def _tells(table: Table, column: str, sectors: dict[int, str]) -> bool:
    """Whether a column's value nearly always tells the sector, which the commonest sector doesn't."""
    pairs = Counter(
        (value, sectors[row.number])
        for row in table.rows
        if row.number in sectors and (value := row.cells.get(column, "").strip())
    )
    total, values = pairs.total(), {value for value, _ in pairs}
    if total < _FEWEST_TO_TELL or not 2 <= len(values) <= total / 5:
        return False
    best: dict[str, int] = {}
    of_sectors: Counter[str] = Counter()
    for (value, sector), count in pairs.items():
        best[value] = max(best.get(value, 0), count)
        of_sectors[sector] += count
    share = sum(best.values()) / total
    return share >= _TELLING and share - max(of_sectors.values()) / total >= _BETTER


def _raw_cells(sources: Sequence[Source]) -> dict[tuple[str, int], str]:
    """The agency as spelled, by file and row, for files that name regions; others have no region without a file."""
    return {
        (source.table.file, row.number): cell
        for source in sources
        if "region" in source.mapping.columns
        for row in source.table.rows
        for column in source.mapping.columns.get("agency", ())
        if (cell := row.cells.get(column, "").strip())
    }


def _date_cells(sources: Sequence[Source]) -> list[str]:
    return [
        cell
        for source in sources
        for column in source.mapping.columns.get("received_at", ())[:1]
        for row in source.table.rows
        if (cell := row.cells.get(column, "").strip())
    ]
