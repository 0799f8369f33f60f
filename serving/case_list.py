"""The list behind each figure: `/laporan`, a selection of cases told by its address, and the same as a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from data.region import known_regions, load_region
from data.sectors import all_sectors
from model.routing import Outcome
from serving.access import Session
from serving.case import Kind, Status
from serving.checks import Check
from serving.pages import render
from serving.privacy import Action, record
from serving.reasons import KIND_NAMES, REASON_NAMES
from serving.selection import ANY_AGENCY, NO_AGENCY, CaseLine, Comparison, Listing, Measure, Moment, Selection
from serving.signin import Door
from serving.spreadsheet import Cell, spreadsheet
from serving.triage import Triage
from serving.wording import (
    SHORT_REASONS,
    STATUS_NAMES,
    clock,
    day,
    number,
    office_name,
    percent,
    place_name,
    sector_name,
    urgency_name,
)
from serving.working_time import ZONE

PAGE_SIZE = 50
ADDRESS, FILE_ADDRESS = "/laporan", "/laporan.csv"
YES = "ya"
_OPENING_SHOWN = 140
_OPEN = "open"
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_STATUS_CHOICES = {_OPEN: "Menunggu atau dikembalikan"} | {str(key): name for key, name in STATUS_NAMES.items()}
_OUTCOME_NAMES = {Outcome.AUTO: "Otomatis", Outcome.REVIEW: "Lewat moderator"}
_MOMENT_NAMES = {Moment.INTAKE: "laporan masuk", Moment.VERDICT: "putusan dibuat"}
_COMPARISON_NAMES = {
    Comparison.AUDIT: "Pemeriksaan acak atas yang otomatis",
    Comparison.BLIND: "Usulan disembunyikan",
    Comparison.SEEN: "Usulan terlihat",
}
_MEASURE_NAMES = {
    Measure.HOURS: "Waktu sampai putusan pertama",
    Measure.SECONDS: "Waktu mengerjakan kasus",
}
_AGREED = {"": (None, "semua"), "sama": (True, "sama dengan usulan"), "beda": (False, "berbeda dari usulan")}
_CHECK_NAMES = {
    f"{comparison}-{agreed}".rstrip("-"): f"{name}: {told}"
    for comparison, name in _COMPARISON_NAMES.items()
    for agreed, (_, told) in _AGREED.items()
}
_COLUMNS = (
    *("nomor", "daerah", "status", "pemeriksaan", "instansi", "instansi_usulan", "bidang_usulan", "peluang"),
    *("urgensi", "cara", "model", "masuk", "batas_waktu", "putusan", "alasan", "sumber_label", "diputuskan"),
)


@dataclass(frozen=True)
class OptionView:
    """One choice of a list; an empty value is any."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True)
class FieldView:
    """One list of choices: what it is sent as, its label and its choices."""

    name: str
    label: str
    options: tuple[OptionView, ...]


@dataclass(frozen=True)
class LineView:
    """One case in the list."""

    id: str
    opening: str
    status: str
    check: str
    agency: str
    sector: str
    percent: str
    urgency: str
    level: int
    received: str
    verdict: str


@dataclass(frozen=True)
class CasesPage:
    """What `/laporan` shows. `problems` are what of the address wasn't understood."""

    lines: tuple[LineView, ...]
    count: str
    page: int
    first: int
    before: str
    after: str
    fields: tuple[FieldView, ...]
    since: str
    until: str
    since_name: str
    until_name: str
    problems: tuple[str, ...]
    file: str


def address_of(selection: Selection, path: str = ADDRESS) -> str:
    """Where a selection is listed. Its times are whole days in western Indonesia."""
    check = selection.comparison or ""
    if selection.agreed is not None:
        check += "-sama" if selection.agreed else "-beda"
    told: dict[str, str | None] = {
        "wilayah": selection.region,
        "status": _OPEN if selection.is_open else selection.status,
        "instansi": selection.agency,
        "bidang": selection.sector,
        "cara": selection.outcome,
        "jenis": selection.kind,
        "alasan": selection.reason,
        "sebab": selection.waits_for,
        "kembali": selection.returned_by,
        "terlambat": YES if selection.is_late else "",
        "pemeriksaan": check,
        "diukur": selection.measure,
        "dari": selection.since.astimezone(ZONE).date().isoformat() if selection.since else "",
        "sampai": _day_before(selection.until).isoformat() if selection.until else "",
        "menurut": selection.moment if selection.moment is not Moment.INTAKE else "",
    }
    query = urlencode({name: str(value) for name, value in told.items() if value}, safe="*:")
    return f"{path}?{query}" if query else path


