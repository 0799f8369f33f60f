"""What to label next: useful, unlike each other, partly random, and never with the bundle's answer beside it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from data.complaint import Complaint, Confidentiality, LabelledRow
from data.corpus import SAMPLES
from data.errors import TooFewRows
from data.region import load_region
from model.bundle import EVIDENCE, SECTOR, load_bundle
from model.promise import FEWEST_ROWS
from training.next_rows import Need, choose_next, needs_of, random_count, usefulness
from training.next_sheet import RANDOM, SHEET_COLUMNS, UNSURE, next_sheet
from training.splitting import Ints

UNLABELLED = [
    "Lampu jalan di depan pasar padam sejak seminggu",
    "Sampah menumpuk di belakang terminal dan berbau busuk",
    "Pembuatan kartu keluarga sudah sebulan belum selesai",
    "Jalan berlubang besar membahayakan pengendara motor",
    "Bantuan sosial tidak pernah sampai kepada tetangga kami yang lansia",
    "Puskesmas menolak pasien yang memakai kartu jaminan",
]


def chosen_of(
    probabilities: Sequence[Sequence[float]],
    *,
    count: int,
    features: Sequence[Sequence[float]] | None = None,
    groups: Sequence[int] | None = None,
    counts: Sequence[int] = (10, 10),
    random_share: float = 0.0,
    seed: int = 0,
) -> list[int]:
    given = np.array(probabilities, dtype=np.float64)
    made = csr_matrix(np.eye(len(given)) if features is None else np.array(features, dtype=np.float64))
    of_groups: Ints = np.array(range(len(given)) if groups is None else groups, dtype=np.int64)
    return choose_next(
        given, made, of_groups, np.array(counts, dtype=np.int64), count, random_share=random_share, seed=seed
    ).tolist()


def test_the_least_sure_rows_come_first() -> None:
    assert chosen_of([[0.99, 0.01], [0.55, 0.45], [0.8, 0.2], [0.51, 0.49]], count=2) == [3, 1]


def test_of_equally_unsure_rows_the_one_of_a_rare_label_comes_first() -> None:
    given = [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]
    assert chosen_of(given, count=1, counts=(100, 100, 1)) == [1]
    assert usefulness(np.array(given), np.array([100, 100, 1]))[1] > usefulness(np.array(given), np.array([9, 9, 9]))[1]


def test_a_row_like_one_already_taken_gives_way_to_another() -> None:
    alike = [[1.0, 0.0], [1.0, 0.05], [0.0, 1.0]]
    assert chosen_of([[0.5, 0.5], [0.51, 0.49], [0.7, 0.3]], count=2, features=alike) == [0, 2]


def test_near_copies_are_never_chosen_twice_even_where_that_leaves_fewer_rows() -> None:
    chosen = chosen_of([[0.5, 0.5]] * 6, count=6, groups=[0, 0, 0, 1, 1, 1], random_share=0.5)
    assert len(chosen) == 2
    assert {number // 3 for number in chosen} == {0, 1}


def test_the_random_share_stands_first_and_depends_on_the_seed_alone() -> None:
    chance = np.random.default_rng(1)
    sure, unsure = np.tile([1.0, 0.0], (100, 1)), np.tile([0.5, 0.5], (100, 1))
    features = chance.random((100, 5)).tolist()
    drawn = [
        chosen_of(given.tolist(), count=10, features=features, random_share=0.4, seed=7)[:4] for given in (sure, unsure)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != chosen_of(sure.tolist(), count=10, features=features, random_share=0.4, seed=8)[:4]


def test_every_row_is_as_likely_to_be_among_the_random_ones() -> None:
    given = [[1.0, 0.0]] * 10 + [[0.5, 0.5]] * 10
    hits = np.zeros(20)
    for seed in range(100):
        hits[chosen_of(given, count=5, random_share=1.0, seed=seed)] += 1
    # 25 expected of each, with a standard deviation of 4.3.
    assert hits.min() > 8
    assert hits.max() < 43


def test_random_rows_and_others_make_up_the_count() -> None:
    chosen = chosen_of([[0.5, 0.5]] * 30, count=10, random_share=0.2)
    assert len(chosen) == len(set(chosen)) == 10
    assert random_count(30, 10, 0.2) == 2
    assert random_count(1, 10, 1.0) == 1


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_one_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="can't be chosen"):
        chosen_of([[0.5, 0.5]], count=count)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="counts"):
        chosen_of([[0.5, 0.5]], count=1, counts=(1, 2, 3))
    with pytest.raises(ValueError, match="groups"):
        chosen_of([[0.5, 0.5]], count=1, groups=[0, 1])


def test_the_sheet_holds_unlabelled_rows_without_the_bundles_answers(bundle_folder: Path) -> None:
    bundle = load_bundle(bundle_folder)
    rows = [LabelledRow(f"r{i}", Complaint(text, region="kab-tangerang")) for i, text in enumerate(UNLABELLED)]
    rows[0] = replace(rows[0], sector="transport")
    rows[1] = replace(rows[1], confidentiality=Confidentiality.RAHASIA)
    sheet = next_sheet(rows, bundle, 3, random_share=0.34, seed=0)
    assert (len(sheet.rows), sheet.random, sheet.labelled, sheet.secret) == (3, 1, 1, 1)
    assert [row["chosen"] for row in sheet.rows].count(RANDOM) == 1
    assert {row["chosen"] for row in sheet.rows} == {RANDOM, UNSURE}
    assert not {"r0", "r1"} & {row["id"] for row in sheet.rows}
    for row in sheet.rows:
        assert set(row) == set(SHEET_COLUMNS)
        source = "human-blind" if row["chosen"] == "acak" else "human-chosen"
        assert (row["agency"], row["sector"], row["label_source"]) == ("", "", source)


def test_rows_the_bundle_was_trained_on_are_not_asked_again(
    bundle_folder: Path,
) -> None:
    with SAMPLES.open(encoding="utf-8", newline="") as handle:
        cells = next(csv.DictReader(handle))
    complaint = Complaint(cells["text"], cells["title"], cells["location"], cells["region"])
    seen = [LabelledRow(cells["id"], complaint)]
    with pytest.raises(TooFewRows, match="1 were trained on"):
        next_sheet(seen, load_bundle(bundle_folder), 3, random_share=0.0, seed=0)


def test_every_office_is_told_what_it_needs_and_without_evidence_that_is_the_fewest_a_promise_rests_on(
    bundle_folder: Path,
) -> None:
    bundle, region = load_bundle(bundle_folder), load_region("kab-tangerang")
    needs = needs_of(replace(bundle, evidence=np.zeros(0, EVIDENCE)), region)
    assert len(needs) == sum(bool(agency.sectors) for agency in region.agencies) + len(region.families)
    assert {(need.rows, need.needed, need.at_least) for need in needs} == {(0, FEWEST_ROWS, True)}


def test_an_office_whose_answers_are_always_right_needs_nothing_more(bundle_folder: Path) -> None:
    bundle, region = load_bundle(bundle_folder), load_region("kab-tangerang")
    evidence = np.zeros(400, EVIDENCE)
    evidence["region"], evidence["confidence"] = b"kab-tangerang", np.linspace(0.5, 0.99, 400)
    evidence["label"] = evidence["found"] = bundle.heads[SECTOR].labels.index("environment")
    needs = needs_of(replace(bundle, evidence=evidence), region)
    [its] = [need for need in needs if "environment" in need.sectors]
    assert (its.rows, its.needed, its.at_least, its.told) == (400, 0, False, "none")
    assert needs[-1] == its


@pytest.mark.parametrize(
    ("rows", "needed", "at_least", "told"),
    [
        (0, 0, False, "none"),
        (3, 27, True, "at least 27"),
        (400, 934, False, "about 930"),
        (60, 5_633, False, "as a rough guess 5600"),
    ],
)
def test_a_need_is_told_no_more_exactly_than_it_is_known(rows: int, needed: int, at_least: bool, told: str) -> None:
    assert Need("Dinas", ("jalan",), rows, needed, at_least).told == told
