"""Fitting: which rows each head learns from, what is refused or noted, and that the same rows give the same bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from data.complaint import Complaint, Confidentiality, LabelledRow
from data.errors import TooFewRows, UnknownName
from data.progress import Progress
from model.heads import ANYWHERE
from model.text import ALL_STEPS, REQUIRED_STEPS, PreparedText, TextChain, prepare
from training.calibration import fit_inverse_temperature
from training.features import make_features, shared_stems
from training.fitting import FEWEST_ROWS, WRITTEN, Training, fit, fit_head
from training.recipe import RECIPES, Recipe, find_recipe

DEFAULT = find_recipe("default")
QUICK = replace(DEFAULT, folds=2)
SAID_OF = {
    "health": ("puskesmas antre obat habis", "dokter puskesmas tidak ada", "obat pasien habis di rumah sakit"),
    "energy": ("listrik padam sejak pagi", "tiang listrik miring", "tagihan listrik naik padahal padam"),
    "environment": ("sampah menumpuk bau", "truk sampah tidak datang", "sampah dibakar asap bau"),
}
WHERE = ("di desa", "di rumah", "di pasar", "di kampung", "di gang", "di jalan", "di kota", "di depan")


def make_rows(*counts: tuple[str, int], urgency: int | None = None) -> list[LabelledRow]:
    """Rows of made-up complaints: so many of each sector."""
    return [
        LabelledRow(
            id=f"{sector}-{number}",
            complaint=Complaint(
                f"{SAID_OF[sector][number % 3]} {WHERE[number % 8]} {WHERE[(number // 8) % 8]} {number}",
                region="kab-tangerang",
            ),
            sector=sector,
            urgency=urgency,
        )
        for sector, count in counts
        for number in range(count)
    ]


def test_a_small_training_tells_sectors_apart() -> None:
    bundle = fit(make_rows(("health", 15), ("energy", 15)), DEFAULT, "kab-tangerang").bundle
    answers = bundle.predict([Complaint("obat habis"), Complaint("listrik padam")])
    assert [answer.sector.label for answer in answers] == ["health", "energy"]


def test_each_head_learns_from_the_rows_that_have_its_label() -> None:
    rows = make_rows(("health", 30), ("energy", 30))
    mixed = [
        replace(row, sector=row.sector if number % 3 else None, urgency=number % 2 if number % 4 else None)
        for number, row in enumerate(rows)
    ]
    training = fit(mixed, DEFAULT, "kab-tangerang")
    metrics = training.bundle.about["metrics"]
    assert metrics["sector"]["rows"] == sum(row.sector is not None for row in mixed)
    assert metrics["urgency"]["rows"] == sum(row.urgency is not None for row in mixed)
    for name, label in (("sector", "sector"), ("urgency", "urgency")):
        counts = {key: value for key, value in metrics[name]["labels"].items() if value}
        values = [getattr(row, label) for row in mixed if getattr(row, label) is not None]
        assert counts == {str(value): values.count(value) for value in set(values)}


def test_rows_without_any_label_are_not_counted_or_seen() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    nameless = LabelledRow("x", Complaint("laporan tanpa label apa pun", region="kab-tangerang"))
    bundle = fit([*rows, nameless], DEFAULT, "kab-tangerang").bundle
    assert bundle.about["rows"]["count"] == 30
    assert not bundle.has_seen(nameless.complaint)
    assert bundle.has_seen(rows[0].complaint)


def test_secret_rows_are_left_out_and_counted_in_a_note() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    secret = replace(rows[0], id="secret", complaint=Complaint("obat rahasiasekali", region="kab-tangerang"))
    secret = replace(secret, confidentiality=Confidentiality.RAHASIA)
    training = fit([*rows, secret, secret], DEFAULT, "kab-tangerang")
    assert training.bundle.about["rows"]["count"] == 30
    assert not training.bundle.extractor.knows("rahasiasekali")
    assert not training.bundle.has_seen(secret.complaint)
    assert any(note.startswith("2 secret") for note in training.notes)


def test_a_row_with_urgency_alone_is_seen_but_teaches_no_sector() -> None:
    rows = make_rows(("health", 15), ("energy", 15), urgency=1)
    odd = LabelledRow("x", Complaint("banjir bandang", region="kab-tangerang"), urgency=3)
    bundle = fit([*rows, odd], DEFAULT, "kab-tangerang").bundle
    assert bundle.has_seen(odd.complaint)
    assert bundle.about["metrics"]["sector"]["rows"] == 30
    assert bundle.about["metrics"]["urgency"]["labels"] == {"1": 30, "3": 1}


def test_without_urgency_labels_there_is_no_urgency_head_and_a_note_says_so() -> None:
    training = fit(make_rows(("health", 15), ("energy", 15)), DEFAULT, "kab-tangerang")
    assert set(training.bundle.heads) == set(training.pipelines) == {"sector"}
    assert any("urgency" in note and str(FEWEST_ROWS) in note for note in training.notes)
    assert training.bundle.predict([Complaint("listrik")])[0].urgency == ()


def test_one_urgency_alone_gives_no_urgency_head() -> None:
    training = fit(make_rows(("health", 15), ("energy", 15), urgency=2), DEFAULT, "kab-tangerang")
    assert set(training.bundle.heads) == {"sector"}
    assert any("30 rows with 1 different labels" in note for note in training.notes)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        make_rows(("health", 10), ("energy", FEWEST_ROWS - 11)),
        [replace(row, sector=None) for row in make_rows(("health", 30), ("energy", 30))],
    ],
    ids=["none", "few", "no labels"],
)
def test_too_few_labelled_rows_are_refused_with_the_number_needed(rows: Sequence[LabelledRow]) -> None:
    with pytest.raises(TooFewRows, match=str(FEWEST_ROWS)):
        fit(rows, DEFAULT, "kab-tangerang")


def test_the_fewest_rows_are_enough() -> None:
    assert fit(make_rows(("health", FEWEST_ROWS // 2), ("energy", FEWEST_ROWS // 2)), DEFAULT, "kab-tangerang").bundle


def test_one_sector_only_is_refused() -> None:
    with pytest.raises(TooFewRows, match="two sectors"):
        fit(make_rows(("health", 40)), DEFAULT, "kab-tangerang")


def test_enough_rows_but_few_with_a_sector_are_refused() -> None:
    rows = [replace(row, urgency=1, sector=None) for row in make_rows(("health", 30))] + make_rows(("energy", 5))
    with pytest.raises(TooFewRows, match="5 rows"):
        fit(rows, DEFAULT, "kab-tangerang")


def test_rows_that_share_no_word_are_refused_as_rows_not_with_a_librarys_words() -> None:
    letters = "abcdefghijklmnopqrstuvwx"
    rows = [
        LabelledRow(str(number), Complaint(letter * 2, region="kab-tangerang"), sector=("health", "energy")[number % 2])
        for number, letter in enumerate(letters)
    ]
    with pytest.raises(TooFewRows):
        fit(rows, DEFAULT, "kab-tangerang")


def test_a_sector_with_one_row_stays_in_the_bundle_and_is_noted() -> None:
    training = fit(make_rows(("health", 20), ("energy", 20), ("environment", 1), urgency=1), DEFAULT, "kab-tangerang")
    assert training.bundle.heads["sector"].labels == ("energy", "environment", "health")
    assert any("environment (1)" in note and "sector" in note for note in training.notes)
    [answer] = training.bundle.predict([Complaint("x")])
    assert {ranked.label for ranked in answer.sectors} == {"energy", "environment", "health"}


def test_sectors_with_rows_enough_are_not_noted() -> None:
    training = fit(make_rows(("health", 20), ("energy", 5)), DEFAULT, "kab-tangerang")
    assert not any("fewer than 5" in note for note in training.notes)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_the_same_rows_give_the_same_arrays(recipe: str, sample_rows: Sequence[LabelledRow]) -> None:
    rows = sample_rows[: 100 if recipe == "encoder" else 250]
    one, other = (fit(rows, find_recipe(recipe), "kab-tangerang").bundle for _ in range(2))
    assert one.vocabulary == other.vocabulary
    assert np.array_equal(one.idf, other.idf)
    assert np.array_equal(one.seen, other.seen)
    for name, head in one.heads.items():
        assert np.array_equal(head.weights, other.heads[name].weights)
        assert np.array_equal(head.bias, other.heads[name].bias)
        assert (head.inverse_temperature, head.thresholds) == (
            other.heads[name].inverse_temperature,
            other.heads[name].thresholds,
        )
    assert list(one.stems.items()) == list(other.stems.items())
    assert one.about["rows"] == other.about["rows"]


def test_the_fingerprint_tells_other_rows_and_other_labels_but_not_another_order() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    relabelled = [replace(rows[0], sector="energy"), *rows[1:]]
    marks = [
        fit(some, DEFAULT, "kab-tangerang").bundle.about["rows"]["fingerprint"]
        for some in (rows, rows[::-1], relabelled, rows[:-1])
    ]
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_recipes_are_known_by_name() -> None:
    assert find_recipe("default").name == "default"
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}
    with pytest.raises(UnknownName, match=r"No recipe 'best'\. Known: default, encoder, whole-text, plain"):
        find_recipe("best")


def test_the_plain_recipe_knows_no_region_and_the_default_does() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    plain = fit(rows, find_recipe("plain"), "kab-tangerang").bundle
    default = fit(rows, DEFAULT, "kab-tangerang").bundle
    assert plain.vocabulary.regions == ()
    assert default.vocabulary.regions == ("kab-tangerang",)
    first_region = len(default.vocabulary.words) + len(default.vocabulary.chars)
    assert default.idf[first_region] == DEFAULT.region_weight
    assert plain.about["recipe"] == find_recipe("plain").as_dict()


def test_terms_of_fewer_rows_than_the_recipe_asks_are_left_out() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    rows[0] = replace(rows[0], complaint=Complaint("obat xylofon", region="kab-tangerang"))
    kept = fit(rows, Recipe("all", min_rows_per_term=1), "kab-tangerang").bundle
    assert kept.extractor.knows("xylofon")
    assert not fit(rows, DEFAULT, "kab-tangerang").bundle.extractor.knows("xylofon")


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_recipes_text_steps_are_the_bundles(recipe: str) -> None:
    chosen = find_recipe(recipe)
    bundle = fit(make_rows(("health", 15), ("energy", 15)), chosen, "kab-tangerang").bundle
    assert bundle.text_steps == tuple(bundle.chain.names) == chosen.text_steps
    assert list(bundle.about["recipe"]["text_steps"]) == list(chosen.text_steps)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_a_recipe_names_steps_of_the_program_once_in_their_order_with_the_required_ones(recipe: Recipe) -> None:
    assert list(recipe.text_steps) == [name for name in ALL_STEPS if name in recipe.text_steps]
    assert set(REQUIRED_STEPS) <= set(recipe.text_steps)


def test_steps_are_run_and_recorded_in_the_programs_order_however_a_recipe_names_them() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    bundle = fit(rows, Recipe("reversed", text_steps=tuple(ALL_STEPS)[::-1]), "kab-tangerang").bundle
    assert bundle.text_steps == tuple(ALL_STEPS)


def test_a_recipe_with_a_step_that_the_program_does_not_have_is_refused_by_its_name() -> None:
    recipe = Recipe("odd", text_steps=(*ALL_STEPS, "rhyme"))
    with pytest.raises(UnknownName, match=r"No text step 'rhyme'\. Known: mask_personal_data, "):
        fit(make_rows(("health", 15), ("energy", 15)), recipe, "kab-tangerang")


def test_features_are_made_of_what_the_recipes_steps_leave() -> None:
    rows = [
        replace(row, complaint=replace(row.complaint, text=f"{row.complaint.text} perbaikannya"))
        for row in make_rows(("health", 15), ("energy", 15))
    ]
    plain = fit(rows, Recipe("plain words", text_steps=REQUIRED_STEPS), "kab-tangerang").bundle
    stemmed = fit(rows, Recipe("stems", text_steps=(*REQUIRED_STEPS, "stem_words")), "kab-tangerang").bundle
    assert [plain.extractor.knows(word) for word in ("perbaikannya", "baik")] == [True, False]
    assert [stemmed.extractor.knows(word) for word in ("perbaikannya", "baik")] == [False, True]


# The stems of the bundle


def test_the_stems_are_those_of_the_words_that_two_different_complaints_have() -> None:
    texts = [
        PreparedText("perbaikan jalan perbaikan xylofon", "baik jalan baik xylofon", ""),
        PreparedText("perbaikan lampu 2 rt02 _nik_ 2", "baik lampu 2 rt02 _nik_ 2", ""),
        PreparedText("jalan 2 rt02 _nik_", "jalan 2 rt02 _nik_", "kab-tangerang"),
        PreparedText("", "", ""),
    ]
    assert shared_stems(texts, 2) == {"jalan": "jalan", "perbaikan": "baik"}
    assert shared_stems(texts, 3) == {}
    assert shared_stems(texts, 1) == {"jalan": "jalan", "lampu": "lampu", "perbaikan": "baik", "xylofon": "xylofon"}
    assert shared_stems([], 1) == {}


def test_a_bundles_stems_are_those_of_its_rows() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    bundle = fit(rows, DEFAULT, "kab-tangerang").bundle
    texts = [bundle.chain.prepare(row.complaint) for row in rows]
    pairs = {pair for text in texts for pair in zip(text.words.split(), text.stems.split(), strict=True)}
    assert {"listrik", "padam", "puskesmas", "obat"} <= bundle.stems.keys()
    assert bundle.stems.items() <= pairs


def test_no_number_is_among_the_stems(training: Training) -> None:
    assert len(training.bundle.stems) > 1_000
    assert [word for word in training.bundle.stems if not word.isalpha()] == []
    assert [stem for stem in training.bundle.stems.values() if any(map(str.isdigit, stem))] == []


def test_every_word_among_the_samples_stems_stands_in_two_of_them(
    training: Training, sample_rows: Sequence[LabelledRow]
) -> None:
    chain = TextChain(training.bundle.text_steps)
    found: dict[str, int] = {}
    for row in sample_rows:
        for word in set(chain.prepare(row.complaint).words.split()):
            found[word] = found.get(word, 0) + 1
    assert [word for word in training.bundle.stems if found[word] < 2] == []
    often = {word for word, count in found.items() if count >= 20 and word.isalpha()}
    assert len(often) > 100
    assert often <= training.bundle.stems.keys()


@pytest.mark.parametrize("number", [1, 2, 12])
def test_words_of_one_complaint_are_not_among_the_stems_however_often_it_was_sent(number: int) -> None:
    rows = apart(make_rows(("health", 15), ("energy", 15)))
    sent = "puskesmas antre obat habis kata xylofon di loket depan sejak pagi tadi"
    copies = [replace(rows[0], id=f"c{n}", complaint=Complaint(f"{sent} ke{n}", region="kab-tangerang"))
              for n in range(number)]  # fmt: skip
    bundle = fit([*rows, *copies], DEFAULT, "kab-tangerang").bundle
    assert "puskesmas" in bundle.stems
    assert "xylofon" not in bundle.stems
    another = replace(rows[1], id="another", complaint=Complaint("listrik padam xylofon mati", region="kab-tangerang"))
    assert fit([*rows, *copies, another], DEFAULT, "kab-tangerang").bundle.stems["xylofon"] == "xylofon"


def test_words_of_secret_rows_and_of_rows_without_a_label_are_not_among_the_stems() -> None:
    rows = apart(make_rows(("health", 15), ("energy", 15)))
    secret = [
        replace(row, id=f"s{row.id}", confidentiality=Confidentiality.RAHASIA, complaint=Complaint(f"{text} xylofon"))
        for row, text in zip(rows[:2], ("obat habis sekali", "listrik padam terus"), strict=True)
    ]
    nameless = [replace(row, confidentiality=Confidentiality.TERBUKA, sector=None) for row in secret]
    for others in (secret, nameless):
        assert "xylofon" not in fit([*rows, *others], DEFAULT, "kab-tangerang").bundle.stems
    labelled = [replace(row, sector="health") for row in nameless]
    assert "xylofon" in fit([*rows, *labelled], DEFAULT, "kab-tangerang").bundle.stems


def test_square_root_weighting_costs_the_frequent_sector_less() -> None:
    rows = make_rows(("health", 90), ("energy", 10))
    frequent = []
    for weighting in ("square-root", "balanced"):
        bundle = fit(rows, Recipe("w", class_weighting=weighting), "kab-tangerang").bundle  # type: ignore[arg-type]
        head = bundle.heads["sector"]
        frequent.append(float(head.bias[head.labels.index("health")] - head.bias[head.labels.index("energy")]))
    assert frequent[0] > frequent[1]


def test_only_the_sector_head_may_act_by_itself() -> None:
    rows = apart(make_rows(("health", 150), ("energy", 150)))
    rows = [replace(row, urgency=0 if row.sector == "health" else 1) for row in rows]
    training = fit(rows, DEFAULT, "kab-tangerang")
    heads = training.bundle.heads
    assert heads["sector"].thresholds.keys() == {"kab-tangerang"}
    assert heads["urgency"].thresholds == {}
    metrics = training.bundle.about["metrics"]
    assert metrics["sector"]["evidence"].keys() == {"kab-tangerang"}
    assert metrics["sector"]["evidence"]["kab-tangerang"]["rows"] == 300
    assert metrics["sector"]["evidence"]["kab-tangerang"]["coverage"] > 0
    assert "evidence" not in metrics["urgency"]


def apart(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The same rows with ten words of their own each, so that none is a near-copy of another."""
    return [
        replace(
            row,
            id=str(number),
            complaint=replace(
                row.complaint, text=" ".join([row.complaint.text, *(f"{letter}{number}" for letter in "abcdefghij")])
            ),
        )
        for number, row in enumerate(rows)
    ]


