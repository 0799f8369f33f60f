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
from model.routing import Choice, Outcome, Routed, Routers
from model.similar import SimilarCases
from serving.case import Answer, Case, LabelSource, Review, Status, Verdict
from serving.store import Store

WORDS_KEPT = 12
SIMILAR_KEPT = 5
# Less alike than this, an earlier case tells a moderator nothing.
SIMILAR_FROM = 0.3
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
        self._similar = SimilarCases(bundle)

    def recall(self) -> None:
        """Make the cases of before findable as similar ones, the newest first. 100,000 take a core some minutes."""
        for case in self.store.newest():
            if case.confidentiality is not Confidentiality.RAHASIA and case.complaint.text:
                self._similar.add(case.id, case.complaint, case.received_at)

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
        received_at = (intake.received_at or created_at).astimezone(UTC)
        is_secret = intake.confidentiality is Confidentiality.RAHASIA
        traits = None if is_secret else self._similar.describe(complaint)
        similar = self._similar.find(traits, received_at, SIMILAR_KEPT) if traits else []
        similar = [found for found in similar if found.is_duplicate or found.similarity >= SIMILAR_FROM]
        answer = self._answer(complaint, routed, secret=is_secret)
        case = Case(
            id=str(uuid4()),
            status=Status.ROUTED if routed.disposition.outcome is Outcome.AUTO else Status.WAITING,
            complaint=complaint,
            channel=mask_for_storage(intake.channel, intake.confidentiality)[:LONGEST_CHANNEL],
            confidentiality=intake.confidentiality,
            received_at=received_at,
            created_at=created_at,
            answer=replace(answer, detail=answer.detail | {"similar": [asdict(found) for found in similar]}),
        )
        self.store.add(case)
        if traits:
            self._similar.add(case.id, traits, received_at)
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
        choice, urgency = routed.disposition.choice, routed.urgency
        explanation = self.explain(complaint, choice.sector)
        return Answer(
            model_version=self.bundle.version,
            sector=choice.sector,
            probability=choice.probability,
            agency=choice.agency.code if choice.agency else None,
            area=choice.area.name if choice.area else None,
            outcome=routed.disposition.outcome.value,
            urgency=int(urgency.level) if urgency else None,
            urgency_probability=urgency.probabilities[urgency.level] if urgency else None,
            # Words that decided or were found are an excerpt of the text: of a secret one they aren't kept twice.
            detail=routed_detail(routed, words_kept=not secret)
            | {"explanation": explanation_detail(explanation, 0 if secret else WORDS_KEPT)},
        )


def _masked(complaint: Complaint, confidentiality: Confidentiality) -> Complaint:
    """Personal data never reaches the store: the intake system has the original."""
    return replace(
        complaint,
        text=mask_for_storage(complaint.text, confidentiality),
        title=mask_for_storage(complaint.title, confidentiality),
        location=mask_for_storage(complaint.location, confidentiality),
    )


def routed_detail(routed: Routed, *, words_kept: bool = True) -> dict[str, Any]:
    """What is said of a complaint beside sector, agency and urgency, as plain JSON."""
    disposition, jurisdiction, completeness = routed.disposition, routed.jurisdiction, routed.completeness
    return {
        "reasons": [reason.value for reason in disposition.reasons],
        "alternatives": [_choice_detail(choice) for choice in disposition.alternatives],
        "urgency_reasons": list(routed.urgency.reasons) if routed.urgency else [],
        "jurisdiction": {
            "level": jurisdiction.level.value,
            "probability": jurisdiction.probability,
            "is_ours": jurisdiction.is_ours,
            "responsible": jurisdiction.responsible,
            "cues": list(jurisdiction.cues) if words_kept else [],
            "referral": jurisdiction.referral,
        },
        "completeness": {
            "is_complete": completeness.complete,
            "probability_incomplete": completeness.probability_incomplete,
            "slots": [
                {"name": slot.name, "state": slot.state.value, "found": list(slot.found) if words_kept else []}
                for slot in completeness.slots
            ],
            "question": completeness.question,
        },
        "split": routed.split
        and {
            "choices": [_choice_detail(choice) for choice in routed.split.choices],
            "probability": routed.split.probability,
        },
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
