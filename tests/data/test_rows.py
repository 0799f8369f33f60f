"""Reading rows: every format and layout gives the same typed rows, and what can't be read is refused by its place."""

from __future__ import annotations

import csv
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import openpyxl
import polars
import pytest

from data.complaint import Confidentiality, Jurisdiction, LabelledRow
from data.errors import BadRows, Problem, UnknownName
from data.rows import read_rows, write_rejected

TANGERANG = "kab-tangerang"
LAPOR_COLUMNS = (
    "Tracking ID",
    "Tanggal Laporan Masuk",
    "Waktu Laporan Masuk",
    "Klasifikasi Laporan",
    "ID Kategori",
    "Kategori",
    "Judul Laporan",
    "Isi Laporan Awal",
    "Isi Laporan Akhir",
    "Tipe Laporan (Anonim/Rahasia)",
    "Sumber Laporan",
    "Instansi Induk",
    "ID Instansi Terdisposisi",
    "Instansi Terdisposisi",
    "Status Laporan",
    "Alasan Tunda/Arsip",
    "Provinsi",
    "Kota/Kabupaten",
    "Kecamatan",
    "Kelurahan",
)
# The older layout has no code of the agency and no place below the regency.
LAPOR_OLD_COLUMNS = tuple(c for c in LAPOR_COLUMNS if c not in ("ID Instansi Terdisposisi", "Kecamatan", "Kelurahan"))
PREAMBLE: tuple[tuple[str | None, ...], ...] = (
    ("Judul Laporan", None, "Laporan Ringkas"),
    (),
    ("Instansi", None, "Pemerintah Kabupaten Tangerang"),
    ("Periode", None, "1 Januari 2024 - 31 Desember 2024"),
    (),
    ("Jumlah", None, "2"),
    (),
    (),
    ("Pengelola", None, None),
    (),
)

Record = Mapping[str, object]
Writer = Callable[[Path, Sequence[Record]], Path]