def in_region(rows: Sequence[LabelledRow], region: str) -> list[LabelledRow]:
    return [replace(row, complaint=replace(row.complaint, region=region)) for row in rows]


def evidence_of(training: Training) -> dict[str, dict[str, float]]:
    evidence: dict[str, dict[str, float]] = training.bundle.about["metrics"]["sector"]["evidence"]
    return evidence


def test_a_region_routes_alone_only_on_what_its_own_rows_prove() -> None:
    rows = apart(make_rows(("health", 120), ("energy", 120)))
    rows = in_region(rows[:200], "kab-tangerang") + in_region(rows[200:], "kota-surabaya")
    training = fit(rows, DEFAULT, "kota-surabaya")
    assert training.bundle.heads["sector"].thresholds.keys() == {"kab-tangerang"}
    assert evidence_of(training)["kab-tangerang"]["rows"] == 200
    assert evidence_of(training)["kota-surabaya"] == {"rows": 40, "coverage": 0.0, "needed": None}
    share = f"{evidence_of(training)['kab-tangerang']['coverage']:.0%}"
    routed = training.promise("kab-tangerang")
    assert routed.startswith(
        f"Routed without a person in kab-tangerang: at most {share} of complaints like its 200 real"
    )
    assert training.promise("kota-surabaya").startswith(
        "Nothing is routed without a person in kota-surabaya: its 40 real labelled rows can't promise 95%"
    )
    assert training.promise("kab-bandung").startswith(
        "Nothing is routed without a person in kab-bandung: its 0 real labelled rows can't promise 95%"
    )


