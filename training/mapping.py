"""Mappings: which of a file's columns holds what, from known names, guessed, asked on a terminal, or kept in TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from data.dates import parse_date
from data.errors import BadRows, Problem
from data.region import Region, fold_name
from data.rows import COLUMNS, HEADER_NAMES, TEXT_EXPECTED, match_columns
from data.sectors import all_sectors
from data.tables import Table, fold_column
from data.writing import whole_file

# How town halls head these columns in files of their own; LAPOR!'s names and ours are in data/rows.py.
_ALSO_CALLED = {
    "id": (
        "no laporan",
        "nomor laporan",
        "no tiket",
        "nomor tiket",
        "no aduan",
        "nomor aduan",
        "id laporan",
        "id aduan",
    ),
    "received_at": (
        *(
            "tanggal",
            "tgl",
            "tanggal laporan",
            "tgl laporan",
            "tanggal masuk",
            "tgl masuk",
            "tanggal aduan",
            "tgl aduan",
        ),
        *("tanggal pengaduan", "waktu", "created at", "date"),
    ),
    "title": ("judul aduan", "judul pengaduan", "perihal", "subjek", "subject"),
    "text": (
        *("isi aduan", "isi pengaduan", "isi keluhan", "aduan", "pengaduan", "keluhan", "uraian", "uraian laporan"),
        *(
            "uraian aduan",
            "uraian pengaduan",
            "deskripsi",
            "isi",
            "pesan",
            "teks",
            "laporan",
            "description",
            "complaint",
        ),
    ),
    "location": ("alamat", "lokasi kejadian", "lokasi aduan", "tempat kejadian", "address"),
    "village": ("desa", "desa/kelurahan", "kelurahan/desa"),
    "agency": (
        *("instansi", "instansi tujuan", "instansi terkait", "opd", "opd tujuan", "opd terkait", "skpd", "dinas"),
        *("perangkat daerah", "unit kerja"),
    ),
    "sector": ("sektor",),
    "urgency": ("urgensi", "tingkat urgensi"),
    "jurisdiction": ("kewenangan",),
    "complete": ("kelengkapan", "lengkap"),
    "confidentiality": ("kerahasiaan",),
    "language": ("bahasa",),
    "channel": ("saluran", "kanal"),
}
# Known only after a complaint was routed: they would give the answer away.
AFTER_ROUTING = frozenset(
    (
        *("category", "kategori", "kategori laporan", "topic", "topik", "status", "status laporan", "archive reason"),
        *(
            "alasan arsip",
            "alasan diarsipkan",
            "tindak lanjut",
            "tindak lanjut laporan",
            "jawaban",
            "tanggapan",
            "respon",
        ),
        *("tanggal selesai", "tanggal tindak lanjut", "tanggal penutupan", "rating", "penilaian", "disposisi"),
        *("id kategori", "alasan tunda/arsip", "id instansi terdisposisi"),
        *("instansi induk", "tanggal disposisi", "waktu disposisi", "report type", "klasifikasi laporan"),
    )
)
ASKED = ("text", "agency", "sector", "id", "received_at", "title", "location")
KNOWN, LIKE, CONTENTS, SAVED, ANSWERED = "known name", "name alike", "contents", "saved mapping", "answered"
_FEWEST_LETTERS, _MOST_MISSPELT = 5, 1
_LOOKED_AT = 500
_MOSTLY, _OFTEN = 0.9, 0.5
_FEWEST_WORDS = 5.0
_CHOSEN_BY_HAND = "-"
_EXPECTED = "a mapping as --save-mapping writes it"


@dataclass(frozen=True)
class ColumnMapping:
    """Our field names to a file's columns in order of preference, how each was found, and spellings of agencies.

    `agencies` leads from a spelling, folded, to a name that the region file knows.
    """

    columns: dict[str, tuple[str, ...]]
    found_by: dict[str, str] = field(default_factory=dict)
    agencies: dict[str, str] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        """Whether nothing was guessed and the text has a column."""
        return "text" in self.columns and not {LIKE, CONTENTS} & set(self.found_by.values())


def header_names(saved: ColumnMapping | None = None) -> frozenset[str]:
    """Every folded column name by which a header row is known."""
    names = {name for also in _ALSO_CALLED.values() for name in also} | HEADER_NAMES | AFTER_ROUTING
    if saved:
        names |= {fold_column(column) for columns in saved.columns.values() for column in columns}
    return frozenset(names)


def guess_mapping(table: Table, region: Region) -> ColumnMapping:
    """A mapping by the names of the columns, then by names a letter away, then by what stands in the cells."""
    columns = match_columns(table)
    found_by = dict.fromkeys(columns, KNOWN)
    free = {fold_column(column): column for column in table.columns}
    for theirs in columns.values():
        for column in theirs:
            free.pop(fold_column(column), None)
    for ours, names in _ALSO_CALLED.items():
        if ours not in columns and (name := next((name for name in names if name in free), None)):
            columns[ours], found_by[ours] = (free.pop(name),), KNOWN
    for ours in _ALSO_CALLED:
        names = (*COLUMNS[ours], *_ALSO_CALLED[ours])
        alike = None if ours in columns else next((name for name in free if _is_like_any(name, names)), None)
        if alike is not None:
            columns[ours], found_by[ours] = (free.pop(alike),), LIKE
    cells = {free[name]: _sample(table, free[name]) for name in free if name not in AFTER_ROUTING}
    for ours, fits in _BY_CONTENTS.items():
        if ours not in columns and (ours != "agency" or "sector" not in columns):
            fitting = {column: share for column, values in cells.items() if (share := fits(values, region)) > 0}
            if fitting:
                best = max(fitting, key=lambda column: fitting[column])
                columns[ours], found_by[ours] = (best,), CONTENTS
                del cells[best]
    return ColumnMapping(columns, found_by)


def load_mapping(path: Path) -> ColumnMapping:
    """A mapping that `save_mapping` wrote, or a person. Raises `BadRows` with everything that is wrong with it."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadRows([Problem(path.name, 0, "", str(error.strerror or error), _EXPECTED)]) from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are such
        raise BadRows([Problem(path.name, 0, "", f"it is not TOML ({error})", _EXPECTED)]) from None
    problems = [
        Problem(path.name, 0, name, "an unknown part", "[columns] or [agencies]")
        for name in plain.keys() - {"columns", "agencies"}
    ]
    columns, agencies = plain.get("columns", {}), plain.get("agencies", {})
    if not isinstance(columns, dict) or not isinstance(agencies, dict):
        raise BadRows([Problem(path.name, 0, "", "columns or agencies are no table", _EXPECTED)])
    read: dict[str, tuple[str, ...]] = {}
    for ours, theirs in columns.items():
        several = theirs if isinstance(theirs, list) else [theirs]
        if ours not in COLUMNS:
            problems.append(Problem(path.name, 0, ours, "an unknown field", f"one of {', '.join(COLUMNS)}"))
        elif not several or not all(isinstance(name, str) and name.strip() for name in several):
            problems.append(Problem(path.name, 0, ours, "no column's name", "a name in quotes, or a list of names"))
        else:
            read[ours] = tuple(several)
    for spelling, name in agencies.items():
        if not isinstance(name, str) or not name.strip():
            problems.append(Problem(path.name, 0, spelling, "no agency's name", "a name in quotes"))
    if problems:
        raise BadRows(problems)
    folded = {fold_name(spelling): name for spelling, name in agencies.items()}
    return ColumnMapping(read, dict.fromkeys(read, SAVED), folded)


