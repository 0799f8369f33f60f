"""Similar cases: speed, memory, and how well copies are found: python -m benchmarks.similar

Fills an index with 100,000 cases made of the real complaints where they are at hand (read in place, else of the sample
corpus): a quarter copies, a quarter with a tenth of their words missing, half of them one text's beginning with
another's end. Queries are such cases again. Peers get the same vectors in the same run. Wall time counts what else the
machine does; processor time is the thread's own. Then, on real rows: which view finds near-copies, and how often the
flag is right, on a third of the groups that the vocabulary wasn't made of. The threshold was chosen on a third of
another random split, so some of these rows had a part in it.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from benchmarks.accuracy import SAMPLES, SHARED, SOURCES
from data.complaint import Complaint, LabelledRow
from data.rows import read_rows
from model.bundle import Bundle
from model.features import Features
from model.similar import HALF_LIFE_DAYS, LONG_AGO, NEAR_COPY_FROM, OTHER_PLACE, UNKNOWN_PLACE, SimilarCases, Traits
from model.text import PreparedText, TextChain, prepare
from training.features import idf_of, make_features, vocabulary_of
from training.recipe import find_recipe
from training.splitting import assign_folds, near_copy_groups

START = datetime(2023, 1, 1, tzinfo=UTC)
YEAR_MINUTES = 365 * 24 * 60
QUERIES = 300
PEER_QUERIES = 40
NEAREST = 5
PLACES = 300
_SEED = 29


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cases", type=int, default=100_000)
    size = arguments.parse_args().cases
    real = SHARED.is_dir()
    files = [SHARED / name for name in SOURCES.values()] if real else [SAMPLES]
    rows = read_rows(files, "kab-tangerang").rows
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(rows)} {'real' if real else 'sample'} rows")
    recipe = find_recipe("default")
    chain = TextChain(recipe.text_steps)
    texts = [chain.prepare(row.complaint) for row in rows]
    groups = near_copy_groups([prepare(row.complaint) for row in rows])
    folds = assign_folds(groups, 3, 5)
    bundle = bundle_of([texts[i] for i in np.unique(groups, return_index=True)[1] if folds[i] == 0])
    speed(bundle, rows, texts, size)
    if not real:
        print("Skipped: precision and recall of the flag; the real complaints (../shared/datasets) are not here.")
        return
    quality(bundle, [rows[i] for i in np.flatnonzero(folds == 2)], groups[folds == 2])


def bundle_of(texts: Sequence[PreparedText]) -> Bundle:
    """A bundle without heads, which similar cases don't need."""
    recipe = find_recipe("default")
    union = make_features(recipe, texts).fit(texts)
    return Bundle(
        vocabulary=vocabulary_of(union),
        idf=idf_of(union, recipe),
        heads={},
        seen=np.zeros(0, np.uint64),
        text_steps=recipe.text_steps,
    )


def speed(bundle: Bundle, rows: Sequence[LabelledRow], texts: Sequence[PreparedText], size: int) -> None:
    """Building, memory and queries, beside brute force."""
    rng = np.random.default_rng(_SEED)
    index = SimilarCases(bundle)
    complaints = [rows[i].complaint for i in rng.permutation(len(rows))[:1_000]]
    describe = timed(index.describe, complaints)
    print(f"reading a complaint: processor ms p50 {describe[1]:.2f}, p99 {describe[3]:.2f} (text steps, terms, place)")
    stems = [text.stems.split() for text in texts]
    traits = [varied(bundle, stems, rng) for _ in range(size + QUERIES)]
    times = [START + timedelta(minutes=int(m)) for m in rng.integers(0, YEAR_MINUTES, size)]
    gc.collect()
    before, started, worked = resident(), time.perf_counter(), time.process_time()
    for number, (one, received) in enumerate(zip(traits, times, strict=False)):
        index.add(f"{number:036d}", one, received)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    gc.collect()
    mean = np.mean([len(one.terms) for one in traits])
    print(f"{len(index)} cases of {mean:.0f} terms added in s: wall {seconds:.1f}, processor {work:.1f}", end="; ")
    print(f"{resident() - before:.0f} MB")
    queries, now = traits[size:], START + timedelta(days=366)
    ours = timed(lambda one: index.find(one, now, NEAREST), queries)
    report("find", ours)
    report("find in the middle of the year", timed(lambda one: index.find(one, START + timedelta(days=180)), queries))
    peers(index, bundle, traits, times, now, ours)
    for number in range(5_000):
        index.add(f"copy {number:031d}", queries[0], START + timedelta(days=364, minutes=number % 1000))
    report("find among 5,000 copies", timed(lambda _: index.find(queries[0], now), queries[:100]))
    one_megabyte = Complaint(" ".join(row.complaint.text for row in rows)[:1_000_000])
    report("find for 1 MB of text, reading it included", timed(lambda one: index.find(one, now), [one_megabyte] * 5))
    report("forget", timed(index.forget, [f"{number:036d}" for number in range(200)]))


