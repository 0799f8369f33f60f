"""Reviewed cases as labelled rows, with where each label comes from: what the desk hands to training."""

from __future__ import annotations

from data.complaint import Confidentiality
from data.region import load_region
from serving.case import Case
from serving.store import Store

COLUMNS = (
    "id",
    "received_at",
    "title",
    "text",
    "location",
    "region",
    "agency",
    "sector",
    "area",
    "urgency",
    "label_source",
    "confidentiality",
    "decided_at",
    "model_version",
    "suggested_sector",
    "suggested_agency",
    "suggested_urgency",
)


def reviewed_rows(store: Store) -> tuple[list[dict[str, object]], int]:
    """The rows under `COLUMNS`, and how many secret cases were left out: their text is never trained on."""
    rows, secret = [], 0
    for case in store.reviewed():
        if case.confidentiality is Confidentiality.RAHASIA:
            secret += 1
        else:
            rows.append(_row(case))
    return rows, secret


def _row(case: Case) -> dict[str, object]:
    review, answer = case.review, case.answer
    if review is None:
        raise ValueError(f"case {case.id} has no review")
    region = load_region(case.complaint.region)
    # An agency that the region file has dropped since leaves its sector, which is what training needs.
    agency = region.all_agencies.get(review.verdict.agency)
    area = region.area_of_agency(review.verdict.agency)
    return {
        "id": case.id,
        "received_at": case.received_at.isoformat(),
        "title": case.complaint.title,
        "text": case.complaint.text,
        "location": case.complaint.location,
        "region": case.complaint.region,
        "agency": agency.name if agency else "",
        "sector": review.verdict.sector,
        "area": area.name if area else answer.area,
        "urgency": review.verdict.urgency,
        "label_source": review.label_source.value,
        "confidentiality": case.confidentiality.value,
        "decided_at": review.decided_at.isoformat(),
        "model_version": answer.model_version,
        "suggested_sector": answer.sector,
        "suggested_agency": answer.agency,
        "suggested_urgency": answer.urgency,
    }
