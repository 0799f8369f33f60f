"""The bundle: scikit-learn's probabilities without scikit-learn, whole on disk or refused with one clear sentence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow
from data.errors import BundleError, OutputExists
from data.rows import read_rows
from model.areas import names_area
from model.bundle import EVIDENCE, FORMAT, Bundle, _checksum, is_bundle, load_bundle
from model.prediction import Ranked
from model.text import ALL_STEPS, REQUIRED_STEPS, TextChain
from training.fitting import Training, fit
from training.recipe import find_recipe

HEADS = ("sector", "urgency", "jurisdiction", "completeness")
ARRAYS = (
    "idf.npy",
    "seen.npy",
    "evidence.npy",
    *(f"{head}.{part}.npy" for head in HEADS for part in ("weights", "bias")),
)
# Of these every value and the length are told by others.
NUMBERS = [name for name in ARRAYS if name not in ("seen.npy", "evidence.npy")]
FILES = ("vocabulary.json", "stems.json", *ARRAYS)
OPTIONAL_STEPS = [name for name in ALL_STEPS if name not in REQUIRED_STEPS]
SOME_LEFT_OUT = [pytest.param([name], id=name) for name in OPTIONAL_STEPS] + [pytest.param(OPTIONAL_STEPS, id="all")]
Change = Callable[[Path, dict[str, Any]], None]


def assert_same_as_scikit_learn(training: Training, complaints: Sequence[Complaint]) -> None:
    texts = [training.bundle.chain.prepare(complaint) for complaint in complaints]
    # A sector is shown with the confidence in it instead of the head's own probability.
    heads = training.bundle.heads
    plain = replace(training.bundle, heads=heads | {"sector": replace(heads["sector"], confidence=None)})
    predictions = plain.predict(complaints)
    assert set(training.pipelines) == set(training.bundle.heads)
    for name, pipeline in training.pipelines.items():
        labels = training.bundle.heads[name].labels
        theirs = pipeline.predict_proba(texts)
        answers = [getattr(p, "sectors" if name == "sector" else name) for p in predictions]
        ours = np.array([[dict(pairs(ranked))[label] for label in labels] for ranked in answers])
        assert ours.shape == theirs.shape
        assert float(np.abs(ours - theirs).max()) < 1e-6


def pairs(answers: Sequence[Ranked]) -> list[tuple[str, float]]:
    return [(ranked.label, ranked.probability) for ranked in answers]


@pytest.fixture(scope="module")
def surabaya(shared_datasets: Path) -> list[LabelledRow]:
    annotations = shared_datasets / "annotations.csv"
    return read_rows([shared_datasets / "surabaya_wargaku.csv"], "kota-surabaya", annotations=annotations).rows


@pytest.fixture(scope="module")
def real_training(shared_datasets: Path, surabaya: list[LabelledRow]) -> Training:
    """A training on half of Bandung's rows and six hundred of Surabaya's that are not among the first two thousand."""
    annotations = shared_datasets / "annotations.csv"
    bandung = read_rows([shared_datasets / "bandung_lapor.csv"], "kab-bandung", annotations=annotations).rows
    return fit([*bandung[::2], *surabaya[2_000:2_600]], replace(find_recipe("default"), folds=2), "kab-bandung")


@pytest.fixture(scope="module")
def small(sample_rows: Sequence[LabelledRow], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle on disk, quick to copy and break."""
    folder = tmp_path_factory.mktemp("small") / "bundle"
    fit(sample_rows[:150], find_recipe("default"), "kab-tangerang").bundle.save(folder)
    return folder


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(small, folder)
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest that vouches for itself, whatever it says."""
    manifest = {**manifest, "checksum": _checksum(manifest)}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def mend_checksums(folder: Path) -> None:
    """Make a changed bundle look whole, as someone who means harm would."""
    manifest = read_manifest(folder)
    manifest["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    write_manifest(folder, manifest)


def refusal(folder: Path) -> str:
    """The one sentence or two that a refused bundle is refused with."""
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


# What it answers


def test_hundreds_of_real_complaints_get_scikit_learns_probabilities(
    real_training: Training, surabaya: list[LabelledRow]
) -> None:
    assert_same_as_scikit_learn(real_training, [row.complaint for row in surabaya[:600]])


def test_the_samples_get_scikit_learns_probabilities(training: Training, sample_rows: Sequence[LabelledRow]) -> None:
    assert_same_as_scikit_learn(training, [row.complaint for row in sample_rows[:400]])


@pytest.mark.parametrize(
    "text", ["", "a", "\ud800", "😀", "الشارع", "qwxz " * 3, "jalan " * 5_000, "😀 jalan"], ids=ascii
)
def test_odd_complaints_get_scikit_learns_probabilities(training: Training, text: str) -> None:
    assert_same_as_scikit_learn(training, [Complaint(text), Complaint(text, title="lampu", region="kab-tangerang")])


def test_answers_are_ranked_and_their_probabilities_add_up_to_one(training: Training) -> None:
    [prediction] = training.bundle.predict([Complaint("jalan rusak dan lampu mati", region="kab-tangerang")])
    for answers in (prediction.sectors, prediction.urgency):
        probabilities = [ranked.probability for ranked in answers]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1.0)
    assert prediction.sector == prediction.sectors[0]


def test_the_surest_sector_is_the_first_of_a_prediction(training: Training, sample_rows: Sequence[LabelledRow]) -> None:
    complaints = [row.complaint for row in sample_rows[:100]]
    for complaint, prediction in zip(complaints, training.bundle.predict(complaints), strict=True):
        surest = training.bundle.find_surest(complaint)
        assert surest.label == prediction.sector.label
        assert surest.probability == pytest.approx(prediction.sector.probability, abs=1e-12)


def test_a_head_of_two_labels_gets_scikit_learns_probabilities(sample_rows: Sequence[LabelledRow]) -> None:
    rows = [replace(row, urgency=min(row.urgency or 0, 1)) for row in sample_rows if row.sector in ("energy", "health")]
    training = fit(rows, find_recipe("default"), "kab-tangerang")
    two = {name for name, head in training.bundle.heads.items() if len(head.labels) == 2}
    assert two >= {"sector", "urgency", "completeness"}
    assert_same_as_scikit_learn(training, [row.complaint for row in sample_rows[:200]])


def test_a_recipe_without_regions_gets_scikit_learns_probabilities(sample_rows: Sequence[LabelledRow]) -> None:
    training = fit(sample_rows[:150], find_recipe("plain"), "kab-tangerang")
    assert training.bundle.vocabulary.regions == ()
    assert_same_as_scikit_learn(training, [row.complaint for row in sample_rows[:100]])


HYPHENED = (
    "Jalan-jalan rusak di RT-RW kami, lampu2 mati, e-KTP anak-anak belum jadi-jadi",
    "gotong-royong bersih-bersih di balai-desa, non-stop",
    "jalan-jalan",
)


@pytest.mark.parametrize("left_out", SOME_LEFT_OUT)
def test_a_recipe_without_some_steps_gets_scikit_learns_probabilities(
    left_out: list[str], sample_rows: Sequence[LabelledRow]
) -> None:
    steps = tuple(name for name in ALL_STEPS if name not in left_out)
    rows = sample_rows[:120]
    training = fit(rows, replace(find_recipe("default"), text_steps=steps), "kab-tangerang")
    assert training.bundle.text_steps == steps
    assert_same_as_scikit_learn(training, [*map(Complaint, HYPHENED), *(row.complaint for row in rows)])


def test_known_words_are_counted(training: Training) -> None:
    [known, unknown, empty] = training.bundle.predict([Complaint("jalan rusak"), Complaint("🙏 12x34y"), Complaint("")])
    assert (known.known_words, unknown.known_words, empty.known_words) == (2, 0, 0)


def test_a_text_seen_in_training_is_known_again_whatever_its_case_and_punctuation(
    training: Training, sample_rows: Sequence[LabelledRow]
) -> None:
    seen = sample_rows[0].complaint
    louder = replace(seen, title="", text=f"!! {seen.title} {seen.text.upper()} ...")
    assert training.bundle.has_seen(seen)
    assert training.bundle.has_seen(louder)
    assert not training.bundle.has_seen(replace(seen, text=f"{seen.text} tambahan"))
    assert not training.bundle.has_seen(Complaint("belum pernah ada laporan seperti ini"))


def test_every_sample_is_seen_after_loading(bundle_folder: Path, sample_rows: Sequence[LabelledRow]) -> None:
    loaded = load_bundle(bundle_folder)
    assert all(loaded.has_seen(row.complaint) for row in sample_rows)


def test_a_bundle_that_has_seen_nothing_says_so(small: Path) -> None:
    assert not replace(load_bundle(small), seen=np.zeros(0, dtype=np.uint64)).has_seen(Complaint("jalan"))


# Saving


def test_a_loaded_bundle_answers_as_the_saved_one(
    training: Training, bundle_folder: Path, sample_rows: Sequence[LabelledRow]
) -> None:
    complaints = [row.complaint for row in sample_rows[:200]]
    loaded = load_bundle(bundle_folder)
    assert loaded.predict(complaints) == training.bundle.predict(complaints)
    assert loaded.vocabulary == training.bundle.vocabulary
    for name, head in training.bundle.heads.items():
        assert loaded.heads[name].thresholds == head.thresholds
        assert loaded.heads[name].labels == head.labels
    assert loaded.text_steps == training.bundle.text_steps
    assert loaded.stems == training.bundle.stems


def test_what_the_manifest_tells_of_the_training_is_told_by_the_bundle_before_it_is_saved_too(
    training: Training, tmp_path: Path
) -> None:
    assert training.bundle.save(tmp_path / "own").about == training.bundle.about
    assert load_bundle(tmp_path / "own").about == training.bundle.about


def test_a_bundle_saved_again_keeps_its_version(small: Path, tmp_path: Path) -> None:
    loaded = load_bundle(small)
    again = loaded.save(tmp_path / "again")
    assert again.version == loaded.version == load_bundle(tmp_path / "again").version
    assert len(again.version) == 12


def test_another_threshold_is_another_version(small: Path, tmp_path: Path) -> None:
    loaded = load_bundle(small)
    versions = {loaded.version}
    for number, thresholds in enumerate(({"kab-tangerang": 0.987}, {"kab-bandung": 0.987}, {"kab-tangerang": 0.9871})):
        sector = replace(loaded.heads["sector"], thresholds=thresholds)
        folder = tmp_path / str(number)
        changed = replace(loaded, heads={**loaded.heads, "sector": sector}).save(folder)
        versions.add(changed.version)
        assert load_bundle(folder).version == changed.version
        assert load_bundle(folder).heads["sector"].thresholds == thresholds
        assert load_bundle(folder).heads["urgency"].thresholds == {}
    assert len(versions) == 4


def test_a_bundle_is_numbers_and_words_in_files_the_manifest_lists(small: Path) -> None:
    manifest = read_manifest(small)
    assert {path.name for path in small.iterdir()} == {"manifest.json", *FILES}
    assert set(manifest["files"]) == set(FILES)
    assert manifest["format"] == FORMAT
    assert manifest["text_steps"] == list(find_recipe("default").text_steps)
    assert {"recipe", "rows", "metrics", "versions", "region", "created_at"} <= manifest.keys()
    assert manifest["checksum"] == _checksum(manifest)
    assert load_bundle(small).version == manifest["checksum"][:12]


def test_saving_refuses_to_overwrite_unless_told_to(small: Path, tmp_path: Path) -> None:
    loaded = load_bundle(small)
    folder = tmp_path / "bundle"
    folder.mkdir()
    loaded.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputExists, match="bundle is there already"):
        replace(loaded, about={}).save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    about = {"region": "kab-tangerang", "mark": 1}
    replace(loaded, about=about).save(folder, replace_old=True)
    assert load_bundle(folder).about == about
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("extra", ["notes.txt", ".hidden", "rows/mine.csv"])
def test_a_folder_that_holds_more_than_a_bundle_is_not_replaced(small: Path, copy: Path, extra: str) -> None:
    assert is_bundle(copy)
    (copy / extra).parent.mkdir(exist_ok=True)
    (copy / extra).write_text("mine")
    before = snapshot(copy)
    assert not is_bundle(copy)
    with pytest.raises(OutputExists, match="something else than a bundle"):
        load_bundle(small).save(copy, replace_old=True)
    assert snapshot(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "null", '{"files": null}', '{"files": 5}', '{"name": "an extension"}', "\x00", "[" * 5_000]
)
def test_a_folder_with_a_manifest_of_something_else_is_not_replaced(small: Path, tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    assert not is_bundle(folder)
    with pytest.raises(OutputExists):
        load_bundle(small).save(folder, replace_old=True)
    assert snapshot(folder) == {"manifest.json": manifest.encode()}


def test_a_folder_without_a_manifest_is_not_replaced(small: Path, copy: Path) -> None:
    (copy / "manifest.json").unlink()
    before = snapshot(copy)
    assert not is_bundle(copy)
    with pytest.raises(OutputExists):
        load_bundle(small).save(copy, replace_old=True)
    assert snapshot(copy) == before


def test_a_damaged_bundle_is_replaced(small: Path, copy: Path) -> None:
    (copy / "idf.npy").unlink()
    (copy / "seen.npy").write_bytes(b"cut")
    assert is_bundle(copy)
    load_bundle(small).save(copy, replace_old=True)
    assert load_bundle(copy).version == load_bundle(small).version


def test_saving_refuses_a_file_even_when_told_to_replace(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExists):
        load_bundle(small).save(tmp_path / "file", replace_old=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_is_written_if_saving_fails_midway(small: Path, tmp_path: Path) -> None:
    unwritable = replace(load_bundle(small), about={"not JSON": object()})
    with pytest.raises(TypeError):
        unwritable.save(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_the_old_bundle_stays_if_replacing_it_fails_midway(small: Path, copy: Path) -> None:
    unwritable = replace(load_bundle(small), about={"not JSON": object()})
    with pytest.raises(TypeError):
        unwritable.save(copy, replace_old=True)
    assert load_bundle(copy).version == load_bundle(small).version
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


# Refusing


def test_a_missing_folder_is_refused_with_the_way_to_train_one(tmp_path: Path) -> None:
    assert "disposisi train" in refusal(tmp_path / "nowhere")


def test_a_missing_manifest_is_refused(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    assert "manifest.json is missing" in refusal(copy)


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1", None, [FORMAT]])
def test_another_format_is_refused(copy: Path, found: object) -> None:
    write_manifest(copy, {**read_manifest(copy), "format": found})
    message = refusal(copy)
    assert repr(found) in message
    assert f"format {FORMAT}" in message


@pytest.mark.parametrize("content", [b"", b"{", b"not json", b"[]", b"null", b"5", b"{}", b"\xff\xfe{}", b"\x80" * 9])
def test_a_manifest_that_is_none_is_refused(copy: Path, content: bytes) -> None:
    (copy / "manifest.json").write_bytes(content)
    assert "manifest" in refusal(copy)


@pytest.mark.parametrize("key", ["text_steps", "heads", "files", "region"])
def test_a_manifest_that_lacks_something_is_refused_by_its_name(copy: Path, key: str) -> None:
    manifest = read_manifest(copy)
    del manifest[key]
    write_manifest(copy, manifest)
    assert key in refusal(copy)


def test_one_changed_character_of_the_manifest_is_refused(copy: Path) -> None:
    """The first character of every name, word and number in it, keys too."""
    whole = (copy / "manifest.json").read_bytes()
    places = [found.start() for found in re.finditer(rb"(?<!\w)[A-Za-z]|(?<![\w.])\d", whole)]
    assert len(places) > 100
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1
        (copy / "manifest.json").write_bytes(content)
        refusal(copy)
    (copy / "manifest.json").write_bytes(whole)
    load_bundle(copy)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"thresholds": {}', b'"thresholds": {"kab-tangerang": 0.1}'),
        (b'"inverse_temperature": ', b'"inverse_temperature": 1'),
        (b'"region": "kab-tangerang"', b'"region": "kab-tangeranh"'),
        (b'"count": 150', b'"count": 151'),
        (b'"checksum": "', b'"checksum": "0'),
        (b'"checksum"', b'"checksim"'),
        (b'"checksum": ', b'"more": 1, "checksum": '),
    ],
)
def test_a_changed_value_of_the_manifest_is_refused_as_a_change(copy: Path, before: bytes, after: bytes) -> None:
    content = (copy / "manifest.json").read_bytes()
    assert before in content
    (copy / "manifest.json").write_bytes(content.replace(before, after))
    assert "was changed" in refusal(copy)


def test_a_bundle_of_format_1_is_refused_with_the_way_out(copy: Path) -> None:
    """As bundles were before the text steps could be chosen: one list of steps, and no stems."""
    manifest = read_manifest(copy)
    (copy / "stems.json").unlink()
    del manifest["files"]["stems.json"]
    steps = ["mask_personal_data", "fold", "unstretch", "undouble", "blur_numbers", "spell_words", "stem_words"]
    write_manifest(copy, {**manifest, "format": 1, "text_steps": steps})
    message = refusal(copy)
    assert f"has format 1; this program reads format {FORMAT}" in message
    assert "disposisi train ROWS --region CODE --into BUNDLE" in message


@pytest.mark.parametrize("unknown", ["expand_slang", "", "Fold", "fold ", ["fold"], None, 5, {"fold": 1}])
def test_a_text_step_that_the_program_does_not_have_is_refused_by_its_name(copy: Path, unknown: object) -> None:
    steps = [*ALL_STEPS, unknown]
    write_manifest(copy, {**read_manifest(copy), "text_steps": steps})
    message = refusal(copy)
    assert repr(unknown) in message
    assert "text steps" in message
    assert all(name in message for name in ALL_STEPS)
    assert "disposisi train" in message


@pytest.mark.parametrize("missing", REQUIRED_STEPS)
def test_a_bundle_without_a_required_text_step_is_refused(copy: Path, missing: str) -> None:
    steps = [name for name in ALL_STEPS if name != missing]
    write_manifest(copy, {**read_manifest(copy), "text_steps": steps})
    message = refusal(copy)
    assert str(steps) in message
    assert f"{', '.join(REQUIRED_STEPS)} must be among them" in message


@pytest.mark.parametrize(
    "steps",
    [[], {}, None, True, 5, "fold", dict.fromkeys(ALL_STEPS, 1), [list(ALL_STEPS)]],
    ids=["none", "table", "null", "true", "number", "one word", "table of steps", "list in a list"],
)
def test_text_steps_that_are_no_list_of_names_are_refused(copy: Path, steps: object) -> None:
    write_manifest(copy, {**read_manifest(copy), "text_steps": steps})
    message = refusal(copy)
    assert "text steps" in message
    assert str(steps) in message


@pytest.mark.parametrize("steps", [list(ALL_STEPS)[::-1], ["fold", *ALL_STEPS]], ids=["another order", "one twice"])
def test_text_steps_that_the_program_would_not_run_as_they_stand_are_refused(copy: Path, steps: list[str]) -> None:
    write_manifest(copy, {**read_manifest(copy), "text_steps": steps})
    assert str(steps) in refusal(copy)


@pytest.mark.parametrize("left_out", SOME_LEFT_OUT)
def test_any_choice_of_the_optional_text_steps_is_saved_and_read(
    small: Path, tmp_path: Path, left_out: list[str]
) -> None:
    steps = tuple(name for name in ALL_STEPS if name not in left_out)
    replace(load_bundle(small), text_steps=steps).save(tmp_path / "bundle")
    assert read_manifest(tmp_path / "bundle")["text_steps"] == list(steps)
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.text_steps == steps
    assert loaded.chain.names == list(steps)


def test_a_bundle_reads_a_complaint_by_its_own_steps(small: Path, tmp_path: Path) -> None:
    complaint = Complaint("Jlnnn2 yg   rusaaak, 5jt")
    read = set()
    for number, steps in enumerate((tuple(ALL_STEPS), REQUIRED_STEPS)):
        replace(load_bundle(small), text_steps=steps).save(tmp_path / str(number))
        loaded = load_bundle(tmp_path / str(number))
        assert loaded.chain.prepare(complaint).words == TextChain(steps).prepare(complaint).words
        read.add(loaded.chain.prepare(complaint).words)
    assert len(read) == 2


# The stems it carries


def test_the_stems_are_one_for_each_word_that_rows_share(bundle_folder: Path) -> None:
    loaded = load_bundle(bundle_folder)
    computing = TextChain(loaded.text_steps)
    assert json.loads((bundle_folder / "stems.json").read_text(encoding="utf-8")) == loaded.stems
    assert len(loaded.stems) > 1_000
    assert list(loaded.stems) == sorted(loaded.stems)
    assert [word for word in loaded.stems if not word.isalpha()] == []
    assert {word: computing.prepare(Complaint(word)).stems for word in loaded.stems} == loaded.stems


def test_a_loaded_bundle_reads_every_sample_as_a_chain_without_stems_does(
    bundle_folder: Path, sample_rows: Sequence[LabelledRow]
) -> None:
    loaded = load_bundle(bundle_folder)
    computing = TextChain(loaded.text_steps, names_area=names_area)
    assert [
        row.id for row in sample_rows if loaded.chain.prepare(row.complaint) != computing.prepare(row.complaint)
    ] == []


def test_a_bundles_stems_are_not_computed_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stems = {"perbaikan": "baik", "pelayanannya": "layan", "jalan": "jalan"}
    bundle = replace(load_bundle(small), stems=stems, text_steps=(*REQUIRED_STEPS, "stem_words"))

    def computed(word: str) -> str:
        raise AssertionError(f"the stem of {word} was computed")

    monkeypatch.setattr("model.text.stem", computed)
    for _ in range(2):
        assert bundle.chain.prepare(Complaint("Perbaikan jalan; pelayanannya.")).stems == "baik jalan layan"
    with pytest.raises(AssertionError, match="the stem of kerusakan was computed"):
        bundle.chain.prepare(Complaint("kerusakan jalan"))


def test_a_bundles_own_stem_is_the_one_that_counts(small: Path, tmp_path: Path) -> None:
    """Also where a later version of the program would stem the word in another way."""
    steps = (*REQUIRED_STEPS, "stem_words")
    bundle = replace(load_bundle(small), stems={"perbaikan": "rusak"}, text_steps=steps)
    bundle.save(tmp_path / "bundle")
    for either in (bundle, load_bundle(tmp_path / "bundle")):
        assert either.chain.prepare(Complaint("perbaikan pelayanan")).stems == "rusak layan"


def test_stems_are_not_looked_at_where_the_bundle_has_no_stemming(small: Path) -> None:
    bundle = replace(load_bundle(small), stems={"perbaikan": "rusak"}, text_steps=REQUIRED_STEPS)
    prepared = bundle.chain.prepare(Complaint("perbaikan pelayanan"))
    assert prepared.stems == prepared.words == "perbaikan pelayanan"


def test_other_stems_are_another_version(small: Path, tmp_path: Path) -> None:
    loaded = load_bundle(small)
    changed = replace(loaded, stems={**loaded.stems, "perbaikan": "rusak"}).save(tmp_path / "bundle")
    assert changed.version != loaded.version


@pytest.mark.parametrize(
    "stems",
    [
        [],
        ["jalan"],
        None,
        5,
        "jalan",
        {"jalan": 5},
        {"jalan": None},
        {"jalan": ["jalan"]},
        {"jalan": {"jalan": "jalan"}},
        {"jalan": "jalan rusak"},
        {"jalan": ""},
        {"jalan": " "},
        {"jalan": "jalan\trusak"},
        {"jalan": "jalan\u00a0rusak"},
        {"jalan": "jalan\u2028"},
    ],
    ids=ascii,
)
def test_stems_that_do_not_give_one_word_for_each_are_refused(copy: Path, stems: object) -> None:
    (copy / "stems.json").write_text(json.dumps(stems), encoding="utf-8")
    mend_checksums(copy)
    assert "stems.json must give one stem for each word" in refusal(copy)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff{}", b"[" * 100_000, b"not json"], ids=["none", "cut", "bytes", "deep", "text"]
)
def test_stems_that_are_no_json_are_refused(copy: Path, content: bytes) -> None:
    (copy / "stems.json").write_bytes(content)
    mend_checksums(copy)
    assert "contradicts itself" in refusal(copy)


def test_a_bundle_without_shared_stems_answers_all_the_same(small: Path, tmp_path: Path) -> None:
    loaded = load_bundle(small)
    replace(loaded, stems={}).save(tmp_path / "bundle")
    complaint = Complaint("perbaikan jalan rusak di kampung kami")
    assert load_bundle(tmp_path / "bundle").predict([complaint]) == loaded.predict([complaint])


# Files


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_its_name(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert f"{name} is missing" in refusal(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_by_its_name(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    assert name in refusal(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_changed_byte_is_refused_by_the_files_name(copy: Path, name: str, place: float) -> None:
    content = bytearray((copy / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (copy / name).write_bytes(content)
    assert f"{name} was changed" in refusal(copy)


def test_every_changed_file_is_named_at_once(copy: Path) -> None:
    for name in FILES:
        (copy / name).write_bytes(b"x")
    message = refusal(copy)
    assert all(name in message for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_symlinked_file_is_refused_by_its_name(copy: Path, name: str) -> None:
    (copy / name).rename(copy.parent / name)
    (copy / name).symlink_to(copy.parent / name)
    assert name in refusal(copy)


@pytest.mark.parametrize("where", ["../x", "sub/x", "/etc/hostname", "..", ".", ""])
def test_a_listed_path_outside_the_folder_is_refused(copy: Path, where: str) -> None:
    content = b"anything"
    (copy.parent / "x").write_bytes(content)
    (copy / "sub").mkdir()
    (copy / "sub" / "x").write_bytes(content)
    manifest = read_manifest(copy)
    manifest["files"][where] = hashlib.sha256(content).hexdigest()
    write_manifest(copy, manifest)
    assert f"{where} is missing" in refusal(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_the_manifest_gives_no_checksum_for_is_refused(copy: Path, name: str) -> None:
    manifest = read_manifest(copy)
    del manifest["files"][name]
    write_manifest(copy, manifest)
    assert name in refusal(copy)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_array_with_a_value_that_is_no_number_is_refused(copy: Path, name: str, value: float) -> None:
    array = np.load(copy / name)
    array.flat[-1] = value
    np.save(copy / name, array)
    mend_checksums(copy)
    assert name in refusal(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("confidence", np.nan),
        ("confidence", 1.5),
        ("given", -0.5),
        ("given", np.inf),
        ("label", 9_999),
        ("found", 9_999),
    ],
)
def test_evidence_that_can_not_be_is_refused_by_what_is_wrong(copy: Path, name: str, value: float) -> None:
    evidence = np.zeros(3, EVIDENCE)
    evidence[name][1] = value
    np.save(copy / "evidence.npy", evidence)
    mend_checksums(copy)
    assert f"evidence.npy holds a {name}" in refusal(copy)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("set_levels", {"kab-tangerang": 2.0}, "set levels of sector"),
        ("label_thresholds", {"kab-tangerang": {"energy": "high"}}, "label thresholds of sector"),
        ("label_thresholds", {"kab-tangerang": 0.5}, "label thresholds of sector"),
        ("confidence", 0.5, "confidence of sector"),
        ("confidence", {"weights": []}, "contradicts itself"),
    ],
)
def test_a_sector_head_that_promises_nonsense_is_refused(copy: Path, key: str, value: object, told: str) -> None:
    manifest = read_manifest(copy)
    manifest["heads"]["sector"][key] = value
    write_manifest(copy, manifest)
    assert told in refusal(copy)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_another_shape_is_refused(copy: Path, name: str) -> None:
    array = np.load(copy / name)
    np.save(copy / name, array[None])
    mend_checksums(copy)
    assert name in refusal(copy)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_array_of_another_length_is_refused(copy: Path, name: str) -> None:
    np.save(copy / name, np.load(copy / name)[:-1])
    mend_checksums(copy)
    assert name in refusal(copy)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("dtype", ["int32", ">f8", "S4"])
def test_an_array_of_another_type_is_refused(copy: Path, name: str, dtype: str) -> None:
    np.save(copy / name, np.zeros(np.load(copy / name).shape, dtype=dtype))
    mend_checksums(copy)
    assert name in refusal(copy)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"not an array", b"\x93NUMPY\x01\x00\xff\xff{"])
def test_an_array_file_that_holds_none_is_refused(copy: Path, content: bytes) -> None:
    (copy / "idf.npy").write_bytes(content)
    mend_checksums(copy)
    refusal(copy)


def test_an_archive_in_the_place_of_an_array_is_refused(copy: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, idf=np.load(copy / "idf.npy"))
    (copy / "idf.npy").write_bytes(buffer.getvalue())
    mend_checksums(copy)
    refusal(copy)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("wrapped", [True, False], ids=["in an array", "bare"])
def test_a_pickle_is_refused_and_never_run(copy: Path, name: str, wrapped: bool) -> None:
    trap = Trap(copy.parent / "sprung")
    if wrapped:
        np.save(copy / name, np.array([trap], dtype=object), allow_pickle=True)
    else:
        (copy / name).write_bytes(pickle.dumps(trap))
    mend_checksums(copy)
    refusal(copy)
    assert not trap.path.exists()
    with (copy / name).open("rb") as handle:
        np.load(handle, allow_pickle=True)
    assert trap.path.exists(), "the trap itself must work"


def no_sector_head(folder: Path, manifest: dict[str, Any]) -> None:
    del manifest["heads"]["sector"]


def head_without_labels_key(folder: Path, manifest: dict[str, Any]) -> None:
    del manifest["heads"]["sector"]["labels"]


def head_that_is_none(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["sector"] = None


def heads_in_a_list(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"] = [manifest["heads"]]


def files_in_a_list(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["files"] = list(manifest["files"])


def head_outside_the_folder(folder: Path, manifest: dict[str, Any]) -> None:
    for part in ("weights", "bias"):
        shutil.copy(folder / f"urgency.{part}.npy", folder.parent / f"outside.{part}.npy")
    manifest["heads"]["../outside"] = manifest["heads"]["urgency"]


def temperature_that_is_no_number(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["sector"]["inverse_temperature"] = float("nan")


def temperature_in_words(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["sector"]["inverse_temperature"] = "warm"


def temperature_below_zero(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["sector"]["inverse_temperature"] = -3.0


def labels_that_repeat(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["urgency"]["labels"] = ["1"] * len(manifest["heads"]["urgency"]["labels"])


def labels_that_are_no_words(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["urgency"]["labels"] = list(range(len(manifest["heads"]["urgency"]["labels"])))


def labels_that_are_lists(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["heads"]["sector"]["labels"] = [[label] for label in manifest["heads"]["sector"]["labels"]]


def region_that_is_no_code(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["region"] = 36


def vocabulary_that_is_a_list(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "vocabulary.json").write_text("[]")


def vocabulary_without_words(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "vocabulary.json").write_text('{"chars": [], "regions": []}')


def vocabulary_that_is_not_json(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "vocabulary.json").write_bytes(b"\xff{")


@pytest.mark.parametrize(
    "change",
    [
        no_sector_head,
        head_without_labels_key,
        head_that_is_none,
        heads_in_a_list,
        files_in_a_list,
        head_outside_the_folder,
        temperature_that_is_no_number,
        temperature_in_words,
        temperature_below_zero,
        labels_that_repeat,
        labels_that_are_no_words,
        labels_that_are_lists,
        region_that_is_no_code,
        vocabulary_that_is_a_list,
        vocabulary_without_words,
        vocabulary_that_is_not_json,
    ],
    ids=lambda change: change.__name__,
)
def test_a_bundle_that_contradicts_itself_is_refused(copy: Path, change: Change) -> None:
    manifest = read_manifest(copy)
    change(copy, manifest)
    if isinstance(manifest["files"], dict):
        manifest["files"] = {name: hashlib.sha256((copy / name).read_bytes()).hexdigest() for name in manifest["files"]}
    write_manifest(copy, manifest)
    refusal(copy)


@pytest.mark.parametrize(
    "thresholds",
    [
        *[{"kab-tangerang": value} for value in (-1, -0.5, 0, 0.0, 1, 1.01, True, None, "0.9", [0.9], float("nan"))],
        {"kab-tangerang": 0.9, "kab-bandung": float("inf")},
        [],
        [0.9],
        0.9,
        None,
        "0.9",
    ],
    ids=str,
)
@pytest.mark.parametrize("head", ["sector", "urgency"])
def test_thresholds_that_are_no_probabilities_by_region_are_refused(copy: Path, head: str, thresholds: object) -> None:
    manifest = read_manifest(copy)
    manifest["heads"][head]["thresholds"] = thresholds
    write_manifest(copy, manifest)
    assert f"the thresholds of {head}" in refusal(copy)


def test_a_head_without_thresholds_is_refused(copy: Path) -> None:
    """As bundles were before thresholds were kept by region."""
    manifest = read_manifest(copy)
    del manifest["heads"]["sector"]["thresholds"]
    manifest["heads"]["sector"]["threshold"] = 0.9
    write_manifest(copy, manifest)
    assert "the thresholds of sector" in refusal(copy)


@pytest.mark.parametrize(("head", "unknown"), [("sector", "astrology"), ("urgency", "4"), ("urgency", "DARURAT")])
def test_labels_that_the_program_does_not_know_are_refused_by_name(copy: Path, head: str, unknown: str) -> None:
    manifest = read_manifest(copy)
    manifest["heads"][head]["labels"][0] = unknown
    write_manifest(copy, manifest)
    message = refusal(copy)
    assert f"the labels of {head}" in message
    assert unknown in message


def test_a_missing_sector_head_is_named(copy: Path) -> None:
    manifest = read_manifest(copy)
    del manifest["heads"]["sector"]
    write_manifest(copy, manifest)
    assert "no sector head" in refusal(copy)


def test_a_bundle_without_urgency_answers_the_sector_alone(copy: Path) -> None:
    manifest = read_manifest(copy)
    del manifest["heads"]["urgency"]
    write_manifest(copy, manifest)
    loaded: Bundle = load_bundle(copy)
    [prediction] = loaded.predict([Complaint("jalan rusak")])
    assert prediction.urgency == ()
    assert prediction.sectors


def test_a_bundle_knows_when_the_word_tables_have_changed_since(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not training.bundle.words_have_changed
    monkeypatch.setattr("model.bundle.lexicon_mark", lambda: "0" * 12)
    assert training.bundle.words_have_changed
