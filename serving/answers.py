"""What goes out over the wire: the API's answers, and how each is made of what the service knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from data.complaint import Confidentiality, Jurisdiction, Urgency
from data.region import Agency, Region, load_region
from data.sectors import find_sector
from model.bundle import FORMAT, Bundle
from model.completeness import SlotState
from model.prediction import Explanation
from model.routing import REASON_TEXTS, Outcome, Reason, Routed
from serving.case import Case, Claim, Kind, LabelSource, Review, Status
from serving.events import Event, cloud_event
from serving.triage import explanation_detail, routed_detail


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AgencyAnswer(_Answer):
    code: str
    name: str
    level: Jurisdiction


class ChoiceAnswer(_Answer):
    """A sector and the agency that answers for it; `agency` is null where that depends on an area that isn't known."""

    sector: str
    sector_name: str
    agency: AgencyAnswer | None
    probability: float


class UrgencyAnswer(_Answer):
    """`reasons` name, in Indonesian, the dangers that the text tells of, whether or not they raised the level.

    `probability` is what the model itself gives this level: little where an emergency raised it.
    """

    level: int
    name: str
    probability: float | None
    reasons: list[str] = []


class JurisdictionAnswer(_Answer):
    """Which government may act. Where it isn't ours: who is responsible, if known, and a draft to tell the citizen."""

    level: Jurisdiction
    probability: float
    is_ours: bool
    responsible: str | None
    cues: list[str]
    referral: str


class SlotAnswer(_Answer):
    """`place`, `object` or `problem`; `found`: the words that say it."""

    name: str
    state: SlotState
    found: list[str]


class CompletenessAnswer(_Answer):
    """Whether an officer can act without asking back, and a draft of what to ask; empty if it can."""

    is_complete: bool
    probability_incomplete: float
    slots: list[SlotAnswer]
    question: str


class SplitAnswer(_Answer):
    """Two matters for two agencies, and the probability of both: a suggestion to split the complaint."""

    choices: list[ChoiceAnswer]
    probability: float


class SimilarAnswer(_Answer):
    """An earlier case that the complaint resembles; `is_duplicate` if it seems to be the same complaint again."""

    case_id: str
    similarity: float
    is_duplicate: bool
    days_apart: float
    same_place: bool | None


class ReasonAnswer(_Answer):
    code: Reason
    text: str


class WordAnswer(_Answer):
    word: str
    contribution: float


class WordsAnswer(_Answer):
    """The words with the largest contributions; `base`, they and `others`, the words left out, add up to `score`."""

    score: float
    base: float
    words: list[WordAnswer]
    others: float


class PredictionAnswer(ChoiceAnswer):
    """What the program says of a complaint."""

    area: str | None
    outcome: Outcome
    reasons: list[ReasonAnswer]
    alternatives: list[ChoiceAnswer]
    urgency: UrgencyAnswer | None
    jurisdiction: JurisdictionAnswer | None
    completeness: CompletenessAnswer | None
    split: SplitAnswer | None
    explanation: WordsAnswer | None = None


class Predictions(_Answer):
    model_version: str
    predictions: list[PredictionAnswer]


class PartAnswer(_Answer):
    """A further matter of a complaint that was split."""

    sector: str
    agency: str
    urgency: int


class ReviewAnswer(_Answer):
    """A moderator's verdict.

    `sector` and `agency` are empty where the kind names none. `reply` is what the citizen is to be told or asked;
    `merged_into` the case that this one is a copy of.
    """

    kind: Kind
    sector: str
    agency: str
    urgency: UrgencyAnswer
    parts: list[PartAnswer]
    reason: str
    reply: str
    merged_into: str | None
    label_source: LabelSource
    decided_at: datetime
    reviewer: str
    note: str


class ReturnAnswer(_Answer):
    """An agency sent the case back."""

    agency: str
    reason: str
    returned_at: datetime
    told_by: str


