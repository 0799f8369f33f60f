"""What the service does, without HTTP: take complaints in, answer questions about them, take verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from data.complaint import Complaint, Confidentiality, Urgency
from data.region import known_regions, load_region
from model.bundle import Bundle, Reading
from model.masking import mask_for_storage
from model.prediction import Explanation
from model.routing import Choice, Outcome, Routed, Routers
from model.similar import SimilarCases, Traits
from serving.case import Answer, Case, Claim, Clock, Kind, LabelSource, Return, Review, Status, Verdict, new_id, now
from serving.checks import Check, CheckShares
from serving.events import Event, review_requested_event, routed_event
from serving.policy import Policies
from serving.store import Added, Addition, Identity, Store
from serving.working_time import due_after

WORDS_KEPT = 12
SIMILAR_KEPT = 5
# Less alike than this, an earlier case tells a moderator nothing.
SIMILAR_FROM = 0.3
LONGEST_CHANNEL = 64
CLAIM_LASTS = timedelta(minutes=15)
_WARMING = "lampu jalan mati di depan kantor kecamatan, gelap dan rawan kecelakaan, mohon segera diperbaiki"


@dataclass(frozen=True)
class Intake:
    """A complaint on its way in, with what the intake system says about it."""

    complaint: Complaint
    received_at: datetime | None = None
    channel: str = ""
    confidentiality: Confidentiality = Confidentiality.TERBUKA
    intake_id: str = ""
    reporter: str = ""


@dataclass(frozen=True)
class TakenIn:
    """A complaint on its way to disk: the case it will be, when it is, and what then finds it as a similar one."""

    case: Case
    added: Future[Added]
    traits: list[tuple[SimilarCases, Traits]]


class Triage:
    """A bundle and a store at work. `region` is that of complaints that name none."""

    def __init__(
        self, bundle: Bundle, region: str, store: Store, clock: Clock = now, checks: CheckShares | None = None
    ) -> None:
        self._checks = checks or CheckShares()
        self.region = region
        self.store = store
        self.now = clock
        self._routers = Routers(bundle, load_region(region))
        self._policies = Policies(store)
        self._policies.apply(self._routers)
        # Each finds with the bundle it was made for; while a new one is being filled there are two.
        self._similar = [SimilarCases(bundle)]

    @property
    def bundle(self) -> Bundle:
        """The bundle that answers now."""
        return self._routers.bundle

    def renew(self, bundle: Bundle) -> None:
        """Answer with another bundle from now on. Similar cases are found with the old one until `recall` is done.

        The new one answers once for each region before it takes over, so that no citizen waits for it to warm up.
        """
        warmed = Routers(bundle, load_region(self.region))
        self._policies.apply(warmed)
        for region in known_regions():
            warmed.route(Complaint(_WARMING, region=region))
        self._similar = [self._similar[0], SimilarCases(bundle)]
        self._routers = warmed

    def recall(self) -> None:
        """Make the cases of before findable as similar ones, the newest first. 100,000 take a core some minutes."""
        index = self._similar[-1]
        for case in self.store.newest():
            if case.confidentiality is not Confidentiality.RAHASIA and case.complaint.text:
                index.add(case.id, case.complaint, case.received_at)
        if index is self._similar[-1]:
            self._similar = [index]

    def forget(self, case_id: str) -> None:
        """Let no complaint be found similar to a case whose words are gone."""
        for index in self._similar:
            index.forget(case_id)

    @property
    def at_work(self) -> Routers:
        """The bundle with its regions; who asks several things of it holds on to it, since another may take over."""
        self._policies.look(self._routers)
        return self._routers

    def follow_policies(self) -> None:
        """Route by what the store's policies say now; by itself that happens within seconds."""
        self._policies.refresh(self._routers)

    def take_in(self, intake: Intake, identities: Sequence[Identity] = ()) -> TakenIn:
        """Mask and route a complaint, and hand it to the store. Raises `TooBusy`."""
        case, traits = self._assess(intake)
        fingerprint = _fingerprint(case, intake.received_at) if identities else ""
        addition = Addition(case, _told_at_start(case), tuple(identities), fingerprint)
        return TakenIn(case, self.store.add(addition), traits)

    def kept(self, taken: TakenIn, added: Added) -> Case:
        """The case that a complaint became, once that is on disk; the earlier one where it had come before."""
        if not added.is_new:
            return self.store.get(added.case_id)
        for index, traits in taken.traits:
            index.add(taken.case.id, traits, taken.case.received_at)
        return taken.case

    def receive(self, intake: Intake, identities: Sequence[Identity] = ()) -> Case:
        """Take a complaint in: mask it, route it, keep it. What is returned is on disk."""
        taken = self.take_in(intake, identities)
        return self.kept(taken, taken.added.result())

    def decide(
        self,
        case_id: str,
        verdict: Verdict,
        *,
        by: str = "",
        region: str = "",
        claimed: bool = False,
        seen: int | None = None,
    ) -> Review:
        """Append a person's verdict to a case: one that waits, was routed and is now corrected, or was sent back.

        With `claimed`, only while the person holds the case; `seen` as `Store.decide` has it. Raises `BadMerge`.
        """
        case = self.store.get(case_id, region)
        note, reply = (mask_for_storage(words, case.confidentiality) for words in (verdict.note, verdict.reply))
        verdict = replace(verdict, note=note, reply=reply)
        # A blind verdict is one given at the desk, which hides the suggestion: `claimed` tells it from the API's.
        source = LabelSource.HUMAN_BLIND if claimed and case.is_blind else _label_source(case.answer, verdict)
        review = Review(verdict, source, self.now(), by)
        self.store.decide(case_id, review, region, claimed=claimed, seen=seen)
        return review

    def undo(self, case_id: str, *, by: str, region: str = "") -> None:
        """Take back one's own verdict of the last half minute."""
        self.store.undo(case_id, by, self.now(), region)

    def claim(self, case_id: str, *, by: str, region: str = "") -> Claim:
        """Take a case for `CLAIM_LASTS`, or for as long again."""
        claim = Claim(by, self.now() + CLAIM_LASTS, self.now())
        self.store.claim(case_id, claim, self.now(), region)
        return claim

    def give_back(self, case_id: str, agency: str, reason: str, *, by: str, region: str = "") -> Case:
        """An agency sends a case back; by default the one that it had been given to."""
        case = self.store.get(case_id, region)
        reason = mask_for_storage(reason, case.confidentiality)
        self.store.give_back(case_id, Return(agency or case.agency or "", reason, self.now(), by), region)
        return self.store.get(case_id)

    def _assess(self, intake: Intake) -> tuple[Case, list[tuple[SimilarCases, Traits]]]:
        """The case that a complaint makes, and what finds it again."""
        complaint = replace(intake.complaint, region=intake.complaint.region or self.region)
        complaint = _masked(complaint, intake.confidentiality)
        # Read once, for the prediction, the explanation and the similar cases.
        routers = self.at_work
        reading = routers.bundle.read(complaint)
        routed = routers.route(complaint, reading)
        created_at = self.now()
        received_at = (intake.received_at or created_at).astimezone(UTC)
        is_secret = intake.confidentiality is Confidentiality.RAHASIA
        traits = [] if is_secret else [(index, index.describe(complaint, reading)) for index in self._similar]
        similar = traits[0][0].find(traits[0][1], received_at, SIMILAR_KEPT, least=SIMILAR_FROM) if traits else []
        answer = self._answer(reading, routed, secret=is_secret)
        goes_alone = routed.disposition.outcome is Outcome.AUTO
        case = Case(
            id=new_id(),
            status=Status.ROUTED if goes_alone else Status.WAITING,
            complaint=complaint,
            channel=mask_for_storage(intake.channel, intake.confidentiality)[:LONGEST_CHANNEL],
            confidentiality=intake.confidentiality,
            received_at=received_at,
            created_at=created_at,
            answer=replace(answer, detail=answer.detail | {"similar": [vars(found) for found in similar]}),
            agency=answer.agency,
            urgency=answer.urgency,
            intake_id=intake.intake_id,
            reporter=intake.reporter,
            closed_at=created_at if goes_alone else None,
            due_at=due_after(created_at),
            # Whoever decides on an emergency should see everything at once.
            check=Check.NONE if answer.urgency == Urgency.DARURAT else self._checks.pick(routed=goes_alone),
        )
        return case, traits

    def _answer(self, reading: Reading, routed: Routed, *, secret: bool) -> Answer:
        choice, urgency = routed.disposition.choice, routed.urgency
        explanation = reading.bundle.explain_reading(reading, choice.sector)
        return Answer(
            model_version=reading.bundle.version,
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


def _fingerprint(case: Case, received_at: datetime | None) -> str:
    """The same for requests that say the same; 64 characters. Of the masked words: a hash of a number gives it away."""
    said = [*vars(case.complaint).values(), case.channel, case.confidentiality.value, case.intake_id, case.reporter]
    said.append(received_at.astimezone(UTC).isoformat() if received_at else "")
    return sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _label_source(answer: Answer, verdict: Verdict) -> LabelSource:
    suggested = (Kind.DISPOSE, answer.sector, answer.agency, answer.urgency, ())
    accepted = suggested == (verdict.kind, verdict.sector, verdict.agency, verdict.urgency, verdict.parts)
    return LabelSource.HUMAN_ACCEPTED if accepted else LabelSource.HUMAN_CORRECTED


def _told_at_start(case: Case) -> tuple[Event, ...]:
    """Whether the case goes on by itself or waits is told to the intake."""
    return (routed_event(case) if case.status is Status.ROUTED else review_requested_event(case),)


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
        "words": [vars(word) for word in explanation.words[:words_kept]],
        "others": sum(word.contribution for word in explanation.words[words_kept:]),
    }


def _choice_detail(choice: Choice) -> dict[str, Any]:
    return {
        "sector": choice.sector,
        "agency": choice.agency.code if choice.agency else None,
        "probability": choice.probability,
    }