def write_csv(path: Path, records: Sequence[Record], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


def write_sheet(path: Path, lines: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in lines:
        sheet.append(list(line))
    book.save(path)
    return path


def write_xlsx(path: Path, records: Sequence[Record]) -> Path:
    return write_sheet(path, [list(records[0]), *(list(record.values()) for record in records)])


def write_jsonl(path: Path, records: Sequence[Record]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def write_parquet(path: Path, records: Sequence[Record]) -> Path:
    polars.DataFrame([dict(record) for record in records]).write_parquet(path)
    return path


WRITERS: dict[str, Writer] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}
every_format = pytest.mark.parametrize("suffix", list(WRITERS))


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def edit_xlsx(source: Path, target: Path, edit: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a workbook with its parts edited; a part edited to None is left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if (content := edit(name, old.read(name))) is not None:
                new.writestr(name, content)
    return target


def rows_of(*paths: Path, region: str = TANGERANG, labels: bool = True) -> list[LabelledRow]:
    return read_rows(paths, region, labels=labels).rows


def refusal(*paths: Path, region: str = TANGERANG, annotations: Path | None = None) -> BadRows:
    with pytest.raises(BadRows) as caught:
        read_rows(paths, region, annotations=annotations)
    return caught.value


def only_problem(*paths: Path, annotations: Path | None = None) -> Problem:
    [problem] = refusal(*paths, annotations=annotations).problems
    return problem


def lapor_report(columns: Sequence[str], **cells: object) -> list[object]:
    """A line of an export; arguments are column names with underscores for blanks."""
    return [cells.get(column.replace(" ", "_").split("_(")[0]) for column in columns]


# Formats


@every_format
def test_every_format_gives_the_same_rows(suffix: str, tmp_path: Path) -> None:
    records = [
        {
            "id": "a-1",
            "text": "Jalan berlubang, lampu mati\nsejak kemarin",
            "title": "Jalan",
            "location": "Pasar Kemis",
            "sector": "public-works",
            "urgency": "2",
            "jurisdiction": "local",
            "complete": "0",
            "received_at": "18 Januari 2024",
            "language": "id",
        },
        dict.fromkeys(("id", "text"), "b")
        | dict.fromkeys(
            ("title", "location", "sector", "urgency", "jurisdiction", "complete", "received_at", "language"), ""
        ),
    ]
    first, second = rows_of(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert first.id == "a-1"
    assert first.complaint.text == "Jalan berlubang, lampu mati\nsejak kemarin"
    assert (first.complaint.title, first.complaint.location, first.complaint.region) == (
        "Jalan",
        "Pasar Kemis",
        TANGERANG,
    )
    assert (first.sector, first.urgency, first.jurisdiction, first.complete) == (
        "public-works",
        2,
        Jurisdiction.LOCAL,
        False,
    )
    assert (first.received_at, first.language) == ("2024-01-18", "id")
    assert (second.sector, second.urgency, second.jurisdiction, second.complete) == (None, None, None, None)
    assert second.received_at == ""


@pytest.mark.parametrize("suffix", ["xlsx", "jsonl", "parquet"])
def test_numbers_are_read_as_the_text_a_person_sees(suffix: str, tmp_path: Path) -> None:
    records = [{"id": 7296418, "text": "lampu jalan mati", "urgency": 3.0, "complete": True}]
    [row] = rows_of(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert (row.id, row.urgency, row.complete) == ("7296418", 3, True)


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_a_date_cell_becomes_iso_text(suffix: str, tmp_path: Path) -> None:
    records = [{"id": "1", "text": "got mampet", "received_at": datetime(2024, 1, 18, 7, 30)}]
    [row] = rows_of(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert row.received_at == "2024-01-18T07:30:00"


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    assert len(rows_of(write_csv(tmp_path / "ROWS.CSV", [{"id": "1", "text": "got mampet"}]))) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_separator_of_a_csv_is_found(delimiter: str, tmp_path: Path) -> None:
    records = [{"id": "1", "text": "jalan, trotoar; dan\tgot", "urgency": "1"}]
    [row] = rows_of(write_csv(tmp_path / "rows.csv", records, delimiter))
    assert (row.complaint.text, row.urgency) == ("jalan, trotoar; dan\tgot", 1)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(suffix: str, tmp_path: Path) -> None:
    path = WRITERS[suffix](tmp_path / f"rows.{suffix}", [{"id": "a", "text": "got mampet"}])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert rows_of(path)[0].id == "a"


def test_column_names_are_known_in_any_case_and_spacing(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "rows.csv", [{"ID": "1", " TEXT ": "got", "Received At": "2024"}]))
    assert (row.id, row.complaint.text, row.received_at) == ("1", "got", "2024")


@every_format
def test_rows_without_an_id_are_named_after_file_and_row(suffix: str, tmp_path: Path) -> None:
    rows = rows_of(WRITERS[suffix](tmp_path / f"juni.{suffix}", [{"text": "got"}, {"text": "jalan"}]))
    first = 1 if suffix == "jsonl" else 2
    assert [row.id for row in rows] == [f"juni:{first}", f"juni:{first + 1}"]


def test_files_of_one_name_in_two_folders_can_be_read_together_though_they_have_no_ids(tmp_path: Path) -> None:
    paths = []
    for folder in ("januari", "februari"):
        (tmp_path / folder).mkdir()
        paths.append(write_csv(tmp_path / folder / "laporan.csv", [{"text": f"got mampet {folder}"}]))
    assert len({row.id for row in rows_of(*paths)}) == 2


def test_empty_rows_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = write_text(tmp_path / "rows.csv", "id,text,sector\n\na,got mampet,\n,,\nb,got mampet,nope\n")
    assert only_problem(path).row == 5


def test_a_row_counts_as_one_however_many_lines_its_text_has(tmp_path: Path) -> None:
    path = write_text(tmp_path / "rows.csv", 'id,text,sector\na,"satu\ndua\ntiga",\nb,got,nope\n')
    assert only_problem(path).row == 3


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x85", "\r"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_odd_line_separators_inside_a_cell_do_not_break_its_row(suffix: str, separator: str, tmp_path: Path) -> None:
    records = [
        {"id": "1", "text": f"jalan{separator}rusak", "urgency": "2"},
        {"id": "2", "text": "got", "urgency": "0"},
    ]
    rows = rows_of(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert [(row.id, row.complaint.text.split(), row.urgency) for row in rows] == [
        ("1", ["jalan", "rusak"], 2),
        ("2", ["got"], 0),
    ]


def test_odd_line_separators_survive_in_a_workbook(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "rows.xlsx", [{"id": "1", "text": "jalan\u2028rusak\x85parah"}])
    [row] = rows_of(path)
    assert row.complaint.text == "jalan\u2028rusak\x85parah"


def test_odd_line_separators_survive_in_a_jsonl_file_that_holds_them_unescaped(tmp_path: Path) -> None:
    line = json.dumps({"id": "1", "text": "jalan\u2028rusak\x85parah"}, ensure_ascii=False)
    [row] = rows_of(write_text(tmp_path / "rows.jsonl", line + "\n"))
    assert row.complaint.text == "jalan\u2028rusak\x85parah"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_nul_bytes_are_left_out_of_a_row_that_stays_whole(suffix: str, tmp_path: Path) -> None:
    records = [{"id": "1\0", "text": "jalan\0 rusak", "urgency": "2"}]
    [row] = rows_of(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert (row.id, row.complaint.text, row.urgency) == ("1", "jalan rusak", 2)


def test_a_parquet_file_whose_name_holds_brackets_is_that_file(tmp_path: Path) -> None:
    assert len(rows_of(write_parquet(tmp_path / "laporan[1].parquet", [{"id": "1", "text": "got mampet"}]))) == 1


def test_a_parquet_cell_that_is_not_a_number_is_an_empty_cell(tmp_path: Path) -> None:
    records = [{"id": "1", "text": "got", "urgency": 2.0}, {"id": "2", "text": "got", "urgency": float("nan")}]
    assert [row.urgency for row in rows_of(write_parquet(tmp_path / "rows.parquet", records))] == [2, None]


def test_a_workbook_without_styles_is_read_without_a_warning(tmp_path: Path) -> None:
    plain = write_xlsx(tmp_path / "styled.xlsx", [{"id": "1", "text": "got mampet"}])
    empty = b'<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'
    path = edit_xlsx(plain, tmp_path / "rows.xlsx", lambda name, old: empty if "styles" in name else old)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(rows_of(path)) == 1


def test_a_file_of_a_header_alone_holds_no_rows(tmp_path: Path) -> None:
    assert rows_of(write_text(tmp_path / "rows.csv", "id,text\n")) == []


# LAPOR! exports


def test_the_export_layout_of_twenty_columns_is_read(tmp_path: Path) -> None:
    report = lapor_report(
        LAPOR_COLUMNS,
        Tracking_ID=900001,
        Tanggal_Laporan_Masuk="18 Jan 2024",
        Waktu_Laporan_Masuk="02:35:18",
        Judul_Laporan="Lampu jalan",
        Isi_Laporan_Awal="lampu jalan mati semua",
        Isi_Laporan_Akhir="Lampu jalan mati.",
        Tipe_Laporan="Rahasia",
        Instansi_Terdisposisi="Dinas Perhubungan Kab. Tangerang",
        Kecamatan="CURUG",
        Kelurahan="Curug Kulon",
    )
    [row] = rows_of(write_sheet(tmp_path / "export.xlsx", [LAPOR_COLUMNS, report]))
    assert row.id == "900001"
    assert row.received_at == "2024-01-18T02:35:18"
    assert row.complaint.title == "Lampu jalan"
    assert row.complaint.text == "lampu jalan mati semua"
    assert row.complaint.location == "Kelurahan Curug Kulon, Kecamatan CURUG"
    assert (row.agency, row.sector) == ("dishub", "transport")
    assert row.confidentiality is Confidentiality.RAHASIA


def test_the_export_layout_below_a_preamble_is_read(tmp_path: Path) -> None:
    report = lapor_report(
        LAPOR_OLD_COLUMNS,
        Tracking_ID="900002",
        Tanggal_Laporan_Masuk="18/01/2024",
        Waktu_Laporan_Masuk="14.05",
        Isi_Laporan_Awal="sampah menumpuk",
        Tipe_Laporan="Anonim",
        Instansi_Terdisposisi="DINAS LINGKUNGAN HIDUP DAN KEBERSIHAN",
    )
    [row] = rows_of(write_sheet(tmp_path / "export.xlsx", [*PREAMBLE, LAPOR_OLD_COLUMNS, report]))
    assert (row.id, row.received_at) == ("900002", "2024-01-18T14:05:00")
    assert (row.agency, row.sector) == ("dlhk", "environment")
    assert row.confidentiality is Confidentiality.ANONIM


def test_rows_below_a_preamble_are_counted_from_the_top_of_the_sheet(tmp_path: Path) -> None:
    report = lapor_report(LAPOR_OLD_COLUMNS, Tracking_ID="1", Isi_Laporan_Awal="got", Instansi_Terdisposisi="Dinas X")
    problem = only_problem(write_sheet(tmp_path / "export.xlsx", [*PREAMBLE, LAPOR_OLD_COLUMNS, report]))
    assert (problem.row, problem.column) == (12, "Instansi Terdisposisi")


def test_what_an_admin_made_of_a_report_is_read_only_where_its_own_words_are_missing(tmp_path: Path) -> None:
    reports = [
        lapor_report(LAPOR_COLUMNS, Tracking_ID="1", Isi_Laporan_Awal="kata warga", Isi_Laporan_Akhir="kata admin"),
        lapor_report(LAPOR_COLUMNS, Tracking_ID="2", Isi_Laporan_Akhir="kata admin"),
    ]
    rows = rows_of(write_sheet(tmp_path / "export.xlsx", [LAPOR_COLUMNS, *reports]))
    assert [row.complaint.text for row in rows] == ["kata warga", "kata admin"]


def test_what_is_known_only_after_routing_is_nowhere_in_a_row(tmp_path: Path) -> None:
    after = {"Kategori": "XKATEGORI", "Status_Laporan": "XSTATUS", "Alasan_Tunda/Arsip": "XALASAN"}
    report = lapor_report(LAPOR_COLUMNS, Tracking_ID="1", Isi_Laporan_Awal="got mampet", **after)
    [row] = rows_of(write_sheet(tmp_path / "export.xlsx", [LAPOR_COLUMNS, report]))
    assert not any(word in repr(row) for word in after.values())


@pytest.mark.parametrize(
    ("cell", "confidentiality"),
    [
        ("", Confidentiality.TERBUKA),
        ("Terbuka", Confidentiality.TERBUKA),
        ("Anonim", Confidentiality.ANONIM),
        ("RAHASIA", Confidentiality.RAHASIA),
    ],
)
def test_the_kind_of_report_says_how_confidential_it_is(
    cell: str, confidentiality: Confidentiality, tmp_path: Path
) -> None:
    records = [{"id": "1", "text": "got", "Tipe Laporan (Anonim/Rahasia)": cell}]
    assert rows_of(write_csv(tmp_path / "rows.csv", records))[0].confidentiality is confidentiality


def test_an_unknown_kind_of_report_is_refused_rather_than_taken_as_open(tmp_path: Path) -> None:
    problem = only_problem(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "confidentiality": "secret"}]))
    assert (problem.row, problem.column, problem.value) == (2, "confidentiality", "'secret'")
    assert "rahasia" in problem.expected


@pytest.mark.parametrize(
    ("name", "count", "with_place"),
    [("lapor_export_kab_bandung_2024.xlsx", 420, True), ("lapor_export_preamble.xlsx", 150, False)],
)
def test_the_real_exports_are_read_whole(name: str, count: int, with_place: bool, shared_datasets: Path) -> None:
    rows = rows_of(shared_datasets / name, region="kab-bandung")
    assert len(rows) == len({row.id for row in rows}) == count
    assert all(row.complaint.text for row in rows)
    assert all(row.received_at[:2] == "20" and len(row.received_at) == 19 for row in rows)
    assert sum(row.agency is not None for row in rows) > 0.7 * count
    assert sum(row.confidentiality is Confidentiality.ANONIM for row in rows) > 0.5 * count
    assert any(row.complaint.location for row in rows) is with_place


# Agencies, sectors, areas, regions


def test_an_agency_name_becomes_its_code_and_its_sector(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "agency": "dinas kesehatan"}]))
    assert (row.agency, row.sector) == ("dinkes", "health")


def test_an_office_that_answers_for_no_sector_alone_still_tells_one(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "api", "agency": "Damkar"}]))
    assert (row.agency, row.sector) == ("damkar", "fire-rescue")


