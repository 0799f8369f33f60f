"""`disposisi models`: a bundle's way from the shelf to the champion, as who types it sees it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data.errors import DisposisiError
from data.sentences import plain_sentences
from disposisi import app
from model.bundle import SECTOR

REGION = "kab-tangerang"


def models(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes either of two equals look slow."""
    monkeypatch.setattr("training.comparison.SLOWER", 100.0)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Sixty-four written sentences as a row file."""
    path = tmp_path / "later.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "received_at", "sector", "text"])
        for i, (sector, text) in enumerate(plain_sentences(SECTOR)[::8][:64]):
            writer.writerow([i, f"2031-01-{1 + i % 28:02d}", sector, f"{text} Mohon perhatian."])
    return path


def test_a_bundle_goes_from_registered_to_champion_and_back(bundle_folder: Path, registry: Path, rows: Path) -> None:
    where, who = ("--registry", registry), ("--by", "siti", "--reason", "baris Januari")
    assert "is the challenger" in models("register", bundle_folder, *where, "--by", "siti").stdout
    assert "champion now" in models("promote", "1", *where, *who).stdout
    models("register", bundle_folder, *where, *who)
    refused = models("promote", "2", *where, *who)
    assert isinstance(refused.exception, DisposisiError)
    assert "not compared" in str(refused.exception)
    compared = models("compare", "champion", "challenger", rows, "--region", REGION, *where, "--json", "--by", "siti")
    assert json.loads(compared.stdout)["rows"] == 64
    costs = {each["name"]: each for each in json.loads(compared.stdout)["costs"]}
    assert costs["size"]["low"] == 1.0
    assert compared.exit_code == 0
    assert "champion now" in models("promote", "2", *where, *who).stdout
    assert "Version 1 is the champion again" in models("rollback", *where, *who).stdout
    assert "      1  champion" in models("list", *where).stdout
    shown = models("show", "2", *where).stdout
    assert "siti: compare 2 with champion 1 on 64 rows" in shown
    assert "baris Januari" in shown
    assert "All 2 versions" in models("verify", *where).stdout


def test_verify_ends_with_1_and_every_difference(bundle_folder: Path, registry: Path) -> None:
    models("register", bundle_folder, "--registry", registry, "--by", "siti")
    (registry / "versions" / "1" / "stems.json").unlink()
    (registry / "catatan.txt").touch()
    found = models("verify", "--registry", registry)
    assert found.exit_code == 1
    assert "stems.json is missing" in found.stdout
    assert "catatan.txt doesn't belong here" in found.stdout
    assert "2 differences" in found.stdout


def test_bundles_outside_the_registry_are_compared_without_one(
    bundle_folder: Path, rows: Path, tmp_path: Path, registry: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundle_folder, other)
    report = tmp_path / "report"
    since = ("--since", "02/01/2031")
    found = models("compare", bundle_folder, other, rows, "--region", REGION, "--report", report, *since)
    assert found.exit_code == 0
    assert "on 61 rows" in found.stdout
    like = tmp_path / "learned.csv"
    first = rows.read_text(encoding="utf-8").splitlines()[:5]
    like.write_text("\n".join(first).replace("perhatian", "perhatiannya"), encoding="utf-8")
    left = models("compare", bundle_folder, other, rows, "--region", REGION, "--learned", like)
    assert "on 60 rows" in left.stdout
    assert "4 rows were in the training of one of them, or are near-copies" in left.stdout
    assert (report / "index.html").is_file()
    assert not registry.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list",), "is no registry"),
        (("compare", "champion", "2", "rows.csv", "--region", REGION), "is no registry"),
        (("rollback", "--by", "a", "--reason", "b"), "is no registry"),
    ],
)
def test_a_missing_registry_is_told(registry: Path, arguments: tuple[str, ...], told: str) -> None:
    found = models(*arguments, "--registry", registry)
    assert isinstance(found.exception, DisposisiError)
    assert told in str(found.exception)
