"""Features in training: the views of a text that heads look at, by scikit-learn, and what of them a bundle keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from model.features import FACTS, Floats, Vocabulary, char_ngrams, local_prefix
from model.text import PreparedText
from training.recipe import Recipe

# As many rows as the promise of routing alone asks for at least: fewer say too little of a region.
_FEWEST_LOCAL_ROWS = 150
LOCAL = "local"
MEANING = "meaning"


class CharacterView(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Tf-idf of in-word character n-grams, number for number that of scikit-learn's `char_wb`, in a third of its time.

    The n-grams of a text are those of its words, so they are cut out once for each different word: counts of words
    (n, words) times the words' n-grams (words, n-grams). `min_df`: in how many texts an n-gram must stand.
    """

    def __init__(self, min_df: int) -> None:
        self.min_df = min_df

    def fit(self, texts: Sequence[PreparedText], labels: object = None) -> CharacterView:
        words, of_texts = _counted_words(texts)
        cutting = CountVectorizer(analyzer=char_ngrams, dtype=np.float64)
        counts = of_texts @ cutting.fit_transform(words)
        kept = np.flatnonzero(np.diff(counts.tocsc().indptr) >= self.min_df)
        if not len(kept):
            raise ValueError(f"no character n-gram stands in {self.min_df} texts")
        self.names_ = cutting.get_feature_names_out()[kept]
        self.weighing_ = TfidfTransformer(sublinear_tf=True).fit(counts[:, kept])
        self.idf_ = self.weighing_.idf_
        return self

    def transform(self, texts: Sequence[PreparedText]) -> csr_matrix:
        words, of_texts = _counted_words(texts)
        if not words:
            return csr_matrix((len(texts), len(self.names_)))
        cutting = CountVectorizer(analyzer=char_ngrams, vocabulary=self.names_.tolist(), dtype=np.float64)
        weighed: csr_matrix = self.weighing_.transform(of_texts @ cutting.transform(words))
        return weighed

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        names: NDArray[np.object_] = self.names_
        return names


class LocalTerms:
    """Analyzer of a text's stems and pairs of stems as words of its region, if that is one of `regions`."""

    def __init__(self, regions: Collection[str]) -> None:
        self.regions = frozenset(regions)

    def __call__(self, text: PreparedText) -> list[str]:
        if text.region not in self.regions:
            return []
        prefix, stems = local_prefix(text.region), [stem for stem in text.stems.split() if len(stem) > 1]
        return [f"{prefix}{stem}" for stem in stems] + [f"{prefix}{left} {right}" for left, right in pairwise(stems)]