def test_each_region_has_a_threshold_from_its_own_rows() -> None:
    """One region's rows are labelled at random: however sure the other's are, it proves nothing."""
    rows = apart(make_rows(("health", 200), ("energy", 200)))
    good, bad = in_region(rows[100:300], "kab-tangerang"), in_region(rows[:100] + rows[300:], "kota-surabaya")
    bad = [replace(row, sector=("health", "energy")[(number // 3) % 2]) for number, row in enumerate(bad)]
    training = fit([*good, *bad], DEFAULT, "kab-tangerang")
    assert "kota-surabaya" not in training.bundle.heads["sector"].thresholds
    assert {region: proof["rows"] for region, proof in evidence_of(training).items()} == {
        "kab-tangerang": 200,
        "kota-surabaya": 200,
    }


def test_written_rows_are_learned_from_but_are_no_evidence() -> None:
    rows = apart(make_rows(("health", 150), ("energy", 150)))
    written = [replace(row, label_source=WRITTEN) for row in rows]
    training = fit(written, DEFAULT, "kab-tangerang")
    assert training.bundle.heads["sector"].thresholds == {}
    assert evidence_of(training) == {}
    assert "its 0 real labelled rows" in training.promise("kab-tangerang")
    assert training.bundle.predict([Complaint("obat habis")])[0].sector.label == "health"
    # Every other row is real, of either sector.
    half = [rows[i] if i % 2 else written[i] for i in range(len(rows))]
    mixed = fit([*half[:-1], written[-1]], DEFAULT, "kab-tangerang")
    assert evidence_of(mixed)["kab-tangerang"] | {"needed": 0} == {"rows": 149, "coverage": 0.0, "needed": 0}
    assert mixed.bundle.heads["sector"].thresholds == {}
    enough = fit(half, DEFAULT, "kab-tangerang")
    assert evidence_of(enough)["kab-tangerang"]["rows"] == 150
    assert enough.bundle.heads["sector"].thresholds.keys() == {"kab-tangerang"}


def test_the_samples_are_written_and_promise_nothing(training: Training, sample_rows: Sequence[LabelledRow]) -> None:
    assert {row.label_source for row in sample_rows} == {WRITTEN}
    assert training.bundle.heads["sector"].thresholds == {}
    assert evidence_of(training) == {}


def test_the_temperature_is_that_of_the_real_rows_once_there_are_enough() -> None:
    rows = apart(make_rows(("health", 225), ("energy", 225)))
    random = np.random.default_rng(5)
    names = np.array([row.sector for row in rows], dtype=object)
    real = np.arange(len(rows)) % 9 < 4
    names[real & (random.random(len(rows)) < 0.3)] = "energy"
    texts = [prepare(row.complaint) for row in rows]
    features = make_features(DEFAULT, texts).fit_transform(texts).tocsr()
    groups = np.arange(len(rows))
    assert real.sum() == 200
    fitted = fit_head(features, names, groups, DEFAULT, real)
    everyone = fit_head(features, names, groups, DEFAULT, np.ones_like(real))
    assert np.array_equal(fitted.scores, everyone.scores)
    assert np.array_equal(fitted.classifier.svc_.coef_, everyone.classifier.svc_.coef_)
    own = fit_inverse_temperature(fitted.scores[real], fitted.labels[real])
    assert fitted.inverse_temperature == own
    assert everyone.inverse_temperature > 1.2 * own
    real[np.flatnonzero(real)[0]] = False
    few = fit_head(features, names, groups, DEFAULT, real)
    assert few.inverse_temperature == everyone.inverse_temperature


def test_copies_are_one_piece_of_evidence() -> None:
    rows = apart(make_rows(("health", 100), ("energy", 49)))
    copies = [replace(rows[0], id=f"copy-{number}") for number in range(300)]
    names = [
        replace(row, complaint=replace(row.complaint, text=f"{row.complaint.text} nama{number}"))
        for number, row in enumerate(copies)
    ]
    training = fit([*copies, *rows, *names], DEFAULT, "kab-tangerang")
    assert training.bundle.about["metrics"]["sector"]["rows"] == 749
    assert evidence_of(training)["kab-tangerang"] | {"needed": 0} == {"rows": 149, "coverage": 0.0, "needed": 0}
    assert training.bundle.heads["sector"].thresholds == {}


@pytest.mark.parametrize("written_first", [True, False])
def test_a_real_row_is_evidence_also_where_a_written_one_is_its_copy(written_first: bool) -> None:
    rows = apart(make_rows(("health", 80), ("energy", 80)))
    written = [replace(row, id=f"w-{row.id}", label_source=WRITTEN) for row in rows]
    training = fit([*written, *rows] if written_first else [*rows, *written], DEFAULT, "kab-tangerang")
    assert evidence_of(training)["kab-tangerang"]["rows"] == 160


@pytest.mark.parametrize("number", [2, 12])
def test_words_of_one_complaint_are_in_no_vocabulary_however_often_it_was_sent(number: int) -> None:
    rows = apart(make_rows(("health", 15), ("energy", 15)))
    sent = "puskesmas antre obat habis kata xylofon di loket depan sejak pagi tadi"
    copies = [replace(rows[0], id=f"c{n}", complaint=Complaint(f"{sent} ke{n}", region="kab-tangerang"))
              for n in range(number)]  # fmt: skip
    bundle = fit([*rows, *copies], DEFAULT, "kab-tangerang").bundle
    assert not bundle.extractor.knows("xylofon")
    assert not any("xylo" in term for term in (*bundle.vocabulary.words, *bundle.vocabulary.chars))
    another = replace(rows[1], id="another", complaint=Complaint("listrik padam xylofon mati", region="kab-tangerang"))
    assert fit([*rows, *copies, another], DEFAULT, "kab-tangerang").bundle.extractor.knows("xylofon")


def test_copies_of_one_text_promise_nothing() -> None:
    """Where no row can be kept aside from its copies, nothing is known about rows to come."""
    rows = [
        LabelledRow(
            str(number),
            Complaint("jalan rusak parah di depan rumah", region="kab-tangerang"),
            sector="energy" if number < 240 else "health",
        )
        for number in range(390)
    ]
    with pytest.raises(TooFewRows, match="390 labelled rows"):
        fit(rows, DEFAULT, "kab-tangerang")
    training = fit([*rows, *apart(make_rows(("health", 20), ("energy", 20)))], DEFAULT, "kab-tangerang")
    assert training.bundle.heads["sector"].thresholds == {}
    assert evidence_of(training)["kab-tangerang"]["rows"] == 41


def test_progress_never_runs_back() -> None:
    steps: list[tuple[str, float]] = []
    progress: Progress = lambda what, share: steps.append((what, share))  # noqa: E731
    fit(make_rows(("health", 15), ("energy", 15)), DEFAULT, "kab-tangerang", progress)
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(what for what, _ in steps)


def test_the_manifest_part_tells_what_it_was_made_of() -> None:
    rows = make_rows(("health", 15), ("energy", 15))
    rows[0] = replace(rows[0], complaint=replace(rows[0].complaint, region="kota-surabaya"))
    about = fit(rows, DEFAULT, "kab-tangerang").bundle.about
    assert about["region"] == "kab-tangerang"
    assert about["rows"]["by_region"] == {"kab-tangerang": 29, "kota-surabaya": 1}
    assert about["recipe"]["name"] == "default"
    assert set(about["versions"]) == {"python", "numpy", "scipy", "scikit-learn"}
    assert 0 <= about["metrics"]["sector"]["cross_fitted_accuracy"] <= 1


def test_rows_without_words_are_told_by_their_ids(sample_rows: Sequence[LabelledRow]) -> None:
    rows = [*sample_rows[:300], *(replace(row, complaint=Complaint("!!! ...")) for row in sample_rows[300:320])]
    [note] = [note for note in fit(rows, QUICK, "kab-tangerang").notes if "no word that can be read" in note]
    assert note.startswith("20 of 320 rows")
    assert f"{rows[300].id}, {rows[301].id}" in note
    assert rows[319].id not in note


def test_real_rows_of_one_sector_are_told_beside_the_written_ones(sample_rows: Sequence[LabelledRow]) -> None:
    real = [replace(row, label_source="human-blind", sector="health") for row in sample_rows[:25]]
    bare = [replace(row, urgency=None) for row in real]
    notes = fit([*bare, *sample_rows[25:120]], QUICK, "kab-tangerang").notes
    assert any(note.startswith("All 25 real rows are of health") for note in notes)
    assert "The urgency head learned from written rows alone: no real row has its label." in notes


def test_rows_of_a_region_without_a_file_are_told(sample_rows: Sequence[LabelledRow]) -> None:
    far = [replace(row, complaint=replace(row.complaint, region="kota-antah")) for row in sample_rows[:30]]
    training = fit([*far, *sample_rows[30:300]], QUICK, "kab-tangerang")
    assert any(note.startswith("30 rows are of 'kota-antah', which has no region file") for note in training.notes)
    assert "kota-antah" not in training.bundle.heads["sector"].thresholds


def test_real_rows_of_one_level_do_not_make_the_urgency_head_answer_that_alone(
    sample_rows: Sequence[LabelledRow],
) -> None:
    real = [replace(row, id=f"r{row.id}", label_source="human-blind", urgency=1) for row in sample_rows[:220]]
    bundle = fit([*real, *sample_rows[220:900]], QUICK, "kab-tangerang").bundle
    answers = [
        prediction.urgency[0].label for prediction in bundle.predict([r.complaint for r in sample_rows[900:1000]])
    ]
    assert len(set(answers)) >= 3


def test_few_real_rows_choose_no_threshold_for_incomplete_ones(sample_rows: Sequence[LabelledRow]) -> None:
    def threshold(rows: Sequence[LabelledRow]) -> float:
        return fit(rows, QUICK, "kab-tangerang").bundle.heads["completeness"].thresholds[ANYWHERE]

    three = [replace(row, label_source="human-blind") for row in sample_rows[:400] if row.complete][:3]
    ids = {row.id for row in three}
    others = [row for row in sample_rows[:400] if row.id not in ids]
    assert threshold([*three, *others]) == pytest.approx(threshold(sample_rows[:400]), abs=0.1)


def test_labels_that_no_row_has_are_told(sample_rows: Sequence[LabelledRow]) -> None:
    rows = [row for row in sample_rows if row.sector in ("health", "energy") and row.urgency in (1, 2)]
    notes = fit(rows, QUICK, "kab-tangerang").notes
    [sectors] = [note for note in notes if note.startswith("The sector head has seen no row of")]
    assert "public-works" in sectors
    assert "health" not in sectors.split(":")[1].split(", ")
    assert "The urgency head has seen no row of, so it never answers: 0, 3." in notes


def test_rows_of_one_sector_alone_prove_no_threshold() -> None:
    real = apart(make_rows(("health", 160)))
    written = [replace(row, id=f"w{row.id}", label_source=WRITTEN) for row in apart(make_rows(("energy", 160)))]
    bundle = fit([*real, *written], QUICK, "kab-tangerang").bundle
    assert bundle.heads["sector"].thresholds == {}


def test_rows_without_any_label_are_counted(sample_rows: Sequence[LabelledRow]) -> None:
    bare = [replace(row, sector=None, urgency=None, jurisdiction=None, complete=None) for row in sample_rows[:7]]
    assert "7 of 207 rows carry no label, so they teach nothing." in fit([*bare, *sample_rows[7:207]], QUICK, "x").notes
