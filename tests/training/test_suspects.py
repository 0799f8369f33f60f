"""Suspect labels: swapped ones are found, the sheet makes the round trip, and nothing of a file is lost on it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import openpyxl
import pytest
from typer.testing import CliRunner

import disposisi
from data.complaint import Complaint, Confidentiality, LabelledRow
from data.errors import BadRows, CannotWrite, OutputExists, TooFewRows
from data.region import load_region
from data.rows import read_rows
from training import suspects as suspects_module
from training.recipe import find_recipe
from training.row_check import Source, read_sources
from training.suspects import CONFIDENT, COPIES, Suspect, confident_errors, find_suspects
from training.suspects_sheet import (
    SHEET_COLUMNS,
    Decision,
    apply_decisions,
    read_decisions,
    reason_in_words,
    sheet_rows,
    write_sheet,
)

REGION = load_region("kab-tangerang")
RECIPE = replace(find_recipe("default"), folds=3)
TOPICS = {
    "public-works": "jalan berlubang aspal rusak jembatan drainase trotoar gorong banjir".split(),
    "environment": "sampah menumpuk bau limbah sungai asap tps kotor".split(),
    "health": "puskesmas dokter obat pasien antre perawat rawat bidan".split(),
}
FILLING = "warga mohon segera sudah lama kampung kami rumah pagi malam terus sekali".split()


@pytest.fixture
def _without_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are fitted in a moment; the corpus's thousands beside them aren't."""
    monkeypatch.setattr(suspects_module, "corpus_beside", lambda rows: [])


def complaints(count: int = 90) -> list[LabelledRow]:
    chance, rows = Random(3), []
    for i in range(count):
        sector = list(TOPICS)[i % len(TOPICS)]
        text = " ".join([*chance.sample(TOPICS[sector], 4), *chance.sample(FILLING, 5)])
        rows.append(LabelledRow(f"r{i}", Complaint(text, region=REGION.code), sector=sector))
    return rows


@pytest.mark.usefixtures("_without_corpus")
def test_swapped_labels_stand_first_with_the_label_they_had() -> None:
    rows = complaints()
    swapped = {4: "health", 20: "public-works", 41: "environment"}
    had = {number: rows[number].sector for number in swapped}
    for number, sector in swapped.items():
        assert rows[number].sector != sector
        rows[number] = replace(rows[number], sector=sector)
    first = find_suspects(rows, RECIPE)[:3]
    assert {suspect.row: suspect.likely for suspect in first} == had
    assert {suspect.reason for suspect in first} == {CONFIDENT}


@pytest.mark.usefixtures("_without_corpus")
def test_a_label_that_near_copies_contradict_says_so() -> None:
    rows = complaints()
    copied = rows[0].complaint
    rows += [LabelledRow(f"c{i}", copied, sector="public-works") for i in range(2)]
    rows.append(LabelledRow("odd", copied, sector="environment"))
    first = find_suspects(rows, RECIPE)[0]
    assert (rows[first.row].id, first.reason, first.likely, first.copies) == ("odd", COPIES, "public-works", 3)


@pytest.mark.usefixtures("_without_corpus")
def test_secret_machine_labelled_and_unlabelled_rows_are_not_judged() -> None:
    rows = complaints()
    rows[0] = replace(rows[0], confidentiality=Confidentiality.RAHASIA)
    rows[1] = replace(rows[1], sector=None)
    rows[2] = replace(rows[2], label_source="machine")
    assert {suspect.row for suspect in find_suspects(rows, RECIPE)} == set(range(3, len(rows)))


def test_too_few_labels_are_one_clear_error() -> None:
    with pytest.raises(TooFewRows, match="Label more rows"):
        find_suspects(complaints(12), RECIPE)


def test_an_error_is_a_label_whose_confident_label_is_another() -> None:
    # The mean of label 0 over its rows is 0.575, of label 1 it is 0.7; the second row reaches the latter only.
    probabilities = np.array([[0.9, 0.1], [0.25, 0.75], [0.2, 0.8], [0.35, 0.65], [0.35, 0.65]])
    likely, is_error = confident_errors(probabilities, np.array([0, 0, 1, 1, 1]))
    assert is_error.tolist() == [False, True, False, False, False]
    assert likely.tolist() == [1, 1, 0, 0, 0]


