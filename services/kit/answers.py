"""Responses: typed values as JSON, and every failure as RFC 9457 problem details."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from core.failures import Failure

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_ENCODE: Final = msgspec.json.Encoder().encode


class ProblemField(msgspec.Struct, frozen=True, kw_only=True):
    """One wrong field of a request."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457), the body of every error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str
    errors: tuple[ProblemField, ...] = ()


def answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON of ``value`` (msgspec Structs; `msgspec.Raw` is spliced in undecoded)."""
    return web.Response(body=_ENCODE(value), status=status, headers=headers, content_type=JSON)


def empty(status: int = 204) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status)


def problem(failure: Failure, *, trace_id: str) -> web.Response:
    """The answer for ``failure``."""
    body = Problem(
        type=failure.type_uri(),
        title=failure.title,
        status=failure.status,
        detail=failure.detail,
        code=failure.code,
        trace_id=trace_id,
        errors=tuple(ProblemField(field=error.field, detail=error.detail) for error in failure.errors),
    )
    response = web.Response(body=_ENCODE(body), status=failure.status, content_type=PROBLEM)
    wait_seconds = failure.retry_after_seconds
    if wait_seconds is None and failure.status in (429, 502, 503):
        wait_seconds = 1.0
    if wait_seconds is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(wait_seconds)))
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if failure.status == 415:
        response.headers["Accept-Encoding"] = "identity"
    return response
