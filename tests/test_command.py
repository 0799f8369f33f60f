"""The command as its users meet it: real processes, their output, their exit codes and what they leave on disk."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from data.complaint import Complaint, Confidentiality, LabelledRow
from data.region import load_region
from data.rows import read_rows
from data.sectors import all_sectors
from model.bundle import load_bundle
from serving.case import Verdict
from serving.database import open_store
from serving.store import Store
from serving.triage import Intake, Triage
from tests.commands import ROOT, Ran, disposisi

SAMPLES = ROOT / "data" / "samples" / "kab-tangerang.csv"
REGION = ("--region", "kab-tangerang")
COMMANDS = (("train",), ("evaluate",), ("predict",), ("serve",), ("rows", "export"))
PREDICT_HEADER = (
    "id,sector,sector_probability,top3,agency,agency_name,area,outcome,urgency,urgency_probability,"
    "jurisdiction,complete"
)
TRAINED, OVERLAP, LATER = 300, 40, 60


def refused(*arguments: str | Path, timeout: float = 120, **variables: str) -> str:
    """The one message of a command that must fail for a user's mistake."""
    ran = disposisi(*arguments, timeout=timeout, **variables)
    assert "Traceback" not in ran.err, ran.err[-300:]
    assert ran.code == 2, ran.err
    assert ran.out == ""
    assert ran.err.lstrip("\n").startswith("Error: ")
    assert ran.err.count("Error: ") == 1
    return ran.err


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def write_rows(path: Path, lines: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Desk:
    """A small bundle, the rows it was trained on, and later rows, of which the first were in its training too."""

    rows: Path
    later: Path
    bundle: Path
    training: Ran


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    lines = lines_of(SAMPLES)
    rows = write_rows(folder / "rows.csv", lines[:TRAINED])
    later = write_rows(folder / "later.csv", lines[TRAINED - OVERLAP : TRAINED + LATER])
    training = disposisi("train", rows, *REGION, "--no-corpus", "--into", folder / "bundle")
    assert training.code == 0, training.err
    return Desk(rows, later, folder / "bundle", training)


@pytest.fixture(scope="module")
def predicted(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("predicted") / "answers.csv"
    ran = disposisi("predict", desk.bundle, desk.later, *REGION, "--out", out)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{OVERLAP + LATER} rows are in {out}: ")
    return out


# Help and start


@cache
def help_of(*command: str) -> Ran:
    return disposisi(*command, "--help")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_holds_an_example_of_it(command: tuple[str, ...]) -> None:
    ran = help_of(*command)
    assert ran.code == 0
    assert f"Example: disposisi {' '.join(command)} " in " ".join(ran.out.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_example_stands_on_one_line_so_that_it_can_be_copied(command: tuple[str, ...]) -> None:
    lines = help_of(*command).out.splitlines()
    [place] = [number for number, line in enumerate(lines) if "Example:" in line]
    assert lines[place + 1].strip() == ""


def test_the_help_names_every_command() -> None:
    ran = help_of()
    assert ran.code == 0
    for command in COMMANDS:
        assert f"  {command[0]} " in ran.out


def test_importing_the_command_imports_nothing_heavy() -> None:
    code = (
        "import sys, disposisi\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'fastapi', 'sqlalchemy', 'polars', 'openpyxl', 'rich', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_installed_script_is_the_same_command() -> None:
    script = Path(sys.executable).with_name("disposisi")
    if not script.is_file():
        pytest.skip("disposisi is not installed beside this Python")
    ran = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert "rows" in ran.stdout


@pytest.mark.parametrize(
    "arguments", [("train",), ("predict", "x"), ("nope",), ("train", "x", "--nope"), ("serve", "--port", "acht")]
)
def test_a_mistaken_call_ends_in_code_2_and_how_to_call(arguments: tuple[str, ...]) -> None:
    ran = disposisi(*arguments)
    assert ran.code == 2
    assert "Usage: " in ran.err
    assert "Traceback" not in ran.err


# train


def test_train_writes_a_bundle_and_says_where_and_how_good(desk: Desk) -> None:
    bundle = load_bundle(desk.bundle)
    assert desk.training.out == f"Bundle {bundle.version} is in {desk.bundle}\n"
    assert f"sector: {TRAINED} rows, " in desk.training.err
    assert f"urgency: {TRAINED} rows, 4 labels" in desk.training.err
    assert set(bundle.heads) == {"sector", "urgency", "jurisdiction", "completeness"}


def test_train_says_that_written_rows_prove_nothing(desk: Desk) -> None:
    assert load_bundle(desk.bundle).heads["sector"].thresholds == {}
    assert "Nothing is routed without a person in kab-tangerang: its 0 real labelled rows" in desk.training.err


def test_train_leaves_nothing_beside_the_bundle(desk: Desk) -> None:
    assert {path.name for path in desk.bundle.parent.iterdir()} == {"rows.csv", "later.csv", "bundle"}


@dataclass(frozen=True)
class Mixed:
    """A training with everything asked for: two files, a recipe, annotations, and a bad row to be left out."""

    lines: list[dict[str, str]]
    bundle: Path
    ran: Ran


@pytest.fixture(scope="module")
def mixed(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    folder = tmp_path_factory.mktemp("mixed")
    lines = lines_of(desk.rows)[:200]
    added = write_rows(folder / "urgency.csv", [{"id": x["id"], "urgency": x["urgency"]} for x in lines[50:150]])
    bare = [line | {"urgency": ""} for line in lines]
    bare[3] |= {"sector": "nope"}
    first, second = write_rows(folder / "a.csv", bare[:100]), write_rows(folder / "b.csv", bare[100:])
    wishes = ("--recipe", "plain", "--annotations", added, "--skip-bad-rows")
    ran = disposisi("train", first, second, *REGION, "--no-corpus", "--into", folder / "bundle", *wishes)
    assert ran.code == 0, ran.err
    return Mixed(bare, folder / "bundle", ran)


def test_train_takes_several_files_and_a_recipe(mixed: Mixed) -> None:
    assert "sector: 199 rows, " in mixed.ran.err
    assert load_bundle(mixed.bundle).about["recipe"]["name"] == "plain"


def test_train_takes_urgency_from_annotations(mixed: Mixed) -> None:
    assert "urgency: 100 rows, " in mixed.ran.err


def test_train_leaves_bad_rows_out_when_asked_and_keeps_them_beside_the_bundle(mixed: Mixed) -> None:
    beside = mixed.bundle.with_name("bundle.rejected.csv")
    assert f"1 problems; the rows left out are in {beside}" in mixed.ran.err
    [rejected] = lines_of(beside)
    assert (rejected["file"], rejected["row"], rejected["column"]) == ("a.csv", "5", "sector")
    assert rejected["value"] == "'nope'"
    assert json.loads(rejected["original"]) == mixed.lines[3]


def test_train_does_not_leave_out_a_whole_file_without_a_word(desk: Desk, tmp_path: Path) -> None:
    ran = disposisi(
        "train", desk.rows, "nope.csv", *REGION, "--no-corpus", "--into", tmp_path / "bundle", "--skip-bad-rows"
    )
    assert "nope.csv" in ran.err


def test_train_refuses_a_folder_that_holds_something_before_reading_a_row(desk: Desk) -> None:
    before = snapshot(desk.bundle)
    message = refused("train", "nope.csv", *REGION, "--into", desk.bundle)
    assert "--replace" in message
    assert "nope.csv" not in message
    assert snapshot(desk.bundle) == before


def test_train_puts_a_new_bundle_in_the_place_of_an_old_one_when_asked(desk: Desk, tmp_path: Path) -> None:
    shutil.copytree(desk.bundle, tmp_path / "bundle")
    rows = write_rows(tmp_path / "rows.csv", lines_of(desk.rows)[:100])
    ran = disposisi("train", rows, *REGION, "--no-corpus", "--into", tmp_path / "bundle", "--replace")
    assert ran.code == 0, ran.err
    assert load_bundle(tmp_path / "bundle").version != load_bundle(desk.bundle).version
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "bundle"}


def test_train_replaces_bundles_only_and_no_other_folder(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "surat").mkdir()
    (tmp_path / "surat" / "keputusan.txt").write_text("penting", encoding="utf-8")
    disposisi("train", desk.rows, *REGION, "--no-corpus", "--into", tmp_path / "surat", "--replace")
    assert (tmp_path / "surat" / "keputusan.txt").is_file()


def test_a_training_that_fails_leaves_the_old_bundle_as_it_was(desk: Desk, tmp_path: Path) -> None:
    shutil.copytree(desk.bundle, tmp_path / "bundle")
    before = snapshot(tmp_path)
    rows = desk.bundle.parent / "nope.csv"
    refused("train", rows, *REGION, "--into", tmp_path / "bundle", "--replace")
    assert snapshot(tmp_path) == before


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    contents = {
        "no_text.csv": "id,sector\n1,health\n",
        "bad_labels.csv": "id,text,sector,agency\n1,got mampet,nope,Dinas Sihir\n",
        "few.csv": "id,text,sector\n1,got mampet,public-works\n",
        "one_sector.csv": "text,sector\n" + "".join(f"got mampet {n},public-works\n" for n in range(30)),
        "rows.xlsx": "x",
        "rows.jsonl": "{\n",
        "rows.parquet": "x",
        "doubled.csv": "id,text\n1,got\n1,jalan\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "latin.csv").write_bytes("id,text\n1,kafé\n".encode("latin-1"))
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bad_labels.csv", "row 2, column 'agency': 'Dinas Sihir'"),
        ("few.csv", "at least 20 rows of two sectors"),
        ("one_sector.csv", "two sectors or more"),
    ],
)
def test_train_refuses_rows_it_can_not_learn_from_and_writes_nothing(
    name: str, expected: str, bad_files: Path, tmp_path: Path
) -> None:
    message = refused("train", bad_files / name, *REGION, "--no-corpus", "--into", tmp_path / "bundle")
    assert expected in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--region", "bogor"), "No region 'bogor'. Known: kab-bandung, kab-tangerang"),
        ((*REGION, "--recipe", "best"), "No recipe 'best'. Known: default, encoder, whole-text, plain"),
        ((*REGION, "--annotations", "nope.csv"), "nope.csv: there is no such file"),
    ],
    ids=["region", "recipe", "annotations"],
)
def test_train_refuses_what_it_does_not_know(
    arguments: tuple[str, ...], expected: str, desk: Desk, tmp_path: Path
) -> None:
    assert expected in refused("train", desk.rows, *arguments, "--into", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


# Without PySastrawi's list of roots


def folder_of_packages(folder: Path, files: dict[str, str]) -> str:
    """A folder with these files, that Python looks into before the one where PySastrawi is."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return str(folder)


OTHER_PACKAGES = {
    "no package": {"Sastrawi.py": "raise ModuleNotFoundError('No module named Sastrawi', name='Sastrawi')"},
    "another package": {"Sastrawi/__init__.py": ""},
    "no roots": {"Sastrawi/__init__.py": "", "Sastrawi/Stemmer/__init__.py": ""},
    "empty roots": {
        "Sastrawi/__init__.py": "",
        "Sastrawi/Stemmer/__init__.py": "",
        "Sastrawi/Stemmer/data/kata-dasar.txt": "",
    },
}


@pytest.mark.parametrize("files", OTHER_PACKAGES.values(), ids=OTHER_PACKAGES)
def test_train_names_pysastrawi_where_its_roots_are_missing(files: dict[str, str], desk: Desk, tmp_path: Path) -> None:
    packages = folder_of_packages(tmp_path / "packages", files)
    message = refused("train", desk.rows, *REGION, "--into", tmp_path / "bundle", PYTHONPATH=packages)
    assert "PySastrawi" in message
    assert not (tmp_path / "bundle").exists()


def test_serve_does_not_start_where_pysastrawis_roots_are_missing(desk: Desk, tmp_path: Path) -> None:
    packages = folder_of_packages(tmp_path / "packages", OTHER_PACKAGES["no roots"])
    arguments = ("--bundle", desk.bundle, "--port", "0", "--database", tmp_path / "desk.db")
    try:
        message = refused("serve", *arguments, PYTHONPATH=packages, timeout=20)
    except subprocess.TimeoutExpired:
        pytest.fail("the server started")
    assert "PySastrawi" in message


# evaluate


@pytest.fixture(scope="module")
def evaluation(desk: Desk) -> dict[str, object]:
    ran = disposisi("evaluate", desk.bundle, desk.later, *REGION, "--json")
    assert ran.code == 0, ran.err
    figures = json.loads(ran.out)
    assert isinstance(figures, dict)
    return figures


def test_evaluate_leaves_out_the_rows_of_the_training(evaluation: dict[str, object]) -> None:
    assert evaluation["left_out_as_seen"] == OVERLAP
    assert evaluation["rows"] == LATER


def test_evaluate_says_in_words_what_it_left_out(desk: Desk) -> None:
    ran = disposisi("evaluate", desk.bundle, desk.later, *REGION)
    assert ran.code == 0, ran.err
    assert f"on {LATER} rows for kab-tangerang" in ran.out
    assert f"{OVERLAP} rows were in its training and are left out." in ran.out
    assert "sector among the first three" in ran.out


def test_evaluate_as_json_is_valid_json_of_figures_in_their_intervals(evaluation: dict[str, object]) -> None:
    json.dumps(evaluation, allow_nan=False)
    for name in ("sector_accuracy", "sector_top3", "sector_macro_f1", "auto_share", "urgency_accuracy"):
        figure = evaluation[name]
        assert isinstance(figure, dict)
        assert set(figure) == {"value", "low", "high", "rows"}
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert figure["rows"] == LATER


def test_evaluate_tells_how_good_the_bundle_is_by_language(
    desk: Desk, evaluation: dict[str, object], tmp_path: Path
) -> None:
    slices = evaluation["slices"]
    assert isinstance(slices, list)
    languages = [line for line in slices if line["kind"] == "language"]
    assert sum(line["rows"] for line in languages) == LATER
    given = [line | {"language": ("jawa", "")[number % 2]} for number, line in enumerate(lines_of(desk.later))]
    rows = write_rows(tmp_path / "rows.csv", given)
    ran = disposisi("evaluate", desk.bundle, rows, *REGION)
    assert ran.code == 0, ran.err
    [line] = [line.split() for line in ran.out.splitlines() if line.split()[:1] == ["jawa"]]
    assert line[1] == str(LATER // 2)


def test_evaluate_refuses_bad_rows_with_every_problem(desk: Desk, bad_files: Path) -> None:
    message = refused("evaluate", desk.bundle, bad_files / "bad_labels.csv", bad_files / "nope.csv", *REGION)
    assert "3 problems in the rows:" in message
    for part in ("row 2, column 'sector': 'nope'", "row 2, column 'agency'", "nope.csv: there is no such file"):
        assert part in message


def test_evaluate_refuses_rows_that_were_all_in_the_training(desk: Desk) -> None:
    assert f"All {TRAINED} rows were in the bundle's training" in refused("evaluate", desk.bundle, desk.rows, *REGION)
    told = refused("evaluate", desk.bundle, desk.later, *REGION, "--learned", desk.later)
    assert f"All {OVERLAP + LATER} rows were in the bundle's training, or are near-copies of what was" in told


def test_evaluate_of_a_file_without_rows_does_not_say_they_were_in_the_training(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("id,text\n", encoding="utf-8")
    assert "training" not in refused("evaluate", desk.bundle, tmp_path / "empty.csv", *REGION)


def test_evaluate_refuses_a_bundle_that_is_not_there(desk: Desk, tmp_path: Path) -> None:
    message = refused("evaluate", tmp_path / "nope", desk.later, *REGION)
    assert "There is no bundle at" in message
    assert "disposisi train" in message


# threshold


@pytest.fixture(scope="module")
def provable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of real rows that are easy to tell apart, so that it can promise."""
    folder = tmp_path_factory.mktemp("provable")
    words = {"energy": "lampu jalan mati gelap", "health": "puskesmas obat antre lama"}
    mark = "abcdefghijklmnopqrstuvwxyz"
    lines = [
        f"{number},{' '.join(mark[number % 26] + mark[number // 26] + x for x in 'vwxy')} {words[sector]},{sector}"
        for number, sector in enumerate(["energy", "health"] * 150)
    ]
    (folder / "rows.csv").write_text("\n".join(["id,text,sector", *lines]) + "\n", encoding="utf-8")
    done = disposisi("train", folder / "rows.csv", *REGION, "--no-corpus", "--into", folder / "bundle")
    assert done.code == 0, done.err
    return folder / "bundle"


def test_threshold_shows_what_another_target_would_change_and_writes_nothing_when_dry(provable: Path) -> None:
    before = (provable / "manifest.json").read_bytes()
    done = disposisi("threshold", provable, "--target", "0.9999", "--dry-run")
    assert done.code == 0, done.err
    assert "kab-tangerang: 100.0% routed alone before, 0.0% after." in done.out
    assert "Nothing was written." in done.out
    assert (provable / "manifest.json").read_bytes() == before


def test_threshold_writes_the_bundle_to_a_new_place_or_into_its_own(provable: Path, tmp_path: Path) -> None:
    done = disposisi("threshold", provable, "--target", "0.9999", "--into", tmp_path / "strict")
    assert done.code == 0, done.err
    strict = load_bundle(tmp_path / "strict")
    assert strict.heads["sector"].thresholds == {}
    assert load_bundle(provable).heads["sector"].thresholds.keys() == {"kab-tangerang"}
    done = disposisi("threshold", tmp_path / "strict", "--target", "0.95")
    assert "0.0% routed alone before, 100.0% after." in done.out
    assert load_bundle(tmp_path / "strict").heads["sector"].thresholds.keys() == {"kab-tangerang"}
    assert "is there already" in refused("threshold", provable, "--target", "0.9", "--into", tmp_path / "strict")


@pytest.mark.parametrize("target", ["0", "1", "1.5", "nan"])
def test_threshold_refuses_a_target_that_nothing_can_promise(provable: Path, target: str) -> None:
    assert "must lie between 0 and 1" in refused("threshold", provable, "--target", target)


def test_threshold_of_a_bundle_without_real_rows_says_that_nothing_can_be_promised(desk: Desk, tmp_path: Path) -> None:
    done = disposisi("threshold", desk.bundle, "--target", "0.9", "--into", tmp_path / "bundle")
    assert "no real rows" in done.out
    assert "There is no bundle at" in refused("threshold", tmp_path / "nope", "--target", "0.9")


# predict


def test_predict_writes_exactly_its_columns_in_order_and_a_line_for_each_row(desk: Desk, predicted: Path) -> None:
    assert predicted.read_text(encoding="utf-8").splitlines()[0] == PREDICT_HEADER
    assert [line["id"] for line in lines_of(predicted)] == [line["id"] for line in lines_of(desk.later)]


def test_predict_gives_three_different_sectors_of_which_the_first_is_the_answer(predicted: Path) -> None:
    for line in lines_of(predicted):
        top3 = line["top3"].split("|")
        assert len(set(top3)) == 3
        assert set(top3) <= all_sectors().keys()
        assert top3[0] == line["sector"]


def test_predict_gives_an_agency_that_the_region_has_or_none_where_the_area_is_unknown(predicted: Path) -> None:
    region = load_region("kab-tangerang")
    for line in lines_of(predicted):
        if line["agency"]:
            agency = region.all_agencies[line["agency"]]
            assert agency.name == line["agency_name"]
            assert line["sector"] in agency.sectors
        else:
            assert line["sector"] in region.family_of_sector
            assert line["agency_name"] == ""
            assert line["outcome"] == "review"


def test_predict_gives_probabilities_urgencies_and_outcomes(predicted: Path) -> None:
    lines = lines_of(predicted)
    for line in lines:
        for column in ("sector_probability", "urgency_probability"):
            assert len(line[column].partition(".")[2]) == 6
            assert 0 < float(line[column]) <= 1
        assert line["urgency"] in {"0", "1", "2", "3"}
        assert line["outcome"] in {"auto", "review"}
        assert line["jurisdiction"] in {"local", "province", "central", "private", "unclear"}
        assert line["complete"] in {"0", "1"}
    assert {line["complete"] for line in lines} == {"0", "1"}
    assert len({line["sector"] for line in lines}) > 5


def test_predict_does_not_look_at_labels(desk: Desk, predicted: Path, tmp_path: Path) -> None:
    spoilt = [line | {"sector": "nope", "urgency": "9", "jurisdiction": "moon"} for line in lines_of(desk.later)]
    rows = write_rows(tmp_path / "rows.csv", spoilt)
    ran = disposisi("predict", desk.bundle, rows, *REGION, "--out", tmp_path / "out.csv")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out.csv").read_bytes() == predicted.read_bytes()


def test_predict_leaves_bad_rows_out_when_asked_and_keeps_them_beside_the_output(desk: Desk, tmp_path: Path) -> None:
    lines = lines_of(desk.later)[:5]
    lines[1] |= {"text": "", "title": ""}
    rows = write_rows(tmp_path / "rows.csv", lines)
    out = tmp_path / "out.csv"
    ran = disposisi("predict", desk.bundle, rows, *REGION, "--out", out, "--skip-bad-rows")
    assert ran.code == 0, ran.err
    assert len(lines_of(out)) == 4
    [rejected] = lines_of(tmp_path / "out.csv.rejected.csv")
    assert (rejected["row"], rejected["column"]) == ("3", "text")
    assert json.loads(rejected["original"]) == lines[1]


def test_predict_of_a_file_without_rows_writes_the_header(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("id,text\n", encoding="utf-8")
    ran = disposisi("predict", desk.bundle, tmp_path / "empty.csv", *REGION, "--out", tmp_path / "out.csv")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == PREDICT_HEADER + "\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nope.csv", "there is no such file"),
        ("no_text.csv", "no text column"),
        ("doubled.csv", "row 3, column 'id': '1'"),
        ("rows.parquet", "it is not a Parquet file"),
        ("rows.xlsx", "it is not an XLSX workbook"),
        ("rows.jsonl", "row 1: not JSON"),
        ("latin.csv", "is not UTF-8"),
    ],
)
def test_predict_refuses_bad_rows_with_one_message_and_writes_nothing(
    name: str, expected: str, desk: Desk, bad_files: Path, tmp_path: Path
) -> None:
    message = refused("predict", desk.bundle, bad_files / name, *REGION, "--out", tmp_path / "out.csv")
    assert expected in message
    assert list(tmp_path.iterdir()) == []