def parse_selection(told: Mapping[str, str]) -> tuple[Selection, tuple[str, ...]]:
    """The selection that an address tells, and the labels of what in it can't be understood and counts for nothing."""
    problems: list[str] = []

    def one_of(name: str, label: str, known: Iterable[str]) -> str:
        value = told.get(name, "")
        if value and value not in set(known):
            problems.append(label)
            return ""
        return value

    def code(name: str, label: str, *more: str) -> str:
        value = told.get(name, "")
        if value and value not in more and not _CODE.fullmatch(value):
            problems.append(label)
            return ""
        return value

    def a_day(name: str, label: str) -> datetime | None:
        value = told.get(name, "")
        try:
            return datetime.combine(_parse_day(value), time(), ZONE) if value else None
        except ValueError:
            problems.append(label)
            return None

    status = one_of("status", "Status", _STATUS_CHOICES)
    check, _, agreed = one_of("pemeriksaan", "Pemeriksaan", _CHECK_NAMES).partition("-")
    outcome, kind = one_of("cara", "Cara diteruskan", Outcome), one_of("jenis", "Putusan", Kind)
    measure = one_of("diukur", "Yang diukur", Measure)
    last = a_day("sampai", "Sampai tanggal")
    selection = Selection(
        region=code("wilayah", "Daerah"),
        status=Status(status) if status not in ("", _OPEN) else None,
        is_open=status == _OPEN,
        agency=code("instansi", "Instansi", NO_AGENCY),
        sector=code("bidang", "Bidang"),
        outcome=Outcome(outcome) if outcome else None,
        kind=Kind(kind) if kind else None,
        reason=one_of("alasan", "Alasan putusan", REASON_NAMES),
        waits_for=one_of("sebab", "Sebab ditinjau", SHORT_REASONS),
        returned_by=code("kembali", "Dikembalikan", ANY_AGENCY),
        is_late=bool(one_of("terlambat", "Batas waktu", [YES])),
        comparison=Comparison(check) if check else None,
        agreed=_AGREED[agreed][0],
        measure=Measure(measure) if measure else None,
        since=a_day("dari", "Dari tanggal"),
        until=last + timedelta(days=1) if last else None,
        moment=Moment(one_of("menurut", "Waktu", Moment) or Moment.INTAKE),
    )
    return selection, tuple(problems)


def case_list_routes(triage: Triage, door: Door, routes: APIRouter) -> None:
    """Add the list's pages to the desk's routes; each moderator sees the cases of their own region."""
    listing = Listing(triage.store, triage.now)

    def asked(request: Request, moderator: Session) -> tuple[Selection, tuple[str, ...]]:
        selection, problems = parse_selection(request.query_params)
        own = moderator.caller.region
        return (replace(selection, region=own) if own else selection), problems

    @routes.get(ADDRESS)
    def case_list(request: Request, moderator: Session = Depends(door.moderator)) -> HTMLResponse:
        selection, problems = asked(request, moderator)
        told = request.query_params.get("halaman", "")
        page_number = int(told) if re.fullmatch(r"[1-9][0-9]{0,6}", told) else 1
        count = listing.count(selection)
        found = listing.page(selection, PAGE_SIZE, (page_number - 1) * PAGE_SIZE)
        choose_region = not moderator.caller.region
        page = cases_page(selection, found, count, page_number, problems, choose_region=choose_region)
        return render("cases.html", page, moderator)

    @routes.get(FILE_ADDRESS)
    def case_file(request: Request, moderator: Session = Depends(door.moderator)) -> Response:
        selection, _ = asked(request, moderator)
        detail = {"listed": address_of(selection)}
        record(triage.store, moderator.caller.name, Action.EXPORT, None, detail, clock=triage.now)
        return spreadsheet("laporan.csv", _COLUMNS, _rows(listing.every(selection)))


def cases_page(
    selection: Selection,
    found: list[CaseLine],
    count: int,
    page: int,
    problems: tuple[str, ...],
    *,
    choose_region: bool,
) -> CasesPage:
    """The page of a list; a region is a choice only for who sees all."""
    here = address_of(selection)
    joint = "&" if "?" in here else "?"
    has_next = page * PAGE_SIZE < count
    return CasesPage(
        lines=tuple(map(_line_view, found)),
        count=number(count),
        page=page,
        first=(page - 1) * PAGE_SIZE + 1,
        before=f"{here}{joint}halaman={page - 1}" if page > 1 else "",
        after=f"{here}{joint}halaman={page + 1}" if has_next else "",
        fields=tuple(_fields(selection, choose_region=choose_region)),
        since=selection.since.astimezone(ZONE).date().isoformat() if selection.since else "",
        until=_day_before(selection.until).isoformat() if selection.until else "",
        since_name=day(selection.since) if selection.since else "",
        until_name=day(selection.until - timedelta(days=1)) if selection.until else "",
        problems=problems,
        file=address_of(selection, FILE_ADDRESS),
    )