def test_a_reason_names_both_sectors_in_indonesian() -> None:
    reason = reason_in_words(Suspect(0, "health", "environment", 0.001, 0.87, CONFIDENT))
    assert "Kesehatan" in reason
    assert "87 %" in reason
    assert "kurang dari 1 %" in reason
    assert "belum tentu salah" not in reason


def test_a_label_of_an_area_office_is_doubted_with_caution() -> None:
    suspect = Suspect(0, "village-office", "environment", 0.01, 0.9, CONFIDENT)
    assert "belum tentu salah" in reason_in_words(suspect, REGION.family_of_sector)


ORIGINAL = [
    ("Nomor", "id", "text", "agency", "catatan"),
    ("1", "a", "Jalan rusak", "Dinas Kesehatan", "penting; baca"),
    ("2", "b", "Sampah bau", "DLHK", "=1+1"),
    ("3", "c", "Obat habis", "Dinas Kesehatan", ""),
    ("4", "d", "Lampu mati", "", "x"),
]


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return path


def source_of(folder: Path) -> Source:
    [source] = read_sources([write(folder / "rows.csv", ORIGINAL)], REGION)
    return source


def decided(folder: Path, *lines: tuple[str, str, str]) -> tuple[Source, list[Decision]]:
    source = source_of(folder)
    sheet = write(folder / "sheet.csv", [("id", "decision", "new_label"), *lines])
    return source, read_decisions(sheet, source.table, source.mapping, REGION)


def test_every_row_and_cell_stays_and_only_decided_labels_change(tmp_path: Path) -> None:
    source, decisions = decided(tmp_path, ("a", "ganti", "public-works"), ("b", "TETAP", ""), ("c", "kosongkan", ""))
    applied = apply_decisions(source, decisions)
    assert applied.columns[:5] == ORIGINAL[0]
    assert applied.counts == {"ganti": 1, "tetap": 1, "kosongkan": 1}
    for before, after in zip(ORIGINAL[1:], applied.rows, strict=True):
        assert (after["Nomor"], after["id"], after["text"], after["catatan"]) == (*before[:3], before[4])
    a, b, c, d = applied.rows
    assert (a["agency"], a["sector"], a["label_source"], a["label_before"]) == (
        "Dinas Bina Marga dan Sumber Daya Air",
        "public-works",
        "human-corrected",
        "Dinas Kesehatan",
    )
    assert (b["agency"], b["sector"], b["decision"], b["label_before"]) == ("DLHK", "", "tetap", "")
    assert (c["agency"], c["sector"], c["label_before"]) == ("", "", "Dinas Kesehatan")
    assert (d["agency"], d["decision"]) == ("", "")


def test_the_written_file_trains_by_the_new_labels(tmp_path: Path) -> None:
    source, decisions = decided(tmp_path, ("a", "ganti", "Dinas Perhubungan"), ("d", "change", "village-office"))
    applied = apply_decisions(source, decisions)
    for name in ("out.csv", "out.xlsx"):
        write_sheet(tmp_path / name, applied.columns, applied.rows)
        rows = read_rows([tmp_path / name], REGION.code).rows
        assert [(row.id, row.sector) for row in rows] == [
            ("a", "transport"),
            ("b", "environment"),
            ("c", "health"),
            ("d", "village-office"),
        ]


def test_decisions_that_cannot_be_followed_are_told_all_at_once(tmp_path: Path) -> None:
    lines = [
        ("gone", "tetap", ""),
        ("a", "mungkin", ""),
        ("a", "ganti", ""),
        ("b", "tetap", "health"),
        ("b", "ganti", "Dinas Antah Berantah"),
        ("c", "tetap", ""),
        ("c", "ganti", "health"),
        ("d", "", "health"),
    ]
    with pytest.raises(BadRows) as caught:
        decided(tmp_path, *lines)
    assert [problem.row for problem in caught.value.problems] == [2, 3, 4, 5, 6, 8, 9]


