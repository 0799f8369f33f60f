"""Features: number for number those of scikit-learn's vectorizers, and shared out whole to the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from data.complaint import Complaint, LabelledRow
from model.explanation import explain
from model.features import CHAR_NGRAMS, REMEMBERED_WORDS, FeatureExtractor, Vocabulary, char_ngrams
from model.stemming import LONGEST_WORD, stem
from model.text import PreparedText
from training.features import columns_of
from training.fitting import WRITTEN, Training, fit
from training.recipe import find_recipe

KNOWN_WORDS = [
    "jalan",
    "rusak",
    "lampu",
    "mati",
    "air",
    "sampah",
    "warga",
    "rumah",
    "desa",
    "kecamatan",
    "di",
    "ke",
    "yang",
    "tidak",
    "sudah",
    "perbaikan",
    "pelayanan",
    "ktp",
    "pju",
]
WORDS = st.one_of(
    st.sampled_from(KNOWN_WORDS),
    st.sampled_from(["a", "x", "2", "rt02", "2023", "08", "sd2", "a1", "_", "__", "ab_", "_nik_", "é", "الشارع"]),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=7),
    st.text("aiu", min_size=1, max_size=3),
)
REGIONS = st.sampled_from(["kab-tangerang", "kota-surabaya", ""])


def prepared(words: list[str], region: str, titled: int = 0) -> PreparedText:
    stems = [stem(word) for word in words]
    return PreparedText(" ".join(words), " ".join(stems), region, " ".join(stems[:titled]))


TEXTS = st.builds(prepared, st.lists(WORDS, max_size=30), REGIONS, st.integers(0, 8))


def assert_same_as_scikit_learn(training: Training, texts: Sequence[PreparedText]) -> None:
    extractor = training.bundle.extractor
    matrix = training.pipelines["sector"]["features"].transform(texts).tocsr()
    matrix.sort_indices()
    # What the title and a region's words weigh among the views is folded into the heads.
    columns, recipe = columns_of(training.pipelines["sector"]["features"]), training.bundle.about["recipe"]
    for view, weight in (("titles", recipe["title_weight"]), ("local", recipe["local_weight"])):
        matrix.data[np.isin(matrix.indices, range(columns[view].start, columns[view].stop))] /= weight
    assert matrix.shape[1] == len(extractor.vocabulary)
    for number, text in enumerate(texts):
        ours = extractor.extract(text)
        theirs = matrix[number]
        assert ours.indices.tolist() == theirs.indices.tolist()
        assert np.allclose(ours.weights, theirs.data, rtol=0, atol=1e-12)


def test_every_sample_has_scikit_learns_features(training: Training, sample_rows: Sequence[LabelledRow]) -> None:
    assert_same_as_scikit_learn(training, [training.bundle.chain.prepare(row.complaint) for row in sample_rows])


@given(text=TEXTS)
@settings(max_examples=75, deadline=None)
def test_any_text_has_scikit_learns_features(training: Training, text: PreparedText) -> None:
    assert_same_as_scikit_learn(training, [text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "jalan",
        "jalan jalan jalan",
        "jalan a rusak",
        "jalan rusak jalan rusak",
        "a b c d",
        "2 2 2",
        "rt02 rw05 rt02",
        "qqqq zzzz",
    ],
)
def test_short_and_repeated_words_have_scikit_learns_features(training: Training, text: str) -> None:
    assert_same_as_scikit_learn(training, [prepared(text.split(), "kab-tangerang")])


@given(st.text("abc1é", min_size=1, max_size=9))
def test_in_word_n_grams_are_those_of_char_wb(word: str) -> None:
    analyse = TfidfVectorizer(analyzer="char_wb", ngram_range=CHAR_NGRAMS, lowercase=False).build_analyzer()
    assert sorted(char_ngrams(word)) == sorted(analyse(word))


def test_a_feature_number_names_its_term(training: Training) -> None:
    vocabulary = training.bundle.vocabulary
    names = training.pipelines["sector"]["features"].get_feature_names_out().tolist()
    ours = [f"words__{term}" for term in vocabulary.words]
    ours += [f"chars__{term}" for term in vocabulary.chars]
    ours += [f"region__{term}" for term in vocabulary.regions]
    ours += [f"titles__{term}" for term in vocabulary.titles]
    ours += [f"slots__{term}" for term in vocabulary.slots]
    ours += [f"signs__{term}" for term in vocabulary.signs]
    assert ours == names


@pytest.fixture(scope="module")
def with_region_words(sample_rows: Sequence[LabelledRow]) -> Training:
    """A training whose region has real rows enough for words of its own; half of its rows are written."""
    rows = [
        replace(row, label_source="human" if number % 2 else WRITTEN) for number, row in enumerate(sample_rows[:400])
    ]
    return fit(rows, replace(find_recipe("default"), folds=2), "kab-tangerang")


def test_words_of_a_region_are_scikit_learns_features(
    with_region_words: Training, sample_rows: Sequence[LabelledRow]
) -> None:
    bundle = with_region_words.bundle
    assert bundle.vocabulary.local
    complaints = [replace(row.complaint, region=region) for row in sample_rows[:50] for region in ("kab-tangerang", "")]
    texts = [bundle.chain.prepare(complaint) for complaint in complaints]
    assert_same_as_scikit_learn(with_region_words, texts)
    probabilities = with_region_words.pipelines["sector"].predict_proba(texts)
    ours = [bundle.heads["sector"].probabilities(bundle.extractor.extract(text)) for text in texts]
    assert np.abs(np.array(ours) - probabilities).max() < 1e-6


def test_words_of_a_region_speak_in_that_region_alone_and_for_the_sector_alone(with_region_words: Training) -> None:
    bundle = with_region_words.bundle
    first = len(bundle.vocabulary) - len(bundle.vocabulary.local)
    text = PreparedText("jalan rusak", "jalan rusak", "kab-tangerang")
    assert (bundle.extractor.extract(text).indices >= first).any()
    assert not (bundle.extractor.extract(replace(text, region="kota-surabaya")).indices >= first).any()
    assert bundle.heads["sector"].weights[first:].any()
    assert not bundle.heads["urgency"].weights[first:].any()


def test_words_of_a_region_are_shared_out_to_the_words_they_stand_in(with_region_words: Training) -> None:
    bundle = with_region_words.bundle
    text = bundle.chain.prepare(Complaint("jalan rusak di jalan raya", region="kab-tangerang"))
    explanation = explain(text, bundle.extractor, bundle.heads["sector"], "public-works")
    assert explanation.base + sum(word.contribution for word in explanation.words) == pytest.approx(explanation.score)
    elsewhere = explain(replace(text, region=""), bundle.extractor, bundle.heads["sector"], "public-works")
    assert {word.word: word for word in explanation.words} != {word.word: word for word in elsewhere.words}


def test_written_rows_alone_give_a_region_no_words_of_its_own(training: Training) -> None:
    assert training.bundle.vocabulary.local == ()


@given(text=TEXTS)
@settings(max_examples=75, deadline=None)
def test_shares_of_each_feature_add_up_to_one(training: Training, text: PreparedText) -> None:
    extractor = training.bundle.extractor
    occurrences = extractor.occurrences(text, extractor.extract(text))
    vocabulary = extractor.vocabulary
    first_region = len(vocabulary.words) + len(vocabulary.chars)
    first_title = first_region + len(vocabulary.regions)
    of_words = [*range(first_region), *range(first_title, first_title + len(vocabulary.titles))]
    present = np.intersect1d(extractor.extract(text).indices, of_words).tolist()
    assert sorted(set(occurrences.features.tolist())) == present
    totals = np.bincount(occurrences.features, weights=occurrences.shares, minlength=len(vocabulary))
    assert totals[present] == pytest.approx(np.ones(len(present)))
    assert (occurrences.words < max(1, len(text.words.split()))).all()


def test_a_word_pair_is_shared_by_its_two_words() -> None:
    extractor = FeatureExtractor(Vocabulary(("jalan rusak",), (), ()), np.ones(1))
    text = PreparedText("jalan a rusak", "jalan a rusak", "")
    occurrences = extractor.occurrences(text, extractor.extract(text))
    assert occurrences.words.tolist() == [0, 2]
    assert occurrences.shares.tolist() == [0.5, 0.5]


def test_a_character_n_gram_is_shared_by_the_words_it_stands_in() -> None:
    extractor = FeatureExtractor(Vocabulary((), ("an",), ()), np.ones(1))
    text = PreparedText("anan jalan x", "anan jalan x", "")
    occurrences = extractor.occurrences(text, extractor.extract(text))
    assert occurrences.words.tolist() == [0, 0, 1]
    assert occurrences.shares == pytest.approx([1 / 3] * 3)


def test_a_region_weighs_what_the_recipe_says_and_an_unknown_one_nothing(training: Training) -> None:
    extractor = training.bundle.extractor
    first_region = len(extractor.vocabulary.words) + len(extractor.vocabulary.chars)
    nowhere = extractor.extract(PreparedText("", "", "kab-antah-berantah"))
    here = extractor.extract(PreparedText("", "", "kab-tangerang"))
    assert here.indices.tolist() == [first_region, *nowhere.indices.tolist()]
    assert here.weights[0] == 0.5
    assert first_region not in nowhere.indices


def test_the_memory_of_words_is_bounded_and_forgetting_changes_nothing() -> None:
    extractor = FeatureExtractor(Vocabulary(("jalan",), ("ja", "al", "an"), ()), np.ones(4))
    text = PreparedText("jalan", "jalan", "")
    before = extractor.extract(text)
    many = " ".join(f"k{number}" for number in range(REMEMBERED_WORDS + 50))
    extractor.extract(PreparedText(many, many, ""))
    assert 0 < len(extractor._memory) <= REMEMBERED_WORDS
    after = extractor.extract(text)
    assert after.indices.tolist() == before.indices.tolist()
    assert after.weights.tolist() == before.weights.tolist()


def test_a_word_longer_than_any_is_read_but_not_remembered() -> None:
    extractor = FeatureExtractor(Vocabulary((), ("ja", "al"), ()), np.ones(2))
    kept, long = "ja".ljust(LONGEST_WORD, "x"), "ja".ljust(LONGEST_WORD + 1, "x")
    for _ in range(2):
        features = extractor.extract(PreparedText(long, long, ""))
        assert features.indices.tolist() == [0]
        assert extractor.occurrences(PreparedText(long, long, ""), features).features.tolist() == [0]
    assert extractor._memory == {}
    assert extractor.extract(PreparedText(f"{kept} {long}", "", "")).indices.tolist() == [0]
    assert list(extractor._memory) == [kept]


def test_the_memory_of_words_has_a_limit_that_fits_a_small_server() -> None:
    assert 10_000 <= REMEMBERED_WORDS <= 200_000


def test_a_stem_is_known_if_it_is_a_feature_by_itself(training: Training) -> None:
    extractor = training.bundle.extractor
    [known, *_] = [term for term in extractor.vocabulary.words if " " not in term]
    assert extractor.knows(known)
    assert not extractor.knows("qqqqq")
