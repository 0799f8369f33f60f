"""Batch scoring: rows in, one line of answers for each out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from data.complaint import LabelledRow
from model.routing import Routers

COLUMNS = (
    "id",
    "sector",
    "sector_probability",
    "top3",
    "agency",
    "agency_name",
    "area",
    "outcome",
    "urgency",
    "urgency_probability",
    "jurisdiction",
    "complete",
)


def score_rows(rows: Iterable[LabelledRow], routers: Routers) -> Iterator[dict[str, object]]:
    """The answers for each row under `COLUMNS`; cells that can't be told are empty."""
    for row in rows:
        routed = routers.route(row.complaint)
        prediction, choice = routed.prediction, routed.disposition.choice
        urgency = routed.urgency
        yield {
            "id": row.id,
            "sector": choice.sector,
            "sector_probability": f"{choice.probability:.6f}",
            "top3": "|".join(ranked.label for ranked in prediction.sectors[:3]),
            "agency": choice.agency.code if choice.agency else "",
            "agency_name": choice.agency.name if choice.agency else "",
            "area": choice.area.name if choice.area else "",
            "outcome": routed.disposition.outcome.value,
            "urgency": int(urgency.level) if urgency else "",
            "urgency_probability": f"{urgency.probabilities[urgency.level]:.6f}" if urgency else "",
            "jurisdiction": routed.jurisdiction.level.value,
            "complete": int(routed.completeness.complete),
        }