def save_mapping(mapping: ColumnMapping, path: Path) -> None:
    """Write a mapping as TOML, to be read by people and by `load_mapping`. Raises `CannotWrite`."""
    with whole_file(path) as handle:
        handle.write("# Which column of a file holds what, for: disposisi rows check FILE --mapping THIS\n[columns]\n")
        for ours, theirs in mapping.columns.items():
            shown = theirs[0] if len(theirs) == 1 else list(theirs)
            handle.write(f"{ours} = {_toml(shown)}\n")
        handle.write("\n# Spellings of agencies that the region file doesn't know, and the name it does.\n[agencies]\n")
        for spelling, name in mapping.agencies.items():
            handle.write(f"{_toml(spelling)} = {_toml(name)}\n")


def fit_mapping(saved: ColumnMapping, table: Table, region: Region) -> ColumnMapping:
    """The saved mapping with a file's own spelling of its columns. `BadRows` tells all that no longer fits."""
    theirs = {fold_column(column): column for column in table.columns}
    problems = [
        Problem(table.file, 0, column, f"the mapping's column for {ours!r} is not there", f"one of {_listed(table)}")
        for ours, columns in saved.columns.items()
        for column in columns
        if fold_column(column) not in theirs
    ]
    problems += [
        Problem(table.file, 0, "agencies", f"the mapping leads {spelling!r} to {name!r}", f"a name {region.code} knows")
        for spelling, name in saved.agencies.items()
        if region.resolve_agency_name(name) is None
    ]
    if "text" not in saved.columns:
        problems.append(Problem(table.file, 0, "text", "the mapping names no column for it", TEXT_EXPECTED))
    if problems:
        raise BadRows(problems)
    columns = {ours: tuple(theirs[fold_column(name)] for name in names) for ours, names in saved.columns.items()}
    return ColumnMapping(columns, dict.fromkeys(columns, SAVED), saved.agencies)


