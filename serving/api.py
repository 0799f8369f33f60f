"""The API: complaints in, cases, reviews, predictions and events out, and whether the service is up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from data.complaint import Confidentiality
from data.errors import UnknownName
from data.region import known_regions, load_region
from model.bundle import FORMAT
from model.encoder import seconds_per_text
from model.routing import Outcome, Routers
from serving.access import Caller, Scope
from serving.answers import (
    CaseAnswer,
    CasesPage,
    ClaimAnswer,
    EncoderCost,
    EventsPage,
    Health,
    ModelAnswer,
    PredictionAnswer,
    Predictions,
    Readiness,
    RegionAnswer,
    RegionsAnswer,
    ReviewsPage,
    case_answer,
    claim_answer,
    event_answer,
    model_answer,
    prediction_answer,
    region_answer,
    waiting_answer,
)
from serving.case import Case, Status
from serving.examples import problems, success
from serving.guard import needs, region_for
from serving.metrics import Metrics
from serving.models import Models
from serving.outbox import Outbox
from serving.privacy import Action, record
from serving.problems import FieldProblem, problem
from serving.schemas import (
    LONGEST_NAME,
    MOST_LISTED,
    CitizensText,
    ComplaintText,
    NewComplaint,
    NewPredictions,
    NewReturn,
    NewVerdict,
    Reload,
    WrittenTime,
    read_cursor,
    write_cursor,
)
from serving.store import REGION_OWNER, Identity, Place, Wanted
from serving.triage import Triage
from serving.wire import StrictRoute

# Longer texts, and more than one, are read beside the event loop, so that short ones needn't wait for them.
_LONG = 4_000

Intake = Annotated[Caller, Depends(needs(Scope.INTAKE))]
Reviewer = Annotated[Caller, Depends(needs(Scope.REVIEW))]
_READS = Depends(needs(Scope.INTAKE, Scope.REVIEW, Scope.DATA))
Reader = Annotated[Caller, _READS]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="At most so many.")]
Cursor = Annotated[str, Query(max_length=500, description="The `next` of the answer before.")]
CaseId = Annotated[CitizensText, Path(max_length=LONGEST_NAME)]


@dataclass(frozen=True)
class Service:
    """What the operations work with; `delivers`: whether events go to a webhook."""

    triage: Triage
    models: Models
    outbox: Outbox
    metrics: Metrics
    delivers: bool = False


def api_routes(service: Service) -> APIRouter:
    """The API's operations."""
    routes = APIRouter(route_class=StrictRoute)
    # What is asked most stands first: routes are tried in turn.
    for add in (_predictions, _complaints, _cases, _reviews, _events, _facts, _health):
        add(routes, service)
    return routes


def _complaints(routes: APIRouter, service: Service) -> None:
    triage = service.triage

    @routes.post(
        "/v1/complaints",
        status_code=201,
        response_model=CaseAnswer,
        tags=["complaints"],
        summary="Take a complaint in",
        responses={**success(201, "case", "The case, on disk.", also={200: "The case that it made before."}),
                   **problems(400, 401, 403, 408, 409, 413, 422, 429, 503)},
    )  # fmt: skip
    async def create_complaint(
        new: NewComplaint,
        caller: Intake,
        idempotency_key: Annotated[
            str, Header(max_length=255, description="Any word of yours, new for each complaint.")
        ] = "",
    ) -> Response:
        """Routes the complaint or lets it wait for a moderator. A 201 means that the case is on disk.

        The same `Idempotency-Key` or `intake_id` with the same body gives the same case (200); with another body, 409.
        """
        intake = new.to_intake(region_for(caller, new.region) or triage.region)
        identities = _identities(caller, idempotency_key, intake.complaint.region, new.intake_id)
        if len(new.text) > _LONG:
            taken = await run_in_threadpool(triage.take_in, intake, identities)
        else:
            taken = triage.take_in(intake, identities)
        added = await asyncio.wrap_future(taken.added)
        if added.is_new:
            case = triage.kept(taken, added)
            service.metrics.answered(Outcome(case.answer.outcome), case.answer.sector, case.answer.probability)
        else:
            case = await run_in_threadpool(triage.kept, taken, added)
            await run_in_threadpool(_record_look, service, case, caller)
        return _written(case_answer(case), 201 if added.is_new else 200, {"Location": f"/v1/cases/{case.id}"})