def test_the_regency_itself_as_agency_tells_no_sector(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "agency": "Pemkab Tangerang"}]))
    assert (row.agency, row.sector) == ("pemda", None)


def test_a_sector_that_is_given_wins_over_the_agencys(tmp_path: Path) -> None:
    records = [{"id": "1", "text": "got", "agency": "Dinas Kesehatan", "sector": "environment"}]
    [row] = rows_of(write_csv(tmp_path / "r.csv", records))
    assert (row.agency, row.sector) == ("dinkes", "environment")


@pytest.mark.parametrize(
    ("name", "sector", "area"),
    [
        ("Kecamatan Curug", "district-office", "Curug"),
        ("KANTOR KECAMATAN CURUG KAB. TANGERANG", "district-office", "Curug"),
        ("Desa Curug Wetan", "village-office", "Curug Wetan"),
        ("Kelurahan Curug Kulon", "village-office", "Curug Kulon"),
    ],
)
def test_an_office_of_an_area_tells_its_family_and_its_area(name: str, sector: str, area: str, tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "agency": name}]))
    assert row.agency is not None
    assert row.agency.startswith(f"{sector}:36.03.17")
    assert (row.sector, row.area) == (sector, area)


def test_a_village_whose_name_another_has_tells_its_sector_only(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "agency": "Desa Talagasari"}]))
    assert (row.agency, row.sector) == (None, "village-office")


