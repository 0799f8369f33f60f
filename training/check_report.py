"""The report of a check: a page in Indonesian, the cleaned rows and what was changed, in a folder, and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.rows import RowsRead, write_rejected
from data.sectors import all_sectors
from data.writing import whole_folder, write_csv
from model.language import INDONESIAN
from training.leaks import ADDRESSEE, ROUTING
from training.mapping import ANSWERED, CONTENTS, KNOWN, LIKE, SAVED
from training.pages import page_of
from training.row_check import FEWEST_OF_SECTOR, FEWEST_ROWS, FileCheck, RowCheck
from training.row_cleaning import CLEANED, COPY, MASKED, SECRET

PAGE, CLEAN_ROWS, CHANGES, REJECTED = "laporan.html", "bersih.csv", "perubahan.csv", "ditolak.csv"
_CHANGES = {
    ADDRESSEE: "sapaan kepada instansi dipotong",
    ROUTING: "kalimat penerusan dipotong",
    MASKED: "data pribadi disamarkan",
    COPY: "salinan persis dibuang",
    SECRET: "laporan rahasia ditinggalkan",
}
_FOUND_BY = {
    KNOWN: "nama kolom dikenal",
    LIKE: "nama kolom mirip: periksalah",
    CONTENTS: "ditebak dari isinya: periksalah",
    SAVED: "pemetaan tersimpan",
    ANSWERED: "dijawab pengguna",
}
_REMARKS = {
    "encoding": ("Pengodean berkas: {}; dibaca, dan berkas bersih memakai UTF-8.", "its encoding is {}"),
    "delimiter": ("Pemisah kolom: {}.", "its cells are parted by {!r}"),
    "other sheets": ("Lembar lain tidak dibaca: {}.", "other sheets were not read: {}"),
    "merged cells": ("{} sel gabungan diisi dengan nilai di atasnya.", "{} cells below merged ones were filled"),
    "formulas without values": (
        "{} rumus belum dihitung, jadi selnya kosong: buka dan simpan dengan Excel.",
        "{} formulas have no value, so their cells are empty: open and save it in Excel",
    ),
}
_LANGUAGES = {
    INDONESIAN: "bahasa Indonesia",
    "javanese": "campur bahasa Jawa",
    "sundanese": "campur bahasa Sunda",
    "betawi": "campur bahasa Betawi",
    "minangkabau": "campur bahasa Minangkabau",
    "balinese": "campur bahasa Bali",
}
_REASONS = {
    "unreadable": ("ada baris yang tidak bisa dibaca", "some rows can't be read"),
    "too few": (
        f"laporan berlabel terlalu sedikit: perlu {FEWEST_ROWS} yang berlainan dari dua sektor atau lebih",
        f"too few labelled rows: {FEWEST_ROWS} different ones of two sectors or more are needed",
    ),
    "leaks": (
        f"ada teks yang membocorkan jawabannya; latihlah dengan {CLEAN_ROWS}",
        f"some texts give the answer away; train on {CLEAN_ROWS} instead",
    ),
    "dates": ("ada tanggal yang tidak mungkin benar", "some dates can't be right"),
}
_SHOWN = 20


def write_check(check: RowCheck, read: RowsRead, folder: Path) -> None:
    """Write page, cleaned rows, changes and, where there are any, the rows left out to a new folder, whole or not at
    all. Raises `OutputExists`, `CannotWrite`."""
    page = page_html(check)
    with whole_folder(folder) as aside:
        (aside / PAGE).write_text(page + "\n", encoding="utf-8")
        write_csv(aside / CLEAN_ROWS, CLEANED, check.cleaned)
        changes = (vars(change) | {"change": _CHANGES[change.kind]} for change in check.changes)
        columns = ("file", "row", "id", "change", "detail")
        write_csv(aside / CHANGES, columns, ({name: change[name] for name in columns} for change in changes))
        if read.rejected:
            write_rejected(read, aside / REJECTED)


def page_html(check: RowCheck) -> str:
    """The page, whole in itself: nothing is fetched, and no citizen's text is in it."""
    return page_of(
        "check.html",
        {"count": _count, "percent": _percent, "sector": _sector},
        check=check,
        reasons=[_REASONS[reason][0] for reason in check.reasons],
        remarks=lambda file: [_REMARKS[remark.what][0].format(remark.detail) for remark in file.remarks],
        found_by=_FOUND_BY,
        languages=_LANGUAGES,
        addressee=ADDRESSEE,
        routing=ROUTING,
        fewest=FEWEST_OF_SECTOR,
        shown=_SHOWN,
        files={"clean": CLEAN_ROWS, "changes": CHANGES, "rejected": REJECTED},
    )


