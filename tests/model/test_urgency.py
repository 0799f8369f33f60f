"""Urgency: what danger signs find and what holds them back, and how they raise the model's level."""

from __future__ import annotations

import csv
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.complaint import Complaint, Urgency
from data.lexicon import FOLDER
from model.prediction import Ranked
from model.text import PreparedText, prepare
from model.urgency import assess_urgency, danger_signs, find_danger_signs, sign_terms

ORDINARY = (Ranked("1", 0.7), Ranked("0", 0.2), Ranked("2", 0.07), Ranked("3", 0.03))
WORDS = sorted({word for sign in danger_signs() for word in sign.own_words | sign.unless} | {"tidak", "kalau", "lalu"})
PREPARED = st.lists(st.sampled_from(WORDS) | st.sampled_from(["jalan", "mawar"]), max_size=40).map(
    lambda words: PreparedText(" ".join(words), " ".join(words), "")
)


def highest(text: str) -> int:
    return max((int(sign.level) for sign in find_danger_signs(prepare(Complaint(text)))), default=0)


# What the signs find


@pytest.mark.parametrize(
    "text",
    [
        "Kebakaran di rumah warga gang melati, api makin besar",
        "Kabel listrik putus di depan sekolah, anak-anak sebentar lagi pulang",
        "ODGJ mengamuk membawa parang di pasar",
        "Banjir sudah masuk rumah warga sejak tadi malam",
        "Adik saya dipukul suaminya sampai memar dan masih ketakutan",
        "Anak kecil terperosok ke lubang galian",
        "Jembatan gantung putus, warga tidak bisa lewat",
        "Tanggul jebol di dekat sawah",
        "Api belum padam, rumah warga terbakar",
        "Tidak ada air, kebakaran belum padam",
        "Pemadam belum datang, rumah kebakaran",
        "Kebakaran rumah sejak 10 menit lalu, tolong",
        "Satu jam lalu rumah tetangga kebakaran, api masih besar",
        "Tolong kirim damkar sebelum merambat, kebakaran di pasar",
        "Pohon tumbang menimpa orang di jalan, lalu lintas macet total",
    ],
)
def test_a_danger_that_is_happening_is_an_emergency(text: str) -> None:
    assert highest(text) == Urgency.DARURAT


@pytest.mark.parametrize(
    "text",
    [
        "Jalan ini rawan kecelakaan kalau malam",
        "Ada pungli di sekolah anak saya",
        "Honor kader belum dibayar tiga bulan",
        "Air PDAM tidak mengalir sudah seminggu",
        "Kabel menjuntai ke bawah, membahayakan pengendara",
        "Setiap hujan deras selalu banjir",
        "Pohonnya sudah keropos",
    ],
)
def test_a_serious_hazard_is_of_the_second_level(text: str) -> None:
    assert highest(text) == Urgency.TINGGI


@pytest.mark.parametrize(
    "text",
    [
        "Mohon lampu taman diganti dengan yang lebih terang",
        "Terima kasih atas pelayanan yang ramah",
        "Nomor telepon darurat apa saja yang bisa dihubungi?",
        "Kapan jadwal sosialisasi kebakaran di kelurahan?",
        "Mohon pohon di depan rumah dipangkas karena rimbun",
        "",
    ],
)
def test_an_ordinary_matter_has_no_sign(text: str) -> None:
    assert highest(text) == 0


# What holds them back


@pytest.mark.parametrize(
    ("danger", "harmless"),
    [
        ("kebakaran di gudang", "tidak ada kebakaran di gudang"),
        ("kebakaran di gudang", "kebakaran di gudang sudah padam"),
        ("kebakaran di gudang", "simulasi kebakaran di gudang"),
        ("kebakaran di gudang", "mohon info cara melapor kebakaran"),
        ("kebakaran di gudang", "mobil pemadam kebakaran"),
        ("kebakaran di gudang", "agar tidak terjadi kebakaran"),
        ("warga hanyut di kali", "tahun lalu pernah ada warga hanyut di kali"),
        ("anak tersengat listrik", "khawatir anak tersengat listrik"),
    ],
)
def test_a_danger_denied_past_feared_rehearsed_or_asked_about_is_no_emergency(danger: str, harmless: str) -> None:
    assert highest(danger) == Urgency.DARURAT
    assert highest(harmless) < Urgency.DARURAT


