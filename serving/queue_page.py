"""The queue's page: the waiting cases of a choice, how many wait of each kind, and a moderator's saved views."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from data.complaint import Urgency
from data.region import known_regions
from serving.checks import Check
from serving.queue import LATE, NO_AGENCY, SOON, Choice, Counts, Line
from serving.wording import (
    SHORT_REASONS,
    ago,
    clock,
    number,
    office_name,
    percent,
    place_name,
    sector_name,
    time_left,
    urgency_name,
)

PAGE_SIZE = 50
_OPENING_SHOWN = 140
_AGE_NAMES = {LATE: "Terlambat", SOON: "Habis waktu dalam sehari"}


@dataclass(frozen=True)
class UrgencyView:
    level: int
    name: str


@dataclass(frozen=True)
class QueueLine:
    """`agency`, `sector` and `percent` are empty where a moderator is to decide without a suggestion."""

    id: str
    address: str
    opening: str
    agency: str
    sector: str
    percent: str
    is_blind: bool
    urgency: UrgencyView
    reason: str
    received: str
    age: str
    left: str
    is_late: bool
    holder: str


@dataclass(frozen=True)
class FilterOption:
    value: str
    name: str
    chosen: bool


@dataclass(frozen=True)
class Filter:
    """A field of the form that chooses cases."""

    name: str
    label: str
    options: list[FilterOption]


@dataclass(frozen=True)
class ViewLink:
    name: str
    address: str


@dataclass(frozen=True)
class QueuePage:
    """What `/antrean` shows. `undo` is the id of a case whose verdict may be taken back, "" for none."""

    emergencies: list[QueueLine]
    lines: list[QueueLine]
    waiting: str
    check_count: str
    emergency_count: str
    late_count: str
    chosen: str
    is_chosen: bool
    query: str
    filters: list[Filter]
    views: list[ViewLink]
    page: int
    before: str
    after: str
    start: int
    notice: str
    problem: str
    undo: str


def parse_choice(given: Mapping[str, str], own_region: str) -> Choice:
    """The choice that an address holds; what it can't mean is left out. A moderator of a region sees no other."""
    region = given.get("daerah", "")
    urgency = given.get("urgensi", "")
    reason, age = given.get("alasan", ""), given.get("usia", "")
    agency = given.get("instansi", "")
    return Choice(
        region=own_region or (region if region in known_regions() else ""),
        agency=agency if re.fullmatch(r"[A-Za-z0-9:._-]{1,128}", agency) else "",
        urgency=int(urgency) if urgency in {str(int(level)) for level in Urgency} else None,
        reason=reason if reason in SHORT_REASONS else "",
        age=age if age in _AGE_NAMES else "",
    )


def choice_query(choice: Choice, own_region: str) -> str:
    """The choice as the end of an address, without what follows from who looks; "" for all cases."""
    fields = {
        "daerah": choice.region if choice.region != own_region else "",
        "instansi": choice.agency,
        "urgensi": "" if choice.urgency is None else str(choice.urgency),
        "alasan": choice.reason,
        "usia": choice.age,
    }
    return urlencode({name: value for name, value in fields.items() if value})


def case_address(case_id: str, query: str, **more: str) -> str:
    """The address of a case opened from a choice."""
    whole = "&".join(part for part in (urlencode(more), query) if part)
    return f"/kasus/{case_id}" + (f"?{whole}" if whole else "")


