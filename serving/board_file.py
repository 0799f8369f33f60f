"""The board's figures as a spreadsheet: one a row, with its interval and what it is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.routing import Reason
from serving.figures import BEFORE_DAYS, RECENT_DAYS, Office, Share, Summary
from serving.reasons import KIND_NAMES, REASON_NAMES
from serving.selection import Comparison
from serving.spreadsheet import Cell
from serving.wording import SHORT_REASONS, office_name, place_name, sector_name

COLUMNS = ("periode", "daerah", "nama", "nilai", "bawah", "atas", "jumlah")
COMPARISON_NAMES = {
    Comparison.AUDIT: "Diteruskan otomatis dan benar",
    Comparison.SEEN: "Putusan sama dengan usulan yang terlihat",
    Comparison.BLIND: "Putusan sama dengan usulan yang disembunyikan",
}


def told_office(summary: Summary, office: Office) -> str:
    """An agency's name, with its region where the summary is of all of them."""
    name = office_name(office.region, office.agency)
    return name if summary.span.region else f"{name} ({place_name(office.region)})"


def board_rows(summary: Summary) -> Iterator[Sequence[Cell]]:
    """A summary's figures, one a row: period, region, name, value, low, high (95 %), and of how many."""
    span = summary.span
    start: list[Cell] = [f"{span.first.isoformat()}/{span.last.isoformat()}", span.region or "semua"]
    for row in _figures(summary):
        yield [*start, *row]


def _figures(summary: Summary) -> Iterator[Sequence[Cell]]:
    total = sum(summary.taken_in.values())
    yield ["Laporan masuk", total, None, None, total]
    yield from ([f"Laporan masuk {each.isoformat()}", n, None, None, n] for each, n in summary.taken_in.items())
    yield _share_row("Diteruskan otomatis", summary.alone)
    yield from (_share_row(COMPARISON_NAMES[each], share) for each, share in summary.comparisons.items())
    leaning = summary.leaning
    ends = [leaning.value, leaning.low, leaning.high] if leaning else [None, None, None]
    compared = summary.comparisons[Comparison.SEEN].count + summary.comparisons[Comparison.BLIND].count
    yield ["Selisih usulan terlihat dan disembunyikan", *map(_rounded, ends), compared]
    for name, found in (
        ("Jam kerja sampai putusan", summary.hours),
        ("Jam kerja umur yang menunggu", summary.age),
        ("Detik mengerjakan satu kasus", summary.seconds),
    ):
        yield [f"{name}, median", found.median, None, None, found.count]
        yield [f"{name}, persentil ke-90", found.ninetieth, None, None, found.count]
    yield ["Menunggu sekarang", summary.open, None, None, summary.open]
    yield ["Terlambat sekarang", summary.late, None, None, summary.open]
    for office, share in summary.given_back.items():
        yield _share_row(f"Dikembalikan: {told_office(summary, office)}", share)
    lists: list[tuple[str, Iterator[tuple[str, int]]]] = [
        ("Instansi", ((told_office(summary, o), n) for o, n in summary.by_agency.items())),
        ("Bidang", ((sector_name(code), n) for code, n in summary.by_sector.items())),
        ("Putusan", ((KIND_NAMES[kind], n) for kind, n in summary.verdicts.items())),
        ("Alasan putusan", ((REASON_NAMES.get(code, code), n) for code, n in summary.corrections.items())),
    ]
    for title, rows in lists:
        yield from ([f"{title}: {name}", n, None, None, n] for name, n in rows)
    for when, answers in (
        (f"{RECENT_DAYS} hari terakhir", summary.recent),
        (f"{BEFORE_DAYS} hari sebelumnya", summary.before),
    ):
        yield [f"Rata-rata peluang usulan, {when}", _rounded(answers.probability), None, None, answers.count]
        yield _share_row(f"{SHORT_REASONS[Reason.UNREADABLE]}, {when}", answers.unreadable)
        yield _share_row(f"{SHORT_REASONS[Reason.NOT_CONFIDENT]}, {when}", answers.not_confident)


def _share_row(name: str, share: Share) -> list[Cell]:
    low, high = share.interval or (None, None)
    return [name, _rounded(share.value), _rounded(low), _rounded(high), share.count]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
