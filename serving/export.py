"""Reviewed cases as labelled rows, with where each label comes from: what the desk hands to training."""

from __future__ import annotations

from data.complaint import Confidentiality
from data.region import load_region
from serving.case import LABELLING, Case
from serving.store import Store

COLUMNS = (
    "id",
    "received_at",
    "title",
    "text",
    "location",
    "channel",
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
    """The rows under `COLUMNS`, and how many cases were left out: secret ones, and those whose text was emptied.

    A verdict that names no agency labels nothing; nor does a complaint of several matters.
    """
    cases = [case for case in store.reviewed() if _is_labelled(case)]
    kept = [case for case in cases if case.confidentiality is not Confidentiality.RAHASIA and _has_words(case)]
    return [_row(case) for case in kept], len(cases) - len(kept)


def _is_labelled(case: Case) -> bool:
    return case.review is not None and case.review.verdict.kind in LABELLING and not case.review.verdict.parts


def _has_words(case: Case) -> bool:
    return bool(case.complaint.text.strip() or case.complaint.title.strip())


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
        "channel": case.channel,
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
