"""Papan: what the desk's cases amount to over a period, each figure a way to the cases behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from data.region import known_regions
from model.routing import Outcome, Reason, Routers
from serving.access import Access, Session
from serving.autonomy import NOTHING, AloneView, alone_in, promised, regions_shown, share_text
from serving.board_file import COLUMNS, COMPARISON_NAMES, board_rows, told_office
from serving.case_list import OptionView, address_of, case_list_routes, options
from serving.charts import Bar, ColumnChart, IntervalBar, bar, column_chart, interval_bar
from serving.figures import (
    BEFORE_DAYS,
    RECENT_DAYS,
    Answers,
    Figures,
    Share,
    Span,
    Spread,
    Summary,
    by_week,
    span_of_days,
)
from serving.pages import render
from serving.reasons import KIND_NAMES, REASON_NAMES
from serving.selection import NO_AGENCY, Comparison, Measure, Moment, Selection
from serving.signin import DeskRoute, Door
from serving.spreadsheet import spreadsheet
from serving.triage import Triage
from serving.watch_page import WatchedView, watched_views
from serving.wording import SHORT_REASONS, clock, day, number, place_name, sector_name
from serving.working_time import HOURS_A_DAY, ZONE

ADDRESS, FILE_ADDRESS = "/papan", "/papan.csv"
PERIODS = (7, 30, 90, 365)
USUAL_PERIOD = 30
# From so many days on a bar is a week.
_WEEKS_FROM = 60
# Working hours are told from a tenth on, and from two days on as days.
_LEAST_HOURS = 0.1
_DAYS_FROM = 2 * HOURS_A_DAY
# The rest of a long list is summed up in one row.
_MOST_ROWS = 12


@dataclass(frozen=True)
class TileView:
    """One figure at the top, the way to its cases, and what to know about it."""

    name: str
    value: str
    note: str
    link: str


@dataclass(frozen=True)
class RowView:
    """One row of a list: how many, their part of all, and a bar of that length. Without a link it sums up the rest."""

    name: str
    count: str
    share: str
    link: str
    bar: Bar


@dataclass(frozen=True)
class ListView:
    """A list of figures under a heading; `empty` is said where it has no rows."""

    id: str
    title: str
    note: str
    first_column: str
    share_column: str
    rows: tuple[RowView, ...]
    empty: str


@dataclass(frozen=True)
class ComparisonView:
    """How often verdicts were as suggested; `bar` is None of nothing."""

    name: str
    value: str
    interval: str
    count: str
    link: str
    others: str
    others_link: str
    bar: IntervalBar | None


@dataclass(frozen=True)
class SpreadView:
    """A time's median and 90th percentile, of how many."""

    name: str
    median: str
    ninetieth: str
    count: str
    link: str


@dataclass(frozen=True)
class VersionView:
    """A model that answered in the period; `is_running` for the one that does now."""

    name: str
    count: str
    since: str
    is_running: bool


@dataclass(frozen=True)
class ChangeView:
    """A figure of the last days beside that of the days before."""

    name: str
    recent: str
    recent_link: str
    before: str
    before_link: str


@dataclass(frozen=True)
class DayView:
    """A day or a week of the chart, in its table."""

    name: str
    count: str
    link: str


@dataclass(frozen=True)
class BoardPage:
    """What `/papan` shows."""

    place: str
    period: str
    counted: str
    periods: tuple[OptionView, ...]
    regions: tuple[OptionView, ...]
    file: str
    tiles: tuple[TileView, ...]
    chart: ColumnChart
    chart_unit: str
    days: tuple[DayView, ...]
    comparisons: tuple[ComparisonView, ...]
    has_target: bool
    leaning: str
    spreads: tuple[SpreadView, ...]
    lists: tuple[ListView, ...]
    alone: tuple[AloneView, ...]
    trained: str
    versions: tuple[VersionView, ...]
    changes: tuple[ChangeView, ...]
    change_days: tuple[int, int]
    watched: tuple[WatchedView, ...]