class CaseAnswer(_Answer):
    """A case: the complaint with personal data masked, what the program said, and what became of it.

    `agency` (a code) and `urgency` are the case's own now: the verdict's, or until there is one what the program said.
    `due_at` is when the three working days for a moderator's verdict end.
    """

    id: str
    status: Status
    agency: str | None
    urgency: int | None
    intake_id: str
    reporter: str
    region: str
    title: str
    text: str
    location: str
    channel: str
    confidentiality: Confidentiality
    received_at: datetime
    created_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    emptied_at: datetime | None
    model_version: str
    prediction: PredictionAnswer
    similar: list[SimilarAnswer]
    review: ReviewAnswer | None
    returned: ReturnAnswer | None


class CasesPage(_Answer):
    """Cases, and the cursor of what follows; null at the end."""

    cases: list[CaseAnswer]
    next: str | None


class ClaimAnswer(_Answer):
    """Who is at work on a case, until when."""

    holder: str
    until: datetime


class WaitingCase(_Answer):
    """A case that waits for a person, and who is at work on it, if anybody is."""

    case: CaseAnswer
    claim: ClaimAnswer | None


class ReviewsPage(_Answer):
    """Waiting cases, the most pressing first, and the cursor of what follows; null at the end."""

    reviews: list[WaitingCase]
    next: str | None


class EventAnswer(_Answer):
    """A CloudEvent (1.0); its subject is the case, which is left out where none is concerned."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime
    datacontenttype: str
    data: dict[str, Any]


class EventsPage(_Answer):
    """Events in the order they were committed; ask again with `after` set to `last`."""

    events: list[EventAnswer]
    last: int


class OfficeAnswer(_Answer):
    """An agency, and the sectors that it answers for."""

    code: str
    name: str
    level: Jurisdiction
    sectors: list[str]


class RegionAnswer(_Answer):
    code: str
    name: str
    agencies: list[OfficeAnswer] = Field(default_factory=list)


class RegionsAnswer(_Answer):
    regions: list[RegionAnswer]


class ModelAnswer(_Answer):
    """The bundle that answers now."""

    model_version: str
    folder: str
    format: int
    recipe: str
    created_at: str
    heads: list[str]


class Health(_Answer):
    status: str


class EncoderCost(_Answer):
    """A bundle's sentence encoder, and what it adds to an ordinary complaint's answer, measured when first asked."""

    name: str
    seconds_per_complaint: float


class Readiness(_Answer):
    status: str
    model_version: str
    region: str
    format: int
    encoder: EncoderCost | None


def prediction_answer(routed: Routed, region: Region, explanation: Explanation | None) -> PredictionAnswer:
    """The answer to a prediction that isn't kept."""
    choice, urgency, detail = routed.disposition.choice, routed.urgency, routed_detail(routed)
    level = urgency.level if urgency else None
    return PredictionAnswer(
        **_choice(choice.sector, choice.agency, choice.probability).model_dump(),
        area=choice.area.name if choice.area else None,
        outcome=routed.disposition.outcome,
        urgency=_urgency(level, urgency.probabilities[urgency.level] if urgency else None, detail),
        explanation=WordsAnswer(**explanation_detail(explanation)) if explanation else None,
        **_said_beside(detail, region),
    )


def case_answer(case: Case) -> CaseAnswer:
    """The answer to a question about a case."""
    answer, detail, region = case.answer, case.answer.detail, load_region(case.complaint.region)

    prediction = PredictionAnswer(
        **_of_detail(region, answer.sector, answer.agency, answer.probability).model_dump(),
        area=answer.area,
        outcome=Outcome(answer.outcome),
        urgency=_urgency(answer.urgency, answer.urgency_probability, detail),
        explanation=WordsAnswer(**detail["explanation"]),
        **_said_beside(detail, region),
    )
    return CaseAnswer(
        **{name: getattr(case, name) for name in _CASE_FIELDS},
        **vars(case.complaint),
        model_version=answer.model_version,
        prediction=prediction,
        similar=[SimilarAnswer(**found) for found in detail.get("similar", [])],
        review=_review(case.review) if case.review else None,
        returned=ReturnAnswer(**vars(case.returned)) if case.returned else None,
    )