def options(choices: Mapping[str, str], chosen: str, any_name: str = "Semua") -> tuple[OptionView, ...]:
    """A list's choices, the first of them any; one that isn't among them is added under its own code."""
    whole = {"": any_name} | dict(choices) | ({chosen: chosen} if chosen and chosen not in choices else {})
    return tuple(OptionView(value, name, value == chosen) for value, name in whole.items())


def _fields(selection: Selection, *, choose_region: bool) -> Iterator[FieldView]:
    told = _told(selection)
    region = selection.region
    # The hundreds of offices of areas would make the page too long: they are reached from a figure.
    offices = {agency.code: agency.name for agency in load_region(region).agencies} if region in known_regions() else {}
    agencies = offices | {NO_AGENCY: "Wilayah belum diketahui"}
    if selection.agency not in ("", *agencies):
        agencies[selection.agency] = office_name(region, selection.agency)
    back = {ANY_AGENCY: "Oleh instansi mana pun"}
    if selection.returned_by not in ("", ANY_AGENCY):
        back[selection.returned_by] = f"Oleh {office_name(region, selection.returned_by)}"
    if choose_region:
        yield FieldView("wilayah", "Daerah", options({code: place_name(code) for code in known_regions()}, region))
    for name, label, choices in (
        ("status", "Status", _STATUS_CHOICES),
        ("instansi", "Instansi", agencies),
        ("bidang", "Bidang usulan", {code: sector.name for code, sector in all_sectors().items()}),
        ("cara", "Cara diteruskan", _OUTCOME_NAMES),
        ("sebab", "Sebab ditinjau", SHORT_REASONS),
        ("jenis", "Putusan", KIND_NAMES),
        ("alasan", "Alasan putusan", REASON_NAMES),
        ("pemeriksaan", "Pemeriksaan", _CHECK_NAMES),
        ("diukur", "Yang diukur", _MEASURE_NAMES),
        ("kembali", "Dikembalikan", back),
        ("terlambat", "Batas waktu", {YES: "Sudah terlambat"}),
    ):
        named = {str(key): value for key, value in choices.items()}
        yield FieldView(name, label, options(named, told.get(name, "")))
    moments = tuple(OptionView(each, name, each is selection.moment) for each, name in _MOMENT_NAMES.items())
    yield FieldView("menurut", "Tanggal menurut", moments)


def _told(selection: Selection) -> dict[str, str]:
    """What a selection's address says, by name."""
    return dict(parse_qsl(address_of(selection).partition("?")[2]))


def _line_view(line: CaseLine) -> LineView:
    opening = line.opening or ("Laporan rahasia" if line.is_secret else "Isi sudah dihapus")
    verdict = ""
    if line.kind is not None and line.decided_at is not None:
        reason = f": {REASON_NAMES.get(line.reason, line.reason).lower()}" if line.reason else ""
        verdict = f"{KIND_NAMES[line.kind]}{reason} ({clock(line.decided_at)})"
    return LineView(
        id=line.id,
        opening=opening if len(opening) <= _OPENING_SHOWN else opening[:_OPENING_SHOWN] + " …",
        status=STATUS_NAMES[line.status],
        check="" if line.check is Check.NONE else "pemeriksaan tanpa usulan",
        agency="Usulan disembunyikan" if line.is_blind else office_name(line.region, line.agency),
        sector="" if line.is_blind else sector_name(line.sector),
        percent=percent(line.probability),
        urgency="" if line.urgency is None or line.is_blind else urgency_name(line.urgency),
        level=0 if line.is_blind else line.urgency or 0,
        received=clock(line.created_at),
        verdict=verdict,
    )


def _rows(lines: Iterable[CaseLine]) -> Iterator[list[Cell]]:
    for line in lines:
        suggested: list[Cell] = [
            line.agency,
            line.suggested_agency,
            line.sector,
            round(line.probability, 4),
            line.urgency,
        ]
        yield [
            *(line.id, line.region, line.status.value, line.check.value),
            # Who reads the file may be who decides the case.
            *([None] * len(suggested) if line.is_blind else suggested),
            *(line.outcome, line.model_version),
            *(line.created_at.isoformat(), line.due_at.isoformat(), line.kind.value if line.kind else "", line.reason),
            line.label_source.value if line.label_source else "",
            line.decided_at.isoformat() if line.decided_at else "",
        ]


def _parse_day(told: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", told) or not "1970" <= told[:4] <= "2999":
        raise ValueError(told)
    return date.fromisoformat(told)


def _day_before(moment: datetime) -> date:
    return (moment - timedelta(days=1)).astimezone(ZONE).date()
