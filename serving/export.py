"""The desk's cases as labelled rows, with where each label comes from: what the desk hands to training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select

from data.complaint import Confidentiality, Provenance
from data.region import Region, load_region
from data.rows import SEPARATOR
from model.routing import Outcome
from serving.case import LABELLING, Case, Kind, Status
from serving.store import Place, Store, Wanted
from serving.tables import returns

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
    "not_agency",
    "not_sector",
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
_PAGE = 500


def reviewed_rows(store: Store, *, with_machine: bool = False) -> tuple[list[dict[str, object]], int]:
    """The rows under `COLUMNS`, and how many cases were left out: secret ones, and those whose text was emptied.

    A row for each case that a person judged, and `with_machine` for each that was routed alone and nobody looked at.
    A verdict that names no agency labels nothing (a question, an archived case, a copy merged into another, which
    counts once that way); nor does a complaint of several matters. What an agency sent back is evidence against that
    agency: with the label of the verdict that followed, or none.
    """
    rows: dict[str, dict[str, object]] = {}
    left_out: set[str] = set()
    sent_back = _agencies_that_sent_back(store)
    for case in _cases(store, with_machine):
        source = _source(case)
        # A case may move on between two readings.
        if source is None or case.id in rows or (source is Provenance.MACHINE and not with_machine):
            continue
        row = _row(case, source, sent_back.get(case.id, ()))
        if source is Provenance.RETURNED and not (row["not_agency"] or row["not_sector"]):
            continue
        if case.confidentiality is Confidentiality.RAHASIA or not _has_words(case):
            left_out.add(case.id)
        else:
            rows[case.id] = row
    return list(rows.values()), len(left_out)


def _cases(store: Store, with_machine: bool) -> Iterator[Case]:
    """Cases with a review in the order of reviews, then others that were sent back or, if asked for, routed alone."""
    yield from store.reviewed()
    for status in (Status.RETURNED, *((Status.ROUTED,) if with_machine else ())):
        place: Place | None = None
        while True:
            page, place = store.listed(Wanted((status,)), place, _PAGE)
            yield from page
            if place is None:
                break


def _source(case: Case) -> Provenance | None:
    """Where the case's row has its labels from; None: it is no row."""
    if case.review is None:
        if case.returned is not None:
            return Provenance.RETURNED
        return Provenance.MACHINE if case.answer.outcome == Outcome.AUTO.value else None
    verdict = case.review.verdict
    if verdict.kind is Kind.MERGE or verdict.parts:
        return None
    # Sent back after the verdict, or decided since without naming an agency: what remains is whose it isn't.
    if case.status is Status.RETURNED or (case.returned is not None and verdict.kind not in LABELLING):
        return Provenance.RETURNED
    return Provenance(case.review.label_source.value) if verdict.kind in LABELLING else None


def _agencies_that_sent_back(store: Store) -> Mapping[str, Sequence[str]]:
    """For each case that was ever sent back the agencies that did, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    with store.reading() as connection:
        for case_id, agency in connection.execute(select(returns.c.case_id, returns.c.agency).order_by(returns.c.id)):
            if agency:
                found[case_id][agency] = None
    return {case_id: list(agencies) for case_id, agencies in found.items()}


def _has_words(case: Case) -> bool:
    return bool(case.complaint.text.strip() or case.complaint.title.strip())


def _row(case: Case, source: Provenance, sent_back: Sequence[str]) -> dict[str, object]:
    region, answer, review = load_region(case.complaint.region), case.answer, case.review
    code, sector, urgency = answer.agency or "", answer.sector, answer.urgency
    if review is not None:
        code, sector, urgency = review.verdict.agency, review.verdict.sector, review.verdict.urgency
    if source is Provenance.RETURNED:
        code, sector, urgency = "", "", None
    # An agency that the region file has dropped since leaves its sector, which is what training needs.
    agencies = region.all_agencies
    agency, area = agencies.get(code), region.area_of_agency(code)
    # Who decides again for the same agency or sector overrules the return.
    against = [other for other in sent_back if other != code]
    ruled_out = dict.fromkeys(out for other in against for out in _ruled_out(region, other, case) if out != sector)
    return {
        "id": case.id,
        "received_at": case.received_at.isoformat(),
        "title": case.complaint.title,
        "text": case.complaint.text,
        "location": case.complaint.location,
        "channel": case.channel,
        "region": case.complaint.region,
        "agency": agency.name if agency else "",
        "sector": sector,
        "not_agency": SEPARATOR.join(
            region.all_agencies[other].name for other in against if other in region.all_agencies
        ),
        "not_sector": SEPARATOR.join(ruled_out),
        "area": area.name if area else "" if source is Provenance.RETURNED else answer.area,
        "urgency": urgency,
        "label_source": source.value,
        "confidentiality": case.confidentiality.value,
        "decided_at": review.decided_at.isoformat() if review else "",
        "model_version": answer.model_version,
        "suggested_sector": answer.sector,
        "suggested_agency": answer.agency,
        "suggested_urgency": answer.urgency,
    }


def _ruled_out(region: Region, agency: str, case: Case) -> Sequence[str]:
    """The sectors that a complaint isn't of when an agency sends it back: all that the agency answers for.

    The office of one kecamatan or village may mean that the place is another's, which says nothing of the sector.
    """
    if region.area_of_agency(agency) is not None:
        return ()
    known = region.all_agencies.get(agency)
    if known is not None:
        return known.sectors
    # It has left the region file since.
    return (case.answer.sector,) if agency == case.answer.agency else ()