def _identities(caller: Caller, key: str, region: str, intake_id: str) -> list[Identity]:
    found = [Identity(caller.name, key)] if key else []
    return [*found, Identity(f"{REGION_OWNER}{region}", intake_id)] if intake_id else found


def _cases(routes: APIRouter, service: Service) -> None:
    triage, store = service.triage, service.triage.store

    @routes.get(
        "/v1/cases",
        tags=["cases"],
        response_model=CasesPage,
        summary="List cases",
        responses={**success(200, "cases", "Cases, the oldest first."), **problems(401, 403, 422, 429, 503)},
    )
    def list_cases(
        caller: Reader,
        status: Annotated[list[Status] | None, Query(description="May be repeated.")] = None,
        region: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
        agency: Annotated[CitizensText, Query(max_length=LONGEST_NAME, description="An agency's code.")] = "",
        urgency: Annotated[int | None, Query(ge=0, le=3)] = None,
        received_from: Annotated[WrittenTime, Query(description="From this time on.")] = None,
        received_to: Annotated[WrittenTime, Query(description="Before this time.")] = None,
        cursor: Cursor = "",
        limit: Limit = 50,
    ) -> Response:
        """Cases by status, agency, urgency and time, the oldest first; secret ones are only read one by one."""
        own = region_for(caller, _known(region))
        wanted = Wanted(tuple(status or ()), own, agency, urgency, received_from, received_to, secret=False)
        found, place = store.listed(wanted, _place(cursor, _BY_TIME), limit)
        return _written(CasesPage(cases=[case_answer(case) for case in found], next=write_cursor(place)))

    @routes.get(
        "/v1/cases/{case_id}",
        tags=["cases"],
        response_model=CaseAnswer,
        summary="Read a case",
        responses={**success(200, "case", "The case."), **problems(401, 403, 404, 422, 429, 503)},
    )
    def read_case(case_id: CaseId, caller: Reader) -> Response:
        """The complaint, what the program said of it, and what became of it. A look at a secret case is recorded."""
        case = store.get(case_id, caller.region)
        _record_look(service, case, caller)
        return _written(case_answer(case))

    @routes.post(
        "/v1/cases/{case_id}/returns",
        status_code=201,
        tags=["cases"],
        response_model=CaseAnswer,
        summary="An agency sends a case back",
        responses={**success(201, "case", "The case, which waits again."),
                   **problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)},
    )  # fmt: skip
    def return_case(case_id: CaseId, new: NewReturn, caller: Intake) -> Response:
        """The case waits for a moderator again, with the agency's reason; that it was sent back counts in training."""
        case = store.get(case_id, caller.region)
        if new.agency:
            _require_agency(case, new.agency)
        _record_look(service, case, caller)
        returned = triage.give_back(case_id, new.agency, new.reason, by=caller.name, region=caller.region)
        return _written(case_answer(returned), 201)


def _record_look(service: Service, case: Case, caller: Caller) -> None:
    if case.confidentiality is Confidentiality.RAHASIA:
        record(service.triage.store, caller.name, Action.LOOK, case.id, clock=service.triage.now)