def test_the_same_decision_twice_and_lines_without_one_are_no_problem(tmp_path: Path) -> None:
    _, decisions = decided(tmp_path, ("a", "tetap", ""), ("a", "keep", ""), ("b", "", ""))
    assert [(decision.id, decision.what) for decision in decisions] == [("a", "tetap")]


def test_a_sheet_without_its_columns_is_refused(tmp_path: Path) -> None:
    source, sheet = source_of(tmp_path), write(tmp_path / "sheet.csv", [("id", "lain"), ("a", "b")])
    with pytest.raises(BadRows, match="'decision', 'new label'"):
        read_decisions(sheet, source.table, source.mapping, REGION)


def test_a_citizens_formula_stays_text_in_a_workbook_and_in_csv(tmp_path: Path) -> None:
    rows = [LabelledRow("r", Complaint('=HYPERLINK("x")\x07 jalan', region=REGION.code), sector="health")]
    lines = sheet_rows([Suspect(0, "health", "environment", 0.1, 0.8, CONFIDENT)], rows, [("f.csv", 2)], REGION)
    write_sheet(tmp_path / "s.xlsx", SHEET_COLUMNS, lines)
    cell = openpyxl.load_workbook(tmp_path / "s.xlsx").worksheets[0].cell(2, SHEET_COLUMNS.index("text") + 1)
    assert (cell.data_type, cell.value) == ("s", '=HYPERLINK("x")  jalan')
    write_sheet(tmp_path / "s.csv", SHEET_COLUMNS, lines)
    assert "'=HYPERLINK" in (tmp_path / "s.csv").read_text(encoding="utf-8")


def test_a_sheet_that_may_be_filled_in_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("filled in")
    with pytest.raises(OutputExists):
        write_sheet(tmp_path / "s.csv", ("a",), [])
    with pytest.raises(CannotWrite, match=r"\.csv or \.xlsx"):
        write_sheet(tmp_path / "s.ods", ("a",), [])


@pytest.mark.usefixtures("_without_corpus")
def test_a_sheet_about_another_file_is_refused_with_both_names(tmp_path: Path) -> None:
    rows = tmp_path / "lain.csv"
    rows.write_text("id,text,sector\na1,jalan rusak,public-works\n", encoding="utf-8")
    sheet = tmp_path / "periksa.csv"
    sheet.write_text("id,file,decision,new_label\na1,2022.csv,tetap,\n", encoding="utf-8")
    region = load_region("kab-tangerang")
    [source] = read_sources([rows], region)
    with pytest.raises(BadRows, match=r"other files alone \(1 of 2022.csv\).*lain.csv"):
        read_decisions(sheet, source.table, source.mapping, region)


def test_the_commands_make_the_round_trip_and_ask_nobody_twice(tmp_path: Path) -> None:
    rows = complaints()
    rows[4] = replace(rows[4], sector="health")
    cells = [(row.id, row.complaint.text, row.sector or "") for row in rows]
    path = write(tmp_path / "rows.csv", [("id", "text", "sector"), *cells])

    def run(*words: str) -> str:
        done = CliRunner().invoke(disposisi.app, ["rows", *words, "--region", REGION.code])
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        return done.output

    sheet, new = tmp_path / "s.xlsx", tmp_path / "new.csv"
    run("suspects", str(path), "--out", str(sheet), "--count", "5")
    book = openpyxl.load_workbook(sheet)
    first = book.worksheets[0]
    assert first.max_row == 6
    assert first["B2"].value == "r4"
    first.cell(2, SHEET_COLUMNS.index("decision") + 1).value = "ganti"
    first.cell(2, SHEET_COLUMNS.index("new_label") + 1).value = "environment"
    book.save(sheet)
    assert "90 rows" in run("apply-decisions", str(path), str(sheet), "--out", str(new))
    [changed] = [row for row in read_rows([new], REGION.code).rows if row.id == "r4"]
    assert (changed.sector, changed.label_source) == ("environment", "human-corrected")
    assert "1 rows were decided on before" in run("suspects", str(new), "--out", str(tmp_path / "t.csv"))
