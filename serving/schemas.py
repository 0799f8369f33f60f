"""What goes over the wire: requests and answers of the API, checked as they come in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from data.complaint import Complaint, Confidentiality, Jurisdiction, Urgency
from data.region import Agency, Region, known_regions, load_region
from data.sectors import find_sector
from model.completeness import SlotState
from model.prediction import Explanation
from model.routing import REASON_TEXTS, Outcome, Reason, Routed
from serving.case import Case, LabelSource, Review, Status
from serving.triage import LONGEST_CHANNEL, Intake, explanation_detail, routed_detail

LONGEST_TEXT = 20_000
MOST_PREDICTIONS = 1_000

# White space is fine; other control characters, and halves of characters, are remains of something that isn't text.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


def _is_text(value: str) -> str:
    if found := _NOT_TEXT.search(value):
        raise ValueError(
            f"text without control characters; character {found.start() + 1} is U+{ord(found[0]):04X}: take it out"
        )
    return value


def _is_not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("a complaint's text, not only blanks")
    return value


def _is_region(value: str) -> str:
    value = value.casefold()
    if value and value not in known_regions():
        raise ValueError(f"a known region: {', '.join(known_regions())}")
    return value


def _is_written_time(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError("a time such as 2026-11-24T08:15:00+07:00")
    return value


def _is_of_our_time(value: datetime | None) -> datetime | None:
    if value is not None and not 2000 <= value.year < 2100:
        raise ValueError("a time between the years 2000 and 2099")
    return value


CitizensText = Annotated[str, AfterValidator(_is_text)]
_EXAMPLE: JsonDict = {
    "text": "lampu PJU di Jl Raya Serang KM 18 Cikupa mati sudah 2 minggu, gelap dan rawan begal",
    "title": "PJU mati",
    "region": "kab-tangerang",
    "location": "Kecamatan Cikupa",
    "channel": "WhatsApp",
}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ComplaintText(_Request):
    """A complaint to predict; nothing of it is kept."""

    text: Annotated[
        CitizensText,
        Field(min_length=1, max_length=LONGEST_TEXT, description="The complaint as typed."),
        AfterValidator(_is_not_blank),
    ]
    title: Annotated[CitizensText, Field(max_length=500)] = ""
    location: Annotated[CitizensText, Field(max_length=500, description="The intake form's location field.")] = ""
    region: Annotated[str, AfterValidator(_is_region), Field(description="A region code; by default the server's.")] = (
        ""
    )

    def to_complaint(self) -> Complaint:
        return Complaint(self.text, self.title, self.location, self.region)


class NewComplaint(ComplaintText):
    """A complaint to take in as a case."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    received_at: Annotated[
        AwareDatetime | None,
        Field(strict=False, description="When the citizen sent it, with its time zone."),
        BeforeValidator(_is_written_time),
        AfterValidator(_is_of_our_time),
    ] = None
    channel: Annotated[CitizensText, Field(max_length=LONGEST_CHANNEL)] = ""
    confidentiality: Annotated[Confidentiality, Field(strict=False)] = Confidentiality.TERBUKA

    def to_intake(self) -> Intake:
        return Intake(self.to_complaint(), self.received_at, self.channel, self.confidentiality)


class NewPredictions(_Request):
    """Complaints to predict, keeping nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"complaints": [{"text": _EXAMPLE["text"]}], "explain": True}]}
    )

    complaints: Annotated[list[ComplaintText], Field(min_length=1, max_length=MOST_PREDICTIONS)]
    explain: Annotated[bool, Field(description="Add the words that decided.")] = False


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


class ReviewAnswer(_Answer):
    sector: str
    agency: str
    urgency: UrgencyAnswer
    label_source: LabelSource
    decided_at: datetime
    note: str


class CaseAnswer(_Answer):
    """A case: the complaint with personal data masked, the program's answer, and the moderator's verdict once given."""

    id: str
    status: Status
    region: str
    title: str
    text: str
    location: str
    channel: str
    confidentiality: Confidentiality
    received_at: datetime
    created_at: datetime
    model_version: str
    prediction: PredictionAnswer
    similar: list[SimilarAnswer]
    review: ReviewAnswer | None


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
    )


_CASE_FIELDS = ("id", "status", "channel", "confidentiality", "received_at", "created_at")


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
        sector=review.verdict.sector,
        agency=review.verdict.agency,
        urgency=UrgencyAnswer(
            level=review.verdict.urgency, name=Urgency(review.verdict.urgency).name.lower(), probability=None
        ),
        label_source=review.label_source,
        decided_at=review.decided_at,
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
