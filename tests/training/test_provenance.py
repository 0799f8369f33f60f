"""Provenance: what labels weigh by where they come from, what is never learned from, and what proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow, Provenance
from data.errors import TooFewRows
from model.areas import names_area
from model.bundle import SECTOR
from model.text import TextChain
from serving.case import LabelSource
from training.features import make_features
from training.fitting import Training, fit
from training.heads import Against, Trust, fit_head, telling_rows
from training.provenance import ACCEPTED_WEIGHT, is_independent, is_real, weights_of
from training.recipe import find_recipe
from training.splitting import near_copy_groups

QUICK = replace(find_recipe("default"), folds=2)
QUICK_CHAIN = TextChain(QUICK.text_steps, names_area=names_area)
REGION = "kab-tangerang"
SAID_OF = {
    "health": "puskesmas antre obat habis",
    "energy": "listrik padam sejak pagi",
    "environment": "sampah menumpuk bau",
}


def make_rows(source: str, count: int, start: int = 0, sectors: Sequence[str] = tuple(SAID_OF)) -> list[LabelledRow]:
    """Rows of each sector in turn, no two alike."""
    return [
        LabelledRow(
            f"{source}-{number}",
            Complaint(f"{SAID_OF[sector]} {' '.join(f'{letter}{number}' for letter in 'abcdefgh')}", region=REGION),
            sector=sector,
            label_source=source,
        )
        for number in range(start, start + count)
        for sector in [sectors[number % len(sectors)]]
    ]


def evidence(training: Training) -> int:
    """How many rows the promise in the region rests on."""
    told = training.bundle.about["metrics"][SECTOR]["evidence"]
    return int(told[REGION]["rows"]) if told else 0


def test_every_source_of_the_desk_is_a_provenance() -> None:
    assert {source.value for source in LabelSource} <= {source.value for source in Provenance}


def test_a_label_that_took_the_suggestion_weighs_less_and_the_programs_own_nothing() -> None:
    sources = ["human-blind", "human-corrected", "", "lapor", "human-accepted", "Human-Accepted", "machine"]
    weights = weights_of([LabelledRow("a", Complaint("x"), label_source=source) for source in sources])
    assert weights.tolist() == [1, 1, 1, 1, ACCEPTED_WEIGHT, ACCEPTED_WEIGHT, 0]
    assert 0 < ACCEPTED_WEIGHT < 1


def test_only_rows_labelled_without_a_suggestion_in_sight_are_independent() -> None:
    sources = ["human-blind", "", "human-corrected", "human-accepted", "machine", "returned", "written"]
    rows = [LabelledRow("a", Complaint("x"), label_source=source) for source in sources]
    assert is_independent(rows).tolist() == [True, True, False, False, False, False, False]
    assert is_real(rows).tolist() == [True] * 6 + [False]


def test_the_programs_own_answers_are_never_learned_from_and_told() -> None:
    rows = make_rows("", 60)
    wrong = [replace(row, sector="health") for row in make_rows("machine", 90, start=60)]
    training = fit([*rows, *wrong], QUICK, REGION)
    assert training.bundle.about["rows"]["count"] == 60
    assert any(note.startswith("90 rows were left out: the program's own answers (machine)") for note in training.notes)
    alone = fit(rows, QUICK, REGION)
    assert np.array_equal(training.bundle.heads[SECTOR].weights, alone.bundle.heads[SECTOR].weights)


def test_rows_of_the_programs_own_answers_alone_are_too_few() -> None:
    with pytest.raises(TooFewRows):
        fit(make_rows("machine", 90), QUICK, REGION)


def test_reviews_with_the_suggestion_in_sight_are_learned_from_but_prove_nothing() -> None:
    blind, accepted = make_rows("human-blind", 60), make_rows("human-accepted", 200, start=60)
    training = fit([*blind, *accepted, *make_rows("human-corrected", 10, start=300)], QUICK, REGION)
    assert evidence(training) == 60
    assert training.bundle.heads[SECTOR].thresholds == {}
    assert any(note.startswith("200 rows took the program's suggestion") for note in training.notes)
    assert any(note.startswith("210 rows were decided with the suggestion in sight") for note in training.notes)
    sure = fit([*make_rows("human-blind", 200), *make_rows("human-accepted", 50, start=200)], QUICK, REGION)
    assert evidence(sure) == 200
    assert REGION in sure.bundle.heads[SECTOR].thresholds


def test_what_the_bundle_was_made_of_tells_sources_apart() -> None:
    blind = make_rows("human-blind", 60)
    accepted = [replace(row, label_source="human-accepted") for row in blind]
    marks = [fit(rows, QUICK, REGION).bundle.about["rows"]["fingerprint"] for rows in (blind, accepted)]
    assert marks[0] != marks[1]


def test_calibration_asks_the_independent_rows_then_the_real_ones_then_all() -> None:
    def telling(independent: int, real: int) -> int:
        places = np.arange(1_000)
        return int(telling_rows(Trust(places < real, places < independent, np.ones(1_000))).sum())

    assert telling(200, 500) == 200
    assert telling(199, 500) == 500
    assert telling(150, 199) == 1_000


def test_a_row_of_half_the_weight_pulls_half_as_much() -> None:
    rows = make_rows("", 90)
    texts = [QUICK_CHAIN.prepare(row.complaint) for row in rows]
    features = make_features(QUICK, texts).fit_transform(texts).tocsr()
    names = np.array([row.sector for row in rows], dtype=object)
    names[:20] = "health"
    everyone = np.ones(len(rows), dtype=np.bool_)
    groups = near_copy_groups(texts)

    def right(weight: float) -> float:
        weights = np.where(np.arange(len(rows)) < 20, weight, 1.0)
        fitted = fit_head(features, names, groups, QUICK, Trust(everyone, everyone, weights))
        truth = np.array([row.sector for row in rows])
        health = fitted.classifier.predict_proba(features)[:, fitted.names.index("health")]
        return float(health[truth != "health"].mean())

    assert right(0.1) < right(0.5) < right(1.0)


def test_what_an_agency_sent_back_lowers_its_sector_and_no_other_fit_changes() -> None:
    rows = make_rows("", 120)
    word = "jembatan gantung lapuk"
    rows += [replace(row, complaint=Complaint(f"{word} {row.complaint.text[-30:]}", region=REGION), sector="health",
                     id=f"wrong-{row.id}") for row in make_rows("human-accepted", 4, start=500)]  # fmt: skip
    sent_back = [
        replace(row, id=f"back-{number}", sector=None, not_sectors=("health",), label_source="returned",
                complaint=Complaint(f"{word} k{number} m{number} n{number} o{number} p{number}", region=REGION))
        for number, row in enumerate(make_rows("", 8))
    ]  # fmt: skip
    asked = Complaint(f"{word} di dusun", region=REGION)
    training = fit([*rows, *sent_back], QUICK, REGION)
    assert "8 rows were sent back by an agency (returned): they say whose they are not." in training.notes
    assert training.bundle.about["metrics"][SECTOR]["rows"] == len(rows)

    def health(bundle_of: Training) -> float:
        return dict(zip(bundle_of.bundle.heads[SECTOR].labels, scores(bundle_of, asked), strict=True))["health"]

    ignored = fit([*rows, *(replace(row, sector=None, not_sectors=("energy",)) for row in sent_back)], QUICK, REGION)
    assert health(training) < health(ignored) - 0.2
    place = training.bundle.heads[SECTOR].labels.index("environment")
    lowered, plain = (trained.bundle.heads[SECTOR].weights[:, place] for trained in (training, ignored))
    assert np.array_equal(lowered, plain)


def test_evidence_against_a_label_is_hidden_from_the_fold_that_its_near_copies_are_kept_aside_in() -> None:
    rows = make_rows("", 60)
    texts = [QUICK_CHAIN.prepare(row.complaint) for row in rows]
    features = make_features(QUICK, texts).fit_transform(texts).tocsr()
    names, groups = np.array([row.sector for row in rows], dtype=object), np.arange(60)
    real = np.ones(60, dtype=np.bool_)
    own = Against(features[:1], groups[:1], np.array(["health"], dtype=object))
    other = Against(features[:1], np.array([999]), np.array(["health"], dtype=object))
    plain, hidden, shown = (
        fit_head(features, names, groups, QUICK, real, against=against).scores[0] for against in (None, own, other)
    )
    assert np.array_equal(plain, hidden)
    health = 2
    assert shown[health] < plain[health] - 0.01


def scores(training: Training, complaint: Complaint) -> list[float]:
    """The sector head's raw scores of one complaint."""
    pipeline = training.pipelines[SECTOR]
    found: list[float] = pipeline.decision_function([QUICK_CHAIN.prepare(complaint)])[0].tolist()
    return found
