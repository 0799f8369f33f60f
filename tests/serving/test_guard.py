"""The guard: no request to the API without a good key, none beyond a key's limit, none beyond its scopes and region."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from serving.access import Access, Caller, OtherRegion, Scope
from serving.guard import Guard, needs, region_for
from serving.problems import handle_problems
from tests.serving.problems import problem_in

PER_MINUTE = 60


class Timer:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def limited() -> list[int]:
    """One entry for each request that was over the limit."""
    return []


@pytest.fixture
def guarded(access: Access, timer: Timer, limited: list[int]) -> FastAPI:
    """An application of a few routes behind the guard."""
    app = FastAPI()

    @app.get("/v1/who")
    async def who(caller: Annotated[Caller, Depends(needs(Scope.INTAKE, Scope.REVIEW))]) -> dict[str, str]:
        return {"name": caller.name, "region": region_for(caller, "")}

    @app.get("/livez")
    @app.get("/antrean")
    @app.get("/v1")
    async def opened() -> str:
        return "ok"

    @app.get("/elsewhere")
    async def forgotten(caller: Annotated[Caller, Depends(needs(Scope.INTAKE))]) -> str:
        return caller.name

    handle_problems(app)
    app.add_middleware(
        Guard, access=access, requests_per_minute=PER_MINUTE, on_limited=lambda: limited.append(1), timer=timer
    )
    return app


@pytest.fixture
def caller(guarded: FastAPI) -> Iterator[TestClient]:
    with TestClient(guarded, "http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_request_with_a_key_is_let_through_with_its_caller(caller: TestClient, access: Access) -> None:
    record, token = access.create_key("uji", ["intake"], "kab-bandung")
    for _ in range(2):
        answer = caller.get("/v1/who", headers=bearer(token))
        assert answer.json() == {"name": f"key:{record.id}", "region": "kab-bandung"}
    assert caller.get("/v1/who", headers={"Authorization": f"bearer  {token}"}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer dsp_00000000_" + "A" * 43, "Bearer \xff", "Bearer " + "x" * 9_000],
)
def test_a_request_without_a_good_key_is_refused(caller: TestClient, authorization: str) -> None:
    headers = [(b"authorization", authorization.encode("latin-1"))] if authorization else []
    answer = caller.get("/v1/who", headers=headers)
    problem = problem_in(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "A" * 43 not in str(problem)


def test_two_authorizations_are_refused_as_which_was_meant_can_not_be_told(caller: TestClient, key: str) -> None:
    headers = [(b"authorization", f"Bearer {key}".encode())] * 2
    problem_in(caller.get("/v1/who", headers=headers), 401)


def test_a_path_that_does_not_exist_needs_a_key_too(caller: TestClient, key: str) -> None:
    problem_in(caller.get("/v1/nothing"), 401)
    problem_in(caller.get("/v1/nothing", headers=bearer(key)), 404)


@pytest.mark.parametrize("path", ["/livez", "/antrean", "/v1"])
def test_what_is_not_the_api_needs_no_key(caller: TestClient, path: str) -> None:
    assert caller.get(path).status_code == 200


def test_an_operation_outside_the_guard_refuses_rather_than_opens(caller: TestClient, key: str) -> None:
    problem_in(caller.get("/elsewhere", headers=bearer(key)), 401)


def test_a_revoked_key_is_refused_by_the_next_request(caller: TestClient, access: Access) -> None:
    record, token = access.create_key("uji", ["intake"])
    assert caller.get("/v1/who", headers=bearer(token)).status_code == 200
    access.revoke_key(record.id)
    problem_in(caller.get("/v1/who", headers=bearer(token)), 401)


def test_a_key_without_the_scope_is_forbidden_and_told_which_is_needed(caller: TestClient, access: Access) -> None:
    _, token = access.create_key("uji", ["data"])
    detail = problem_in(caller.get("/v1/who", headers=bearer(token)), 403)["detail"]
    assert "intake or review" in detail
    assert "data" in detail
    for scope in ("intake", "review", "admin"):
        _, token = access.create_key("uji", [scope])
        assert caller.get("/v1/who", headers=bearer(token)).status_code == 200


def test_a_key_over_its_limit_is_told_when_to_come_again_and_others_are_not_held_up(
    caller: TestClient, access: Access, timer: Timer, limited: list[int]
) -> None:
    busy, other = (bearer(access.create_key("uji", ["intake"])[1]) for _ in range(2))
    statuses = [caller.get("/v1/who", headers=busy).status_code for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    answer = caller.get("/v1/who", headers=busy)
    problem = problem_in(answer, 429)
    assert "60 requests a minute" in problem["detail"]
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit-policy"] == '"key";q=60;w=60'
    assert answer.headers["ratelimit"] == '"key";r=0;t=1'
    assert len(limited) == 3
    assert caller.get("/v1/who", headers=other).status_code == 200
    timer.seconds += int(answer.headers["retry-after"])
    assert [caller.get("/v1/who", headers=busy).status_code for _ in range(2)] == [200, 429]


def test_in_a_long_run_a_key_sends_no_more_than_its_limit(caller: TestClient, key: str, timer: Timer) -> None:
    taken = 0
    for _ in range(240):
        timer.seconds += 0.5
        taken += caller.get("/v1/who", headers=bearer(key)).status_code == 200
    assert taken in range(120, 132)


def test_while_the_database_is_away_unknown_keys_are_asked_to_come_again(
    caller: TestClient, access: Access, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert caller.get("/v1/who", headers=bearer(key)).status_code == 200

    def away() -> Any:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(access._store, "reading", away)
    assert caller.get("/v1/who", headers=bearer(key)).status_code == 200
    answer = caller.get("/v1/who", headers=bearer("dsp_00000000_" + "A" * 43))
    problem_in(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_a_flood_of_wrong_keys_uses_two_threads_at_most(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most = 0, 0
    check = access.check_key

    def counted(token: str) -> Caller:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return check(token)
        finally:
            under_way -= 1

    async def nothing(*_: Any) -> None:
        return None

    async def flood() -> None:
        guard = Guard(nothing, access, requests_per_minute=PER_MINUTE)
        headers = [(b"authorization", b"Bearer dsp_00000000_" + b"A" * 43)]
        scope = {"type": "http", "path": "/v1/who", "headers": headers}
        await asyncio.gather(*(guard(dict(scope), nothing, nothing) for _ in range(40)))

    monkeypatch.setattr(access, "check_key", counted)
    asyncio.run(flood())
    assert 1 <= most <= 2


def test_a_caller_of_a_region_means_it_and_may_name_no_other() -> None:
    own, all_regions = (Caller("key:ab12cd34", frozenset({Scope.INTAKE}), region) for region in ("kab-bandung", ""))
    assert region_for(own, "") == region_for(own, "kab-bandung") == "kab-bandung"
    assert region_for(all_regions, "") == ""
    assert region_for(all_regions, "kab-tangerang") == "kab-tangerang"
    with pytest.raises(OtherRegion, match="kab-bandung, not kab-tangerang"):
        region_for(own, "kab-tangerang")


def test_the_description_of_the_api_says_that_operations_need_a_key(guarded: FastAPI) -> None:
    described = guarded.openapi()
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert described["paths"]["/v1/who"]["get"]["security"] == [{"key": []}]
    assert "security" not in described["paths"]["/livez"]["get"]
