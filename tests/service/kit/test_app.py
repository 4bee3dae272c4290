"""What happens to every request before and after its handler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from core.failures import Conflict, Overloaded, Unavailable
from core.names import Component
from core.settings import Member, ProcessSettings
from services.kit import body
from services.kit.answers import answer
from services.kit.app import application, register
from services.kit.routing import route, stage, viewer
from tests.service.conftest import Running, System

USER = "499661006012683264"


class Echo(body.Body, frozen=True, kw_only=True):
    """The answer repeats the request."""

    text: str
    count: int = 1


async def echo(request: web.Request) -> web.Response:
    """Do what the request says, and repeat it."""
    with stage(request, "parse"):
        given = await body.read(request, Echo)
    match given.text:
        case "wait":
            request.app[ARRIVED].release()
            await asyncio.Event().wait()
        case "bug":
            raise KeyError("a bug")
        case "busy":
            raise Overloaded(retry_after_seconds=2.3)
        case "down":
            raise Unavailable
        case "conflict":
            raise Conflict("it is so")
        case "refused":
            raise ConnectionRefusedError
    return answer({"text": given.text * given.count, "viewer": str(viewer(request))})


ARRIVED = web.AppKey("ARRIVED", asyncio.Semaphore)


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """An application with one operation."""
    app = application(settings, member)
    app[ARRIVED] = asyncio.Semaphore(0)
    register(app, [route("comment.add", echo, body=Echo)])
    return app


PATH = "/api/v1/posts/1/comments"


@pytest.fixture(scope="module")
async def system(running: Running, impatient: Path) -> AsyncIterator[System]:
    """The one operation, running."""
    async with running(Component.ENGAGEMENT, build_by=build, inflight_max=4, scenario=impatient) as system:
        yield system


async def post(system: System, text: str, **headers: str) -> tuple[int, str, str]:
    answered = await system.session.post(
        system.urls["engagement"] + PATH, json={"text": text}, headers={"X-User-Id": USER, **headers}
    )
    said = await answered.json(content_type=None)
    return answered.status, said.get("code", "ok"), answered.headers.get("Retry-After", "")


async def all_admitted(system: System) -> list[asyncio.Future[tuple[int, str, str]]]:
    """As many requests as are admitted, all waiting."""
    arrived = system.apps["engagement"][ARRIVED]
    while not arrived.locked():
        await arrived.acquire()
    waiting = [asyncio.ensure_future(post(system, "wait")) for _ in range(4)]
    for _ in waiting:
        await arrived.acquire()
    return waiting


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("fine", (200, "ok", "")),
        ("wait", (504, "deadline_exceeded", "")),
        ("bug", (500, "internal", "")),
        ("busy", (503, "overloaded", "3")),
        ("down", (503, "unavailable", "1")),
        ("conflict", (409, "conflict", "")),
        ("refused", (503, "unavailable", "1")),
    ],
)
async def test_a_failure_has_status_code_and_retry_after(system: System, text: str, seen: tuple[int, str, str]) -> None:
    assert await post(system, text) == seen


async def test_nobody_is_let_in_beyond_the_limit_and_all_again_afterwards(system: System) -> None:
    waiting = await all_admitted(system)

    refused = await post(system, "fine")
    await asyncio.gather(*waiting)

    assert refused == (503, "overloaded", "1")
    assert await post(system, "fine") == (200, "ok", "")


async def test_health_and_metrics_answer_when_all_requests_are_admitted(system: System) -> None:
    waiting = await all_admitted(system)

    health = await system.send("engagement", "GET", "/healthz")
    measures = await system.send("engagement", "GET", "/metrics")
    await asyncio.gather(*waiting)

    assert health.json == {"status": "ok", "component": "engagement"}
    assert measures.status == 200


async def test_metrics_have_the_shared_names(system: System) -> None:
    await post(system, "fine")
    await post(system, "down")

    text = (await system.send("engagement", "GET", "/metrics")).body.decode()

    for line in (
        'windtunnel_request_seconds_count{component="engagement",operation="comment.add",outcome="ok"}',
        'windtunnel_request_seconds_count{component="engagement",operation="comment.add",outcome="refused"}',
        'windtunnel_stage_seconds_sum{component="engagement",operation="comment.add",stage="parse"}',
    ):
        assert line in text
    assert "process_cpu_seconds_total" in text


async def test_a_request_id_is_kept_when_it_is_one_and_made_when_not(system: System) -> None:
    for given, kept in (("abc-123", True), ("", False), ("white space", False), ("x" * 65, False)):
        answered = await system.send("engagement", "POST", PATH, user=USER, json={}, headers={"X-Request-Id": given})

        shown = answered.headers["X-Request-Id"]
        assert (shown == given) is kept
        assert answered.json["trace_id"] == shown


async def test_what_no_operation_answers_is_a_problem_too(system: System) -> None:
    missing = await system.send("engagement", "GET", "/api/v1/nowhere")
    wrong = await system.send("engagement", "DELETE", PATH)

    assert (missing.status, missing.json["code"]) == (404, "not_found")
    assert (wrong.status, wrong.json["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "POST")
    assert {answered.headers["Content-Type"] for answered in (missing, wrong)} == {"application/problem+json"}


async def test_a_body_beyond_the_limit_is_too_large(system: System) -> None:
    answered = await system.send("engagement", "POST", PATH, user=USER, data=b'{"text": "' + b"x" * (1 << 20) + b'"}')

    assert (answered.status, answered.json["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"text": 1}', "text"),
        (b'{"text": "a", "count": "b"}', "count"),
        (b'{"text": "a", "count": 1e400}', "count"),
        (b'{"text": "\\ud800"}', "body"),
        (b'{"text": "a", "other": 1}', "other"),
        (b"[" * 100_000, "body"),
        (b"null", "body"),
    ],
)
async def test_a_wrong_body_names_its_field(system: System, data: bytes, field: str) -> None:
    answered = await system.send("engagement", "POST", PATH, user=USER, data=data)

    assert answered.status == 400, answered.json
    assert [error["field"] for error in answered.json["errors"]] == [field]


async def test_a_body_of_another_type_is_refused(system: System) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answered = await system.send("engagement", "POST", PATH, user=USER, data=b"text=a", headers=form)

    assert (answered.status, answered.json["errors"][0]["field"]) == (415, "Content-Type")


@pytest.mark.parametrize("user", ["", "x", "-1", "9" * 19, "９"])
async def test_a_user_header_that_is_no_id_is_nobody(system: System, user: str) -> None:
    answered = await system.send("engagement", "POST", PATH, user=user, json={"text": "fine"})

    assert (answered.status, answered.headers["WWW-Authenticate"]) == (401, "Bearer")