class MeaningView(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The texts' sentence embeddings less their mean, scaled so that a text's have length 1 on average."""

    def fit(self, texts: Sequence[PreparedText], labels: object = None) -> MeaningView:
        meanings = _stacked(texts)
        self.mean_ = meanings.mean(axis=0)
        self.scale_ = 1.0 / max(float(np.linalg.norm(meanings - self.mean_, axis=1).mean()), 1e-12)
        return self

    def transform(self, texts: Sequence[PreparedText]) -> csr_matrix:
        return csr_matrix(self.scale_ * (_stacked(texts) - self.mean_))


def make_features(recipe: Recipe, texts: Sequence[PreparedText], regions: Collection[str] = ()) -> FeatureUnion:
    """The views of texts that heads look at: stems and pairs, in-word character n-grams, region, title, facts, words of
    the `regions` that have rows enough, meaning.

    Not yet fitted. `texts` are those it will be fitted on; a view that they leave empty is left out.
    """
    common = {"lowercase": False, "sublinear_tf": True, "min_df": recipe.min_rows_per_term}
    # A stem keeps its hyphens, at which scikit-learn's own pattern would part it; one letter is no feature.
    of_stems = {"token_pattern": r"\S\S+", **common}
    views = [
        ("words", TfidfVectorizer(preprocessor=attrgetter("stems"), ngram_range=(1, 2), **of_stems)),
        ("chars", CharacterView(recipe.min_rows_per_term)),
    ]
    if recipe.region_weight:
        views.append(("region", CountVectorizer(analyzer=_region_term)))
    if recipe.title_weight and _share_titles(texts, recipe.min_rows_per_term):
        views.append(("titles", TfidfVectorizer(preprocessor=attrgetter("title"), **of_stems)))
    fact_weights = {"slots": recipe.slot_weight, "signs": recipe.sign_weight}
    views += [
        (view, CountVectorizer(analyzer=FACTS[view], binary=True))
        for view, weight in fact_weights.items()
        if weight and any(FACTS[view](text) for text in texts)
    ]
    if recipe.local_weight and regions:
        of_regions = {"analyzer": LocalTerms(regions), "sublinear_tf": True, "min_df": recipe.min_rows_per_term}
        views.append((LOCAL, TfidfVectorizer(**of_regions)))
    if recipe.encoder:
        views.append((MEANING, MeaningView()))
    weights = {
        "region": recipe.region_weight,
        "titles": recipe.title_weight,
        **fact_weights,
        LOCAL: recipe.local_weight,
        MEANING: 1.0,
    }
    return FeatureUnion(views, transformer_weights={name: weights[name] for name, _ in views[2:]})


def regions_with_rows(regions: Sequence[str], real: NDArray[np.bool_]) -> set[str]:
    """The regions (n,) that have `real` rows (n,) enough to learn words of their own from."""
    counts = Counter(region for region, is_real in zip(regions, real, strict=True) if is_real and region)
    return {region for region, count in counts.items() if count >= _FEWEST_LOCAL_ROWS}


def vocabulary_of(union: FeatureUnion) -> Vocabulary:
    """The names of a fitted union's features."""
    views = union.named_transformers

    def names(view: str) -> tuple[str, ...]:
        return tuple(map(str, views[view].get_feature_names_out())) if view in views else ()

    return Vocabulary(
        words=names("words"),
        chars=names("chars"),
        regions=names("region"),
        titles=names("titles"),
        slots=names("slots"),
        signs=names("signs"),
        local=names(LOCAL),
        dimensions=len(views[MEANING].mean_) if MEANING in views else 0,
    )


def idf_of(union: FeatureUnion, recipe: Recipe) -> Floats:
    """What the scorer scales each feature by (features,): its idf, a region's or fact's weight, 1 for the embedding."""
    views = union.named_transformers
    fixed = {"region": recipe.region_weight, "slots": recipe.slot_weight, "signs": recipe.sign_weight, MEANING: 1.0}
    parts = [
        np.full(columns.stop - columns.start, fixed[view]) if view in fixed else views[view].idf_
        for view, columns in columns_of(union).items()
        if view in views
    ]
    return np.concatenate(parts)


def columns_of(union: FeatureUnion) -> dict[str, slice]:
    """Where the features of each view of a fitted union are."""
    vocabulary = vocabulary_of(union)
    columns, start = {}, 0
    for view, names in (
        ("words", vocabulary.words),
        ("chars", vocabulary.chars),
        ("region", vocabulary.regions),
        ("titles", vocabulary.titles),
        ("slots", vocabulary.slots),
        ("signs", vocabulary.signs),
        (LOCAL, vocabulary.local),
        (MEANING, range(vocabulary.dimensions)),
    ):
        columns[view] = slice(start, start + len(names))
        start += len(names)
    return columns


def hide_views(features: csr_matrix, union: FeatureUnion, shown: Collection[str]) -> csr_matrix:
    """Features (n, features), with those of the views that not every head sees emptied where they aren't `shown`."""
    visible = np.ones(features.shape[1])
    for view, columns in columns_of(union).items():
        if view in ("titles", *FACTS, LOCAL, MEANING) and view not in shown:
            visible[columns] = 0.0
    hidden: csr_matrix = (features @ diags_array(visible)).tocsr()
    hidden.eliminate_zeros()
    return hidden


def fold_views(union: FeatureUnion, recipe: Recipe, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """The weights (labels, features) and bias (labels,) that give the scores without scaling and centring views.

    A linear score of a scaled and centred view is one of the view as it is: the scorer has nothing to do for it.
    """
    views, columns = union.named_transformers, columns_of(union)
    weights, bias = weights.copy(), bias.copy()
    for view, weight in (("titles", recipe.title_weight), (LOCAL, recipe.local_weight)):
        if view in views:
            weights[:, columns[view]] *= weight
    if MEANING in views:
        meanings = columns[MEANING]
        weights[:, meanings] *= views[MEANING].scale_
        bias -= weights[:, meanings] @ views[MEANING].mean_
    return weights, bias


def shared_stems(texts: Sequence[PreparedText], fewest: int) -> dict[str, str]:
    """Word -> stem of the words that stand in `fewest` texts or more, so that serving hardly ever computes a stem."""
    counts = Counter(pair for text in texts for pair in set(zip(text.words.split(), text.stems.split(), strict=True)))
    return {word: stem for (word, stem), count in sorted(counts.items()) if count >= fewest and word.isalpha()}


def _share_titles(texts: Sequence[PreparedText], fewest: int) -> bool:
    """Whether any stem stands in the titles of `fewest` texts, so that titles make features at all."""
    counts = Counter(stem for text in texts for stem in set(text.title.split()) if len(stem) > 1)
    return max(counts.values(), default=0) >= fewest


def _counted_words(texts: Sequence[PreparedText]) -> tuple[list[str], csr_matrix]:
    """The different words of the texts, and how often each stands in each (n, words)."""
    numbers: dict[str, int] = {}
    columns = [numbers.setdefault(word, len(numbers)) for text in texts for word in text.words.split()]
    ends = np.cumsum([0, *(len(text.words.split()) for text in texts)])
    counts = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(texts), len(numbers)))
    counts.sum_duplicates()
    return list(numbers), counts


def _region_term(text: PreparedText) -> list[str]:
    return [text.region] if text.region else []


def _stacked(texts: Sequence[PreparedText]) -> NDArray[np.float64]:
    return np.array([text.meaning for text in texts], dtype=np.float64)
