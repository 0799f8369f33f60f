"""What goes over the wire: requests and answers of the API, checked as they come in."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from data.complaint import Complaint, Confidentiality, Jurisdiction, Urgency
from data.region import Agency, known_regions, load_region
from data.sectors import find_sector
from model.prediction import Explanation
from model.routing import REASON_TEXTS, Choice, Outcome, Reason, Routed
from serving.case import Case, LabelSource, Review, Status
from serving.triage import LONGEST_CHANNEL, Intake, explanation_detail

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
    level: int
    name: str
    probability: float | None


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
    review: ReviewAnswer | None


class Health(_Answer):
    status: str


class Readiness(_Answer):
    status: str
    model_version: str
    region: str
    format: int


def prediction_answer(routed: Routed, explanation: Explanation | None) -> PredictionAnswer:
    """The answer to a prediction that isn't kept."""
    disposition = routed.disposition
    choice, urgency = disposition.choice, routed.prediction.urgency
    return PredictionAnswer(
        **_choice(choice.sector, choice.agency, choice.probability).model_dump(),
        area=choice.area.name if choice.area else None,
        outcome=disposition.outcome,
        reasons=[ReasonAnswer(code=reason, text=REASON_TEXTS[reason]) for reason in disposition.reasons],
        alternatives=[_of_choice(alternative) for alternative in disposition.alternatives],
        urgency=urgency_answer(int(urgency[0].label), urgency[0].probability) if urgency else None,
        explanation=WordsAnswer(**explanation_detail(explanation)) if explanation else None,
    )


def case_answer(case: Case) -> CaseAnswer:
    """The answer to a question about a case."""
    answer, detail, region = case.answer, case.answer.detail, load_region(case.complaint.region)

    def choice(sector: str, agency: str | None, probability: float) -> ChoiceAnswer:
        return _choice(sector, region.all_agencies.get(agency) if agency else None, probability)

    prediction = PredictionAnswer(
        **choice(answer.sector, answer.agency, answer.probability).model_dump(),
        area=answer.area,
        outcome=Outcome(answer.outcome),
        reasons=[ReasonAnswer(code=Reason(code), text=REASON_TEXTS[Reason(code)]) for code in detail["reasons"]],
        alternatives=[choice(**alternative) for alternative in detail["alternatives"]],
        urgency=None if answer.urgency is None else urgency_answer(answer.urgency, answer.urgency_probability),
        explanation=WordsAnswer(**detail["explanation"]),
    )
    return CaseAnswer(
        **{name: getattr(case, name) for name in _CASE_FIELDS},
        **vars(case.complaint),
        model_version=answer.model_version,
        prediction=prediction,
        review=_review(case.review) if case.review else None,
    )


_CASE_FIELDS = ("id", "status", "channel", "confidentiality", "received_at", "created_at")


def urgency_answer(level: int, probability: float | None) -> UrgencyAnswer:
    """An urgency with the name moderators know it by."""
    return UrgencyAnswer(level=level, name=Urgency(level).name.lower(), probability=probability)


def _review(review: Review) -> ReviewAnswer:
    return ReviewAnswer(
        sector=review.verdict.sector,
        agency=review.verdict.agency,
        urgency=urgency_answer(review.verdict.urgency, None),
        label_source=review.label_source,
        decided_at=review.decided_at,
        note=review.verdict.note,
    )


def _of_choice(choice: Choice) -> ChoiceAnswer:
    return _choice(choice.sector, choice.agency, choice.probability)


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
