"""Similar cases: what is found and in which order, what is a duplicate, what is forgotten, and what no text can do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow
from model.bundle import Bundle
from model.similar import MOST_TERMS, SimilarCases, Traits
from model.text import TextChain
from training.features import idf_of, make_features, vocabulary_of
from training.recipe import find_recipe

NOW = datetime(2025, 3, 1, 8, tzinfo=UTC)
REGION = "kab-tangerang"
POTHOLE = (
    "Jalan raya di depan pasar berlubang besar, banyak pengendara motor jatuh saat hujan. Mohon segera diperbaiki."
)
SAME_POTHOLE = (
    "Jalan raya di depan pasar berlubang besar, pengendara motor jatuh saat hujan deras, tolong segera ditambal."
)
RUBBISH = "Sampah rumah tangga sudah dua minggu tidak diangkut petugas, baunya menyengat sampai ke dalam rumah warga."


def complaint(text: str, location: str = "") -> Complaint:
    return Complaint(text, location=location, region=REGION)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture(scope="module")
def bundle(sample_rows: Sequence[LabelledRow]) -> Bundle:
    """A bundle without heads: features are all that is asked of it."""
    recipe = find_recipe("default")
    chain = TextChain(recipe.text_steps)
    texts = [chain.prepare(row.complaint) for row in sample_rows[::2]]
    texts += [chain.prepare(complaint(text)) for text in (POTHOLE, SAME_POTHOLE, RUBBISH) for _ in range(2)]
    union = make_features(recipe, texts).fit(texts)
    return Bundle(
        vocabulary=vocabulary_of(union),
        idf=idf_of(union, recipe),
        heads={},
        seen=np.zeros(0, np.uint64),
        text_steps=recipe.text_steps,
    )


@pytest.fixture
def index(bundle: Bundle) -> SimilarCases:
    return SimilarCases(bundle)


def similarity(bundle: Bundle, one: str, other: str) -> float:
    index = SimilarCases(bundle)
    index.add("one", complaint(one), NOW)
    return index.find(complaint(other), NOW)[0].similarity


def test_an_empty_index_finds_nothing(index: SimilarCases) -> None:
    assert index.find(complaint(POTHOLE), NOW) == []
    assert len(index) == 0


def test_the_same_text_is_a_duplicate_with_similarity_one(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE), ago(200))
    index.add("b", complaint(RUBBISH), ago(1))
    found = index.find(complaint(POTHOLE), NOW)
    assert (found[0].case_id, found[0].similarity, found[0].is_duplicate) == ("a", pytest.approx(1, abs=1e-5), True)
    assert found[0].days_apart == pytest.approx(200)
    assert not any(case.is_duplicate for case in found[1:])


def test_case_and_punctuation_do_not_matter(bundle: Bundle) -> None:
    assert similarity(bundle, POTHOLE, POTHOLE.upper().replace(",", " ! ")) == pytest.approx(1, abs=1e-5)


def test_similarities_are_the_cosines_of_the_word_features(
    index: SimilarCases, bundle: Bundle, sample_rows: Sequence[LabelledRow]
) -> None:
    words = len(bundle.vocabulary.words)

    def vector(row: LabelledRow) -> np.ndarray:
        features = bundle.extractor.extract(bundle.chain.prepare(row.complaint))
        dense = np.zeros(words)
        of_words = features.indices < words
        dense[features.indices[of_words]] = features.weights[of_words]
        return dense

    for row in sample_rows[:300]:
        index.add(row.id, row.complaint, NOW)
    vectors = {row.id: vector(row) for row in sample_rows[:300]}
    for row in sample_rows[300:330]:
        asked = vector(row)
        for case in index.find(row.complaint, NOW):
            assert case.similarity == pytest.approx(float(vectors[case.case_id] @ asked), abs=1e-4)


def test_looking_frequent_terms_up_finds_what_reading_all_lists_finds(
    index: SimilarCases, sample_rows: Sequence[LabelledRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in sample_rows[:600]:
        index.add(row.id, row.complaint, NOW)
    whole = [index.find(row.complaint, NOW) for row in sample_rows[600:640]]
    monkeypatch.setattr("model.similar.POSTINGS_READ", 300)
    short = [index.find(row.complaint, NOW) for row in sample_rows[600:640]]
    shared = [
        len({c.case_id for c in a} & {c.case_id for c in b}) / max(1, len(a)) for a, b in zip(whole, short, strict=True)
    ]
    assert np.mean(shared) > 0.9


def test_the_least_similarity_leaves_out_no_more_than_what_is_below_it(
    index: SimilarCases, sample_rows: Sequence[LabelledRow]
) -> None:
    for row in sample_rows[:600]:
        index.add(row.id, row.complaint, NOW)
    for row in sample_rows[600:640]:
        nearest = index.find(row.complaint, NOW)
        assert index.find(row.complaint, NOW, least=0.3) == [case for case in nearest if case.similarity >= 0.3]


def test_a_complaint_that_was_read_is_described_as_if_it_was_not(
    index: SimilarCases, bundle: Bundle, sample_rows: Sequence[LabelledRow]
) -> None:
    complaints = [row.complaint for row in sample_rows[:50]] + [replace(complaint(POTHOLE), title=RUBBISH)]
    for one in (*complaints, complaint("lubang jalan " * 2_000)):
        plain, read = index.describe(one), index.describe(one, bundle.read(one))
        assert read.terms.tolist() == plain.terms.tolist()
        assert read.weights.tolist() == plain.weights.tolist()
        assert (read.place, read.within) == (plain.place, plain.within)


def test_the_same_matter_at_the_same_place_within_days_is_a_duplicate(index: SimilarCases, bundle: Bundle) -> None:
    assert 0.5 <= similarity(bundle, POTHOLE, SAME_POTHOLE) < 0.75
    index.add("here", complaint(POTHOLE, "Kecamatan Curug"), ago(1))
    index.add("long ago", complaint(POTHOLE, "Kecamatan Curug"), ago(9))
    index.add("elsewhere", complaint(POTHOLE, "Kecamatan Kemiri"), ago(1))
    index.add("nowhere", complaint(POTHOLE), ago(1))
    found = {case.case_id: case for case in index.find(complaint(SAME_POTHOLE, "kec. Curug"), NOW)}
    assert {name: case.same_place for name, case in found.items()} == {
        "here": True,
        "long ago": True,
        "elsewhere": False,
        "nowhere": None,
    }
    assert [name for name, case in found.items() if case.is_duplicate] == ["here"]


def test_of_equal_texts_the_same_place_comes_first_then_the_unknown_one(index: SimilarCases) -> None:
    for name, location in (("other", "Kecamatan Kemiri"), ("unknown", ""), ("same", "Kecamatan Curug")):
        index.add(name, complaint(POTHOLE, location), ago(2))
    found = index.find(complaint(POTHOLE, "Kecamatan Curug"), NOW)
    assert [case.case_id for case in found] == ["same", "unknown", "other"]


def test_a_village_and_its_kecamatan_cannot_be_told_apart(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE, "Kelurahan Sukabakti, Kecamatan Curug"), ago(1))
    assert index.find(complaint(POTHOLE, "Kecamatan Curug"), NOW)[0].same_place is None


def test_a_location_that_names_no_area_is_compared_as_it_is_written(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE, "Gang Mawar 7"), ago(1))
    assert index.find(complaint(POTHOLE, "gang mawar, 7"), NOW)[0].same_place is True
    assert index.find(complaint(POTHOLE, "Gang Melati 7"), NOW)[0].same_place is None


def test_of_equal_texts_the_nearest_in_time_comes_first(index: SimilarCases) -> None:
    for days in (90, 3, 30):
        index.add(f"{days}", complaint(POTHOLE), ago(days))
    assert [case.case_id for case in index.find(complaint(POTHOLE), NOW)] == ["3", "30", "90"]


def test_place_and_time_do_not_lift_another_matter_over_a_copy(index: SimilarCases) -> None:
    index.add("copy", complaint(POTHOLE, "Kecamatan Kemiri"), ago(700))
    index.add("other", complaint(SAME_POTHOLE, "Kecamatan Curug"), NOW)
    assert index.find(complaint(POTHOLE, "Kecamatan Curug"), NOW)[0].case_id == "copy"


def test_only_cases_received_no_later_are_found(index: SimilarCases) -> None:
    index.add("earlier", complaint(POTHOLE), ago(1))
    index.add("same moment", complaint(POTHOLE), NOW)
    index.add("later", complaint(POTHOLE), NOW + timedelta(seconds=1))
    assert {case.case_id for case in index.find(complaint(POTHOLE), NOW)} == {"earlier", "same moment"}


def test_times_of_different_zones_are_compared_as_moments(index: SimilarCases) -> None:
    jakarta = datetime.fromisoformat("2025-03-01T15:00:00+07:00")
    index.add("a", complaint(POTHOLE), jakarta)
    assert index.find(complaint(POTHOLE), NOW)[0].days_apart == 0


def test_the_case_itself_can_be_left_out(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE), NOW)
    index.add("b", complaint(POTHOLE), NOW)
    assert [case.case_id for case in index.find(complaint(POTHOLE), NOW, leave_out="a")] == ["b"]
    assert len(index.find(complaint(POTHOLE), NOW, leave_out="not here")) == 2


def test_ties_stand_in_the_order_of_ids_whatever_the_order_of_adding(bundle: Bundle) -> None:
    for names in ("cabd", "dbac"):
        index = SimilarCases(bundle)
        for name in names:
            index.add(name, complaint(POTHOLE), NOW)
        assert [case.case_id for case in index.find(complaint(POTHOLE), NOW, limit=3)] == ["a", "b", "c"]


def test_no_more_than_the_limit_is_found(index: SimilarCases) -> None:
    for number in range(9):
        index.add(f"{number}", complaint(POTHOLE), NOW)
    assert len(index.find(complaint(POTHOLE), NOW)) == 5
    assert len(index.find(complaint(POTHOLE), NOW, limit=7)) == 7
    assert index.find(complaint(POTHOLE), NOW, limit=0) == []


def test_a_forgotten_case_leaves_nothing(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE, "Gang Mawar 7"), NOW)
    assert index.forget("a")
    assert index.find(complaint(POTHOLE), NOW) == []
    assert len(index) == 0
    assert "a" not in index
    assert not index._postings
    assert not any(index._terms)
    assert not any(index._ids)
    assert not index._place.any()


def test_forgetting_an_unknown_case_says_so(index: SimilarCases) -> None:
    assert not index.forget("a")


def test_an_id_added_again_takes_the_place_of_the_first(index: SimilarCases) -> None:
    index.add("a", complaint(POTHOLE), NOW)
    index.add("a", complaint(RUBBISH), NOW)
    assert len(index) == 1
    assert index.find(complaint(RUBBISH), NOW)[0].similarity == pytest.approx(1, abs=1e-5)
    assert all(case.similarity < 0.5 for case in index.find(complaint(POTHOLE), NOW))


def test_after_many_changes_it_finds_what_a_new_index_finds(
    bundle: Bundle, index: SimilarCases, sample_rows: Sequence[LabelledRow]
) -> None:
    rows = sample_rows[:200]
    order = np.random.default_rng(4)
    kept: dict[str, LabelledRow] = {}
    for number in order.integers(0, len(rows), 900).tolist():
        row = rows[number]
        if row.id in kept:
            index.forget(row.id)
            del kept[row.id]
        else:
            index.add(row.id, row.complaint, NOW)
            kept[row.id] = row
    fresh = SimilarCases(bundle)
    for row in kept.values():
        fresh.add(row.id, row.complaint, NOW)
    assert len(index) == len(fresh) == len(kept)
    for row in rows[:40]:
        assert index.find(row.complaint, NOW) == fresh.find(row.complaint, NOW)


@pytest.mark.parametrize("text", ["", " ", "!!! ???", "qwxz zzkv", "\ud800", "\0", "🙏🙏"])
def test_a_text_without_known_words_finds_nothing_and_is_not_found(index: SimilarCases, text: str) -> None:
    index.add("a", complaint(POTHOLE), NOW)
    index.add("empty", complaint(text), NOW)
    assert index.find(complaint(text), NOW) == []
    assert [case.case_id for case in index.find(complaint(POTHOLE), NOW)] == ["a"]
    assert index.forget("empty")


def test_a_single_known_term_is_no_evidence_of_a_duplicate(index: SimilarCases) -> None:
    index.add("a", complaint("sampah"), NOW)
    found = index.find(complaint("sampah"), NOW)
    assert (found[0].similarity, found[0].is_duplicate) == (1, False)


def test_a_megabyte_of_text_is_kept_within_bounds(index: SimilarCases, sample_rows: Sequence[LabelledRow]) -> None:
    words = " ".join(row.complaint.text for row in sample_rows)
    big = (words * (1_000_000 // len(words) + 1))[:1_000_000]
    traits = index.describe(Complaint(big, title=big, location=big, region=REGION))
    assert 0 < len(traits.terms) <= MOST_TERMS
    assert float(traits.weights @ traits.weights) == pytest.approx(1, abs=1e-5)
    index.add("big", traits, NOW)
    assert index.find(traits, NOW)[0].similarity == pytest.approx(1, abs=1e-5)


def test_thousands_of_copies_are_told_apart_by_place_and_time(index: SimilarCases) -> None:
    traits = index.describe(complaint(POTHOLE))
    for number in range(3_000):
        index.add(f"{number:04d}", replace(traits, place=number % 50 + 1), ago(number % 100))
    found = index.find(replace(traits, place=8), NOW)
    same = [case for case in found if case.same_place]
    assert len(same) == 5
    assert [case.days_apart for case in found] == [pytest.approx(7)] * 5
    assert [case.case_id for case in found] == ["0007", "0107", "0207", "0307", "0407"]


def test_only_word_features_are_kept(index: SimilarCases, bundle: Bundle, sample_rows: Sequence[LabelledRow]) -> None:
    for row in sample_rows[:50]:
        assert (index.describe(row.complaint).terms < len(bundle.vocabulary.words)).all()


def test_the_traits_say_the_same_as_the_complaint(index: SimilarCases) -> None:
    index.add("a", index.describe(complaint(POTHOLE, "Kecamatan Curug")), NOW)
    asked = complaint(SAME_POTHOLE, "Kecamatan Curug")
    assert index.find(asked, NOW) == index.find(index.describe(asked), NOW)


def test_the_index_holds_no_words_of_a_citizen(index: SimilarCases) -> None:
    traits = index.describe(complaint(POTHOLE, "rumah Pak Melati"))
    assert [type(value) for value in vars(traits).values()] == [np.ndarray, np.ndarray, int, int]


def test_readers_and_a_writer_do_not_disturb_each_other(
    index: SimilarCases, sample_rows: Sequence[LabelledRow]
) -> None:
    index.add("kept", complaint(POTHOLE), NOW)
    problems: list[BaseException] = []
    asked = index.describe(complaint(POTHOLE))
    traits: list[Traits] = [index.describe(row.complaint) for row in sample_rows[:150]]
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                assert index.find(asked, NOW)[0].case_id == "kept"
        except BaseException as error:
            problems.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(2):
            for number, one in enumerate(traits):
                index.add(f"{number}", one, NOW)
            for number in range(len(traits)):
                index.forget(f"{number}")
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert problems == []
    assert len(index) == 1