def board_routes(triage: Triage, access: Access, secure_cookies: bool = False) -> APIRouter:
    """The board and the lists behind it, for signed-in moderators; each sees the figures of their own region."""
    door, figures = Door(access, secure_cookies), Figures(triage.store, triage.now)
    routes = APIRouter(
        include_in_schema=False,
        default_response_class=HTMLResponse,
        route_class=DeskRoute,
        dependencies=[Depends(door.moderator)],
    )

    def summary_of(hari: str, wilayah: str, moderator: Session) -> Summary:
        """Of a period that isn't offered or a region that isn't there: the usual one, and all."""
        days = int(hari) if hari in map(str, PERIODS) else USUAL_PERIOD
        region = moderator.caller.region or (wilayah if wilayah in known_regions() else "")
        return figures.of(span_of_days(days, triage.now(), region))

    @routes.get(ADDRESS)
    def board(hari: str = "", wilayah: str = "", moderator: Session = Depends(door.moderator)) -> HTMLResponse:
        summary = summary_of(hari, wilayah, moderator)
        watched = watched_views(triage.store, regions_shown(summary), summary.counted_at)
        page = board_page(summary, triage.at_work, watched, choose_region=not moderator.caller.region)
        return render("board.html", page, moderator)

    @routes.get(FILE_ADDRESS)
    def board_file(hari: str = "", wilayah: str = "", moderator: Session = Depends(door.moderator)) -> Response:
        return spreadsheet("papan.csv", COLUMNS, board_rows(summary_of(hari, wilayah, moderator)))

    case_list_routes(triage, door, routes)
    return routes


def board_page(
    summary: Summary, routers: Routers, watched: tuple[WatchedView, ...] = (), *, choose_region: bool
) -> BoardPage:
    """The page of a summary, with what the running model may do and what watching found.

    A region is a choice only for who sees all.
    """
    span = summary.span
    query = urlencode({"hari": span.days} | ({"wilayah": span.region} if span.region else {}))
    regions = options({code: place_name(code) for code in known_regions()}, span.region, "Semua daerah")
    days = _days(summary)
    comparisons = tuple(_comparison(summary, each, n, routers) for each, n in summary.comparisons.items())
    created = routers.bundle.about.get("created_at")
    return BoardPage(
        place=place_name(span.region),
        period=_between(span.first, span.last),
        counted=clock(summary.counted_at),
        periods=tuple(OptionView(str(each), f"{each} hari terakhir", each == span.days) for each in PERIODS),
        regions=regions if choose_region else (),
        file=f"{FILE_ADDRESS}?{query}",
        tiles=tuple(_tiles(summary)),
        chart=_chart(span, days),
        chart_unit="pekan" if span.days > _WEEKS_FROM else "hari",
        days=tuple(DayView(_between(part.first, part.last), number(n), _came_in(part)) for part, n in days),
        comparisons=comparisons,
        has_target=any(each.bar is not None and each.bar.target is not None for each in comparisons),
        leaning=_leaning(summary),
        spreads=tuple(_spreads(summary)),
        lists=tuple(_lists(summary)),
        alone=tuple(alone_in(routers, region) for region in regions_shown(summary)),
        trained=clock(datetime.fromisoformat(created)) if created else "",
        versions=tuple(
            VersionView(each.name, number(each.count), clock(each.since), each.name == routers.bundle.version)
            for each in summary.versions
        ),
        changes=tuple(_changes(summary)),
        change_days=(RECENT_DAYS, BEFORE_DAYS),
        watched=watched,
    )


def interval_text(share: Share) -> str:
    """Where a share lies: "antara 88,1 % dan 97,2 %"."""
    if share.interval is None:
        return NOTHING
    low, high = (share_text(end, 1) for end in share.interval)
    return f"antara {low} dan {high}"


def _short_interval(share: Share) -> str:
    """The same for a table: "88,1–97,2 %"; empty of nothing."""
    if share.interval is None:
        return ""
    low, high = share.interval
    return f"{number(100 * low, 1)}–{share_text(high, 1)}"