def test_words_that_stand_far_apart_make_no_sign() -> None:
    assert highest("kabel " + "dan begitulah seterusnya " * 5 + " putus di jalan") == 0


def test_a_sign_denied_once_is_still_found_where_it_is_meant() -> None:
    assert highest("kemarin tidak ada kebakaran. " + "warga tenang semua saja " * 3 + "kini kebakaran di gudang") == 3


# The assessment


def test_without_a_sign_the_level_is_the_models() -> None:
    found = assess_urgency(ORDINARY, prepare(Complaint("jalan berlubang di depan balai desa")))
    assert (found.level, found.raised_by, found.reasons) == (Urgency.SEDANG, (), ())
    assert found.probabilities == (0.2, 0.7, 0.07, 0.03)
    assert found.score == pytest.approx(0.1)


def test_an_emergency_raises_the_level_and_says_why() -> None:
    found = assess_urgency(ORDINARY, prepare(Complaint("kebakaran di gudang")))
    assert found.level is Urgency.DARURAT
    assert [sign.reason for sign in found.raised_by] == ["kebakaran"]
    assert found.reasons[0] == "kebakaran"
    assert found.score > 1


def test_a_sign_of_the_second_level_raises_nothing_by_itself_and_is_a_reason_once_the_model_agrees() -> None:
    text = prepare(Complaint("jalan ini rawan kecelakaan"))
    assert assess_urgency(ORDINARY, text).level is Urgency.SEDANG
    assert assess_urgency(ORDINARY, text).reasons == ()
    agreed = assess_urgency((Ranked("2", 0.8), Ranked("1", 0.2)), text)
    assert (agreed.level, agreed.raised_by) == (Urgency.TINGGI, ())
    assert "rawan kecelakaan" in agreed.reasons


def test_an_emergency_that_the_model_saw_is_not_called_raised() -> None:
    found = assess_urgency((Ranked("3", 0.9), Ranked("2", 0.1)), prepare(Complaint("kebakaran di gudang")))
    assert (found.level, found.raised_by, found.reasons) == (Urgency.DARURAT, (), ("kebakaran",))
    assert found.score == pytest.approx(1.0)


def test_a_bundle_without_urgency_has_nothing_to_assess() -> None:
    with pytest.raises(ValueError, match="no such head"):
        assess_urgency((), prepare(Complaint("kebakaran")))


@given(PREPARED, st.sampled_from("0123"))
@settings(max_examples=40, deadline=None)
def test_signs_never_lower_a_level(text: PreparedText, level: str) -> None:
    found = assess_urgency((Ranked(level, 1.0),), text)
    assert found.level >= int(level)
    assert all(sign.level is Urgency.DARURAT for sign in found.raised_by)
    assert bool(found.raised_by) == (found.level > int(level))


@given(PREPARED)
@settings(max_examples=40, deadline=None)
def test_terms_count_the_signs_of_each_level(text: PreparedText) -> None:
    levels = [sign.level for sign in find_danger_signs(text)]
    terms = sign_terms(text)
    assert len(terms) == min(levels.count(Urgency.TINGGI), 3) + min(levels.count(Urgency.DARURAT), 2)
    assert len(set(terms)) == len(terms)


def test_only_the_words_near_a_word_are_ever_looked_at() -> None:
    # The list's spans bound the work a word may cause, so a text costs what its length says, whatever is in it.
    assert max(sign.span for sign in danger_signs()) <= 12
    assert find_danger_signs(PreparedText("pohon " * 20_000, "pohon " * 20_000, "")) == ()


# The list


def test_every_sign_is_well_formed() -> None:
    with (FOLDER / "danger_signs.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0] == ["level", "within", "words", "unless", "reason"]
    bad = [row for row in rows[1:] if len(row) != 5 or row[0] not in "23" or not row[2] or not row[4]]
    assert bad == []
    assert [row for row in rows[1:] if not re.fullmatch(r"[a-z]+(?:[| ][a-z]+)*", row[2])] == []
    assert [row for row in rows[1:] if row[3] and not re.fullmatch(r"[a-z]+(?: [a-z]+)*", row[3])] == []
    assert len({(row[0], row[2]) for row in rows[1:]}) == len(rows) - 1


def test_no_word_stands_in_two_groups_of_a_sign_or_speaks_for_and_against_it() -> None:
    for sign in danger_signs():
        assert sum(map(len, sign.groups)) == len(sign.own_words), sign
        assert sign.own_words.isdisjoint(sign.unless), sign
