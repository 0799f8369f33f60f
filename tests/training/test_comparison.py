"""A comparison: both sides on the same new rows, harm named, and a page that tells it without a citizen's words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow
from data.errors import OutputExists, TooFewRows
from data.region import load_region
from data.sectors import all_sectors
from data.sentences import plain_sentences
from model.bundle import SECTOR, URGENCY, Bundle, load_bundle
from training.comparison import EMERGENCIES, SENTENCES, Comparison, Cost, compare
from training.comparison_report import NUMBERS, PAGE, refusals_in_words, write_comparison
from training.gate import Panel, judge, part_guard, share_guard

REGION = "kab-tangerang"


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture(scope="module")
def rows() -> Sequence[LabelledRow]:
    """The written sentences of some sectors and of emergencies, as rows that no bundle has learned from."""
    sectors = ("public-works", "environment", "health", "social", "civil-registry", "transport")
    told = [each for sector in sectors for each in plain_sentences(SECTOR) if each[0] == sector]
    found = [
        LabelledRow(f"s{i}", Complaint(f"{text} Mohon perhatian.", region=REGION), "2031-02-01", sector=sector)
        for i, (sector, text) in enumerate(told)
    ]
    urgent = [text for level, text in plain_sentences(URGENCY) if level == "3"]
    return found + [
        LabelledRow(f"u{i}", Complaint(f"{text} Mohon segera.", region=REGION), "2031-02-02", urgency=3)
        for i, text in enumerate(urgent)
    ]


def forgetful(bundle: Bundle, sector: str) -> Bundle:
    """A bundle that never answers a sector."""
    head = bundle.heads[SECTOR]
    bias = np.where(np.array(head.labels) == sector, -50.0, head.bias)
    return replace(bundle, heads=bundle.heads | {SECTOR: replace(head, bias=bias)})


@pytest.fixture(scope="module")
def harmed(bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path) -> Comparison:
    worse = forgetful(bundle, "public-works")
    return compare(bundle, worse, rows, load_region(REGION), (bundle_folder, bundle_folder))


def test_a_bundle_passes_against_itself(bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path) -> None:
    found = compare(bundle, bundle, rows, load_region(REGION), (bundle_folder, bundle_folder))
    assert [str(each) for each in found.verdicts if each.refused] == []
    names = {each.name for each in found.verdicts}
    assert {"accuracy", "macro-F1", "coverage at the promise", EMERGENCIES, SENTENCES} <= names
    assert found.rows == len(rows)
    assert (found.received, found.older_than_training) == (("2031-02-01", "2031-02-02"), 0)


def test_a_sector_that_is_never_answered_is_named_among_what_is_worse(harmed: Comparison) -> None:
    worse = {each.name for each in harmed.verdicts if each.refused}
    # A sector counts by itself from twenty rows on; the whole and the sentences tell it all the same.
    assert {"accuracy", SENTENCES} <= worse
    assert EMERGENCIES not in worse
    assert "The gate refuses the challenger" in harmed.as_text()


def test_rows_that_one_of_them_learned_from_are_left_out(
    bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path
) -> None:
    from data.corpus import corpus_beside

    seen = corpus_beside([])[:30]
    found = compare(bundle, bundle, [*rows, *seen], load_region(REGION), (bundle_folder, bundle_folder))
    assert (found.rows, found.left_out_as_seen) == (len(rows), 30)
    with pytest.raises(TooFewRows, match="0 are new to both"):
        compare(bundle, bundle, seen, load_region(REGION), (bundle_folder, bundle_folder))


def test_near_copies_of_rows_that_are_told_to_be_learned_are_left_out(
    bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path
) -> None:
    of = (bundle, bundle, rows, load_region(REGION), (bundle_folder, bundle_folder))
    learned = [replace(row, complaint=replace(row.complaint, text=f"{row.complaint.text} Salam.")) for row in rows[:5]]
    found = compare(*of, learned=learned)
    assert (found.rows, found.left_out_as_seen) == (len(rows) - 5, 5)
    assert (
        "5 rows were in the training of one of them, or are near-copies of what was, and are left out"
        in found.as_text()
    )
    assert "name those files with --learned" in compare(*of).as_text()


def test_a_slower_or_larger_bundle_is_refused_beyond_its_limit_only() -> None:
    assert Cost("size", 10.0, 21.0, 2.1, 2.1, 2.0).refused
    assert not Cost("size", 10.0, 19.0, 1.9, 1.9, 2.0).refused
    assert not Cost("speed", 1.0, 1.8, 1.4, 2.2, 1.5).refused
    assert "1.80 times" in str(Cost("speed", 1.0, 1.8, 1.4, 2.2, 1.5))


def test_too_few_rows_prove_nothing(bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path) -> None:
    folders = (bundle_folder, bundle_folder)
    few = compare(bundle, bundle, [row for row in rows if row.sector][:40], load_region(REGION), folders)
    assert [each.split(":")[0] for each in few.refusals] == ["too few rows to tell"]
    assert not few.has_emergencies
    assert "no row is an emergency" in few.as_text()
    assert refusals_in_words(few)[0].startswith("Laporannya terlalu sedikit: dengan 40 laporan")
    assert any(each.startswith("recall: ") for each in few.unguarded)


def test_one_emergency_more_that_is_missed_is_refused(
    bundle: Bundle, rows: Sequence[LabelledRow], bundle_folder: Path
) -> None:
    found = compare(bundle, bundle, rows, load_region(REGION), (bundle_folder, bundle_folder))
    [guard] = [each for each in found.verdicts if each.name == EMERGENCIES]
    assert not guard.refused
    own = np.ones(guard.rows)
    missed = np.where(np.arange(guard.rows) == 3, 0.0, own)
    groups = np.arange(guard.rows, dtype=np.int64)
    counted = replace(share_guard(EMERGENCIES, [own, missed], own), is_counted=True)
    assert judge([Panel([counted], groups)])[0].refused
    assert not judge([Panel([share_guard(EMERGENCIES, [own, missed], own)], groups)])[0].refused


def test_a_small_part_that_loses_more_than_half_is_refused_though_its_tolerance_is_larger() -> None:
    rows = 20
    before = (np.arange(rows) < 9) * 1.0
    guard = part_guard("agency: dishub", [before, np.zeros(rows)], np.ones(rows, dtype=np.bool_), 2.0)
    groups = np.arange(rows, dtype=np.int64)
    [verdict] = judge([Panel([guard], groups)])
    assert -verdict.difference < guard.tolerance + 0.01
    assert verdict.refused
    assert not judge([Panel([replace(guard, is_part=False, tolerance=0.46)], groups)])[0].refused


def test_every_refusal_is_told_in_indonesian_too(harmed: Comparison) -> None:
    slower = Cost("speed", 1.0, 2.0, 1.9, 2.1, 1.5)
    told = refusals_in_words(replace(harmed, costs=(slower,)))
    assert len(told) == len(replace(harmed, costs=(slower,)).refusals) > 1
    assert told[-1] == "Waktu untuk satu laporan (ms): 1,00 menjadi 2,00, 2,00 kali; batasnya 1,5 kali"
    assert any(each.startswith("Sektor benar: ") and " menjadi " in each and "(selisih \u2212" in each for each in told)


def test_the_page_says_the_verdict_in_indonesian_and_nothing_a_citizen_wrote(
    harmed: Comparison, rows: Sequence[LabelledRow], tmp_path: Path
) -> None:
    write_comparison(harmed, tmp_path / "report", made_on="2031-03-01")
    page = (tmp_path / "report" / PAGE).read_text(encoding="utf-8")
    assert "Calon ditolak" in page
    assert "Sektor benar" in page
    assert "lebih buruk" in page
    assert not any(row.complaint.text in page for row in rows)
    assert "://" not in page
    numbers = json.loads((tmp_path / "report" / NUMBERS).read_text(encoding="utf-8"))
    assert numbers["refusals"] == harmed.refusals
    with pytest.raises(OutputExists):
        write_comparison(harmed, tmp_path / "report", made_on="2031-03-01")


def test_every_sector_and_level_has_its_written_sentences() -> None:
    assert {sector for sector, _ in plain_sentences(SECTOR)} == set(all_sectors())
    assert {level for level, _ in plain_sentences(URGENCY)} == {"0", "1", "2", "3"}