def duration_text(seconds: float | None) -> str:
    """Seconds at work as one says it: "45 detik", "2 menit 5 detik"."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(round(seconds), 60)
    return f"{rest} detik" if not minutes else f"{number(minutes)} menit" + (f" {rest} detik" if rest else "")


def hours_text(hours: float | None) -> str:
    """Working hours: "5,5 jam kerja", and from two working days on those: "2,5 hari kerja"."""
    if hours is None:
        return NOTHING
    if hours < _LEAST_HOURS:
        return f"kurang dari {number(_LEAST_HOURS, 1)} jam kerja"
    return f"{number(hours, 1)} jam kerja" if hours < _DAYS_FROM else f"{number(hours / HOURS_A_DAY, 1)} hari kerja"


def _came_in(span: Span, **more: Any) -> str:
    """The list of cases that came in during a span."""
    return address_of(Selection(span.region, since=span.since, until=span.until, **more))


def _decided(span: Span, **more: Any) -> str:
    """The list of cases with a verdict of a span."""
    return _came_in(span, moment=Moment.VERDICT, **more)


def _tiles(summary: Summary) -> Iterator[TileView]:
    span, total = summary.span, sum(summary.taken_in.values())
    audit = summary.comparisons[Comparison.AUDIT]
    alone = f"{number(summary.alone.hits)} dari {number(summary.alone.count)} laporan"
    checked = f"{interval_text(audit)}; {number(audit.count)} diperiksa" if audit.count else "belum ada yang diperiksa"
    per_day = f"rata-rata {number(total / span.days, 1)} per hari"
    late = Share(summary.late, summary.open)
    yield TileView("Laporan masuk", number(total), per_day, _came_in(span))
    yield TileView("Diteruskan otomatis", share_text(summary.alone.value), alone, _came_in(span, outcome=Outcome.AUTO))
    link = _decided(span, comparison=Comparison.AUDIT)
    yield TileView("Ketepatan yang otomatis", share_text(audit.value, 1), checked, link)
    age = f"median umur {hours_text(summary.age.median)}" if summary.open else "tidak ada yang menunggu"
    yield TileView("Menunggu sekarang", number(summary.open), age, address_of(Selection(span.region, is_open=True)))
    of_open = f"{share_text(late.value)} dari yang menunggu" if summary.open else "tidak ada yang menunggu"
    yield TileView("Terlambat sekarang", number(summary.late), of_open, address_of(_late(span)))
    ninetieth = f"9 dari 10 dalam {hours_text(summary.hours.ninetieth)}" if summary.hours.count else "belum ada putusan"
    yield TileView(
        "Median sampai putusan", hours_text(summary.hours.median), ninetieth, _decided(span, measure=Measure.HOURS)
    )


def _late(span: Span) -> Selection:
    return Selection(span.region, is_late=True)


def _days(summary: Summary) -> list[tuple[Span, int]]:
    """The chart's days, or weeks of a long period, with how many cases came in."""
    if summary.span.days > _WEEKS_FROM:
        parts = by_week(summary.taken_in)
    else:
        parts = {(each, each): count for each, count in summary.taken_in.items()}
    return [(Span(first, last, summary.span.region), count) for (first, last), count in parts.items()]


def _chart(span: Span, days: list[tuple[Span, int]]) -> ColumnChart:
    starts = [_between(part.first, part.first) for part, _ in days]
    return column_chart(f"Laporan masuk, {_between(span.first, span.last)}", [count for _, count in days], starts)


def _comparison(summary: Summary, which: Comparison, share: Share, routers: Routers) -> ComparisonView:
    span, others = summary.span, share.count - share.hits
    target = promised(routers, span.region) if which is Comparison.AUDIT and span.region else None
    shown = None
    if share.interval is not None and share.value is not None:
        shown = interval_bar(share.interval[0], share.value, share.interval[1], target)
    return ComparisonView(
        name=COMPARISON_NAMES[which],
        value=share_text(share.value, 1),
        interval=_short_interval(share),
        count=number(share.count),
        link=_decided(span, comparison=which),
        others=number(others),
        others_link=_decided(span, comparison=which, agreed=False),
        bar=shown,
    )


def _leaning(summary: Summary) -> str:
    """What the two kinds of verdicts, set against each other, say of moderators who follow a suggestion they see."""
    found = summary.leaning
    if found is None:
        return "Kecondongan mengikuti usulan belum dapat dihitung: perlu putusan dari kedua jenis."
    value, low, high = (number(100 * each, 1).replace("-", "−") for each in (found.value, found.low, found.high))
    told = f"Selisihnya {value} poin persen (antara {low} dan {high})."
    if found.low > 0:
        return f"{told} Moderator lebih sering setuju bila usulan terlihat: usulan tampaknya ikut menentukan putusan."
    if found.high < 0:
        return f"{told} Moderator justru lebih jarang setuju bila usulan terlihat."
    return f"{told} Selisih sebesar itu masih dapat terjadi secara kebetulan."


def _spreads(summary: Summary) -> Iterator[SpreadView]:
    span = summary.span
    hours, age, seconds = summary.hours, summary.age, summary.seconds
    yield _spread("Dari masuk sampai putusan pertama", hours, hours_text, _decided(span, measure=Measure.HOURS))
    yield _spread("Umur yang menunggu sekarang", age, hours_text, address_of(Selection(span.region, is_open=True)))
    yield _spread("Mengerjakan satu kasus", seconds, duration_text, _decided(span, measure=Measure.SECONDS))


def _spread(name: str, found: Spread, told: Any, link: str) -> SpreadView:
    return SpreadView(name, told(found.median), told(found.ninetieth), number(found.count), link)