def queue_page(
    lines: Sequence[Line],
    counts: Counts,
    choice: Choice,
    own_region: str,
    at: datetime,
    *,
    page: int = 1,
    views: Sequence[tuple[str, str]] = (),
    count: int | None = None,
    notice: str = "",
    problem: str = "",
    undo: str = "",
) -> QueuePage:
    """The page of some lines, one more than fit if another page follows; `count` is of a choice within a region."""
    query = choice_query(choice, own_region)
    shown = [_line(line, query, at) for line in lines[:PAGE_SIZE]]
    emergencies = [line for line in shown if line.urgency.level == Urgency.DARURAT]

    def turned(to: int) -> str:
        return "/antrean?" + "&".join(part for part in (f"halaman={to}", query) if part)

    return QueuePage(
        emergencies=emergencies,
        lines=shown[len(emergencies) :],
        waiting=number(counts.all),
        check_count=number(counts.checks) if counts.checks else "",
        emergency_count=number(counts.emergencies),
        late_count=number(counts.late),
        chosen=number(counts.all if count is None else count),
        is_chosen=bool(query),
        query=query,
        filters=_filters(choice, counts, own_region),
        views=[ViewLink(name, "/antrean?" + kept) for name, kept in views],
        page=page,
        before=turned(page - 1) if page > 1 else "",
        after=turned(page + 1) if len(lines) > PAGE_SIZE else "",
        start=(page - 1) * PAGE_SIZE + 1,
        notice=notice,
        problem=problem,
        undo=undo,
    )


def _line(line: Line, query: str, at: datetime) -> QueueLine:
    blind = line.check is not Check.NONE
    opening = "Laporan rahasia" if line.is_secret else line.opening or "Laporan tanpa isi"
    level = Urgency.SEDANG.value if line.urgency is None else line.urgency
    return QueueLine(
        id=line.id,
        address=case_address(line.id, query),
        opening=opening if len(opening) <= _OPENING_SHOWN else opening[:_OPENING_SHOWN] + " …",
        agency="" if blind else office_name(line.region, line.agency),
        sector="" if blind else sector_name(line.sector),
        percent="" if blind else percent(line.probability),
        is_blind=blind,
        urgency=UrgencyView(level, urgency_name(level)),
        reason="Pemeriksaan acak" if blind else SHORT_REASONS.get(line.reason, line.reason),
        received=clock(line.received_at),
        age=ago(line.received_at, at),
        # What went on alone has no clock any more.
        left="" if line.check is Check.AUDIT else time_left(line.due_at, at),
        is_late=at > line.due_at and line.check is not Check.AUDIT,
        holder=(line.holder or "").rpartition(":")[2],
    )


def _agency_names(counts: Counts) -> dict[str, str]:
    """The agencies that cases wait for, by code; one code may stand for offices of several regions."""
    amounts: Counter[str] = Counter()
    names: dict[str, set[str]] = {}
    for (region, code), amount in counts.by_agency.items():
        amounts[code] += amount
        names.setdefault(code, set()).add(office_name(region, None if code == NO_AGENCY else code))
    told = {code: f"{' / '.join(sorted(each))} ({number(amounts[code])})" for code, each in names.items()}
    return dict(sorted(told.items(), key=lambda item: (item[0] == NO_AGENCY, item[1])))


def _filters(choice: Choice, counts: Counts, own_region: str) -> list[Filter]:
    """The form's fields; of agencies and reasons only those that wait, with how many."""

    def options(chosen: str, first: str, names: Mapping[str, str]) -> list[FilterOption]:
        told = {chosen: chosen} if chosen and chosen not in names else {}
        each = [FilterOption(value, name, value == chosen) for value, name in {**names, **told}.items()]
        return [FilterOption("", first, not chosen), *each]

    agencies = _agency_names(counts)
    urgency = "" if choice.urgency is None else str(choice.urgency)
    levels = {str(int(each)): urgency_name(each) for each in reversed(Urgency)}
    levels = {value: f"{name} ({number(counts.by_urgency.get(int(value), 0))})" for value, name in levels.items()}
    reasons = {code: f"{SHORT_REASONS.get(code, code)} ({number(amount)})" for code, amount in counts.by_reason.items()}
    fields = [
        Filter("urgensi", "Urgensi", options(urgency, "Semua urgensi", levels)),
        Filter("instansi", "Instansi usulan", options(choice.agency, "Semua instansi", agencies)),
        Filter("alasan", "Alasan ditinjau", options(choice.reason, "Semua alasan", reasons)),
        Filter("usia", "Batas waktu", options(choice.age, "Semua", _AGE_NAMES)),
    ]
    if not own_region:
        names = {code: place_name(code) for code in known_regions()}
        fields.insert(0, Filter("daerah", "Daerah", options(choice.region, "Semua daerah", names)))
    return fields