def _reviews(routes: APIRouter, service: Service) -> None:
    triage, store = service.triage, service.triage.store

    @routes.get(
        "/v1/reviews",
        tags=["reviews"],
        response_model=ReviewsPage,
        summary="List what waits for a moderator",
        responses={**success(200, "reviews", "Waiting cases."), **problems(401, 403, 422, 429, 503)},
    )
    def list_reviews(caller: Reviewer, cursor: Cursor = "", limit: Limit = 50) -> Response:
        """The one that waiting harms most first, with who is at work on which."""
        found, place = store.waiting_after(_place(cursor, _BY_TURN), limit, caller.region)
        for case in found:
            _record_look(service, case, caller)
        held = store.claims_of([case.id for case in found], triage.now())
        return _written(ReviewsPage(reviews=waiting_answer(found, held), next=write_cursor(place)))

    @routes.post(
        "/v1/reviews/{case_id}/claim",
        tags=["reviews"],
        response_model=ClaimAnswer,
        summary="Take a case",
        responses={**success(200, "claim", "The claim."), **problems(401, 403, 404, 409, 422, 429, 503)},
    )
    def claim_review(case_id: CaseId, caller: Reviewer) -> Response:
        """For a quarter of an hour nobody else can decide it; asked again, the time begins anew."""
        return _written(claim_answer(triage.claim(case_id, by=caller.name, region=caller.region)))

    @routes.post(
        "/v1/reviews/{case_id}/release",
        status_code=204,
        tags=["reviews"],
        summary="Let go of a case",
        responses=problems(401, 403, 404, 422, 429, 503),
    )
    def release_review(case_id: CaseId, caller: Reviewer) -> None:
        """Others can take it; harmless if it isn't held."""
        store.get(case_id, caller.region)
        store.release(case_id, caller.name)

    @routes.post(
        "/v1/reviews/{case_id}/decide",
        tags=["reviews"],
        response_model=CaseAnswer,
        summary="Decide a case",
        responses={**success(200, "case", "The case, decided."),
                   **problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)},
    )  # fmt: skip
    def decide_review(case_id: CaseId, new: NewVerdict, caller: Reviewer) -> Response:
        """Confirms or corrects what the program suggested; what was suggested stays in the case."""
        case = store.get(case_id, caller.region)
        _require_agency(case, new.agency, new.sector)
        _record_look(service, case, caller)
        triage.decide(case_id, new.to_verdict(), by=caller.name, region=caller.region)
        return _written(case_answer(store.get(case_id)))


def _require_agency(case: Case, code: str, sector: str | None = None) -> None:
    """Raises `FieldProblem` unless the case's region has the agency, and that answers for the sector."""
    region = load_region(case.complaint.region)
    agency = region.all_agencies.get(code)
    if agency is None:
        raise FieldProblem("agency", f"an agency of {region.code}, as GET /v1/regions/{region.code} lists them", code)
    answers_for = agency.sectors or ((agency.label_sector,) if agency.label_sector else ())
    if sector is not None and sector not in answers_for:
        raise FieldProblem("sector", f"one that {code} answers for: {', '.join(answers_for)}", sector)


def _predictions(routes: APIRouter, service: Service) -> None:
    triage = service.triage

    def predict(item: ComplaintText, explain: bool, routers: Routers) -> PredictionAnswer:
        complaint = replace(item.to_complaint(), region=item.region or triage.region)
        reading = routers.bundle.read(complaint)
        routed = routers.route(complaint, reading)
        choice = routed.disposition.choice
        service.metrics.answered(routed.disposition.outcome, choice.sector, choice.probability)
        explanation = routers.bundle.explain_reading(reading, choice.sector) if explain else None
        return prediction_answer(routed, load_region(complaint.region), explanation)

    def predict_all(new: NewPredictions) -> Response:
        routers = triage.at_work
        answers = [predict(item, new.explain, routers) for item in new.complaints]
        return _written(Predictions(model_version=routers.bundle.version, predictions=answers))

    @routes.post(
        "/v1/predictions",
        tags=["predictions"],
        response_model=Predictions,
        summary="Predict without keeping anything",
        responses={**success(200, "predictions", "What the program says of each."),
                   **problems(400, 401, 403, 408, 413, 422, 429, 503)},
    )  # fmt: skip
    async def create_predictions(new: NewPredictions, caller: Intake) -> Response:
        """Sector, agency, area, urgency, jurisdiction and completeness of 1 to 1,000 complaints, in their order."""
        for item in new.complaints:
            item.region = region_for(caller, item.region)
        if len(new.complaints) > 1 or len(new.complaints[0].text) > _LONG:
            return await run_in_threadpool(predict_all, new)
        return predict_all(new)


def _events(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/v1/events",
        tags=["events"],
        response_model=EventsPage,
        summary="Read what has happened",
        responses={**success(200, "events", "Events."), **problems(401, 403, 422, 429, 503)},
    )
    def list_events(
        caller: Intake,
        after: Annotated[int, Query(ge=0, le=2**62, description="The `last` of the answer before.")] = 0,
        limit: Limit = 50,
    ) -> Response:
        """The same events that go to the webhook, in the order they were committed, for whoever would rather ask."""
        found = service.outbox.after(after, limit, caller.region)
        last = found[-1].number if found else after
        return _written(EventsPage(events=[event_answer(event) for event in found], last=last))


