"""Cleaning rows: what in their texts must not be learned from, the rows without it, and what was changed in each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from joblib import Parallel, delayed

from data.complaint import Confidentiality, LabelledRow
from data.progress import Progress
from data.region import known_regions, load_region
from data.rows import SEPARATOR, RowsRead
from model.language import majority_language
from model.masking import KINDS, mask_personal_data
from model.normalising import fold, split_words
from training.heads import JOBS, ROWS_WORTH_PROCESSES
from training.leaks import LeakFinder
from training.provenance import is_independent, weights_of

# What `rows apply-decisions` writes beside a label.
DECISION_COLUMNS = ("decision", "label_before")
MASKED, COPY, SECRET = "masked", "exact copy", "secret"
CLEANED = (
    *(
        "id",
        "received_at",
        "title",
        "text",
        "location",
        "region",
        "agency",
        "sector",
        "area",
        "urgency",
        "jurisdiction",
    ),
    *("complete", "label_source", "confidentiality", "language", "channel", "not_agency", "not_sector"),
    *DECISION_COLUMNS,
)
_TOGETHER = 2_000
_TOKEN = re.compile(rf"\[({'|'.join(KINDS)})\]")


@dataclass(frozen=True)
class Change:
    """What was changed in one row: the kind, and what was cut or how much was masked."""

    file: str
    row: int
    id: str
    kind: str
    detail: str


@dataclass(frozen=True)
class Scan:
    """What one row's texts hold, and the texts without it."""

    title: str
    text: str
    location: str
    cuts: list[tuple[str, str]]
    personal: Counter[str]
    names_agency: bool
    language: str
    words: str


def scan_all(rows: Sequence[LabelledRow], progress: Progress) -> list[Scan]:
    """The scans of all rows, in two processes where that pays."""
    jobs = JOBS if len(rows) >= ROWS_WORTH_PROCESSES else 1
    parts = [rows[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER)]
    scans: list[Scan] = []
    for found in Parallel(jobs, return_as="generator")(delayed(_scan_rows)(part) for part in parts):
        scans += found
        progress("leaks, personal data, languages", 0.1 + 0.7 * len(scans) / len(rows))
    return scans


def _scan_rows(rows: Sequence[LabelledRow]) -> list[Scan]:
    finders = {
        code: LeakFinder(load_region(code)) for code in {row.complaint.region for row in rows} if _has_file(code)
    }
    return [_scan_row(row, finders.get(row.complaint.region)) for row in rows]


def _scan_row(row: LabelledRow, finder: LeakFinder | None) -> Scan:
    complaint = row.complaint
    text, cuts = finder.cut(complaint.text) if finder else (complaint.text, [])
    title, more = finder.cut(complaint.title) if finder else (complaint.title, [])
    cuts = [*cuts, *more]
    masked = [mask_personal_data(each) for each in (title, text, complaint.location)]
    personal = _tokens(masked) - _tokens([title, text, complaint.location])
    words = " ".join(split_words(fold(f"{masked[0]} {masked[1]}")))
    return Scan(
        title=masked[0],
        text=masked[1],
        location=masked[2],
        cuts=cuts,
        personal=personal,
        names_agency=bool(finder and row.agency and finder.names_agency(f"{masked[0]} {masked[1]}", row.agency)),
        language=row.language or majority_language(text),
        words=words,
    )


def _tokens(texts: Iterable[str]) -> Counter[str]:
    """How many tokens of each kind the texts hold."""
    return Counter(found[1] for text in texts if "[" in text for found in _TOKEN.finditer(text))


def exact_copies(
    rows: Sequence[LabelledRow], scans: Sequence[Scan]
) -> tuple[dict[int, int], tuple[tuple[str, ...], ...]]:
    """Rows to leave out, each with the row it is a copy of; and ids of rows whose copies carry another sector.

    A copy with the same words is left out where it adds no label; the one that weighs most stays, or else the first.
    Copies that contradict all stay. Secret rows are left out by themselves, and no copy for their sake.
    """
    fair, weights = is_independent(rows), weights_of(rows)
    together: dict[str, list[int]] = {}
    for i, scan in enumerate(scans):
        if scan.words and rows[i].confidentiality is not Confidentiality.RAHASIA:
            together.setdefault(f"{rows[i].complaint.region} {scan.words}", []).append(i)
    copies: dict[int, int] = {}
    conflicts = []
    for members in together.values():
        if len(members) == 1:
            continue
        if len({rows[i].sector for i in members} - {None}) > 1:
            conflicts.append(tuple(rows[i].id for i in members))
        firsts: list[int] = []
        for i in sorted(members, key=lambda i: (-len(_labels(rows[i])), not fair[i], -weights[i], i)):
            first = next((f for f in firsts if _labels(rows[i]) <= _labels(rows[f])), None)
            if first is None:
                firsts.append(i)
            else:
                copies[i] = first
    return copies, tuple(conflicts)


def _labels(row: LabelledRow) -> set[tuple[str, object]]:
    names = ("agency", "sector", "area", "urgency", "jurisdiction", "complete", "not_agencies", "not_sectors")
    return {(name, value) for name in names if (value := getattr(row, name)) not in (None, ())}


def changes_of(read: RowsRead, scans: Sequence[Scan], copies: dict[int, int]) -> Iterable[Change]:
    for i, (row, scan, (file, number)) in enumerate(zip(read.rows, scans, read.places, strict=True)):
        if row.confidentiality is Confidentiality.RAHASIA:
            yield Change(file, number, row.id, SECRET, "")
            continue
        for kind, words in scan.cuts:
            yield Change(file, number, row.id, kind, mask_personal_data(words))
        if scan.personal:
            detail = ", ".join(f"{count} {kind}" for kind, count in sorted(scan.personal.items()))
            yield Change(file, number, row.id, MASKED, detail)
        if i in copies:
            yield Change(file, number, row.id, COPY, read.rows[copies[i]].id)


def cleaned_row(row: LabelledRow, scan: Scan, raw_agency: str, decisions: Sequence[str]) -> dict[str, object]:
    """A row under `CLEANED`; the agency of a region without a file keeps its spelling.

    `decisions` are the cells of `DECISION_COLUMNS`: what was decided about a suspect label isn't asked again.
    """
    code = row.complaint.region
    agencies = load_region(code).all_agencies if _has_file(code) else {}
    agency = agencies[row.agency].name if row.agency in agencies else "" if agencies else raw_agency
    plain = {name: getattr(row, name) for name in ("id", "received_at", "sector", "area", "urgency", "label_source")}
    return plain | {
        "title": scan.title,
        "text": scan.text,
        "location": scan.location,
        "region": code,
        "agency": agency,
        "jurisdiction": row.jurisdiction.value if row.jurisdiction else None,
        "complete": None if row.complete is None else int(row.complete),
        "confidentiality": row.confidentiality.value,
        "language": row.language,
        "channel": row.channel,
        "not_agency": SEPARATOR.join(agencies[each].name for each in row.not_agencies if each in agencies),
        "not_sector": SEPARATOR.join(row.not_sectors),
        **dict(zip(DECISION_COLUMNS, decisions, strict=True)),
    }


def _has_file(code: str) -> bool:
    return code in known_regions()