def _lists(summary: Summary) -> Iterator[ListView]:
    span = summary.span
    returned = [
        (told_office(summary, office), share.hits, share.value, _returned_by(summary, office))
        for office, share in summary.given_back.items()
    ]
    agencies = [
        (
            told_office(summary, office),
            count,
            _came_in(Span(span.first, span.last, office.region), agency=office.agency or NO_AGENCY),
        )
        for office, count in summary.by_agency.items()
    ]
    sectors = [(sector_name(code), n, _came_in(span, sector=code)) for code, n in summary.by_sector.items()]
    kinds = [(KIND_NAMES[kind], n, _decided(span, kind=kind)) for kind, n in summary.verdicts.items()]
    reasons = [(REASON_NAMES.get(r, r), n, _decided(span, reason=r)) for r, n in summary.corrections.items()]
    note = "Dari laporan masuk dalam masa ini: yang pernah dikembalikan, dan bagiannya dari yang diterima instansi itu."
    yield ListView(
        "dikembalikan",
        "Paling sering dikembalikan",
        note,
        "Instansi",
        "Dari yang diterima",
        _rest(returned),
        "Tidak ada laporan yang dikembalikan instansi.",
    )
    note = "Menurut putusan, atau menurut usulan bila belum ada putusan."
    yield _counted("instansi", "Instansi", note, agencies, "Belum ada laporan dalam masa ini.")
    note = "Bidang yang diusulkan saat laporan masuk."
    yield _counted("bidang", "Bidang", note, sectors, "Belum ada laporan dalam masa ini.")
    note = "Laporan menurut putusan yang dibuat dalam masa ini; satu laporan dapat mendapat lebih dari satu jenis."
    yield _counted("putusan", "Putusan", note, kinds, "Belum ada putusan dalam masa ini.")
    note = "Mengapa putusan lain dari usulan, atau mengapa laporan diarsipkan."
    yield _counted("alasan", "Alasan putusan", note, reasons, "Belum ada putusan dengan alasan dalam masa ini.")


def _returned_by(summary: Summary, office: Any) -> str:
    span = Span(summary.span.first, summary.span.last, office.region)
    return _came_in(span, returned_by=office.agency) if office.agency else ""


def _counted(name: str, title: str, note: str, rows: list[tuple[str, int, str]], empty: str) -> ListView:
    total = sum(count for _, count, _ in rows)
    shared = [(each, count, count / total if total else None, link) for each, count, link in rows]
    return ListView(name, title, note, title, "Bagian", _rest(shared), empty)


def _rest(rows: list[tuple[str, int, float | None, str]]) -> tuple[RowView, ...]:
    """The first rows, and one that sums up the rest."""
    kept, rest = rows[:_MOST_ROWS], rows[_MOST_ROWS:]
    largest = max((count for _, count, _, _ in rows), default=0)
    views = [RowView(name, number(n), share_text(share, 1), link, bar(n, largest)) for name, n, share, link in kept]
    if rest:
        left = sum(count for _, count, _, _ in rest)
        views.append(RowView(f"{number(len(rest))} lainnya bersama-sama", number(left), "", "", bar(0, 1)))
    return tuple(views)


def _changes(summary: Summary) -> Iterator[ChangeView]:
    """This week's answers beside those of the weeks before."""
    at, region = summary.counted_at, summary.span.region
    spans = span_of_days(RECENT_DAYS, at, region), span_of_days(BEFORE_DAYS, at - timedelta(days=RECENT_DAYS), region)
    recent, before = summary.recent, summary.before

    def both(name: str, told: Any, **more: Any) -> ChangeView:
        links = [_came_in(span, **more) for span in spans]
        return ChangeView(name, told(recent), links[0], told(before), links[1])

    yield both("Laporan per hari", lambda a: number(a.count / (RECENT_DAYS if a is recent else BEFORE_DAYS), 1))
    yield both("Rata-rata peluang usulan", _probability)
    for reason, name in ((Reason.UNREADABLE, "unreadable"), (Reason.NOT_CONFIDENT, "not_confident")):
        yield both(SHORT_REASONS[reason], lambda a, n=name: share_text(getattr(a, n).value, 1), waits_for=reason.value)


def _probability(answers: Answers) -> str:
    return share_text(answers.probability, 1)


def _between(first: date, last: date) -> str:
    """Days as people say them: "24 Nov 2026", or "1 Nov 2026 sampai 24 Nov 2026"."""
    names = [day(datetime.combine(each, time(), ZONE)) for each in (first, last)]
    return names[0] if first == last else f"{names[0]} sampai {names[1]}"