def _facts(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/v1/regions",
        dependencies=[_READS],
        tags=["regions"],
        response_model=RegionsAnswer,
        summary="List the known regions",
        responses={**success(200, "regions", "Codes and names."), **problems(401, 403, 429)},
    )
    def list_regions() -> Response:
        """Codes and names; agencies are left out."""
        known = [load_region(code) for code in known_regions()]
        return _written(RegionsAnswer(regions=[RegionAnswer(code=each.code, name=each.name) for each in known]))

    @routes.get(
        "/v1/regions/{code}",
        dependencies=[_READS],
        tags=["regions"],
        response_model=RegionAnswer,
        summary="Read a region's agencies and sectors",
        responses={**success(200, "region", "The region."), **problems(401, 403, 404, 422, 429)},
    )
    def read_region(code: Annotated[CitizensText, Path(max_length=LONGEST_NAME)]) -> Response:
        """Every agency with the sectors that it answers for."""
        if code not in known_regions():
            return problem(404, f"No region has that code. Known: {', '.join(known_regions())}.")
        return _written(region_answer(load_region(code)))

    @routes.get(
        "/v1/models/current",
        dependencies=[_READS],
        tags=["models"],
        response_model=ModelAnswer,
        summary="Read which model answers",
        responses={**success(200, "model", "The bundle that answers now."), **problems(401, 403, 429)},
    )
    def read_model() -> Response:
        """The bundle's version is in every answer, too."""
        return _written(model_answer(service.models.bundle, service.models.folder.name))

    @routes.post(
        "/v1/models/reload",
        dependencies=[Depends(needs(Scope.ADMIN))],
        tags=["models"],
        response_model=ModelAnswer,
        summary="Answer with another model",
        responses={**success(200, "model", "The bundle that answers now."),
                   **problems(400, 401, 403, 408, 409, 413, 422, 429)},
    )  # fmt: skip
    def reload_model(new: Reload) -> Response:
        """Verifies and warms the bundle before it takes over; one that won't do changes nothing."""
        bundle = service.models.reload(new.bundle)
        return _written(model_answer(bundle, service.models.folder.name))


def _health(routes: APIRouter, service: Service) -> None:
    triage = service.triage

    @routes.get("/livez", tags=["health"], summary="Is the process up?", responses=success(200, "health", "It is."))
    async def livez() -> Health:
        """Answers as long as the process runs."""
        return Health(status="ok")

    @routes.get(
        "/readyz",
        tags=["health"],
        summary="Can it do its work?",
        response_model=Readiness,
        responses={**success(200, "readiness", "It can."), **problems(503)},
    )
    def readyz() -> Readiness | Response:
        """Answers 200 once the bundle is loaded and while the database answers."""
        if not triage.store.is_ready():
            return problem(503, "The database doesn't answer.", headers={"Retry-After": "5"})
        return Readiness(
            status="ok",
            model_version=triage.bundle.version,
            region=triage.region,
            format=FORMAT,
            encoder=_encoder_cost(triage.bundle.encoder),
        )


_BY_TIME: tuple[type, ...] = (datetime, str)
_BY_TURN: tuple[type, ...] = (float, str)


def _place(cursor: str, kinds: tuple[type, ...]) -> Place | None:
    try:
        return read_cursor(cursor, kinds)
    except ValueError as error:
        raise FieldProblem("cursor", str(error), cursor) from None


def _known(region: str) -> str:
    if region and region not in known_regions():
        raise UnknownName("region", region[:60], known_regions())
    return region


def _written(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The answer as it is; FastAPI would check a second time what was built by our own types."""
    return Response(answer.__pydantic_serializer__.to_json(answer), status, headers, "application/json")


@cache
def _encoder_cost(name: str) -> EncoderCost | None:
    return EncoderCost(name=name, seconds_per_complaint=round(seconds_per_text(name), 3)) if name else None