def ask_mapping(table: Table, guessed: ColumnMapping, ask: Callable[[str, str], str]) -> ColumnMapping:
    """The mapping as a person answers; `ask(question, default)` gives an answer. Only names are shown, never cells.

    An answer is a column's number or name, or "-" for none; anything else is asked again.
    """
    numbers = {str(number): column for number, column in enumerate(table.columns, 1)}
    numbers |= {fold_column(column): column for column in table.columns}
    listed = "\n".join(f"  {number}. {column}" for number, column in enumerate(table.columns, 1))
    columns, found_by = dict(guessed.columns), dict(guessed.found_by)
    intro = f"{table.file} has these columns:\n{listed}\n"
    for ours in ASKED:
        current = columns.get(ours, (_CHOSEN_BY_HAND,))[0]
        while True:
            answer = ask(f"{intro}Which one holds {ours}? A number, a name, or {_CHOSEN_BY_HAND} for none", current)
            intro, answer = "", answer.strip()
            if answer == _CHOSEN_BY_HAND and ours != "text":
                columns.pop(ours, None)
                found_by.pop(ours, None)
            elif column := numbers.get(fold_column(answer)):
                if column != current:
                    columns[ours], found_by[ours] = (column,), ANSWERED
                elif found_by.get(ours) in (LIKE, CONTENTS):
                    found_by[ours] = ANSWERED
            else:
                continue
            break
    return ColumnMapping(columns, found_by, guessed.agencies)


def with_agency_spellings(table: Table, mapping: ColumnMapping) -> Table:
    """The table with agency names as the region file knows them, where the mapping says so."""
    if not mapping.agencies or "agency" not in mapping.columns:
        return table
    rows = tuple(_respelt(row.cells, mapping) for row in table.rows)
    return Table(
        table.file,
        table.columns,
        tuple(type(row)(row.number, cells, row.problem) for row, cells in zip(table.rows, rows, strict=True)),
        table.remarks,
    )


def _respelt(cells: Mapping[str, str], mapping: ColumnMapping) -> dict[str, str]:
    changed = dict(cells)
    for column in mapping.columns["agency"]:
        if column in changed:
            changed[column] = mapping.agencies.get(fold_name(changed[column]), changed[column])
    return changed


def _is_like_any(name: str, names: Sequence[str]) -> bool:
    """Whether a name is one of `names` but for a letter."""
    return any(
        len(each) >= _FEWEST_LETTERS and Levenshtein.distance(name, each, score_cutoff=_MOST_MISSPELT) <= _MOST_MISSPELT
        for each in names
    )


def _sample(table: Table, column: str) -> list[str]:
    filled = (row.cells.get(column, "").strip() for row in table.rows if not row.problem)
    found: list[str] = []
    for cell in filled:
        if cell:
            found.append(cell)
            if len(found) == _LOOKED_AT:
                break
    return found


def _fits_text(values: Sequence[str], _region: Region) -> float:
    """The mean number of words, where it is that of sentences."""
    words = sum(len(value.split()) for value in values) / max(len(values), 1)
    return words if words >= _FEWEST_WORDS else 0.0


def _fits_agency(values: Sequence[str], region: Region) -> float:
    share = sum(region.resolve_agency_name(value) is not None for value in values) / max(len(values), 1)
    return share if share >= _OFTEN else 0.0


def _fits_sector(values: Sequence[str], _region: Region) -> float:
    share = sum(value in all_sectors() for value in values) / max(len(values), 1)
    return share if share >= _MOSTLY else 0.0


def _fits_date(values: Sequence[str], _region: Region) -> float:
    share = sum(_is_date(value) for value in values) / max(len(values), 1)
    return share if share >= _MOSTLY else 0.0


def _is_date(value: str) -> bool:
    try:
        return len(parse_date(value)) >= len("2024-01-18")
    except ValueError:
        return False


_BY_CONTENTS: dict[str, Callable[[Sequence[str], Region], float]] = {
    "sector": _fits_sector,
    "agency": _fits_agency,
    "received_at": _fits_date,
    "text": _fits_text,
}


def _listed(table: Table) -> str:
    return ", ".join(map(repr, table.columns[:30]))


def _toml(value: str | Sequence[str]) -> str:
    """A string or list as TOML: JSON's quoting is TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
