"""Explanations: the words' contributions and the base add up to the score, and the score is the head's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.complaint import Complaint, LabelledRow
from model.explanation import explain
from model.text import prepare, shown_word
from training.fitting import Training, fit
from training.recipe import find_recipe

COMPLAINTS = st.builds(
    Complaint,
    st.lists(
        st.sampled_from(
            [
                "jalan",
                "rusak",
                "lampu",
                "mati",
                "air",
                "mati-mati",
                "jalan2",
                "a",
                "x",
                "2023",
                "rt02",
                "qqqq",
                "obat",
                "puskesmas",
                "pju",
                "50 kk",
                "[NIK]",
                "_nama_",
                "0812-3456-7890",
            ]
        )
        | st.text("abcdefgh1 ", max_size=6),
        max_size=20,
    ).map(" ".join),
    region=st.sampled_from(["kab-tangerang", "kota-surabaya", ""]),
)


def assert_adds_up(training: Training, complaint: Complaint, head_name: str = "sector") -> None:
    head, extractor = training.bundle.heads[head_name], training.bundle.extractor
    text = prepare(complaint)
    logits = head.logits(extractor.extract(text))
    explanations = {label: explain(text, extractor, head, label) for label in head.labels}
    for label, explanation in explanations.items():
        total = explanation.base + sum(word.contribution for word in explanation.words)
        assert total == pytest.approx(explanation.score, abs=1e-9)
        assert explanation.label == label
        assert {word.word for word in explanation.words} == set(map(shown_word, text.words.split()))
    first = head.labels[0]
    for number, label in enumerate(head.labels):
        difference = explanations[label].score - explanations[first].score
        assert difference == pytest.approx(logits[number] - logits[0], abs=1e-9)
    assert sum(explanation.score for explanation in explanations.values()) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("head", ["sector", "urgency"])
def test_contributions_of_samples_add_up_to_the_score(
    training: Training, sample_rows: Sequence[LabelledRow], head: str
) -> None:
    for row in sample_rows[::60]:
        assert_adds_up(training, row.complaint, head)


@given(complaint=COMPLAINTS)
@settings(max_examples=60, deadline=None)
def test_contributions_of_any_text_add_up_to_the_score(training: Training, complaint: Complaint) -> None:
    assert_adds_up(training, complaint)


def test_a_head_of_two_labels_adds_up_too(sample_rows: Sequence[LabelledRow]) -> None:
    rows = [row for row in sample_rows if row.sector in ("energy", "health")]
    training = fit([replace(row, urgency=None) for row in rows], find_recipe("default"), "kab-tangerang")
    assert len(training.bundle.heads["sector"].labels) == 2
    for row in rows[:20]:
        assert_adds_up(training, row.complaint)


def test_words_stand_once_each_and_the_weightiest_first(training: Training) -> None:
    complaint = Complaint("lampu jalan mati, lampu lampu jalan gelap sekali", region="kab-tangerang")
    explanation = training.bundle.explain_sector(complaint, "transport")
    words = [word.word for word in explanation.words]
    assert sorted(words) == ["gelap", "jalan", "lampu", "mati", "sekali"]
    sizes = [abs(word.contribution) for word in explanation.words]
    assert sizes == sorted(sizes, reverse=True)


def test_a_mask_is_told_as_it_stands_in_the_text(training: Training) -> None:
    complaint = Complaint("NIK 3603011506780001 ditolak, hubungi [TELEPON]", region="kab-tangerang")
    words = {word.word for word in training.bundle.explain_sector(complaint, "civil-registry").words}
    assert {"[NIK]", "[TELEPON]", "ditolak"} <= words
    assert not {word for word in words if "_" in word or word.isdigit()}


def test_a_mask_typed_as_a_word_and_one_made_of_a_number_are_one_word(training: Training) -> None:
    complaint = Complaint("[nik] 3603011506780001 _nik_ [NIK]", region="kab-tangerang")
    words = training.bundle.explain_sector(complaint, "health").words
    assert [word.word for word in words] == ["[NIK]"]


def test_a_short_form_is_told_in_full(training: Training) -> None:
    complaint = Complaint("PJU mati di jl raya", region="kab-tangerang")
    words = {word.word for word in training.bundle.explain_sector(complaint, "transport").words}
    assert words == set("penerangan jalan umum mati di raya".split())


def test_the_word_that_names_the_matter_speaks_for_its_sector_and_against_another(training: Training) -> None:
    complaint = Complaint("sampah menumpuk di depan rumah", region="kab-tangerang")
    for_environment = {w.word: w.contribution for w in training.bundle.explain_sector(complaint, "environment").words}
    for_health = {w.word: w.contribution for w in training.bundle.explain_sector(complaint, "health").words}
    assert max(for_environment, key=lambda word: for_environment[word]) == "sampah"
    assert for_health["sampah"] < 0 < for_environment["sampah"]


@pytest.mark.parametrize("text", ["", "🙏", "٣ ٤", "\ud800"], ids=ascii)
def test_a_text_without_a_known_word_is_explained_by_its_base_alone(training: Training, text: str) -> None:
    explanation = training.bundle.explain_sector(Complaint(text, region="kab-tangerang"), "health")
    assert all(word.contribution == 0 for word in explanation.words)
    assert explanation.base == pytest.approx(explanation.score, abs=1e-12)


def test_the_region_is_part_of_the_base(training: Training) -> None:
    with_region = training.bundle.explain_sector(Complaint("jalan rusak", region="kab-tangerang"), "health")
    without = training.bundle.explain_sector(Complaint("jalan rusak"), "health")
    assert with_region.base != without.base
    for one, other in zip(with_region.words, without.words, strict=True):
        assert one.word == other.word
        assert one.contribution == pytest.approx(other.contribution, abs=1e-12)
