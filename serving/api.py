"""The API: complaints in, cases and predictions out, and whether the service is up."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Response

from data.region import load_region
from model.bundle import FORMAT
from model.encoder import seconds_per_text
from serving.problems import MEDIA_TYPE, problem
from serving.schemas import (
    CaseAnswer,
    EncoderCost,
    Health,
    NewComplaint,
    NewPredictions,
    Predictions,
    Readiness,
    case_answer,
    prediction_answer,
)
from serving.triage import Triage


def _problems(**descriptions: str) -> dict[int | str, dict[str, object]]:
    """The problem documents an operation can answer with, for the OpenAPI page."""
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    }
    return {
        int(status.lstrip("_")): {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, text in descriptions.items()
    }


_BODY_PROBLEMS = {
    "_400": "The body can't be read as JSON.",
    "_413": "The body is larger than the limit.",
    "_422": "Fields that are missing, unknown or not as expected; all of them at once.",
}


@cache
def _encoder_cost(name: str) -> EncoderCost | None:
    return EncoderCost(name=name, seconds_per_complaint=round(seconds_per_text(name), 3)) if name else None


def api_routes(triage: Triage) -> APIRouter:
    """The API's operations over one triage."""
    routes = APIRouter()

    @routes.post(
        "/v1/complaints",
        status_code=201,
        tags=["complaints"],
        summary="Take a complaint in",
        responses=_problems(**_BODY_PROBLEMS, _503="The database can't be reached; nothing was kept."),
    )
    def create_complaint(new: NewComplaint, response: Response) -> CaseAnswer:
        """Routes the complaint or lets it wait for a moderator. A 201 means that the case is on disk."""
        case = triage.receive(new.to_intake())
        response.headers["Location"] = f"/v1/cases/{case.id}"
        return case_answer(case)

    @routes.get(
        "/v1/cases/{case_id}",
        tags=["cases"],
        summary="Read a case",
        responses=_problems(_404="No case has this id.", _503="The database can't be reached."),
    )
    def read_case(case_id: str) -> CaseAnswer:
        """The complaint, what the program said of it, and the moderator's verdict once there is one."""
        return case_answer(triage.store.get(case_id))

    @routes.post(
        "/v1/predictions",
        tags=["predictions"],
        summary="Predict without keeping anything",
        responses=_problems(**_BODY_PROBLEMS),
    )
    def create_predictions(new: NewPredictions) -> Predictions:
        """Sector, agency, area, urgency, jurisdiction and completeness of 1 to 1,000 complaints, in their order."""
        answers = []
        for item in new.complaints:
            complaint = item.to_complaint()
            routed = triage.route(complaint)
            explanation = triage.explain(complaint, routed.disposition.choice.sector) if new.explain else None
            region = load_region(complaint.region or triage.region)
            answers.append(prediction_answer(routed, region, explanation))
        return Predictions(model_version=triage.bundle.version, predictions=answers)

    @routes.get("/livez", tags=["health"], summary="Is the process up?")
    async def livez() -> Health:
        """Answers as long as the process runs."""
        return Health(status="ok")

    @routes.get(
        "/readyz",
        tags=["health"],
        summary="Can it do its work?",
        response_model=Readiness,
        responses=_problems(_503="The database can't be reached."),
    )
    def readyz() -> Readiness | Response:
        """Answers 200 once the bundle is loaded and while the database answers."""
        if not triage.store.is_ready():
            return problem(503, "The database doesn't answer.")
        return Readiness(
            status="ok",
            model_version=triage.bundle.version,
            region=triage.region,
            format=FORMAT,
            encoder=_encoder_cost(triage.bundle.encoder),
        )

    return routes
