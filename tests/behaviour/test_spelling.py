"""Spelling: a complaint as citizens type it gets the answer that its standard Indonesian gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from data.complaint import Complaint, LabelledRow
from training.fitting import Training, fit
from training.recipe import find_recipe

REGION = "kab-tangerang"
PAIRS = {
    "abbreviations": (
        "lampu pju di jl depan rmh sy mati sdh 2 minggu, mhn segera diperbaiki",
        "lampu penerangan jalan umum di jalan depan rumah saya mati sudah 2 minggu, mohon segera diperbaiki",
    ),
    "offices": (
        "ngurus ktp di disdukcapil lama bgt gak jadi2",
        "mengurus kartu tanda penduduk di dinas kependudukan dan pencatatan sipil lama sangat tidak jadi",
    ),
    "informal": (
        "obat di puskesmas gak ada, udah nunggu dr pagi tp dokternya blm dateng",
        "obat di puskesmas tidak ada, sudah menunggu dari pagi tapi dokternya belum datang",
    ),
    "stretched": ("sampaaah numpuk baaauuu bangeeeet", "sampah menumpuk bau sangat"),
    "digits for letters": ("j4l4n rus4k p4r4h", "jalan rusak parah"),
    "letters apart": ("b a n j i r di depan sekolah", "banjir di depan sekolah"),
    "said twice": ("lubang2 di jalan-jalan kampung", "lubang di jalan kampung"),
    "units": ("dimintai uang 5jt utk masuk sekolah negeri", "dimintai uang 5 juta untuk masuk sekolah negeri"),
    "Javanese": ("dalane rusak kabeh, banyune ora mili", "jalannya rusak semua, airnya tidak mengalir"),
    "Sundanese": ("cai pdam teu ngalir tos tilu dinten", "air pdam tidak mengalir sudah tiga hari"),
    "Betawi": ("aernye kagak ngalir dari kemaren", "airnya tidak mengalir dari kemarin"),
    "Minangkabau": ("aia indak mangalia, jalan rusak bana", "air tidak mengalir, jalan rusak benar"),
    "markup": ("Jalan&nbsp;RUSAK<br>parah&#33;", "jalan rusak parah"),
}


@pytest.fixture(scope="module")
def training(sample_rows: Sequence[LabelledRow]) -> Training:
    """A training with every text step on."""
    return fit(sample_rows, replace(find_recipe("whole-text"), folds=2), REGION)


@pytest.mark.parametrize(("typed", "standard"), PAIRS.values(), ids=PAIRS)
def test_a_complaint_as_typed_gets_the_sector_and_urgency_of_its_standard_spelling(
    training: Training, typed: str, standard: str
) -> None:
    one, other = training.bundle.predict([Complaint(text, region=REGION) for text in (typed, standard)])
    assert one.sector.label == other.sector.label
    assert one.urgency[0].label == other.urgency[0].label


def test_these_complaints_are_of_several_sectors(training: Training) -> None:
    answers = training.bundle.predict([Complaint(standard, region=REGION) for _, standard in PAIRS.values()])
    assert len({answer.sector.label for answer in answers}) >= 5


def test_numbers_that_identify_a_person_do_not_change_the_answer(training: Training) -> None:
    text = "NIK {} hp {}: bantuan beras belum saya terima"
    first, second = (("3603011204850001", "081234567890"), ("3603155708910003", "0857-1111-2222"))
    one, other = training.bundle.predict(
        [Complaint(text.format(*numbers), region=REGION) for numbers in (first, second)]
    )
    assert one == other
