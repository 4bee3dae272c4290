"""Operations as routes: a service declares each once, with its types; the API's document is generated from that.

`ROUTES` tables are values, importable without starting anything. A handler is ``async (request) -> web.Response`` and
uses `viewer`, `path_id` and `stage` on its request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Final

from aiohttp import web

from core import ids
from core.failures import Failure, Invalid, NotFound, Unauthenticated
from core.names import USER_HEADER
from core.operations import OPERATIONS, Operation
from services.kit.config import logical_shards
from services.kit.metrics import MetricSeries

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation and its handler; ``body``, ``query`` and ``answer`` are msgspec Structs."""

    operation: Operation
    handler: Handler
    body: type[Any] | None = None
    query: type[Any] | None = None
    answer: type[Any] | None = None
    refuses: tuple[type[Failure], ...] = ()  # beyond what `services.kit.responses` derives
    summary: str = ""


def route(
    name: str,
    handler: Handler,
    *,
    body: type[Any] | None = None,
    query: type[Any] | None = None,
    answer: type[Any] | None = None,
    refuses: tuple[type[Failure], ...] = (),
) -> Route:
    """Declare the operation ``name`` of `core.operations`; its summary is the handler's docstring."""
    summary = (handler.__doc__ or "").strip().partition("\n")[0]
    return Route(
        operation=OPERATIONS[name],
        handler=handler,
        body=body,
        query=query,
        answer=answer,
        refuses=refuses,
        summary=summary,
    )


@dataclass(slots=True)
class Call:
    """One request in progress."""

    request_id: str
    operation: Operation
    stages: dict[str, MetricSeries]


CALL: Final = web.RequestKey("CALL", Call)


class stage:  # noqa: N801 - reads as a statement: `with stage(request, "hydrate"):`
    """Times one stage of the request's operation; the name must be one of the operation's ``stages``."""

    __slots__ = ("_began", "_series")

    def __init__(self, request: web.Request, name: str):
        self._series = request[CALL].stages[name]

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._series.observe(perf_counter() - self._began)


def viewer(request: web.Request) -> int:
    """Id of the signed-in user, as the gateway verified it; raises Unauthenticated."""
    text = request.headers.get(USER_HEADER, "")
    try:
        return _own_id(request, text)
    except ValueError as error:
        raise Unauthenticated("No valid access token") from error


def viewer_or_none(request: web.Request) -> int | None:
    """`viewer`, or None for a caller who is not signed in."""
    return viewer(request) if USER_HEADER in request.headers else None


def path_id(request: web.Request, name: str) -> int:
    """The id in the path's ``{name}``; raises Invalid when it is not an id, NotFound when no shard can hold it."""
    text = request.match_info[name]
    try:
        value = ids.parse(text)
    except ValueError as error:
        raise Invalid.field(name, "expected an id: decimal digits") from error
    if ids.shard_of(value) >= logical_shards(request.app):
        raise NotFound(f"No {name.removesuffix('_id')} {value}")
    return value


def body_id(request: web.Request, name: str, text: str) -> int:
    """An id in a body's field ``name``; raises Invalid."""
    try:
        return _own_id(request, text)
    except ValueError as error:
        raise Invalid.field(name, "expected an id: decimal digits") from error


def _own_id(request: web.Request, text: str) -> int:
    value = ids.parse(text)
    if ids.shard_of(value) >= logical_shards(request.app):
        raise ValueError(f"{text!r} is not an id of this system")
    return value