def test_an_area_that_is_given_wins_over_the_agencys(tmp_path: Path) -> None:
    records = [{"id": "1", "text": "got", "agency": "Kecamatan Curug", "area": "Cikupa"}]
    assert rows_of(write_csv(tmp_path / "r.csv", records))[0].area == "Cikupa"


def test_a_rows_own_region_decides_whose_agencies_are_meant(tmp_path: Path) -> None:
    records = [
        {"id": "1", "text": "jalan", "region": "kab-bandung", "agency": "Dinas Pekerjaan Umum"},
        {"id": "2", "text": "jalan", "region": "", "agency": "Dinas Pekerjaan Umum"},
        {"id": "3", "text": "jalan", "region": "kota-surabaya", "agency": "Dinas Pekerjaan Umum"},
    ]
    rows = rows_of(write_csv(tmp_path / "r.csv", records))
    assert [row.agency for row in rows] == ["dputr", "dbmsda", "dsdabm"]
    assert [row.complaint.region for row in rows] == ["kab-bandung", TANGERANG, "kota-surabaya"]


def test_an_agency_of_another_region_is_refused_in_this_one(tmp_path: Path) -> None:
    records = [{"id": "1", "text": "jalan", "region": "kab-bandung", "agency": "DBMSDA"}]
    problem = only_problem(write_csv(tmp_path / "r.csv", records))
    assert (problem.row, problem.column, problem.value) == (2, "agency", "'DBMSDA'")
    assert "kab-bandung" in problem.expected


