"""What the service does, without HTTP: take complaints in, answer questions about them, take verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from data.complaint import Complaint, Confidentiality
from data.region import load_region
from model.bundle import Bundle
from model.masking import mask_for_storage
from model.prediction import Explanation
from model.routing import Choice, Disposition, Outcome, Routed, Routers
from serving.case import Answer, Case, LabelSource, Review, Status, Verdict
from serving.store import Store

WORDS_KEPT = 12
LONGEST_CHANNEL = 64

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Intake:
    """A complaint on its way in, with what the intake system says about it."""

    complaint: Complaint
    received_at: datetime | None = None
    channel: str = ""
    confidentiality: Confidentiality = Confidentiality.TERBUKA


class Triage:
    """One bundle and one store at work. `region` is that of complaints that name none."""

    def __init__(self, bundle: Bundle, region: str, store: Store, clock: Clock = now) -> None:
        self.bundle = bundle
        self.region = region
        self.store = store
        self._clock = clock
        self._routers = Routers(bundle, load_region(region))

    def route(self, complaint: Complaint) -> Routed:
        """Predict and decide, keeping nothing."""
        return self._routers.route(complaint)

    def explain(self, complaint: Complaint, sector: str) -> Explanation:
        """The words that spoke for and against a sector."""
        return self.bundle.explain_sector(replace(complaint, region=complaint.region or self.region), sector)

    def receive(self, intake: Intake) -> Case:
        """Take a complaint in: mask it, route it, keep it. What is returned is on disk."""
        complaint = replace(intake.complaint, region=intake.complaint.region or self.region)
        complaint = _masked(complaint, intake.confidentiality)
        routed = self.route(complaint)
        created_at = self._clock()
        case = Case(
            id=str(uuid4()),
            status=Status.ROUTED if routed.disposition.outcome is Outcome.AUTO else Status.WAITING,
            complaint=complaint,
            channel=mask_for_storage(intake.channel, intake.confidentiality)[:LONGEST_CHANNEL],
            confidentiality=intake.confidentiality,
            received_at=(intake.received_at or created_at).astimezone(UTC),
            created_at=created_at,
            answer=self._answer(complaint, routed, secret=intake.confidentiality is Confidentiality.RAHASIA),
        )
        self.store.add(case)
        return case

    def decide(self, case_id: str, verdict: Verdict) -> Review:
        """Append a moderator's verdict to a case that nobody has decided: waiting, or routed and now corrected."""
        case = self.store.get(case_id)
        verdict, answer = replace(verdict, note=mask_for_storage(verdict.note, case.confidentiality)), case.answer
        suggested = (answer.sector, answer.agency, answer.urgency)
        accepted = suggested == (verdict.sector, verdict.agency, verdict.urgency)
        source = LabelSource.HUMAN_ACCEPTED if accepted else LabelSource.HUMAN_CORRECTED
        review = Review(verdict, source, self._clock())
        self.store.decide(case_id, review)
        return review

    def _answer(self, complaint: Complaint, routed: Routed, *, secret: bool) -> Answer:
        choice, prediction = routed.disposition.choice, routed.prediction
        urgency = prediction.urgency[0] if prediction.urgency else None
        explanation = self.explain(complaint, choice.sector)
        return Answer(
            model_version=self.bundle.version,
            sector=choice.sector,
            probability=choice.probability,
            agency=choice.agency.code if choice.agency else None,
            area=choice.area.name if choice.area else None,
            outcome=routed.disposition.outcome.value,
            urgency=int(urgency.label) if urgency else None,
            urgency_probability=urgency.probability if urgency else None,
            # The words that decided are an excerpt of the text: of a secret one they aren't written down twice.
            detail=_detail(routed.disposition, explanation, words_kept=0 if secret else WORDS_KEPT),
        )


def _masked(complaint: Complaint, confidentiality: Confidentiality) -> Complaint:
    """Personal data never reaches the store: the intake system has the original."""
    return replace(
        complaint,
        text=mask_for_storage(complaint.text, confidentiality),
        title=mask_for_storage(complaint.title, confidentiality),
        location=mask_for_storage(complaint.location, confidentiality),
    )


def _detail(disposition: Disposition, explanation: Explanation, *, words_kept: int) -> dict[str, Any]:
    """What the desk shows beside the answer, as plain JSON."""
    return {
        "reasons": [reason.value for reason in disposition.reasons],
        "alternatives": [_choice_detail(choice) for choice in disposition.alternatives],
        "explanation": explanation_detail(explanation, words_kept),
    }


def explanation_detail(explanation: Explanation, words_kept: int = WORDS_KEPT) -> dict[str, Any]:
    """An explanation with its strongest words; the rest are summed up as `others`."""
    return {
        "score": explanation.score,
        "base": explanation.base,
        "words": [asdict(word) for word in explanation.words[:words_kept]],
        "others": sum(word.contribution for word in explanation.words[words_kept:]),
    }


def _choice_detail(choice: Choice) -> dict[str, Any]:
    return {
        "sector": choice.sector,
        "agency": choice.agency.code if choice.agency else None,
        "probability": choice.probability,
    }