def peers(
    index: SimilarCases,
    bundle: Bundle,
    traits: Sequence[Traits],
    times: Sequence[datetime],
    now: datetime,
    ours: tuple[float, ...],
) -> None:
    """Exact brute force by SciPy and scikit-learn over the same vectors, and how many of their nearest are found."""
    size = len(times)
    stored, asked = (matrix(part, bundle) for part in (traits[:size], traits[size : size + PEER_QUERIES]))

    def product(number: int) -> np.ndarray:
        scores = (stored @ asked[number].T).toarray().ravel()
        return np.argpartition(-scores, NEAREST)[:NEAREST]

    neighbours = NearestNeighbors(n_neighbors=NEAREST, metric="cosine", algorithm="brute").fit(stored)
    for name, peer in (
        ("SciPy product", product),
        ("scikit-learn NearestNeighbors", lambda number: neighbours.kneighbors(asked[number])),
    ):
        theirs = timed(peer, range(PEER_QUERIES))
        report(name, theirs)
        print(f"    times ours: processor p50 {theirs[1] / ours[1]:.1f}, p99 {theirs[3] / ours[3]:.1f}")
    bytes_held = stored.data.nbytes + stored.indices.nbytes + stored.indptr.nbytes
    print(f"    their matrix alone: {bytes_held / 1e6:.0f} MB, built anew for each case that is added")
    age = np.array([(now - received).total_seconds() / 86_400 for received in times])
    recalls, errors = [], []
    for number in range(PEER_QUERIES):
        one = traits[size + number]
        cosines = (stored @ asked[number].T).toarray().ravel()
        ranks = cosines * place_factors(one, traits[:size]) * (LONG_AGO + (1 - LONG_AGO) * 2 ** (-age / HALF_LIFE_DAYS))
        # Two cases can rank alike, so one counts as found if it ranks no lower than the exact fifth.
        fifth = np.sort(ranks)[-NEAREST] - 1e-5
        found = index.find(one, now, NEAREST)
        recalls += [ranks[int(case.case_id)] >= fifth for case in found]
        errors += [abs(case.similarity - cosines[int(case.case_id)]) for case in found]
    print(f"    recall@{NEAREST} against the exact order of all cases: {np.mean(recalls):.3f}", end="; ")
    print(f"largest error of a similarity: {max(errors):.0e}")


def place_factors(one: Traits, others: Sequence[Traits]) -> np.ndarray:
    """The factor of each made case's place (n,): all are known here."""
    places, districts = (np.array([getattr(other, part) for other in others]) for part in ("place", "within"))
    nested = (places == one.within) | (districts == one.place)
    return np.where(places == one.place, 1.0, np.where(nested, UNKNOWN_PLACE, OTHER_PLACE))


def quality(bundle: Bundle, rows: Sequence[LabelledRow], groups: np.ndarray) -> None:
    """Precision and recall of near-copies by view, then of the flag as `find` gives it, on rows kept aside."""
    texts = [bundle.chain.prepare(row.complaint) for row in rows]
    words = len(bundle.vocabulary.words)
    features = [bundle.extractor.extract(text) for text in texts]
    lone = np.array([" " not in term for term in bundle.vocabulary.words] + [False] * (len(bundle.idf) - words))
    numbers = np.arange(len(bundle.idf))
    chars = (numbers >= words) & (numbers < words + len(bundle.vocabulary.chars))
    sizes = np.unique(groups, return_inverse=True, return_counts=True)
    has_copy = sizes[2][sizes[1]] > 1
    print(
        f"\n{len(rows)} real rows kept aside, {has_copy.sum()} of them with a near-copy; each row's nearest other row:"
    )
    for name, mask in (
        ("stems and pairs (ours)", numbers < words),
        ("stems", lone),
        ("pairs", (numbers < words) & ~lone),
        ("characters", chars),
        ("words and characters", (numbers < words) | chars),
    ):
        kept = normalize(sparse(features, len(mask))[:, mask])
        scores = (kept @ kept.T).toarray()
        np.fill_diagonal(scores, -1)
        best, is_copy = scores.max(axis=1), groups[scores.argmax(axis=1)] == groups
        right = is_copy[np.argsort(-best, kind="stable")]
        average = (np.cumsum(right) / np.arange(1, len(right) + 1) * right).sum() / has_copy.sum()
        first = is_copy[has_copy].mean()
        print(f"  {name}: is a near-copy where there is one {first:.3f}, average precision {average:.3f}")
        for threshold in (0.9, 0.8, 0.75, 0.7, 0.6, 0.5) if name.endswith("(ours)") else ():
            flagged = best >= threshold
            recall = (is_copy & flagged).sum() / has_copy.sum()
            print(f"    from {threshold}: precision {is_copy[flagged].mean():.3f}, recall {recall:.3f}")
    flag_quality(bundle, rows, groups)