def test_rows_of_a_region_without_a_file_are_read_with_a_note(tmp_path: Path) -> None:
    records = [
        {"id": "1", "text": "jalan", "region": "kab-lain", "agency": "Dinas Apa Saja", "sector": ""},
        {"id": "2", "text": "jalan", "region": "kab-lain", "agency": "Dinas Apa Saja", "sector": "transport"},
        {"id": "3", "text": "jalan", "region": "kab-lain", "agency": "", "sector": "police"},
    ]
    read = read_rows([write_csv(tmp_path / "r.csv", records)], TANGERANG)
    assert [(row.agency, row.sector) for row in read.rows] == [(None, None), (None, "transport"), (None, "police")]
    [note] = read.notes
    assert note.startswith("1 rows of region 'kab-lain', which has no region file")


def test_the_region_asked_for_must_have_a_file(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}])
    with pytest.raises(UnknownName, match=r"No region 'kab-lain'\. Known: .*kab-tangerang"):
        read_rows([path], "kab-lain")


@pytest.mark.parametrize(("spelling", "level"), [("0", 0), ("3", 3), ("rendah", 0), ("Tinggi", 2), ("DARURAT", 3)])
def test_urgency_is_a_number_or_its_name(spelling: str, level: int, tmp_path: Path) -> None:
    records = [{"id": "1", "text": "got", "urgency": spelling}]
    assert rows_of(write_csv(tmp_path / "r.csv", records))[0].urgency == level


# Annotations


def test_annotations_are_added_by_id_and_win(tmp_path: Path) -> None:
    rows = write_csv(
        tmp_path / "r.csv",
        [
            {"id": "1", "text": "got", "urgency": "0", "jurisdiction": "local", "complete": "1"},
            {"id": "2", "text": "jalan", "urgency": "1", "jurisdiction": "private", "complete": "0"},
            {"id": "3", "text": "jalan", "urgency": "1", "jurisdiction": "", "complete": ""},
        ],
    )
    added = write_csv(
        tmp_path / "annotations.csv",
        [
            {"id": "1", "urgency": "3", "level": "central", "complete": "0"},
            {"id": "2", "urgency": "", "level": "", "complete": ""},
        ],
    )
    read = read_rows([rows], TANGERANG, annotations=added)
    assert [(row.urgency, row.jurisdiction, row.complete) for row in read.rows] == [
        (3, Jurisdiction.CENTRAL, False),
        (1, Jurisdiction.PRIVATE, False),
        (1, None, None),
    ]
    assert read.notes == []


def test_annotations_for_ids_that_are_not_there_are_counted(tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}])
    added = write_csv(tmp_path / "a.csv", [{"id": i, "urgency": "1"} for i in ("1", "8", "9")])
    [note] = read_rows([rows], TANGERANG, annotations=added).notes
    assert note.startswith("2 of 3 annotations")


@pytest.mark.parametrize(
    ("line", "column"),
    [("2,5,local", "urgency"), ("2,1,moon", "level"), ("1,1,local", "id"), (",1,local", "id")],
)
def test_a_bad_annotation_is_refused_with_its_place(line: str, column: str, tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}, {"id": "2", "text": "got"}])
    added = write_text(tmp_path / "a.csv", f"id,urgency,level\n1,1,local\n{line}\n")
    problem = only_problem(rows, annotations=added)
    assert (problem.file, problem.row, problem.column) == ("a.csv", 3, column)


def test_annotations_without_an_id_column_are_refused(tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}])
    added = write_text(tmp_path / "a.csv", "nomor,urgency,level\n1,1,local\n")
    assert only_problem(rows, annotations=added).value == "no id column"


def test_the_real_annotations_find_their_rows(shared_datasets: Path) -> None:
    paths = [shared_datasets / name for name in ("bandung_lapor.csv", "surabaya_wargaku.csv")]
    read = read_rows(paths, "kab-bandung", annotations=shared_datasets / "annotations.csv")
    assert sum(row.urgency is not None for row in read.rows) == 1_120
    assert {row.urgency for row in read.rows} == {0, 1, 2, 3, None}
    assert not any("annotations" in note for note in read.notes)


# Refusals


def test_a_row_without_text_is_refused_with_its_number(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}, {"id": "2", "text": "  "}])
    problem = only_problem(path)
    assert (problem.file, problem.row, problem.column, problem.value) == ("r.csv", 3, "text", "empty")


def test_a_title_may_stand_for_a_text(tmp_path: Path) -> None:
    [row] = rows_of(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "", "title": "lampu mati"}]))
    assert (row.complaint.text, row.complaint.title) == ("", "lampu mati")


