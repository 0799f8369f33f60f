"""What a bundle promises, told in words, and another promise chosen from the evidence that it carries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model.bundle import SECTOR, Bundle
from model.promise import PROMISE_CONFIDENCE, make_promise


def promise_in_words(bundle: Bundle, region: str) -> str:
    """What a bundle may do without a person in a region, and what more of that would take."""
    evidence = evidence_of(bundle, region)
    target = bundle.about["metrics"][SECTOR]["promised_precision"]
    what = f"its {evidence['rows']} real labelled rows"
    if region in bundle.heads[SECTOR].thresholds:
        share = f"at most {evidence['coverage']:.0%} of complaints like {what}"
        return f"Routed without a person in {region}: {share}, with a promise of {target:.0%} right."
    start = f"Nothing is routed without a person in {region}: {what} can't promise {target:.0%} right."
    if evidence["needed"]:
        start += f" About {evidence['needed']} more labelled rows are needed for that."
    elif evidence["rows"]:
        start += " How many more are needed can't be told from these."
    return f"{start} Written rows and other regions' rows are no evidence."


def evidence_of(bundle: Bundle, region: str) -> dict[str, Any]:
    """What a bundle's promise in a region rests on: as `Promise.evidence`; of no rows where it has none."""
    told: dict[str, Any] = bundle.about.get("metrics", {}).get(SECTOR, {}).get("evidence", {})
    found: dict[str, Any] = told.get(region, {"rows": 0, "coverage": 0.0, "needed": None})
    return found


def with_target(bundle: Bundle, target: float, certainty: float = PROMISE_CONFIDENCE) -> Bundle:
    """The bundle with thresholds chosen anew on the evidence it carries, for another target. Raises `BadTarget`."""
    promise = make_promise(bundle.evidence, bundle.heads[SECTOR].labels, target, certainty)
    metrics = bundle.about.get("metrics", {})
    about = bundle.about | {"metrics": metrics | {SECTOR: metrics.get(SECTOR, {}) | promise.as_metrics()}}
    return replace(bundle, heads=bundle.heads | {SECTOR: promise.on(bundle.heads[SECTOR])}, about=about)