def check_text(check: RowCheck) -> str:
    """What a terminal shows: the verdict first, then what was found, then what is worth knowing."""
    verdict = "Fit to train on." if not check.reasons else "Not fit to train on as it is:"
    reasons = [f"  {_REASONS[reason][1]}" for reason in check.reasons]
    return "\n".join([verdict, *reasons, *_told(check)])


def _told(check: RowCheck) -> Iterator[str]:
    counts = f"{check.readable} readable, {check.labelled} with a sector; {len(check.problems)} problems"
    yield f"{check.rows} rows, {counts}"
    for problem in check.problems[:_SHOWN]:
        yield f"  {problem}"
    if len(check.problems) > _SHOWN:
        yield f"  ... and {len(check.problems) - _SHOWN} more"
    for unknown in check.unknown_agencies[:_SHOWN]:
        near = f"; near: {', '.join(unknown.nearest)}" if unknown.nearest else ""
        yield f"Unknown agency {unknown.spelling!r} in {unknown.rows} rows{near}"
    if (more := check.unknown_spellings - len(check.unknown_agencies[:_SHOWN])) > 0:
        question = "; does the column hold agencies?" if check.unknown_spellings > len(check.unknown_agencies) else ""
        yield f"{more} more spellings of agencies are unknown{question}"
    for file in check.files:
        yield from _told_of_file(file)
    for kind, count in check.leaks.items():
        yield f"Leak ({kind}): {count} rows; cut out of the cleaned rows"
    if check.names_own_agency:
        yield f"{check.names_own_agency} of {check.with_agency} rows name their own agency; citizens do, so it stays"
    yield f"{check.copies} exact copies, {check.near_copies} rows among near-copies, {len(check.conflicts)} contradict"
    thin = [f"{each.code} ({each.different})" for each in check.sectors if each.lacking]
    if thin:
        yield f"Sectors with fewer than {FEWEST_OF_SECTOR} different complaints: {', '.join(thin)}"
    if check.personal:
        kinds = ", ".join(f"{count} {kind}" for kind, count in check.personal.items())
        yield f"Personal data in {check.with_personal} rows ({kinds}); masked in the cleaned rows"
    yield from _told_of_dates(check)
    if check.secret:
        yield f"{check.secret} secret (rahasia) rows are left out of the cleaned rows"
    if check.machine:
        yield f"{check.machine} rows are the program's own answers (machine): their labels don't count, nobody looked"
    yield from check.notes


def _told_of_file(file: FileCheck) -> Iterator[str]:
    for remark in file.remarks:
        yield f"{file.name}: {_REMARKS[remark.what][1].format(remark.detail)}"
    guessed = [f"{ours} = {theirs[0]!r}" for ours, theirs, found_by in file.columns if found_by in (LIKE, CONTENTS)]
    if guessed:
        yield f"{file.name}: columns guessed, please look: {', '.join(guessed)}. Keep them with --save-mapping"
    if file.telling:
        yield f"{file.name}: columns known only after routing, never learned from: {', '.join(file.telling)}"
    if others := [column for column in file.unused if column not in file.telling]:
        yield f"{file.name}: columns not used: {', '.join(others)}"


def _told_of_dates(check: RowCheck) -> Iterator[str]:
    dates = check.dates
    if dates.first:
        yield f"Dates from {dates.first} to {dates.last}; {dates.without} rows have none"
    if dates.future:
        yield f"{len(dates.future)} dates lie in the future: {', '.join(dates.future[:_SHOWN])}"
    if dates.early:
        yield f"{len(dates.early)} dates are older than LAPOR! (2011): {', '.join(dates.early[:_SHOWN])}"
    if dates.month_first:
        yield f"{dates.month_first} dates have the month first; {dates.ambiguous} more may be read the wrong way round"
    if dates.is_swapped:
        yield "A spreadsheet seems to have swapped day and month wherever it could: export the file again"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%".replace(".", ",")


def _sector(code: str) -> str:
    sector = all_sectors().get(code)
    return sector.name if sector else code