def test_predict_that_fails_leaves_an_old_output_as_it_was(desk: Desk, bad_files: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old", encoding="utf-8")
    refused("predict", desk.bundle, bad_files / "no_text.csv", *REGION, "--out", tmp_path / "out.csv")
    assert snapshot(tmp_path) == {"out.csv": b"old"}


def test_predict_refuses_a_bundle_that_was_cut_short(desk: Desk, tmp_path: Path) -> None:
    bundle = shutil.copytree(desk.bundle, tmp_path / "bundle")
    weights = bundle / "sector.weights.npy"
    weights.write_bytes(weights.read_bytes()[:-100])
    out = tmp_path / "out.csv"
    assert "sector.weights.npy was changed or cut short" in refused(
        "predict", bundle, desk.later, *REGION, "--out", out
    )
    assert not out.exists()


def test_a_bundle_of_an_older_format_is_refused_with_the_way_out(desk: Desk, tmp_path: Path) -> None:
    bundle = shutil.copytree(desk.bundle, tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"format": 1}), encoding="utf-8")
    out = tmp_path / "out.csv"
    for command in (
        ("predict", bundle, desk.later, *REGION, "--out", out),
        ("evaluate", bundle, desk.later, *REGION),
        ("serve", "--bundle", bundle, "--port", "0", "--database", tmp_path / "desk.db"),
    ):
        message = refused(*command)
        assert "has format 1; this program reads format 4" in message
        assert "disposisi train ROWS --region CODE --into BUNDLE" in message
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_predict_refuses_an_unknown_region(desk: Desk, tmp_path: Path) -> None:
    message = refused("predict", desk.bundle, desk.later, "--region", "bogor", "--out", tmp_path / "out.csv")
    assert "No region 'bogor'. Known: kab-bandung" in message


