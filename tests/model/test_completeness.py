"""Completeness: which slots a text fills, and that exactly what is missing is asked."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from data.complaint import Complaint
from data.lexicon import FOLDER
from data.region import load_region
from data.sectors import all_sectors
from model.areas import AreaFinder
from model.completeness import (
    CompletenessAnswer,
    CompletenessJudge,
    SlotState,
    best_f1_threshold,
    find_places,
    slot_terms,
)
from model.prediction import Prediction, Ranked
from model.text import prepare

PLACES = [
    ("lampu mati di Jalan Merpati Raya", "street"),
    ("jln KH Hasyim berlubang", "street"),
    ("selokan mampet di gang 3", "street"),
    ("saluran buntu RT 04 RW 09", "rt"),
    ("banjir di rt05", "rt"),
    ("sampah menumpuk di perumahan Zelindah", "settlement"),
    ("parkir liar dekat Quzamart", "beside"),
    ("antre lama di puskesmas Bentiring", "landmark"),
    ("guru SMPN 3 sering tidak hadir", "landmark"),
    ("jembatan Qorabaya 7 rusak", "landmark"),
    ("pohon tumbang di depan rumah saya", "vague"),
]
NO_PLACES = [
    "jalan rusak parah dan berlubang",
    "jalan ini gelap sekali",
    "rumah saya bocor",
    "sudah 3 bulan belum cair",
    "jalan di kota Bandung macet",
    "",
]
DATA_NEVER_ASKED = (
    "nik anda",
    "nomor nik",
    "kartu keluarga anda",
    "nomor telepon anda",
    "nama lengkap",
    "tanggal lahir",
)


def kinds(text: str) -> set[str]:
    """The kinds of places in a text."""
    prepared = prepare(Complaint(text))
    return {place.kind for place in find_places(prepared.words.split(), prepared.stems.split())}


def judge(text: str, sector: str, incomplete: float | None = None, location: str = "") -> CompletenessAnswer:
    """The answer for a text of a known sector; `incomplete` is the head's probability."""
    complaint = Complaint(text, location=location, region="kab-tangerang")
    completeness = () if incomplete is None else (Ranked("incomplete", incomplete), Ranked("complete", 1 - incomplete))
    prediction = Prediction((Ranked(sector, 0.9),), completeness=completeness)
    mentions = AreaFinder(load_region("kab-tangerang")).find(complaint)
    return CompletenessJudge().answer(prepare(complaint), prediction, mentions)


def states(answer: CompletenessAnswer) -> dict[str, SlotState]:
    return {slot.name: slot.state for slot in answer.slots}


@pytest.mark.parametrize(("text", "kind"), PLACES)
def test_each_kind_of_place_is_found(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize("text", NO_PLACES)
def test_words_that_name_no_place_are_none(text: str) -> None:
    assert kinds(text) == set()


def test_a_road_without_a_place_is_asked_for_its_place_alone() -> None:
    answer = judge("jalan berlubang sudah lama, mohon diperbaiki", "public-works")
    assert not answer.complete
    assert states(answer) == {
        "place": SlotState.MISSING,
        "object": SlotState.FOUND,
        "problem": SlotState.FOUND,
    }
    assert "nama jalan atau gang, RT/RW, kecamatan, dan patokan" in answer.question
    assert "Bagaimana kerusakannya" not in answer.question
    assert "Apa yang perlu diperbaiki" not in answer.question


def test_a_road_with_a_place_is_asked_nothing() -> None:
    answer = judge("Jalan Merpati Raya berlubang dekat pasar, kecamatan Curug", "public-works")
    assert answer.complete
    assert answer.question == ""
    assert "Kecamatan Curug" in answer.slots[0].found


def test_a_kecamatan_from_the_form_alone_does_not_find_a_hole_in_a_road() -> None:
    assert states(judge("jalan berlubang", "public-works", location="Kecamatan Curug"))["place"] is SlotState.MISSING


def test_a_matter_of_papers_needs_no_place() -> None:
    answer = judge("KTP saya belum jadi", "civil-registry")
    assert answer.complete
    assert states(answer)["place"] is SlotState.NOT_NEEDED


def test_papers_that_are_not_named_are_asked_for_by_kind_of_document() -> None:
    answer = judge("kenapa lama sekali", "civil-registry")
    assert "Dokumen apa yang diurus" in answer.question
    assert "nama jalan" not in answer.question


def test_the_head_decides_where_there_is_one() -> None:
    assert judge("jalan berlubang", "public-works", incomplete=0.2).complete
    answer = judge("Jalan Merpati berlubang", "public-works", incomplete=0.8)
    assert not answer.complete
    assert answer.question
    assert answer.probability_incomplete == 0.8


def test_every_sector_has_its_questions_and_none_asks_for_personal_data() -> None:
    with (FOLDER / "missing_questions.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["sector"] for row in rows] == list(all_sectors())
    assert {row["place_need"] for row in rows} == {"exact", "area", "unit", "none"}
    for row in rows:
        assert all(row[name].endswith(("?", ".")) for name in ("place", "object", "problem"))
        asked = judge("halo", row["sector"], incomplete=0.9).question.lower()
        assert not any(data in asked for data in DATA_NEVER_ASKED)
        assert "mohon tidak menuliskan nik" in asked


@pytest.mark.parametrize("table", ["place_words", "matter_words"])
def test_a_table_names_each_word_and_kind_once(table: str) -> None:
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as handle:
        lines = list(csv.reader(handle))[1:]
    assert lines == sorted(lines)
    assert len({tuple(line) for line in lines}) == len(lines)


def test_slot_terms_tell_a_road_somewhere_from_a_road_nowhere() -> None:
    somewhere = slot_terms(prepare(Complaint("Jalan Merpati rusak")))
    nowhere = slot_terms(prepare(Complaint("jalan rusak")))
    assert "site:exact" in somewhere
    assert "site:none" in nowhere
    assert "grade:exact+area" in slot_terms(replace(prepare(Complaint("Jalan Merpati rusak")), names_area=True))
    assert somewhere == sorted(set(somewhere))


def test_slot_terms_of_nothing_are_few_and_whole() -> None:
    assert slot_terms(prepare(Complaint(""))) == [
        "grade:none",
        "length:0",
        "length:0:nowhere",
        "no-object",
        "no-problem",
        "places:0",
    ]


def test_the_threshold_is_the_one_with_the_best_f1() -> None:
    probabilities = np.array([0.9, 0.8, 0.7, 0.3, 0.2])
    truth = np.array([True, True, False, False, False])
    assert best_f1_threshold(probabilities, truth) == pytest.approx(0.75)


def test_hostile_texts_are_answered() -> None:
    for text in ("jalan " * 5_000, "rt " * 5_000, "jl raya raya " * 3_000, "depan 1 " * 3_000, "\x00" * 50):
        assert judge(text, "public-works").slots