def claim_answer(claim: Claim) -> ClaimAnswer:
    """The answer to a claim."""
    return ClaimAnswer(holder=claim.holder, until=claim.until)


def event_answer(event: Event) -> EventAnswer:
    """An event as a CloudEvent."""
    return EventAnswer(**cloud_event(event))


def waiting_answer(cases: Sequence[Case], claims: Mapping[str, Claim]) -> list[WaitingCase]:
    """Waiting cases with who is at work on them."""
    return [
        WaitingCase(case=case_answer(case), claim=claim_answer(claims[case.id]) if case.id in claims else None)
        for case in cases
    ]


def region_answer(region: Region) -> RegionAnswer:
    """A region with all its agencies."""
    offices = [
        OfficeAnswer(
            code=agency.code,
            name=agency.name,
            level=agency.level,
            sectors=list(agency.sectors or ((agency.label_sector,) if agency.label_sector else ())),
        )
        for agency in region.all_agencies.values()
    ]
    return RegionAnswer(code=region.code, name=region.name, agencies=offices)


def model_answer(bundle: Bundle, folder: str) -> ModelAnswer:
    """What a bundle says of itself."""
    return ModelAnswer(
        model_version=bundle.version,
        folder=folder,
        format=FORMAT,
        recipe=bundle.about.get("recipe", {}).get("name", ""),
        created_at=bundle.about.get("created_at", ""),
        heads=list(bundle.heads),
    )


_CASE_FIELDS = (
    *("id", "status", "agency", "urgency", "intake_id", "reporter", "channel", "confidentiality"),
    *("received_at", "created_at", "due_at", "closed_at", "emptied_at"),
)


def _urgency(level: int | None, probability: float | None, detail: Mapping[str, Any]) -> UrgencyAnswer | None:
    """An urgency with the name moderators know it by."""
    if level is None:
        return None
    reasons = detail.get("urgency_reasons", [])
    return UrgencyAnswer(level=level, name=Urgency(level).name.lower(), probability=probability, reasons=reasons)


def _said_beside(detail: Mapping[str, Any], region: Region) -> dict[str, Any]:
    """What `routed_detail` holds, as answers; a case taken in by an earlier version lacks some of it."""
    jurisdiction, completeness, split = (detail.get(name) for name in ("jurisdiction", "completeness", "split"))
    return {
        "reasons": [ReasonAnswer(code=Reason(code), text=REASON_TEXTS[Reason(code)]) for code in detail["reasons"]],
        "alternatives": [_of_detail(region, **choice) for choice in detail["alternatives"]],
        "jurisdiction": JurisdictionAnswer(**jurisdiction) if jurisdiction else None,
        "completeness": CompletenessAnswer(**completeness) if completeness else None,
        "split": split
        and SplitAnswer(
            choices=[_of_detail(region, **choice) for choice in split["choices"]], probability=split["probability"]
        ),
    }


def _review(review: Review) -> ReviewAnswer:
    return ReviewAnswer(
        kind=review.verdict.kind,
        sector=review.verdict.sector,
        agency=review.verdict.agency,
        parts=[PartAnswer(**vars(part)) for part in review.verdict.parts],
        reason=review.verdict.reason,
        reply=review.verdict.reply,
        merged_into=review.verdict.merged_into or None,
        urgency=UrgencyAnswer(
            level=review.verdict.urgency, name=Urgency(review.verdict.urgency).name.lower(), probability=None
        ),
        label_source=review.label_source,
        decided_at=review.decided_at,
        reviewer=review.reviewer,
        note=review.verdict.note,
    )


def _of_detail(region: Region, sector: str, agency: str | None, probability: float) -> ChoiceAnswer:
    return _choice(sector, region.all_agencies.get(agency) if agency else None, probability)


def _choice(sector: str, agency: Agency | None, probability: float) -> ChoiceAnswer:
    office: dict[str, Any] | None = (
        {"code": agency.code, "name": agency.name, "level": agency.level} if agency else None
    )
    return ChoiceAnswer(
        sector=sector,
        sector_name=find_sector(sector).name,
        agency=AgencyAnswer(**office) if office else None,
        probability=probability,
    )
