"""Evaluation: which rows and answers each figure rests on, worked out by hand, and how they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from data.complaint import Complaint, Jurisdiction, LabelledRow
from data.errors import TooFewRows
from data.region import load_region
from model.bundle import COMPLETE, INCOMPLETE, Bundle, fingerprint
from model.features import Vocabulary
from model.heads import Head
from model.routing import Router
from model.text import ALL_STEPS, REQUIRED_STEPS
from tests.conftest import ROOT
from training.answers import answer_rows
from training.evaluation import Evaluation, evaluate
from training.figures import Figure, Slice
from training.fitting import fit
from training.recipe import find_recipe

SECTOR_WORDS = {"obat": "health", "listrik": "energy", "sampah": "environment", "camat": "district-office"}
URGENCY_WORDS = {"nol": "0", "satu": "1", "dua": "2", "tiga": "3"}
JURISDICTION_WORDS = {"daerah": "local", "provinsi": "province", "pusat": "central"}
COMPLETENESS_WORDS = {"lengkap": COMPLETE, "kurang": INCOMPLETE}
REGION = load_region("kab-tangerang")


def make_bundle(*, threshold: float | None = 0.9, seen: Sequence[int] = ()) -> Bundle:
    """A bundle that answers what a text's words say: a word for each label of each head."""
    words = (*SECTOR_WORDS, *URGENCY_WORDS, *JURISDICTION_WORDS, *COMPLETENESS_WORDS)

    def head(name: str, answers: dict[str, str], limit: float | None) -> Head:
        labels = tuple(answers.values())
        weights = np.zeros((len(words), len(labels)), dtype=np.float32)
        for word, label in answers.items():
            weights[words.index(word), labels.index(label)] = 8.0
        return Head(name, labels, weights, np.zeros(len(labels)), 1.0, {} if limit is None else {REGION.code: limit})

    return Bundle(
        vocabulary=Vocabulary(words, (), ()),
        idf=np.ones(len(words)),
        heads={
            "sector": head("sector", SECTOR_WORDS, threshold),
            "urgency": head("urgency", URGENCY_WORDS, None),
            "jurisdiction": head("jurisdiction", JURISDICTION_WORDS, None),
            "completeness": head("completeness", COMPLETENESS_WORDS, None),
        },
        seen=np.array(sorted(seen), dtype=np.uint64),
        text_steps=tuple(ALL_STEPS),
        version="handmade",
    )


def make_row(text: str, **labels: object) -> LabelledRow:
    return replace(LabelledRow("x", Complaint(text)), **labels)  # type: ignore[arg-type]