def test_a_file_without_a_text_column_is_refused_with_the_columns_it_has(tmp_path: Path) -> None:
    problem = only_problem(write_text(tmp_path / "r.csv", "id,agency,nomor\n1,Dinsos,2\n"))
    assert (problem.file, problem.row) == ("r.csv", 0)
    assert "id, agency, nomor" in problem.value
    assert "'text'" in problem.expected
    assert "Isi Laporan Awal" in problem.expected


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("sector", "jalan", "public-works"),
        ("urgency", "4", "darurat"),
        ("urgency", "-1", "darurat"),
        ("urgency", "gawat", "darurat"),
        ("jurisdiction", "moon", "province"),
        ("complete", "ya", "1 (complete)"),
        ("received_at", "2024-13-01", "18 Januari 2024"),
        ("received_at", "31 Februari 2024", "18 Januari 2024"),
        ("agency", "Dinas Sihir", "region file of kab-tangerang"),
        ("agency", "Kecamatan Baleendah", "region file of kab-tangerang"),
    ],
)
@every_format
def test_a_bad_label_is_refused_with_file_row_column_value_and_what_was_expected(
    suffix: str, column: str, value: str, expected: str, tmp_path: Path
) -> None:
    records = [{"id": "1", "text": "got", column: ""}, {"id": "2", "text": "got", column: value}]
    problem = only_problem(WRITERS[suffix](tmp_path / f"rows.{suffix}", records))
    assert (problem.file, problem.row) == (f"rows.{suffix}", 2 if suffix == "jsonl" else 3)
    assert (problem.column, problem.value) == (column, repr(value))
    assert expected in problem.expected


def test_two_rows_of_one_id_are_refused_and_the_first_is_named(tmp_path: Path) -> None:
    problem = only_problem(write_csv(tmp_path / "r.csv", [{"id": "7", "text": "got"}, {"id": "7", "text": "jalan"}]))
    assert (problem.row, problem.column, problem.value) == (3, "id", "'7'")
    assert "r.csv, row 2" in problem.expected


def test_two_rows_of_one_id_are_refused_across_files_and_formats(tmp_path: Path) -> None:
    first = write_csv(tmp_path / "a.csv", [{"id": "7", "text": "got"}])
    second = write_xlsx(tmp_path / "b.xlsx", [{"id": 7, "text": "jalan"}])
    problem = only_problem(first, second)
    assert (problem.file, problem.row) == ("b.xlsx", 2)
    assert "a.csv, row 2" in problem.expected


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    first = write_text(tmp_path / "a.csv", "id,text,sector,urgency\n1,,nope,9\n2,got,,\n")
    second = write_text(tmp_path / "b.csv", "id,text,complete\n3,got,x\n")
    error = refusal(first, tmp_path / "missing.csv", second)
    places = [(problem.file, problem.row, problem.column) for problem in error.problems]
    assert places == [
        ("a.csv", 2, "text"),
        ("a.csv", 2, "sector"),
        ("a.csv", 2, "urgency"),
        ("missing.csv", 0, ""),
        ("b.csv", 2, "complete"),
    ]
    assert str(error).startswith("5 problems in the rows:\n")
    assert "a.csv, row 2, column 'urgency': '9'; expected 0, 1, 2, 3" in str(error)


def test_the_first_fifty_problems_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    records = [{"id": str(i), "text": "got", "urgency": "9"} for i in range(60)]
    error = refusal(write_csv(tmp_path / "r.csv", records))
    lines = str(error).splitlines()
    assert len(error.problems) == 60
    assert lines[0] == "60 problems in the rows:"
    assert len(lines) == 52
    assert "row 51," in lines[50]
    assert lines[51] == "  ... and 10 more"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    problem = only_problem(tmp_path / "nope.csv")
    assert (problem.file, problem.value) == ("nope.csv", "there is no such file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").mkdir()
    assert only_problem(tmp_path / "rows.csv").file == "rows.csv"


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.zip", "rows.xls", "rows.txt", "rows"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_there_are(name: str, tmp_path: Path) -> None:
    # What there is of them is cut short, as a broken-off download leaves it.
    (tmp_path / name).write_bytes(b"\x1f\x8b\x08\x00PK\x03\x04")
    problem = only_problem(tmp_path / name)
    assert problem.file == name
    assert problem.expected == "one of .csv, .xlsx, .jsonl, .parquet"


@pytest.mark.parametrize(
    "content", [b"", b"<html><table></table></html>", b"PK\x03\x04 cut short", b"\xd0\xcf\x11\xe0"]
)
def test_a_workbook_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(content)
    problem = only_problem(tmp_path / "rows.xlsx")
    assert problem.value.startswith("it is not an XLSX workbook")


