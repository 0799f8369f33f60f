"""Checking rows: every oddity is told, the cleaned rows are free of it and read back with the same labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from random import Random

import openpyxl
import pytest
from typer.testing import CliRunner

import disposisi
from data.errors import BadRows, OutputExists
from data.region import load_region
from data.rows import RowsRead, read_rows
from data.tables import read_table
from training.check_report import CHANGES, CLEAN_ROWS, PAGE, REJECTED, check_text, page_html, write_check
from training.leaks import ADDRESSEE, ROUTING, LeakFinder
from training.mapping import header_names
from training.row_check import UNKNOWN_SHOWN, RowCheck, check_sources, read_sources
from training.row_cleaning import COPY, SECRET

REGION = load_region("kab-tangerang")
HEADER = ("id", "received_at", "text", "agency")
ROADS, WASTE, BUSES = "Dinas Bina Marga", "DLHK", "Dinas Perhubungan"
MATTERS = {ROADS: "Jalan berlubang", WASTE: "Sampah menumpuk"}
WORDS = (
    "dekat pasar sekolah warga anak malam pagi hujan lama sekali mohon segera bahaya depan rumah gang kampung becek "
    "bau macet kemarin minggu bulan terus sampai belum pernah pula karena"
).split()


def good_rows(count: int = 24) -> list[tuple[str, ...]]:
    """Rows with nothing wrong: different complaints of two agencies in turn."""
    chance, rows = Random(7), []
    for i in range(count):
        agency = (ROADS, WASTE)[i % 2]
        text = " ".join([MATTERS[agency], *chance.sample(WORDS, 12)])
        rows.append((f"r{i}", f"2024-01-{i % 28 + 1:02}", text, agency))
    return rows


def write(path: Path, rows: Iterable[Sequence[str]], *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as handle:
        csv.writer(handle, delimiter=delimiter).writerows(rows)
    return path


def checked(path: Path) -> tuple[RowCheck, RowsRead]:
    return check_sources(read_sources([path], REGION), REGION, "2024-12-31")


def check_of(folder: Path, *more: Sequence[str]) -> RowCheck:
    return checked(write(folder / "rows.csv", [HEADER, *good_rows(), *more]))[0]


def test_rows_with_nothing_wrong_are_fit(tmp_path: Path) -> None:
    check = check_of(tmp_path)
    assert check.reasons == ()
    assert (check.rows, check.readable, check.labelled, check.copies, len(check.changes)) == (24, 24, 24, 0, 0)
    assert [(each.code, each.rows) for each in check.sectors] == [("public-works", 12), ("environment", 12)]
    assert check_text(check).startswith("Fit to train on.")


def test_the_programs_own_answers_are_counted_and_are_no_labels(tmp_path: Path) -> None:
    *rows, (_, day, text, agency) = good_rows()
    alike = [("m1", day, text, WASTE, "machine"), ("p1", day, text, agency, "human-blind")]
    lines = [(*HEADER, "label_source"), *((*row, "") for row in rows), *alike]
    check = checked(write(tmp_path / "rows.csv", lines))[0]
    assert (check.readable, check.labelled, check.machine, check.conflicts) == (25, 24, 1, ())
    assert [row["id"] for row in check.cleaned if row["text"] == text] == ["p1"]
    assert "1 rows are the program's own answers (machine)" in check_text(check)


def test_of_copies_the_fairest_label_stays_and_a_secret_one_takes_none_along(tmp_path: Path) -> None:
    header = (*HEADER, "label_source", "confidentiality", "decision")
    text, other = "Jalan rusak di depan pasar lama", "Sampah di bantaran kali"
    rows = [
        *((*row, "", "", "") for row in good_rows()),
        ("a1", "2024-01-03", text, ROADS, "human-accepted", "", ""),
        ("a2", "2024-01-04", text, ROADS, "human-blind", "", "tetap"),
        ("s1", "2024-01-03", f"Yth. Dinas Perhubungan, {other}", WASTE, "", "rahasia", ""),
        ("s2", "2024-01-04", other, WASTE, "", "", ""),
    ]
    check = checked(write(tmp_path / "rows.csv", [header, *rows]))[0]
    kept = {str(row["id"]): row for row in check.cleaned}
    assert {"a2", "s2"} <= set(kept)
    assert not {"a1", "s1"} & set(kept)
    assert kept["a2"]["decision"] == "tetap"
    assert [(each.id, each.kind, each.detail) for each in check.changes] == [("a1", COPY, "a2"), ("s1", SECRET, "")]


def test_a_mapping_filled_in_by_hand_is_never_overwritten(tmp_path: Path) -> None:
    rows, kept = write(tmp_path / "rows.csv", [HEADER, *good_rows()]), tmp_path / "aduan.toml"
    kept.write_text("# milik saya\n")
    found = CliRunner().invoke(
        disposisi.app, ["rows", "check", str(rows), "--region", REGION.code, "--save-mapping", str(kept)]
    )
    assert isinstance(found.exception, OutputExists)
    assert kept.read_text() == "# milik saya\n"


def test_an_addressee_in_the_title_is_cut_too(tmp_path: Path) -> None:
    header = (*HEADER, "title")
    rows = [*((*row, "") for row in good_rows()), ("t", "2024-01-03", "Bus terlambat", BUSES, "Yth. Dishub, bus kota")]
    check = checked(write(tmp_path / "rows.csv", [header, *rows]))[0]
    assert check.leaks == {ADDRESSEE: 1}
    assert [row["title"] for row in check.cleaned if row["id"] == "t"] == ["bus kota"]


@pytest.mark.parametrize(
    ("text", "left", "kinds"),
    [
        ("Yth. Dinas Perhubungan, lampu merah mati", "lampu merah mati", [ADDRESSEE]),
        ("Yth Dinas Perhubungan lampu merah mati", "lampu merah mati", [ADDRESSEE]),
        ("Kepada Yth. Bapak Bupati\nYth. Kepala Dishub\nlampu mati", "lampu mati", [ADDRESSEE, ADDRESSEE]),
        ("Lampu mati. Laporan diteruskan ke Dinas Perhubungan.", "Lampu mati.", [ROUTING]),
        ("Didisposisikan kepada Dishub. Lampu mati", "Lampu mati", [ROUTING]),
        ("Lampu mati. Disposisi: Dishub", "Lampu mati.", [ROUTING]),
    ],
)
def test_what_gives_the_agency_away_is_cut(text: str, left: str, kinds: list[str]) -> None:
    rest, cuts = LeakFinder(REGION).cut(text)
    assert rest == left
    assert [kind for kind, _ in cuts] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "Yth. Dinas Perhubungan",
        "Yth pak jalan di depan rumah saya rusak, tolong",
        "Kepada siapa saya mengadu, jalan rusak",
        "Laporan saya sudah diteruskan ke Dinas Perhubungan tetapi belum ada tindakan. Lampu masih mati",
        "Lampu mati. Mohon laporan ini diteruskan ke Dinas Perhubungan.",
        "Mobil Dinas Perhubungan menabrak pagar. Laporan ini lengkap",
    ],
)
def test_a_citizens_own_words_about_agencies_stay(text: str) -> None:
    assert LeakFinder(REGION).cut(text) == (text, [])


def test_leaks_make_a_file_unfit_and_the_cleaned_file_is_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", [HEADER, *good_rows(), ("x", "", "Yth. Dishub, bus kota terlambat", BUSES)])
    check, read = checked(path)
    assert check.reasons == ("leaks",)
    assert check.leaks == {ADDRESSEE: 1}
    write_check(check, read, tmp_path / "out")
    again, _ = checked(tmp_path / "out" / CLEAN_ROWS)
    assert again.reasons == ()
    assert again.changes == ()


def test_the_cleaned_rows_keep_ids_and_labels_and_the_original_stays_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", [HEADER, *good_rows()])
    before = path.read_bytes()
    check, read = checked(path)
    write_check(check, read, tmp_path / "out")
    assert path.read_bytes() == before
    own, cleaned = (read_rows([file], REGION.code).rows for file in (path, tmp_path / "out" / CLEAN_ROWS))
    assert [(r.id, r.agency, r.sector, r.received_at) for r in cleaned] == [
        (r.id, r.agency, r.sector, r.received_at) for r in own
    ]


def test_exact_copies_are_left_out_and_contradicting_ones_stay_and_are_told(tmp_path: Path) -> None:
    text = good_rows()[0][2]
    check = check_of(tmp_path, ("copy", "", text.upper(), ROADS), ("other", "", text, WASTE))
    assert check.copies == 1
    assert check.conflicts == (("r0", "copy", "other"),)
    kept = {row["id"] for row in check.cleaned}
    assert "other" in kept
    assert len(kept & {"r0", "copy"}) == 1


def test_personal_data_is_counted_masked_and_never_on_the_page(tmp_path: Path) -> None:
    check = check_of(tmp_path, ("p", "", "Jalan rusak parah hubungi 081234567890 segera ya pak", ROADS))
    assert check.personal == {"TELEPON": 1}
    assert check.reasons == ()
    assert "081234567890" not in repr(check.cleaned) + page_html(check) + check_text(check)
    assert "r0" not in page_html(check)
    assert "berlubang" not in page_html(check)


def test_secret_rows_are_not_among_the_cleaned(tmp_path: Path) -> None:
    rows = [(*row, "terbuka") for row in good_rows()] + [("s", "", "Pejabat meminta uang", ROADS, "rahasia")]
    check, _ = checked(write(tmp_path / "rows.csv", [(*HEADER, "confidentiality"), *rows]))
    assert check.secret == 1
    assert "s" not in {row["id"] for row in check.cleaned}


def test_an_unknown_agency_is_told_with_the_nearest_known_and_the_row_is_kept_aside(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", [HEADER, *good_rows(), ("u", "", "Bus terlambat", "Dinas Perhubungn")])
    check, read = checked(path)
    assert check.reasons == ("unreadable",)
    [unknown] = check.unknown_agencies
    assert (unknown.spelling, unknown.rows, unknown.nearest[0]) == ("Dinas Perhubungn", 1, "Dinas Perhubungan")
    write_check(check, read, tmp_path / "out")
    assert "Bus terlambat" in (tmp_path / "out" / REJECTED).read_text(encoding="utf-8")


def test_of_very_many_unknown_agencies_the_first_are_told_and_how_many_more(tmp_path: Path) -> None:
    count = 2 * (UNKNOWN_SHOWN + 30)
    rows = [(f"u{i}", "", f"Bus nomor {i} terlambat", f"Dinas Khayalan {i // 2}") for i in range(count)]
    check, _ = checked(write(tmp_path / "rows.csv", [HEADER, *good_rows(), *rows]))
    assert (len(check.unknown_agencies), check.unknown_spellings) == (UNKNOWN_SHOWN, UNKNOWN_SHOWN + 30)
    assert "30 ejaan lain tidak dikenal" in page_html(check)
    assert "110 more spellings of agencies" in check_text(check)


def test_texts_that_stand_where_agencies_should_are_counted_and_not_shown(tmp_path: Path) -> None:
    rows = [(f"u{i}", "", f"Bus nomor {i} terlambat", f"Pak Fulan {i} mabuk") for i in range(UNKNOWN_SHOWN + 30)]
    check, _ = checked(write(tmp_path / "rows.csv", [HEADER, *good_rows(), *rows]))
    assert (check.unknown_agencies, check.unknown_spellings) == ((), UNKNOWN_SHOWN + 30)
    assert "130 ejaan lain tidak dikenal" in page_html(check)
    assert "Fulan" not in page_html(check)


def test_a_text_that_stands_where_an_agency_should_is_not_shown(tmp_path: Path) -> None:
    text = "Pak Fulan tetangga saya mabuk tiap malam dan mengganggu anak-anak di gang sebelah masjid"
    rows = [("u1", "", "Bus terlambat", text), ("u2", "", "Bus terlambat lagi", "Dinas Khayalan")]
    check, _ = checked(write(tmp_path / "rows.csv", [HEADER, *good_rows(), *rows]))
    assert [each.spelling for each in check.unknown_agencies] == ["Dinas Khayalan"]
    assert "Fulan" not in page_html(check)
    assert "1 more spellings of agencies are unknown; does the column hold agencies?" in check_text(check)


def test_a_file_of_which_no_row_can_be_read_is_told_so_and_its_rows_are_kept_aside(tmp_path: Path) -> None:
    rows = [(f"u{i}", "", f"Bus nomor {i} terlambat", "Dinas Khayalan") for i in range(3)]
    check, read = checked(write(tmp_path / "rows.csv", [HEADER, *rows]))
    assert (check.rows, check.readable, check.reasons) == (3, 0, ("unreadable", "too few"))
    write_check(check, read, tmp_path / "out")
    assert len((tmp_path / "out" / REJECTED).read_text(encoding="utf-8").splitlines()) == 4


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    check, _ = checked(write(tmp_path / "rows.csv", [HEADER, *good_rows(10)]))
    assert check.reasons == ("too few",)
    assert {each.lacking for each in check.sectors} == {15}


def test_columns_known_only_after_routing_are_told_by_name_and_by_what_they_tell(tmp_path: Path) -> None:
    rows = [(*row, "Selesai", f"kode {len(row[3])}", "", "A") for row in good_rows(60)]
    check, _ = checked(write(tmp_path / "rows.csv", [(*HEADER, "Status", "Bidang", "Kategori", "Petugas"), *rows]))
    assert check.files[0].telling == ("Status", "Bidang")
    assert "columns not used: Kategori, Petugas" in check_text(check)  # an empty column tells nothing


def test_lapors_own_columns_of_after_routing_are_told_by_name(tmp_path: Path) -> None:
    rows = [(*row, str(i), str(i), str(i)) for i, row in enumerate(good_rows())]
    columns = ("ID Kategori", "ID Instansi Terdisposisi", "Alasan Tunda/Arsip")
    check, _ = checked(write(tmp_path / "rows.csv", [(*HEADER, *columns), *rows]))
    assert check.files[0].telling == columns


def test_dates_in_the_future_and_with_the_month_first_are_told(tmp_path: Path) -> None:
    future = ("f", "2031-01-01", "Jembatan miring ke arah sungai", ROADS)
    swapped = ("m", "01/18/2024", "Jembatan kecil patah di tengah sawah", ROADS)
    check = check_of(tmp_path, future, swapped, ("a", "02/03/2024", "Selokan mampet penuh lumpur hitam", ROADS))
    assert check.dates.future == ("f",)
    assert (check.dates.month_first, check.dates.ambiguous) == (1, 1)
    assert set(check.reasons) == {"unreadable", "dates"}


def test_a_spreadsheet_that_swapped_day_and_month_where_it_could_is_noticed(tmp_path: Path) -> None:
    rows = [
        (row_id, f"2024-{i % 12 + 1:02}-{i % 11 + 1:02}" if i % 2 else f"{13 + i % 15}/01/2024", text, agency)
        for i, (row_id, _, text, agency) in enumerate(good_rows(60))
    ]
    assert checked(write(tmp_path / "rows.csv", [HEADER, *rows]))[0].dates.is_swapped
    rows[1] = (rows[1][0], "2024-01-28", *rows[1][2:])
    assert not checked(write(tmp_path / "more.csv", [HEADER, *rows]))[0].dates.is_swapped


@pytest.mark.parametrize(
    ("encoding", "delimiter", "remarks"),
    [
        ("utf-8-sig", ",", set()),
        ("cp1252", ";", {"encoding", "delimiter"}),
        ("utf-16", "\t", {"encoding", "delimiter"}),
        ("utf-16-le", ",", {"encoding"}),
    ],
)
def test_other_encodings_and_delimiters_are_read_and_told(
    tmp_path: Path, encoding: str, delimiter: str, remarks: set[str]
) -> None:
    rows = [HEADER, *good_rows(), ("é", "", "Kafé di trotoar menghalangi pejalan kaki", "Satpol PP")]
    check, _ = checked(write(tmp_path / "rows.csv", rows, encoding=encoding, delimiter=delimiter))
    assert check.cleaned[-1]["text"] == "Kafé di trotoar menghalangi pejalan kaki"
    assert {remark.what for remark in check.files[0].remarks} == remarks


def test_a_free_header_parted_by_semicolons_is_read(tmp_path: Path) -> None:
    rows = [("Kol1", "Kol2"), *((row[2], row[3]) for row in good_rows())]
    check, _ = checked(write(tmp_path / "rows.csv", rows, delimiter=";"))
    assert (check.readable, check.labelled) == (24, 24)


def test_merged_cells_hidden_sheets_and_formulas_without_values_are_read_around_and_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    hidden = book.active
    hidden.title, hidden.sheet_state = "rekap", "hidden"
    sheet = book.create_sheet("data")
    sheet.append(["Rekapitulasi aduan", None, None, None])
    sheet.append(HEADER)
    for row in good_rows(4):
        sheet.append([row[0], row[1], row[2], ROADS])
    for number in (4, 5, 6):
        sheet.cell(number, 4).value = None
    sheet["B6"] = "=TODAY()"
    sheet.merge_cells("A1:D1")
    sheet.merge_cells("D3:D6")
    book.active = 1
    book.save(tmp_path / "rows.xlsx")
    table = read_table(tmp_path / "rows.xlsx", header_names(), lenient=True)
    assert [row.cells["agency"] for row in table.rows] == [ROADS] * 4
    assert {remark.what: remark.detail for remark in table.remarks} == {
        "other sheets": "rekap",
        "merged cells": "3",
        "formulas without values": "1",
    }


def test_what_is_wrong_with_several_files_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    write(tmp_path / "none.csv", [("a", "b"), ("1", "2")])
    with pytest.raises(BadRows) as caught:
        read_sources([tmp_path / "empty.csv", tmp_path / "none.csv", tmp_path / "gone.csv"], REGION)
    assert [problem.file for problem in caught.value.problems] == ["empty.csv", "none.csv", "gone.csv"]


def test_the_command_writes_its_folder_and_tells_fitness_by_its_exit_code(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", [HEADER, *good_rows()])
    out, kept = tmp_path / "out", tmp_path / "m.toml"
    command = ["rows", "check", str(path), "--region", REGION.code]
    fit = CliRunner().invoke(disposisi.app, [*command, "--out", str(out), "--save-mapping", str(kept)])
    assert fit.exit_code == 0, fit.output
    assert {file.name for file in out.iterdir()} == {PAGE, CLEAN_ROWS, CHANGES}
    assert CliRunner().invoke(disposisi.app, [*command, "--mapping", str(kept)]).exit_code == 0
    tomorrow = date.today().replace(year=date.today().year + 1, day=1).isoformat()
    write(path, [HEADER, *good_rows(), ("f", tomorrow, "Jembatan miring ke sungai", ROADS)])
    unfit = CliRunner().invoke(disposisi.app, command)
    assert unfit.exit_code == 1
    assert "lie in the future" in unfit.output
