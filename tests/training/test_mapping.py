"""Mappings: known names, guesses by name and contents, questions, and a file that tells all it has wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import BadRows
from data.region import load_region
from data.tables import Table, TableRow
from training.mapping import (
    CONTENTS,
    KNOWN,
    LIKE,
    ColumnMapping,
    ask_mapping,
    fit_mapping,
    guess_mapping,
    load_mapping,
    save_mapping,
    with_agency_spellings,
)

REGION = load_region("kab-tangerang")
AGENCY = REGION.agencies[0].name


def table_of(*rows: dict[str, str]) -> Table:
    return Table("aduan.csv", tuple(rows[0]), tuple(TableRow(number, row) for number, row in enumerate(rows, 2)))


ROW = {"Kolom A": "Jalan di depan rumah kami rusak berat sekali", "Kolom B": AGENCY, "Kolom C": "18/01/2024"}


def test_names_that_town_halls_use_are_known() -> None:
    mapping = guess_mapping(table_of({"No Tiket": "1", "Isi Aduan": "Jalan rusak", "OPD": AGENCY}), REGION)
    assert mapping.columns == {"id": ("No Tiket",), "text": ("Isi Aduan",), "agency": ("OPD",)}
    assert set(mapping.found_by.values()) == {KNOWN}
    assert mapping.is_certain


def test_a_name_that_is_a_letter_off_is_guessed_and_said_to_be_a_guess() -> None:
    mapping = guess_mapping(table_of({"Isi Adaun Warga": "x", "Isi Pengaduam": "Jalan rusak"}), REGION)
    assert mapping.columns["text"] == ("Isi Pengaduam",)
    assert mapping.found_by["text"] == LIKE
    assert not mapping.is_certain


def test_columns_with_meaningless_names_are_guessed_from_their_contents() -> None:
    mapping = guess_mapping(table_of(ROW, ROW | {"Kolom B": REGION.agencies[1].name}), REGION)
    assert mapping.columns == {"agency": ("Kolom B",), "received_at": ("Kolom C",), "text": ("Kolom A",)}
    assert set(mapping.found_by.values()) == {CONTENTS}


def test_a_column_known_only_after_routing_is_never_guessed_to_be_the_text() -> None:
    mapping = guess_mapping(table_of({"Tindak Lanjut": "Sudah kami perbaiki pada hari Senin kemarin"}), REGION)
    assert mapping.columns == {}


def test_a_saved_mapping_reads_back_as_it_was(tmp_path: Path) -> None:
    names = {"text": ('Isi "lengkap" \\ aduan', "Isi"), "agency": ("Bagian\tOPD",)}
    save_mapping(ColumnMapping(names, {}, {"dlh kab": AGENCY}), tmp_path / "m.toml")
    read = load_mapping(tmp_path / "m.toml")
    assert read.columns == names
    assert read.agencies == {"dlh kab": AGENCY}


def test_everything_wrong_with_a_mapping_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text('[columns]\nteks = "A"\ntext = 3\n[agencies]\nDLH = ""\n[lain]\n', encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        load_mapping(path)
    assert {problem.column for problem in caught.value.problems} == {"teks", "text", "DLH", "lain"}


@pytest.mark.parametrize("content", [b"[columns", b"\xff\xfe\x00", b"columns = 3"])
def test_a_mapping_that_is_no_such_toml_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.toml"
    path.write_bytes(content)
    with pytest.raises(BadRows, match="--save-mapping"):
        load_mapping(path)


def test_a_mapping_that_no_longer_fits_names_every_missing_column_and_agency() -> None:
    saved = ColumnMapping({"text": ("Isi",), "agency": ("OPD",)}, {}, {"x": "Dinas Antah Berantah"})
    with pytest.raises(BadRows) as caught:
        fit_mapping(saved, table_of({"Uraian": "Jalan rusak"}), REGION)
    assert {problem.column for problem in caught.value.problems} == {"Isi", "OPD", "agencies"}
    assert "'Uraian'" in caught.value.problems[0].expected


def test_a_saved_mapping_fits_columns_in_other_cases_and_respells_agencies() -> None:
    table = table_of({"isi aduan": "Jalan rusak", "opd": "PU Kabupatenan"})
    saved = ColumnMapping({"text": ("Isi Aduan",), "agency": ("OPD",)}, {}, {"pu kabupatenan": AGENCY})
    fitted = fit_mapping(saved, table, REGION)
    assert fitted.columns == {"text": ("isi aduan",), "agency": ("opd",)}
    assert with_agency_spellings(table, fitted).rows[0].cells["opd"] == AGENCY


def test_questions_show_names_only_and_are_repeated_until_answered() -> None:
    asked: list[str] = []
    answers = iter(["99", "kolom a", "-", "-", "-", "-", "-", "-"])

    def ask(question: str, _default: str) -> str:
        asked.append(question)
        return next(answers)

    mapping = ask_mapping(table_of(ROW), guess_mapping(table_of(ROW), REGION), ask)
    assert mapping.columns == {"text": ("Kolom A",)}
    assert mapping.is_certain
    assert not any(cell in question for question in asked for cell in ROW.values())
