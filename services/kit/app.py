"""The application every service is built on: admission, deadline, request id, problem details, metrics, access log.

One wrapper around each handler does all of it instead of six middlewares, because every request on the hot paths pays
for it (90 µs of CPU in addition to aiohttp's 110, nearly half of it for the log line, on a busy shared core).
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler as AiohttpHandler

from core.failures import (
    DeadlineExceeded,
    ExpectationFailed,
    Failure,
    Internal,
    Invalid,
    MethodNotAllowed,
    NotFound,
    SlowRequest,
    TooLarge,
    UnsupportedMedia,
)
from core.names import (
    BODY_BYTES_MAX,
    DEGRADED_HEADER,
    HEAD_BYTES_MAX,
    LIMIT_HEADER,
    REQUEST_ID_HEADER,
    USER_HEADER,
    Outcome,
)
from core.operations import API
from core.settings import Member, ProcessSettings
from services.kit import answers, failures_page, openapi
from services.kit.admission import Admission, seconds_left, waited_seconds
from services.kit.config import MEMBER, SCENARIO, SETTINGS, scenario_at
from services.kit.delivery import deliver
from services.kit.logs import REQUEST_ID
from services.kit.metrics import METRICS, Metrics
from services.kit.routing import CALL, Call, Route
from services.kit.stores import translated

#: How aiohttp reads requests. It does not decompress bodies, because it would answer broken gzip with an error of its
#: own; `_Endpoint` refuses content codings. Header limits are those of the gateway.
HTTP: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "max_line_size": HEAD_BYTES_MAX,
    "max_field_size": HEAD_BYTES_MAX,
}
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("request")


ADMISSION: Final = web.AppKey("ADMISSION", Admission)


def application(settings: ProcessSettings, member: Member) -> web.Application:
    """An empty application of this component with `/healthz` and `/metrics`; add operations by `register`."""
    app = web.Application(middlewares=[_unrouted], client_max_size=BODY_BYTES_MAX)
    app[SETTINGS], app[MEMBER] = settings, member
    app[SCENARIO] = scenario_at(settings.scenario_path)
    app[METRICS] = Metrics(member.component)
    app[ADMISSION] = Admission(settings.inflight_max, adaptive=app[SCENARIO].system.admission)
    app[METRICS].limit.labels(member.component).set_function(lambda: app[ADMISSION].limit)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics)
    if member.component == openapi.SERVED_BY:
        openapi.use(app)
        failures_page.use(app)
    return app


def register(app: web.Application, routes: Iterable[Route]) -> None:
    """Add the operations of a `ROUTES` table."""
    for each in routes:
        endpoint, operation = _Endpoint(app, each), each.operation
        path = API + operation.path
        app.router.add_route(operation.method, path, endpoint.handle, name=operation.name, expect_handler=_expected)
        if operation.method == "GET":
            app.router.add_route("HEAD", path, endpoint.handle, expect_handler=_expected)


class _Endpoint:
    """One operation as aiohttp calls it."""

    def __init__(self, app: web.Application, route: Route):
        name = route.operation.name
        metrics = app[METRICS]
        self._operation, self._handler = route.operation, route.handler
        self._admission = app[ADMISSION]
        self._urgent = route.operation.writes
        self._patience_seconds = app[SCENARIO].traffic.timeout_seconds
        self._requests = {outcome: metrics.requests.series(metrics.component, name, outcome) for outcome in Outcome}
        self._stages = {
            stage: metrics.stages.series(metrics.component, name, stage) for stage in route.operation.stages
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        began = perf_counter()
        request_id = _request_id(request)
        REQUEST_ID.set(request_id)
        request[CALL] = Call(request_id, self._operation, self._stages)
        try:
            response = await self._admitted(request)
        except Failure as failure:
            response = answers.problem(failure, trace_id=request_id)
        except web.HTTPException as error:
            response = answers.problem(_failure_of(request, error), trace_id=request_id)
        except TimeoutError:
            response = answers.problem(DeadlineExceeded(), trace_id=request_id)
        except Exception as error:  # noqa: BLE001 - the outermost handler: a bug becomes a 500 and is logged in full
            known = translated(error)
            if known is None:
                _log.error("bug", operation=self._operation.name, exc_info=error)
            response = answers.problem(known or Internal(), trace_id=request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        if self._admission.adaptive:
            response.headers[LIMIT_HEADER] = str(self._admission.limit)
        deliver(request, response, self._operation)
        seconds = perf_counter() - began
        self._requests[_outcome(response)].observe(seconds)
        _log.info(
            "request",
            operation=self._operation.name,
            status=response.status,
            seconds=round(seconds, 6),
            user=request.headers.get(USER_HEADER, ""),
        )
        return response

    async def _admitted(self, request: web.Request) -> web.StreamResponse:
        waited = waited_seconds(request)
        left_seconds = seconds_left(waited, self._patience_seconds)
        self._admission.enter(waited_seconds=waited, urgent=self._urgent)
        try:
            return await self._handled(request, left_seconds)
        finally:
            self._admission.leave()

    async def _handled(self, request: web.Request, left_seconds: float) -> web.StreamResponse:
        coding = request.headers.get("Content-Encoding", "")
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedMedia.coding(coding)
        try:
            async with asyncio.timeout(left_seconds):
                return await self._handler(request)
        except TimeoutError:
            if request.content.is_eof():
                raise
            # the handler was waiting for the client
            raise SlowRequest(f"Expected the whole body within {self._patience_seconds:g} s") from None


async def _expected(request: web.Request) -> web.Response | None:
    """Answer `Expect`: continue for ``100-continue``, a problem for anything else."""
    if request.headers.get("Expect", "").strip().lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as in aiohttp's own handler: the interim response does not count
        return None
    response = answers.problem(ExpectationFailed(), trace_id=_request_id(request))
    deliver(request, response)
    return response


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _outcome(response: web.StreamResponse) -> Outcome:
    status = response.status
    if status < 400:
        return Outcome.DEGRADED if DEGRADED_HEADER in response.headers else Outcome.OK
    if status in (429, 503):
        return Outcome.REFUSED
    return Outcome.TIMEOUT if status == 504 else Outcome.FAILED


def _failure_of(request: web.Request, error: web.HTTPException) -> Failure:
    if error.status == 404:
        return NotFound(f"No such path: {request.path}")
    if error.status == 405:
        return MethodNotAllowed(f"{request.path} does not accept {request.method}")
    if error.status == 413:
        return TooLarge(f"Expected a body of at most {BODY_BYTES_MAX} bytes")
    return Invalid(error.reason or "The request is not valid") if error.status < 500 else Internal()


@web.middleware
async def _unrouted(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    """Problem details for unknown paths and methods; HTML pages are delivered like answers."""
    try:
        response = await handler(request)
        if CALL not in request:
            deliver(request, response)
        return response
    except web.HTTPException as error:
        request_id = _request_id(request)
        response = answers.problem(_failure_of(request, error), trace_id=request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        deliver(request, response)
        return response


async def _healthz(request: web.Request) -> web.Response:
    return answers.answer({"status": "ok", "component": request.app[MEMBER].component})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[METRICS].page(), headers={"Content-Type": "text/plain; version=0.0.4"})
