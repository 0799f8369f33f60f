"""The bundle: a folder of plain arrays, a vocabulary and a manifest. Loading one runs nothing that it holds.

manifest.json        format, checksums, heads, text steps, recipe, rows, metrics, versions
vocabulary.json      the features' names in the order of their numbers
stems.json           word -> stem, for the words that the training rows share
idf.npy              (features,) float64
<head>.weights.npy   (features, labels) float32
<head>.bias.npy      (labels,) float64
<head>.sets.npy      (labels + 1, labels) float64, of the sector head
evidence.npy         (rows,) `EVIDENCE`: what the sector head said of real rows kept aside, to choose thresholds anew
seen.npy             (rows,) uint64, fingerprints of the training texts, so that evaluation can leave them out
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.complaint import Complaint, Jurisdiction, Urgency
from data.errors import BundleError
from data.lexicon import lexicon_mark
from data.sectors import all_sectors
from data.writing import whole_folder
from model.areas import names_area
from model.confidence import Confidence
from model.encoder import load_encoder
from model.explanation import explain
from model.features import FACTS, FeatureExtractor, Features, Floats, Vocabulary
from model.heads import Head
from model.prediction import Explanation, Prediction, Ranked
from model.stemming import require_roots
from model.text import ALL_STEPS, REQUIRED_STEPS, PreparedText, TextChain

# Raise it when a file's meaning changes, and say in docs/architecture.md what to do with older bundles.
FORMAT = 4
# One real row kept aside: its region, its sector and the one answered (numbers of the head's labels), how sure the
# answer was, and the probability that was given to the right one.
EVIDENCE = np.dtype([("region", "S40"), ("label", "<u2"), ("found", "<u2"), ("confidence", "<f4"), ("given", "<f4")])
SECTOR, URGENCY, JURISDICTION, COMPLETENESS = "sector", "urgency", "jurisdiction", "completeness"
COMPLETE, INCOMPLETE = "complete", "incomplete"

MANIFEST = "manifest.json"
_VOCABULARY = "vocabulary.json"
_STEMS = "stems.json"
_HEAD_NAME = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Reading:
    """A complaint as a bundle reads it: its words, and them as numbers. Another bundle reads it otherwise."""

    text: PreparedText
    features: Features
    bundle: Bundle = field(repr=False, compare=False)


@dataclass(frozen=True)
class Bundle:
    """A trained model in memory. `about` is the manifest's free part: recipe, rows, metrics, versions."""

    vocabulary: Vocabulary
    idf: Floats
    heads: dict[str, Head]
    seen: NDArray[np.uint64]
    text_steps: tuple[str, ...]
    encoder: str = ""
    stems: Mapping[str, str] = field(default_factory=dict, repr=False)
    evidence: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, EVIDENCE), repr=False)
    about: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    chain: TextChain = field(init=False, repr=False)
    extractor: FeatureExtractor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        encoder = load_encoder(self.encoder) if self.encoder else None
        look_for_areas = names_area if self.vocabulary.slots else None
        object.__setattr__(self, "chain", TextChain(self.text_steps, self.stems, encoder, look_for_areas))
        object.__setattr__(self, "extractor", FeatureExtractor(self.vocabulary, self.idf))

    @property
    def words_have_changed(self) -> bool:
        """Whether the word tables are others than those it was trained with, so that it may read texts differently."""
        return bool(self.about.get("lexicons", lexicon_mark()) != lexicon_mark())

    def predict(self, complaints: Iterable[Complaint]) -> list[Prediction]:
        """The answers of all heads for each complaint."""
        return [self.predict_reading(self.read(complaint)) for complaint in complaints]

    def explain_sector(self, complaint: Complaint, sector: str) -> Explanation:
        """The words that spoke for and against a sector."""
        return self.explain_reading(self.read(complaint), sector)

    def explain_reading(self, reading: Reading, sector: str) -> Explanation:
        """The words that spoke for and against a sector in what was read already."""
        return explain(reading.text, self.extractor, self.heads[SECTOR], sector, reading.features)

    def read(self, complaint: Complaint) -> Reading:
        """Prepare a complaint and turn it into features."""
        text = self.chain.prepare(complaint)
        return Reading(text, self.extractor.extract(text), self)

    def find_surest(self, complaint: Complaint) -> Ranked:
        """The first of the sectors that `predict` would give, for a part of the cost."""
        head = self.heads[SECTOR]
        text = self.chain.prepare(complaint, look_for_areas="slots" in self._facts_of_sectors)
        probabilities = head.probabilities(self.extractor.extract(text, self._facts_of_sectors))
        return Ranked(head.labels[int(probabilities.argmax())], head.sureness(probabilities, text.region))

    @cached_property
    def _facts_of_sectors(self) -> frozenset[str]:
        """The facts that the sector head weighs."""
        weights = self.heads[SECTOR].weights
        return frozenset(view for view in FACTS if weights[self.extractor.fact_numbers(view)].any())

    def has_seen(self, complaint: Complaint) -> bool:
        """Whether the bundle was trained on this very text."""
        mark = np.uint64(fingerprint(self.chain.prepare(complaint)))
        place = int(np.searchsorted(self.seen, mark))
        return place < len(self.seen) and bool(self.seen[place] == mark)

    def predict_reading(self, reading: Reading) -> Prediction:
        """The answers of all heads for a complaint that `read` has read."""
        given = {name: head.probabilities(reading.features) for name, head in self.heads.items()}
        of_sectors, region = self.heads[SECTOR], reading.text.region
        answers = {name: _ranked(self.heads[name].labels, given[name]) for name in given if name != SECTOR}
        return Prediction(
            sectors=_ranked(of_sectors.labels, given[SECTOR], of_sectors.sureness(given[SECTOR], region)),
            urgency=answers.get(URGENCY, ()),
            jurisdiction=answers.get(JURISDICTION, ()),
            completeness=answers.get(COMPLETENESS, ()),
            known_words=sum(map(self.extractor.knows, reading.text.stems.split())),
            candidates=tuple(of_sectors.labels[i] for i in of_sectors.candidates(given[SECTOR], region)),
        )

    def save(self, folder: Path, *, replace_old: bool = False) -> Bundle:
        """Write the bundle, whole or not at all, and give it back with its version. Raises `OutputExists`."""
        with whole_folder(folder, replaceable=is_bundle if replace_old else None) as aside:
            names = {
                "words": self.vocabulary.words,
                "chars": self.vocabulary.chars,
                "regions": self.vocabulary.regions,
                "titles": self.vocabulary.titles,
                "slots": self.vocabulary.slots,
                "signs": self.vocabulary.signs,
                "local": self.vocabulary.local,
                "dimensions": self.vocabulary.dimensions,
            }
            for name, content in ((_VOCABULARY, names), (_STEMS, dict(self.stems))):
                (aside / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
            arrays: dict[str, NDArray[Any]] = {"idf": self.idf, "seen": self.seen, "evidence": self.evidence}
            for name, head in self.heads.items():
                arrays |= {f"{name}.weights": head.weights, f"{name}.bias": head.bias}
                if head.set_weights is not None:
                    arrays[f"{name}.sets"] = head.set_weights
            for name, array in arrays.items():
                np.save(aside / f"{name}.npy", array, allow_pickle=False)
            manifest = {
                "format": FORMAT,
                "text_steps": list(self.text_steps),
                "encoder": self.encoder,
                "heads": {
                    name: {
                        "labels": head.labels,
                        "inverse_temperature": head.inverse_temperature,
                        "thresholds": dict(head.thresholds),
                        "label_thresholds": {code: dict(own) for code, own in head.label_thresholds.items()},
                        "set_levels": dict(head.set_levels),
                        "has_sets": head.set_weights is not None,
                        "confidence": head.confidence.as_dict() if head.confidence else None,
                    }
                    for name, head in self.heads.items()
                },
                "files": {file.name: _sha256(file) for file in sorted(aside.iterdir())},
                **self.about,
            }
            manifest["checksum"] = _checksum(manifest)
            (aside / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        return replace(self, version=manifest["checksum"][:12])


def load_bundle(folder: Path) -> Bundle:
    """Read and check a bundle. Raises `BundleError` if it is missing, of another format, incomplete or changed.

    Raises `MissingRoots` too: no complaint can be read then, and a service should be told before the first one comes.
    """
    require_roots()
    manifest = _read_manifest(folder)
    _check_files(folder, manifest)
    try:
        vocabulary = _read_vocabulary(folder)
        idf = _read_array(folder, "idf", (len(vocabulary),), np.float64)
        heads = {name: _read_head(folder, name, entry, len(vocabulary)) for name, entry in manifest["heads"].items()}
        seen = _read_array(folder, "seen", (None,), np.uint64)
        stems = _read_stems(folder)
        evidence = _read_evidence(folder, len(heads[SECTOR].labels))
    except (KeyError, TypeError, AttributeError, ValueError, OSError, EOFError, RecursionError) as error:
        raise BundleError(f"The bundle {folder} contradicts itself: {error}. Train it again.") from error
    about = {
        key: value
        for key, value in manifest.items()
        if key not in ("format", "text_steps", "encoder", "heads", "files", "checksum")
    }
    return Bundle(
        vocabulary=vocabulary,
        idf=idf,
        heads=heads,
        seen=seen,
        text_steps=tuple(manifest["text_steps"]),
        encoder=manifest["encoder"],
        stems=stems,
        evidence=evidence,
        about=about,
        version=manifest["checksum"][:12],
    )


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle and nothing else, so that replacing it loses nothing else."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {path.name for path in folder.iterdir()} <= {*files, MANIFEST}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def fingerprint(text: PreparedText) -> int:
    """64 bits that tell whether two texts are the same but for case and punctuation."""
    return int.from_bytes(hashlib.blake2b(text.words.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    way_out = "Train one with: disposisi train ROWS --region CODE --into BUNDLE"
    if not path.is_file():
        raise BundleError(f"There is no bundle at {folder} ({MANIFEST} is missing). {way_out}")
    try:
        manifest = dict(json.loads(path.read_text(encoding="utf-8")))
        found, steps = manifest["format"], manifest["text_steps"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"The manifest of the bundle {folder} can't be read ({error}). {way_out}") from error
    if found != FORMAT:
        raise BundleError(f"The bundle {folder} has format {found!r}; this program reads format {FORMAT}. {way_out}")
    if not _are_steps(steps):
        raise BundleError(
            f"The bundle {folder} was trained with the text steps {steps}; this program has, in this order, "
            f"{', '.join(ALL_STEPS)}, and {', '.join(REQUIRED_STEPS)} must be among them. {way_out}"
        )
    if manifest.get("checksum") != _checksum(manifest):
        raise BundleError(
            f"The manifest of the bundle {folder} was changed (its checksum is wrong). Copy the bundle again whole, "
            "or train it again."
        )
    if problems := _manifest_problems(manifest):
        raise BundleError(f"The manifest of the bundle {folder} contradicts itself: {'; '.join(problems)}. {way_out}")
    return manifest


def _manifest_problems(manifest: dict[str, Any]) -> list[str]:
    """What heads and files say that can't be: what is read later can rely on the rest."""
    heads, files = manifest.get("heads"), manifest.get("files")
    if not isinstance(heads, dict) or not isinstance(files, dict):
        return ["heads and files must be tables"]
    needed = {_VOCABULARY, _STEMS, "idf.npy", "seen.npy", "evidence.npy"} | {
        f"{head}.{part}.npy" for head in heads for part in ("weights", "bias")
    }
    needed |= {f"{name}.sets.npy" for name, head in heads.items() if isinstance(head, dict) and head.get("has_sets")}
    problems = [f"no checksum for {name}" for name in sorted(needed - files.keys())]
    problems += [f"a head is named {name!r}" for name in heads if not _HEAD_NAME.fullmatch(name)]
    if SECTOR not in heads:
        problems.append("there is no sector head")
    for name, head in heads.items():
        problems += _head_problems(name, head) if isinstance(head, dict) else [f"head {name} must be a table"]
    if not isinstance(manifest.get("encoder"), str):
        problems.append("the encoder must be a name, or empty")
    if not isinstance(manifest.get("region"), str):
        problems.append("the region must be a code")
    return problems


def _are_steps(steps: object) -> bool:
    """Whether this program would run these text steps just so: all known, in its order, the required ones there."""
    if not isinstance(steps, list):
        return False
    return steps == [name for name in ALL_STEPS if name in steps or name in REQUIRED_STEPS]


def _head_problems(name: str, head: dict[str, Any]) -> list[str]:
    problems = []
    labels, temperature, thresholds = (head.get(key) for key in ("labels", "inverse_temperature", "thresholds"))
    words = [label for label in labels if isinstance(label, str)] if isinstance(labels, list) else []
    if not words or words != labels or len(set(words)) != len(words):
        problems.append(f"the labels of {name} must be different words")
    allowed = labels_of(name) or words
    if unknown := [word for word in words if word not in allowed]:
        problems.append(f"the labels of {name} hold {unknown}, which this program doesn't know")
    if not isinstance(temperature, float) or not 0 < temperature < float("inf"):
        problems.append(f"the inverse temperature of {name} must be a number above 0, not {temperature!r}")
    if not _are_probabilities(thresholds):
        problems.append(f"the thresholds of {name} must be probabilities by region, not {thresholds!r}")
    levels, of_labels = head.get("set_levels"), head.get("label_thresholds")
    if not _are_probabilities(levels, least=0.0):
        problems.append(f"the set levels of {name} must be probabilities by region, not {levels!r}")
    if not isinstance(of_labels, dict) or not all(map(_are_probabilities, of_labels.values())):
        problems.append(f"the label thresholds of {name} must be probabilities by region and label, not {of_labels!r}")
    if not isinstance(head.get("has_sets"), bool):
        problems.append(f"has_sets of {name} must be true or false, not {head.get('has_sets')!r}")
    if "confidence" not in head or not isinstance(head["confidence"], dict | None):
        problems.append(f"the confidence of {name} must be a table, or null")
    return problems


def _are_probabilities(found: object, least: float = 1e-300) -> bool:
    return isinstance(found, dict) and all(
        isinstance(key, str) and isinstance(value, float) and least <= value <= 1 for key, value in found.items()
    )


def labels_of(head: str) -> tuple[str, ...]:
    """Every label a head may have; none for a head this program doesn't know."""
    known: dict[str, tuple[str, ...]] = {
        SECTOR: tuple(all_sectors()),
        URGENCY: tuple(str(int(level)) for level in Urgency),
        JURISDICTION: tuple(level.value for level in Jurisdiction),
        COMPLETENESS: (COMPLETE, INCOMPLETE),
    }
    return known.get(head, ())


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    problems = []
    for name, expected in manifest["files"].items():
        path = folder / name
        if path.parent != folder or not path.is_file() or path.is_symlink():
            problems.append(f"{name} is missing")
        elif not os.access(path, os.R_OK):
            problems.append(f"{name} may not be read")
        elif _sha256(path) != expected:
            problems.append(f"{name} was changed or cut short (its checksum is wrong)")
    if problems:
        raise BundleError(
            f"The bundle {folder} can't be trusted: {'; '.join(problems)}. Copy it again whole, or train it again."
        )


def _read_vocabulary(folder: Path) -> Vocabulary:
    names = json.loads((folder / _VOCABULARY).read_text(encoding="utf-8"))
    return Vocabulary(
        words=tuple(names["words"]),
        chars=tuple(names["chars"]),
        regions=tuple(names["regions"]),
        titles=tuple(names["titles"]),
        slots=tuple(names["slots"]),
        signs=tuple(names["signs"]),
        local=tuple(names["local"]),
        dimensions=int(names["dimensions"]),
    )


def _read_stems(folder: Path) -> dict[str, str]:
    stems = json.loads((folder / _STEMS).read_text(encoding="utf-8"))
    if not isinstance(stems, dict) or not all(
        isinstance(stem, str) and stem.split() == [stem] for stem in stems.values()
    ):
        raise ValueError(f"{_STEMS} must give one stem for each word")
    return stems


def _read_head(folder: Path, name: str, entry: dict[str, Any], features: int) -> Head:
    labels = tuple(entry["labels"])
    return Head(
        name=name,
        labels=labels,
        weights=_read_array(folder, f"{name}.weights", (features, len(labels)), np.float32),
        bias=_read_array(folder, f"{name}.bias", (len(labels),), np.float64),
        inverse_temperature=float(entry["inverse_temperature"]),
        thresholds=entry["thresholds"],
        label_thresholds=entry["label_thresholds"],
        set_levels=entry["set_levels"],
        set_weights=_read_array(folder, f"{name}.sets", (len(labels) + 1, len(labels)), np.float64)
        if entry["has_sets"]
        else None,
        confidence=Confidence.from_dict(entry["confidence"], len(labels)) if entry["confidence"] else None,
    )


def _read_evidence(folder: Path, labels: int) -> NDArray[np.void]:
    evidence = _read_array(folder, "evidence", (None,), EVIDENCE)
    for name in ("confidence", "given"):
        if not ((evidence[name] >= 0) & (evidence[name] <= 1)).all():
            raise ValueError(f"evidence.npy holds a {name} that is no probability")
    if any(not region.isascii() for region in np.unique(evidence["region"]).tolist()):
        raise ValueError("evidence.npy holds a region that is no code")
    for name in ("label", "found"):
        if (evidence[name] >= labels).any():
            raise ValueError(f"evidence.npy holds a {name} that the sector head doesn't have")
    return evidence


def _read_array(folder: Path, name: str, shape: tuple[int | None, ...], dtype: Any) -> NDArray[Any]:
    """One array, mapped into memory so that processes share it; ValueError if it isn't what the manifest promises."""
    # Not `np.load`, which would open archives and pickles too.
    array = np.lib.format.open_memmap(folder / f"{name}.npy", mode="r")
    fits = len(array.shape) == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        raise ValueError(f"{name}.npy is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}.npy holds values that are not finite")
    plain: NDArray[Any] = np.asarray(array)
    return plain


def _ranked(labels: Sequence[str], probabilities: Floats, sure: float | None = None) -> tuple[Ranked, ...]:
    """Labels by their probabilities (labels,); with `sure`, the first is that probable to be right."""
    order = np.argsort(-probabilities, kind="stable")
    told = probabilities[order]
    if sure is not None:
        # The others share the rest, none above the first.
        rest = 1.0 - told[0]
        told = np.minimum(told * ((1.0 - sure) / rest if rest > 0 else 0.0), sure)
        told[0] = sure
    return tuple(map(Ranked, map(labels.__getitem__, order.tolist()), told.tolist()))


def _checksum(manifest: dict[str, Any]) -> str:
    """What the manifest holds but for its own checksum; its first twelve digits name the bundle's version."""
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