def test_a_zip_of_something_else_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.xlsx", "w") as archive:
        archive.writestr("rows.csv", "id,text\n1,got\n")
    assert only_problem(tmp_path / "rows.xlsx").value.startswith("it is not an XLSX workbook")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_workbook_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "rows.xlsx", [{"id": str(i), "text": "got mampet"} for i in range(50)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert only_problem(path).value.startswith("it is not an XLSX workbook")


def test_a_workbook_whose_sheet_is_cut_short_is_refused(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "whole.xlsx", [{"id": str(i), "text": "got mampet"} for i in range(50)])
    path = edit_xlsx(whole, tmp_path / "r.xlsx", lambda name, old: old[: len(old) // 2] if "sheet1" in name else old)
    assert only_problem(path).file == "r.xlsx"


def test_a_workbook_whose_sheet_is_damaged_is_refused(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "r.xlsx", [{"id": str(i), "text": "got mampet"} for i in range(50)])
    with zipfile.ZipFile(path) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
        start = part.header_offset + 30 + len(part.filename) + 10
    content = bytearray(path.read_bytes())
    content[start : start + 20] = bytes(byte ^ 0xFF for byte in content[start : start + 20])
    path.write_bytes(content)
    assert only_problem(path).file == "r.xlsx"


def test_a_workbook_without_a_sheet_is_refused(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "whole.xlsx", [{"id": "1", "text": "got"}])
    path = edit_xlsx(whole, tmp_path / "r.xlsx", lambda name, old: None if "sheet1" in name else old)
    assert only_problem(path).file == "r.xlsx"


@pytest.mark.parametrize("kept", [0, 8, 200, -1])
def test_a_parquet_file_cut_short_is_refused(kept: int, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "rows.parquet", [{"id": "1", "text": "got mampet"}])
    path.write_bytes(path.read_bytes()[:kept])
    assert only_problem(path).value.startswith("it is not a Parquet file")


@pytest.mark.parametrize("line", ["{", "got mampet", '{"id": "2", "text": "got}', '["2", "got"]', "7", "null"])
def test_a_broken_jsonl_line_is_refused_with_its_number(line: str, tmp_path: Path) -> None:
    path = write_text(tmp_path / "rows.jsonl", f'{{"id": "1", "text": "got"}}\n\n{line}\n')
    problem = only_problem(path)
    assert (problem.file, problem.row) == ("rows.jsonl", 3)
    assert problem.expected == "one JSON object a line"


def test_a_jsonl_line_nested_too_deep_is_refused_with_its_number(tmp_path: Path) -> None:
    path = write_text(tmp_path / "rows.jsonl", '{"id": "1", "text": "got"}\n' + "[" * 100_000 + "\n")
    assert only_problem(path).row == 2


def test_a_jsonl_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "rows.jsonl", '{"id": "1", "text": {"isi": "got"}}\n')
    assert (only_problem(path).row, only_problem(path).column) == (1, "text")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_that_is_not_utf_8_is_refused_with_the_way_out(suffix: str, encoding: str, tmp_path: Path) -> None:
    text = 'id,text\n1,"kafé di trotoar"\n' if suffix == "csv" else '{"id": "1", "text": "kafé di trotoar"}\n'
    (tmp_path / f"rows.{suffix}").write_bytes(text.encode(encoding))
    problem = only_problem(tmp_path / f"rows.{suffix}")
    assert "is not UTF-8" in problem.value
    assert "UTF-8" in problem.expected


@pytest.mark.parametrize("body", ['1,"got mampet\n2,jalan\n', '1,"got" mampet\n'])
def test_quotes_that_do_not_close_are_refused(body: str, tmp_path: Path) -> None:
    problem = only_problem(write_text(tmp_path / "r.csv", "id,text\n" + body))
    assert problem.expected == "a CSV file whose quotes are closed and, inside a text, doubled"


@pytest.mark.parametrize("content", ["", "\n\n\n", "\ufeff"])
def test_an_empty_csv_is_refused(content: str, tmp_path: Path) -> None:
    assert only_problem(write_text(tmp_path / "r.csv", content)).value == "it holds no rows"


def test_a_row_with_more_cells_than_the_header_is_refused_rather_than_cut(tmp_path: Path) -> None:
    # An unquoted comma: what stands behind it would be lost without a word.
    path = write_text(tmp_path / "r.csv", "id,text\n1,jalan rusak, lampu mati\n")
    assert only_problem(path).row == 2


def test_two_columns_of_one_name_are_refused_rather_than_one_of_them_lost(tmp_path: Path) -> None:
    path = write_text(tmp_path / "r.csv", "id,text,text\n1,kata warga,kata admin\n")
    assert only_problem(path).row in (0, 1)


# A text never stands in a message

SECRET = "PENGADUANWARGA jalan di depan rumah Bu Tuti rusak"


@pytest.mark.parametrize(
    "record",
    [
        {"id": "1", "text": SECRET, "sector": "nope"},
        {"id": "1", "text": SECRET, "urgency": "9"},
        {"id": "1", "text": SECRET, "agency": "Dinas Sihir"},
        {"id": "1", "text": SECRET, "received_at": "kemarin"},
        {"id": "1", "title": SECRET, "text": "", "complete": "x"},
        {"id": "1", "text": SECRET, "confidentiality": "x"},
        {"id": "1", "isi": SECRET, "agency": ""},
    ],
    ids=lambda record: next(reversed(record)),
)
@every_format
def test_a_text_never_stands_in_an_error(suffix: str, record: Record, tmp_path: Path) -> None:
    error = refusal(WRITERS[suffix](tmp_path / f"rows.{suffix}", [record]))
    assert "PENGADUANWARGA" not in str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", f'id,text\n1,"{SECRET}\n'),
        ("r.csv", f'id,text\n1,"{SECRET}" x\n'),
        ("r.jsonl", f'{{"id": "1", "text": "{SECRET}\n'),
        ("r.jsonl", f'"{SECRET}"\n'),
        ("r.xlsx", SECRET),
        ("r.parquet", SECRET),
    ],
)
def test_the_text_of_a_broken_file_never_stands_in_its_error(name: str, content: str, tmp_path: Path) -> None:
    assert "PENGADUANWARGA" not in str(refusal(write_text(tmp_path / name, content)))