def flag_quality(bundle: Bundle, rows: Sequence[LabelledRow], groups: np.ndarray) -> None:
    """The rows as they came in: each is looked up among the earlier ones, then added."""
    dated = sorted((row.received_at, i) for i, row in enumerate(rows) if len(row.received_at) >= 10)
    index, group_of = SimilarCases(bundle), {}
    copies = flagged = right = found = first_right = by_place = 0
    for received_at, i in dated:
        received = datetime.fromisoformat(received_at).replace(tzinfo=UTC)
        near = index.find(rows[i].complaint, received)
        has_copy = groups[i] in group_of.values()
        hits = [case for case in near if case.is_duplicate]
        copies += has_copy
        flagged += len(hits)
        right += sum(group_of[case.case_id] == groups[i] for case in hits)
        by_place += sum(case.similarity < NEAR_COPY_FROM for case in hits)
        found += has_copy and any(group_of[case.case_id] == groups[i] for case in hits)
        first_right += has_copy and bool(near) and group_of[near[0].case_id] == groups[i]
        index.add(rows[i].id, rows[i].complaint, received)
        group_of[rows[i].id] = groups[i]
    print(f"  the flag, each of {len(dated)} dated rows among the earlier ones: {flagged} of the five nearest flagged,")
    print(f"    precision {right / flagged:.3f}; {by_place} of them by place and time: rarely copies, often the matter")
    print(
        f"    {copies} rows have an earlier near-copy: {found / copies:.3f} flagged, {first_right / copies:.3f} first"
    )


def varied(bundle: Bundle, stems: Sequence[list[str]], rng: np.random.Generator) -> Traits:
    """One made case: a copy, one with words missing, or two halves."""
    words, kind = stems[rng.integers(len(stems))], rng.integers(4)
    if kind == 1:
        words = [word for word in words if rng.random() > 0.1]
    elif kind > 1:
        other = stems[rng.integers(len(stems))]
        words = words[: len(words) // 2] + other[len(other) // 2 :]
    features = bundle.extractor.extract_words(PreparedText("", " ".join(words), ""))
    place = int(rng.integers(1, PLACES))
    terms, weights = features.indices.astype(np.int32), features.weights.astype(np.float32)
    return Traits(terms, weights, place, PLACES + place // 10)


def matrix(traits: Sequence[Traits], bundle: Bundle) -> csr_matrix:
    """Vectors (n, features), float32."""
    features = [Features(one.terms.astype(np.int64), one.weights.astype(np.float64)) for one in traits]
    return sparse(features, len(bundle.vocabulary.words)).astype(np.float32)


def sparse(features: Sequence[Features], width: int) -> csr_matrix:
    """Features as the rows of one matrix."""
    starts = np.cumsum([0, *(len(one.indices) for one in features)])
    weights, indices = (np.concatenate([getattr(one, part) for one in features]) for part in ("weights", "indices"))
    return csr_matrix((weights, indices, starts), shape=(len(features), width))


def timed(work: Callable[..., object], inputs: Sequence[object] | range) -> tuple[float, float, float, float]:
    """Milliseconds for one input: wall p50, processor p50, wall p99, processor p99."""
    wall, processor = [], []
    for one in inputs:
        began, worked = time.perf_counter(), time.thread_time()
        work(one)
        processor.append(time.thread_time() - worked)
        wall.append(time.perf_counter() - began)
    return tuple(float(np.percentile(values, share)) * 1e3 for share in (50, 99) for values in (wall, processor))


def report(name: str, figures: tuple[float, ...]) -> None:
    wall, processor, wall99, processor99 = figures
    print(f"{name}: ms p50 {processor:.2f} (wall {wall:.2f}), p99 {processor99:.2f} (wall {wall99:.2f})", flush=True)


def resident() -> float:
    """Megabytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