def numbered(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The same rows with an id and a word of their own each, so that none is a near-copy."""
    return [
        replace(row, id=str(n), complaint=replace(row.complaint, text=f"{row.complaint.text} k{n} l{n} m{n}"))
        for n, row in enumerate(rows)
    ]


def holds(figure: Figure | None) -> Figure:
    assert figure is not None
    assert figure.low <= figure.value <= figure.high
    return figure


def slices(result: Evaluation, kind: str) -> dict[str, Slice]:
    return {part.name: part for part in result.slices if part.kind == kind}


# An evaluation


def test_figures_worked_out_by_hand() -> None:
    rows = numbered(
        [
            *[make_row("obat", sector="health", agency="dinkes", urgency=0)] * 6,
            *[make_row("obat nol", sector="energy", agency="pln", urgency=0)] * 2,
            *[make_row("listrik", sector="energy", agency="pln")] * 2,
            *[make_row("sampah tiga", urgency=3)] * 4,
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    assert result.rows == 14
    assert holds(result.sector_accuracy).value == pytest.approx(8 / 10)
    assert holds(result.sector_accuracy).rows == 10
    assert holds(result.sector_top3).value == pytest.approx(1.0)
    assert holds(result.sector_macro_f1).value == pytest.approx((12 / 14 + 4 / 6) / 2)
    assert holds(result.agency_accuracy).value == pytest.approx(8 / 10)
    # Energy is another government's, so only what is taken for health goes alone: six rows rightly, two wrongly.
    assert holds(result.auto_share).value == pytest.approx(8 / 10)
    assert holds(result.auto_precision).value == pytest.approx(6 / 8)
    assert holds(result.urgency_accuracy).rows == 12
    assert result.area_accuracy is None
    lines = {line.sector: line for line in result.sectors}
    assert [line.sector for line in result.sectors] == ["health", "energy"]
    assert (lines["health"].rows, lines["health"].recall, lines["health"].precision) == (6, 1.0, 6 / 8)
    assert (lines["energy"].rows, lines["energy"].recall, lines["energy"].precision) == (4, 0.5, 1.0)


def urgency_rows(pairs: Sequence[tuple[str, int]]) -> list[LabelledRow]:
    return numbered([make_row(word, urgency=label) for word, label in pairs])


def test_urgency_figures_are_scikit_learns() -> None:
    pairs = (
        [("nol", 0)] * 9 + [("satu", 0)] * 3 + [("satu", 1)] * 6 + [("dua", 2)] * 4 + [("nol", 3)] + [("tiga", 3)] * 2
    )
    result = evaluate(make_bundle(), urgency_rows(pairs), REGION)
    labels, found = [label for _, label in pairs], [int(URGENCY_WORDS[word]) for word, _ in pairs]
    assert holds(result.urgency_accuracy).value == pytest.approx(np.mean(np.array(labels) == found))
    assert holds(result.urgency_macro_f1).value == pytest.approx(f1_score(labels, found, average="macro"))
    assert holds(result.urgency_kappa).value == pytest.approx(cohen_kappa_score(labels, found, weights="quadratic"))


def test_a_level_of_urgency_that_no_row_has_still_counts_as_a_step() -> None:
    pairs = [("nol", 0)] * 9 + [("satu", 1)] * 6 + [("satu", 0)] * 4 + [("tiga", 3)] * 3 + [("satu", 3)] * 3
    result = evaluate(make_bundle(), urgency_rows(pairs), REGION)
    labels, found = [label for _, label in pairs], [int(URGENCY_WORDS[word]) for word, _ in pairs]
    expected = cohen_kappa_score(labels, found, weights="quadratic", labels=[0, 1, 2, 3])
    assert holds(result.urgency_kappa).value == pytest.approx(expected)


def test_urgent_rows_are_caught_among_those_most_likely_of_level_2_or_more() -> None:
    pairs = [("tiga", 3), ("tiga", 0), *[("dua", 2)] * 2, ("nol", 3), *[("nol", 0)] * 3, *[("nol", 1)] * 2]
    caught = holds(evaluate(make_bundle(), urgency_rows(pairs), REGION).urgency_caught_at_30)
    # Three of ten rows are read, of four that are equally likely: those of "tiga" and "dua", of which three are urgent.
    assert caught.value == pytest.approx(3 * (3 / 4) / 4)
    assert caught.rows == 4


def test_an_expected_level_counts_every_levels_probability() -> None:
    """ "nol tiga" is more urgent than "satu", though its likeliest level may be the lowest."""
    pairs = [("nol tiga", 2), *[("satu", 0)] * 2, *[("nol", 0)] * 7]
    assert holds(evaluate(make_bundle(), urgency_rows(pairs), REGION).urgency_caught_at_30).value == 1.0


def test_where_no_row_is_urgent_none_can_be_caught() -> None:
    result = evaluate(make_bundle(), urgency_rows([("nol", 0), ("tiga", 1), ("satu", 1)]), REGION)
    assert result.urgency_caught_at_30 is None
    assert holds(result.urgency_accuracy).rows == 3


def test_jurisdiction_figures_are_of_what_the_router_answers() -> None:
    local, province = Jurisdiction.LOCAL, Jurisdiction.PROVINCE
    rows = numbered(
        [
            *[make_row("daerah", jurisdiction=local)] * 5,
            make_row("pusat", jurisdiction=local),
            *[make_row("provinsi", jurisdiction=province)] * 2,
            make_row("daerah", jurisdiction=Jurisdiction.PRIVATE),
            *[make_row("daerah", sector="health")] * 4,
        ]
    )
    bundle = make_bundle()
    result = evaluate(bundle, rows, REGION)
    answers = [Router(bundle, REGION).route(row.complaint).jurisdiction.level.value for row in rows[:9]]
    labels = [row.jurisdiction.value for row in rows[:9] if row.jurisdiction]
    assert holds(result.jurisdiction_accuracy).value == pytest.approx(accuracy_score(labels, answers))
    assert holds(result.jurisdiction_accuracy).rows == 9
    expected = f1_score(labels, answers, labels=sorted(set(labels)), average="macro", zero_division=0)
    assert holds(result.jurisdiction_macro_f1).value == pytest.approx(expected)


def test_completeness_figures_worked_out_by_hand() -> None:
    rows = numbered(
        [
            *[make_row("kurang", complete=False)] * 3,
            make_row("lengkap", complete=False),
            *[make_row("kurang", complete=True)] * 2,
            *[make_row("lengkap", complete=True)] * 6,
            *[make_row("kurang", sector="health")] * 4,
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    recall, precision, f1 = (
        holds(figure) for figure in (result.incomplete_recall, result.incomplete_precision, result.incomplete_f1)
    )
    assert [recall.rows, precision.rows, f1.rows] == [4, 5, 12]
    assert [recall.value, precision.value, f1.value] == pytest.approx([3 / 4, 3 / 5, 2 * 3 / (4 + 5)])


def test_completeness_is_told_only_as_far_as_rows_tell_it() -> None:
    taken = evaluate(make_bundle(), numbered([make_row("kurang", complete=True)] * 3), REGION)
    assert (taken.incomplete_recall, taken.incomplete_f1) == (None, None)
    assert holds(taken.incomplete_precision).value == 0.0
    missed = evaluate(make_bundle(), numbered([make_row("lengkap", complete=False)] * 3), REGION)
    assert missed.incomplete_precision is None
    assert holds(missed.incomplete_recall).value == holds(missed.incomplete_f1).value == 0.0


def test_areas_are_measured_where_they_are_named_and_for_the_rows_own_sector() -> None:
    rows = numbered(
        [
            make_row("camat di kecamatan Curug", sector="district-office", area="Curug"),
            make_row("obat di kecamatan Legok", sector="district-office", area="Legok"),
            make_row("camat kecamatan Legok, saya warga kecamatan Curug", sector="district-office", area="Curug"),
            make_row("camat kami", sector="district-office", area="Curug"),
            make_row("obat di kecamatan Curug", sector="health", area="Curug"),
        ]
    )
    area = holds(evaluate(make_bundle(), rows, REGION).area_accuracy)
    assert area.rows == 3
    assert area.value == pytest.approx(2 / 3)


JAVANESE, SUNDANESE, INDONESIAN = "obat kulo dalan", "obat teu aya cai", "obat di puskesmas habis"


def language_of(text: str, **labels: object) -> str:
    """The language of the one line that a row of this text alone has."""
    result = evaluate(make_bundle(), [make_row(text, sector="health", **labels)], REGION)
    [[name, part]] = slices(result, "language").items()
    assert part.rows == part.accuracy.rows == part.top3.rows == 1
    return name


def test_the_language_of_a_row_is_told_by_its_text() -> None:
    expected = {JAVANESE: "javanese", SUNDANESE: "sundanese", INDONESIAN: "indonesian", "obat kulo": "indonesian"}
    assert {text: language_of(text) for text in expected} == expected


@pytest.mark.parametrize("given", ["madurese", "indonesian", "Jawa Timuran"])
def test_the_language_that_a_row_is_given_goes_before_what_its_text_tells(given: str) -> None:
    for text in (JAVANESE, SUNDANESE, INDONESIAN):
        assert language_of(text, language=given) == given


def test_figures_by_language_worked_out_by_hand() -> None:
    rows = numbered(
        [
            *[make_row(INDONESIAN, sector="health")] * 6,
            *[make_row(INDONESIAN, sector="energy")] * 2,
            *[make_row(JAVANESE, sector="energy")] * 3,
            make_row(JAVANESE, sector="health"),
            # A sector that the bundle doesn't know, and so never among its first three.
            make_row(INDONESIAN, sector="transport", language="javanese"),
            *[make_row(JAVANESE, sector="health", language="madurese")] * 2,
            *[make_row(SUNDANESE, urgency=1)] * 3,
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    found = slices(result, "language")
    assert [(name, part.rows) for name, part in found.items()] == [
        ("indonesian", 8),
        ("javanese", 5),
        ("madurese", 2),
    ]
    for part, right, among in zip(found.values(), (6 / 8, 1 / 5, 1.0), (1.0, 4 / 5, 1.0), strict=True):
        assert holds(part.accuracy).value == pytest.approx(right)
        assert holds(part.top3).value == pytest.approx(among)


def long_row(words: int, **labels: object) -> LabelledRow:
    """A row of so many words, the first of which tells its sector."""
    return make_row(" ".join(["obat", *(f"kata{n}" for n in range(words - 1))]), **labels)


def test_lengths_part_below_15_and_from_60_words() -> None:
    rows = [long_row(words, sector="health") for words in (1, 14, 15, 59, 60, 200)]
    found = slices(evaluate(make_bundle(), rows, REGION), "text length")
    assert {name: part.rows for name, part in found.items()} == {
        "under 15 words": 2,
        "15 to 59 words": 2,
        "60 words or more": 2,
    }
    assert list(found) == ["under 15 words", "15 to 59 words", "60 words or more"]


def placed(row: LabelledRow, **fields: str) -> LabelledRow:
    return replace(row, complaint=replace(row.complaint, **fields))


def test_slices_by_title_location_and_region_worked_out_by_hand() -> None:
    right, wrong = make_row("obat", sector="health"), make_row("listrik", sector="health")
    rows = numbered(
        [
            *[placed(right, title="Lapor", region="kota-surabaya")] * 3,
            placed(wrong, title="Lapor", location="Curug", region="kota-surabaya"),
            placed(wrong, region="kab-bandung"),
            placed(right, location="Curug"),
        ]
    )
    result = evaluate(make_bundle(), rows, REGION)
    told = {(part.kind, part.name): part for part in result.slices}
    expected = {
        ("title", "with a title"): (4, 3 / 4),
        ("title", "without a title"): (2, 1 / 2),
        ("location", "with a location"): (2, 1 / 2),
        ("location", "without a location"): (4, 3 / 4),
        ("region", "kota-surabaya"): (4, 3 / 4),
        ("region", "kab-bandung"): (1, 0.0),
        ("region", "no region"): (1, 1.0),
    }
    for key, (count, accuracy) in expected.items():
        assert told[key].rows == count
        assert holds(told[key].accuracy).value == pytest.approx(accuracy)
        assert holds(told[key].top3).value == 1.0


def test_the_slices_of_every_kind_hold_every_row_with_a_sector_once(sample_rows: Sequence[LabelledRow]) -> None:
    rows = [*sample_rows[:60], *numbered([make_row("nol", urgency=0)] * 5)]
    result = evaluate(make_bundle(), rows, REGION)
    kinds = list(dict.fromkeys(part.kind for part in result.slices))
    assert kinds == ["region", "language", "text length", "title", "location", "channel"]
    for kind in kinds:
        assert sum(part.rows for part in slices(result, kind).values()) == 60
    assert holds(result.sector_accuracy).rows == 60


def test_slices_stand_on_lines_of_the_text_with_their_rows_and_in_the_json() -> None:
    rows = numbered([make_row(JAVANESE, sector="health")] * 31 + [make_row(INDONESIAN, sector="energy")] * 2)
    result = evaluate(make_bundle(), rows, REGION)
    [javanese, indonesian] = slices(result, "language").values()
    lines = [line.split() for line in result.as_text().splitlines()]
    start = lines.index(["by", "language"])
    told = [f"{part.accuracy.without_rows()} {part.top3.without_rows()}".split() for part in (javanese, indonesian)]
    assert lines[start + 1 : start + 3] == [["javanese", "31", *told[0]], ["indonesian", "2", *told[1], "few", "rows"]]
    as_json = json.loads(json.dumps(result.as_dict()))["slices"]
    assert [part["name"] for part in as_json if part["kind"] == "language"] == ["javanese", "indonesian"]
    for part, figures in zip(result.slices, as_json, strict=True):
        assert figures.keys() == {"kind", "name", "rows", "accuracy", "top3"}
        assert figures["rows"] == part.rows
        assert figures["accuracy"] == vars(part.accuracy)
        assert figures["top3"] == vars(part.top3)


def test_rows_without_a_sector_are_in_no_slice() -> None:
    result = evaluate(make_bundle(), numbered([make_row(JAVANESE, urgency=1)] * 3), REGION)
    assert result.slices == ()
    assert "by language" not in result.as_text()


def test_every_line_of_the_text_fits_and_says_what_it_is(sample_rows: Sequence[LabelledRow]) -> None:
    lines = evaluate(make_bundle(), sample_rows[:200], REGION).as_text().splitlines()
    assert all(len(line) <= 100 and line == line.rstrip() for line in lines)
    for heading in ("Sector", "Routing", "Urgency", "Jurisdiction", "Completeness"):
        assert heading in lines
    for title in ("levels 2 and 3 in the most urgent 30 %", "jurisdiction macro-F1", "of the incomplete, called so"):
        assert any(line.startswith(f"  {title}  ") for line in lines)


def test_a_figure_of_few_rows_says_so() -> None:
    for count, mark in ((29, True), (30, False)):
        text = evaluate(make_bundle(), numbered([make_row("nol", urgency=0)] * count), REGION).as_text()
        [line] = [line for line in text.splitlines() if line.startswith("  urgency right")]
        assert line.endswith("few rows") is mark


def test_the_language_of_a_text_is_the_same_in_every_process() -> None:
    program = "from model.language import majority_language; print(majority_language('kulo dalan teu cai'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(6)
    }
    assert len(told) == 1


def test_rows_are_read_by_the_bundles_own_steps() -> None:
    """ "listrikkk" is "listrik" only where stretched letters are mended."""
    rows = numbered([make_row("listrikkk", sector="energy")] * 3)
    mending = make_bundle()
    plain = replace(mending, text_steps=REQUIRED_STEPS)
    assert holds(evaluate(mending, rows, REGION).sector_accuracy).value == 1.0
    assert holds(evaluate(plain, rows, REGION).sector_accuracy).value == 0.0


def test_seen_rows_are_left_out_and_counted(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:200], find_recipe("default"), "kab-tangerang").bundle
    rows = sample_rows[100:400]
    unseen = [row for row in rows if not bundle.has_seen(row.complaint)]
    result = evaluate(bundle, rows, REGION)
    assert 0 < len(unseen) <= 200
    assert (result.rows, result.left_out_as_seen) == (len(unseen), 300 - len(unseen))
    alone = evaluate(bundle, unseen, REGION)
    assert replace(result, left_out_as_seen=0) == alone


def test_rows_that_were_all_seen_are_refused(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:100], find_recipe("default"), "kab-tangerang").bundle
    with pytest.raises(TooFewRows, match="All 50 rows"):
        evaluate(bundle, sample_rows[:50], REGION)


def test_near_copies_of_rows_that_are_told_to_be_learned_are_left_out() -> None:
    rows = [make_row("obat di puskesmas mauk habis sejak kemarin", sector="health")]
    rows.append(make_row("listrik padam di seluruh perumahan kami semalam", sector="energy"))
    learned = [make_row("obat di puskesmas mauk habis sejak kemarin sore")]
    answers = answer_rows(make_bundle(), rows, REGION, learned=learned)
    assert [row.sector for row in answers.rows] == ["energy"]
    assert answers.left_out_as_seen == 1
    with pytest.raises(TooFewRows, match="near-copies of what was"):
        answer_rows(make_bundle(), rows[:1], REGION, learned=learned)


def test_rows_none_of_which_has_a_label_are_refused() -> None:
    with pytest.raises(TooFewRows, match="None of the 3 rows"):
        evaluate(make_bundle(), numbered([make_row("obat")] * 3), REGION)


def test_labelled_rows_that_were_seen_do_not_make_up_for_unlabelled_ones() -> None:
    rows = numbered([make_row("obat", sector="health"), *[make_row("obat")] * 3])
    bundle = make_bundle(seen=[fingerprint(make_bundle().chain.prepare(rows[0].complaint))])
    with pytest.raises(TooFewRows, match="None of the 3 rows"):
        evaluate(bundle, rows, REGION)


@pytest.mark.parametrize(
    "label",
    [
        {"sector": "health"},
        {"agency": "dinkes"},
        {"urgency": 0},
        {"jurisdiction": Jurisdiction.LOCAL},
        {"complete": False},
    ],
)
def test_one_label_of_any_kind_is_enough_to_measure(label: dict[str, object]) -> None:
    rows = numbered([make_row("obat nol kurang", **label), *[make_row("obat")] * 2])
    result = evaluate(make_bundle(), rows, REGION)
    figures = [holds(value) for value in vars(result).values() if isinstance(value, Figure)]
    assert result.rows == 3
    assert figures
    assert all(figure.rows == 1 for figure in figures)


def test_rows_whose_labels_the_bundle_has_no_head_for_have_no_figures() -> None:
    bundle = make_bundle()
    bundle = replace(bundle, heads={"sector": bundle.heads["sector"]})
    labels = {"urgency": 1, "jurisdiction": Jurisdiction.LOCAL, "complete": False}
    result = evaluate(bundle, numbered([make_row("obat", **labels)] * 3), REGION)
    assert result.rows == 3
    assert result.sectors == ()
    assert result.slices == ()
    figures = {name: value for name, value in result.as_dict().items() if isinstance(value, (dict, float))}
    assert figures == {}
    assert "sector right" in result.as_text()


def test_a_bundle_without_urgency_has_no_urgency_figures() -> None:
    bundle = make_bundle()
    bundle = replace(bundle, heads={"sector": bundle.heads["sector"]})
    result = evaluate(bundle, numbered([make_row("obat", sector="health", urgency=1)] * 3), REGION)
    assert result.urgency_accuracy is result.urgency_kappa is result.urgency_macro_f1 is None
    assert holds(result.sector_accuracy).value == 1.0


def test_without_a_threshold_nothing_goes_alone() -> None:
    result = evaluate(make_bundle(threshold=None), numbered([make_row("obat", sector="health")] * 4), REGION)
    assert holds(result.auto_share).value == 0.0
    assert result.auto_precision is None


def test_all_figures_of_a_real_bundle_hold_and_can_be_written(sample_rows: Sequence[LabelledRow]) -> None:
    bundle = fit(sample_rows[:500], find_recipe("default"), "kab-tangerang").bundle
    rows = sample_rows[500:800]
    result: Evaluation = evaluate(bundle, rows, REGION)
    figures = [getattr(result, name) for name, kind in Evaluation.__annotations__.items() if "Figure" in str(kind)]
    for figure in figures:
        if figure is not None:
            holds(figure)
            assert str(figure) in result.as_text()
    assert sum(figure is not None for figure in figures) >= 8
    assert json.loads(json.dumps(result.as_dict()))["rows"] == result.rows
    assert sum(part.rows for part in slices(result, "language").values()) == result.rows
    assert evaluate(bundle, rows, REGION) == result