def test_a_file_without_a_header_is_refused_without_showing_its_first_row(tmp_path: Path) -> None:
    error = refusal(write_text(tmp_path / "r.csv", f"1,{SECRET},jalan\n2,{SECRET},jalan\n"))
    assert "PENGADUANWARGA" not in str(error)


def test_a_long_value_is_shown_by_its_beginning(tmp_path: Path) -> None:
    problem = only_problem(write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got", "sector": "x" * 500}]))
    assert len(problem.value) < 80


# Rows only to be predicted


def test_bad_labels_are_not_looked_at_where_rows_are_only_to_be_predicted(tmp_path: Path) -> None:
    bad = {"agency": "Dinas Sihir", "sector": "nope", "urgency": "9", "jurisdiction": "moon", "complete": "x"}
    path = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got mampet"} | bad])
    [row] = rows_of(path, labels=False)
    assert row.complaint.text == "got mampet"
    assert (row.agency, row.sector, row.urgency, row.jurisdiction, row.complete) == (None, None, None, None, None)


def test_a_row_without_text_is_refused_also_where_it_is_only_to_be_predicted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [{"id": "1", "text": ""}])
    with pytest.raises(BadRows, match="row 2, column 'text'"):
        read_rows([path], TANGERANG, labels=False)


# Leaving bad rows out


def test_bad_rows_are_left_out_when_asked(tmp_path: Path) -> None:
    path = write_text(tmp_path / "r.csv", "id,text,sector,urgency\n1,got,,\n2,,nope,9\n3,jalan,,\n")
    read = read_rows([path], TANGERANG, skip_bad=True)
    assert [row.id for row in read.rows] == ["1", "3"]
    assert [problem.column for problem in read.problems] == ["text", "sector", "urgency"]


def test_the_side_file_holds_the_original_cells_of_what_was_left_out(tmp_path: Path) -> None:
    cells = {"id": "2", "text": "Jalan “rusak”,\nparah", "sector": "nope", "urgency": "9", "catatan": "dari é WA"}
    path = write_csv(tmp_path / "r.csv", [dict(cells, id="1", sector="", urgency=""), cells])
    read = read_rows([path], TANGERANG, skip_bad=True)
    write_rejected(read, tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle))
    assert [(line["file"], line["row"], line["column"], line["value"]) for line in lines] == [
        ("r.csv", "3", "sector", "'nope'"),
        ("r.csv", "3", "urgency", "'9'"),
    ]
    assert all(json.loads(line["original"]) == cells for line in lines)
    assert "public-works" in lines[0]["expected"]


def test_a_file_of_bad_rows_alone_is_refused_also_when_they_may_be_left_out(tmp_path: Path) -> None:
    path = write_text(tmp_path / "r.csv", "id,text,sector\n1,got,nope\n")
    with pytest.raises(BadRows):
        read_rows([path], TANGERANG, skip_bad=True)


def test_a_file_that_is_missing_is_refused_also_when_bad_rows_may_be_left_out(tmp_path: Path) -> None:
    # --skip-bad-rows is about rows: a mistyped file name must not shrink the training without a word.
    good = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}])
    with pytest.raises(BadRows, match=r"missing\.csv"):
        read_rows([good, tmp_path / "missing.csv"], TANGERANG, skip_bad=True)


def test_annotations_that_are_missing_are_refused_also_when_bad_rows_may_be_left_out(tmp_path: Path) -> None:
    good = write_csv(tmp_path / "r.csv", [{"id": "1", "text": "got"}])
    with pytest.raises(BadRows, match=r"missing\.csv"):
        read_rows([good], TANGERANG, annotations=tmp_path / "missing.csv", skip_bad=True)


def test_a_broken_jsonl_line_leaves_the_others_to_be_read_when_bad_rows_may_be_left_out(tmp_path: Path) -> None:
    path = write_text(tmp_path / "r.jsonl", '{"id": "1", "text": "got"}\n{broken\n{"id": "3", "text": "jalan"}\n')
    read = read_rows([path], TANGERANG, skip_bad=True)
    assert [row.id for row in read.rows] == ["1", "3"]
    assert [problem.row for problem in read.problems] == [2]