def test_predict_gives_a_row_of_another_region_the_agencies_of_that_region(desk: Desk, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv", [line | {"region": "kab-bandung"} for line in lines_of(desk.later)])
    ran = disposisi("predict", desk.bundle, rows, *REGION, "--out", tmp_path / "out.csv")
    assert ran.code == 0, ran.err
    known = load_region("kab-bandung").all_agencies
    given = {line["agency"] for line in lines_of(tmp_path / "out.csv") if line["agency"]}
    assert given - known.keys() == set()


def test_predict_does_not_write_over_the_rows_it_reads(desk: Desk, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    shutil.copy(desk.later, rows)
    disposisi("predict", desk.bundle, rows, *REGION, "--out", rows)
    assert rows.read_bytes() == desk.later.read_bytes()


def test_predict_answers_a_row_that_holds_half_a_character(desk: Desk, tmp_path: Path) -> None:
    # Half of an emoji, as programs that cut texts by their length leave it.
    (tmp_path / "rows.jsonl").write_text('{"id": "a\\ud83d", "text": "lampu jalan mati \\ud83d"}\n', encoding="utf-8")
    ran = disposisi("predict", desk.bundle, tmp_path / "rows.jsonl", *REGION, "--out", tmp_path / "out.csv")
    assert "Traceback" not in ran.err
    assert ran.code in (0, 2)


@pytest.mark.parametrize("out", [".", "rows.csv/out.csv"], ids=["a folder", "below a file"])
def test_an_output_that_can_not_be_written_is_refused_with_one_message(out: str, desk: Desk, tmp_path: Path) -> None:
    shutil.copy(desk.later, tmp_path / "rows.csv")
    refused("predict", desk.bundle, desk.later, *REGION, "--out", tmp_path / out)


def test_a_bundle_that_can_not_be_written_is_refused_with_one_message(desk: Desk) -> None:
    refused("train", desk.rows, *REGION, "--into", desk.rows / "bundle")


# rows export


TEXTS = ("Lampu jalan di gang kami mati", "Got depan sekolah mampet, bau", "KTP belum jadi juga sejak Maret")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(str(tmp_path / "desk.db"))
    yield opened
    opened.close()


@pytest.fixture
def reviewed(desk: Desk, store: Store, tmp_path: Path) -> Path:
    """A database of three cases: one decided, one waiting, one decided but secret."""
    triage = Triage(load_bundle(desk.bundle), "kab-tangerang", store)
    kinds = (Confidentiality.ANONIM, Confidentiality.TERBUKA, Confidentiality.RAHASIA)
    received = datetime(2024, 1, 18, 7, 30, tzinfo=UTC)
    cases = [
        triage.receive(Intake(Complaint(text, location="Curug"), received, confidentiality=kind))
        for text, kind in zip(TEXTS, kinds, strict=True)
    ]
    triage.decide(cases[0].id, Verdict("transport", "dishub", 1))
    triage.decide(cases[2].id, Verdict("civil-registry", "disdukcapil", 1))
    return tmp_path / "desk.db"


def test_rows_export_writes_the_reviewed_cases_that_are_not_secret(reviewed: Path, tmp_path: Path) -> None:
    out = tmp_path / "reviewed.csv"
    ran = disposisi("rows", "export", "--database", reviewed, "--out", out)
    assert ran.code == 0, ran.err
    assert ran.out == f"1 reviewed rows are in {out}\n"
    assert "1 cases were left out: secret (rahasia)" in ran.err
    [line] = lines_of(out)
    assert line["text"] == TEXTS[0]
    assert (line["agency"], line["sector"], line["urgency"]) == ("Dinas Perhubungan", "transport", "1")
    assert (line["region"], line["confidentiality"]) == ("kab-tangerang", "anonim")
    assert line["label_source"] in {"human-accepted", "human-corrected"}


def test_exported_rows_are_read_back_as_labelled_rows(reviewed: Path, tmp_path: Path) -> None:
    out = tmp_path / "reviewed.csv"
    disposisi("rows", "export", "--database", reviewed, "--out", out)
    [row] = read_rows([out], "kab-bandung").rows
    assert isinstance(row, LabelledRow)
    assert (row.agency, row.sector, row.urgency) == ("dishub", "transport", 1)
    assert row.received_at.startswith("2024-01-18T07:30:00")
    assert row.complaint.location == "Curug"
    assert row.complaint.region == "kab-tangerang"
    assert row.label_source in {"human-accepted", "human-corrected"}
    assert row.confidentiality is Confidentiality.ANONIM


def test_rows_export_of_a_desk_without_reviews_writes_the_header(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "reviewed.csv"
    ran = disposisi("rows", "export", "--database", tmp_path / "desk.db", "--out", out)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("0 reviewed rows")
    assert lines_of(out) == []


def test_rows_export_does_not_make_a_database_that_is_not_there(tmp_path: Path) -> None:
    message = refused("rows", "export", "--database", tmp_path / "nope.db", "--out", tmp_path / "out.csv")
    assert "There is no database at" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database", ["nonsense://x", "://", "postgresql://nobody@127.0.0.1:1/x"])
def test_rows_export_refuses_a_database_it_can_not_open(database: str, tmp_path: Path) -> None:
    refused("rows", "export", "--database", database, "--out", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_rows_export_refuses_a_file_that_is_no_database(tmp_path: Path) -> None:
    other = tmp_path / "rows.csv"
    other.write_text("id,text\n" * 200, encoding="utf-8")
    before = snapshot(tmp_path)
    refused("rows", "export", "--database", other, "--out", tmp_path / "out.csv")
    assert snapshot(tmp_path) == before


# serve, as far as it refuses


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--bundle", "nope"), "There is no bundle at nope"),
        (("--region", "bogor"), "No region 'bogor'"),
        (("--host", "192.0.2.1"), "Can't listen on 192.0.2.1"),
    ],
)
def test_serve_refuses_what_it_can_not_serve(
    arguments: tuple[str, ...], expected: str, desk: Desk, tmp_path: Path
) -> None:
    bundle = () if "--bundle" in arguments else ("--bundle", desk.bundle)
    message = refused("serve", *bundle, *arguments, "--port", "0", "--database", tmp_path / "desk.db")
    assert expected in message
    assert list(tmp_path.iterdir()) == []
