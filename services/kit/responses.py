"""The possible responses of an operation for the API's document: every status with its headers and kinds of failure.

Failures that the gateway or the chassis can return for any request are derived here; those of one operation are in its
route's ``refuses``. Statuses that no client library causes, such as for a header that is too long, are the document's
``default``.
"""

from __future__ import annotations

from typing import Any, Final

from core import failures
from core.failures import Failure
from core.names import DEGRADED_HEADER, REQUEST_ID_HEADER, Component
from services.kit import answers
from services.kit.idempotency import REPLAYED
from services.kit.routing import Route

_ALWAYS: Final[tuple[type[Failure], ...]] = (
    failures.Invalid,
    failures.UnsupportedMedia,
    failures.Limited,
    failures.Internal,
    failures.BadGateway,
    failures.Overloaded,
    failures.Unavailable,
    failures.StorageFull,
    failures.DeadlineExceeded,
)
_WITH_BODY: Final = (failures.SlowRequest, failures.TooLarge)
_CREATING: Final = (failures.Conflict, failures.KeyReused)
_LATER: Final = frozenset({409, 429, 502, 503})  # they may say when to come back


def kinds(route: Route) -> tuple[type[Failure], ...]:
    """The kinds of failure that a client of this operation may get, in the order of their statuses."""
    found = [*_ALWAYS, *route.refuses]
    if route.operation.signed_in:
        found.append(failures.Unauthenticated)
    if "{" in route.operation.path:
        found.append(failures.NotFound)
    if route.body is not None:
        found += _WITH_BODY
    if route.operation.creates:
        found += _CREATING
    return tuple(sorted(dict.fromkeys(found), key=lambda kind: kind.status))


def responses(route: Route, *, summary: str, answer: dict[str, Any] | None, problem: dict[str, Any]) -> dict[str, Any]:
    """The operation's responses by status; ``answer`` and ``problem`` are schemas."""
    operation = route.operation
    success: dict[str, Any] = {"description": summary, "headers": _headers(route)}
    if answer is not None:
        success["content"] = {answers.JSON: {"schema": answer}}
    found = {str(operation.status): success}
    if operation.method == "GET" and operation.validated:
        found["304"] = {
            "description": "The client's copy is still valid.",
            "headers": _named("ETag", "Cache-Control", "Vary"),
        }
    by_status: dict[int, list[type[Failure]]] = {}
    for kind in kinds(route):
        by_status.setdefault(kind.status, []).append(kind)
    for status, mine in by_status.items():
        found[str(status)] = _problem("; ".join(f"`{kind.code}`: {kind.title}" for kind in mine), status, problem)
    found["default"] = _problem("Any other error.", 0, problem)
    return found


def _problem(description: str, status: int, schema: dict[str, Any]) -> dict[str, Any]:
    names = [REQUEST_ID_HEADER, "Cache-Control"]
    if status == 401:
        names.append("WWW-Authenticate")
    if status in _LATER:
        names.append("Retry-After")
    if status == 429:
        names += _LIMITS
    return {"description": description, "headers": _named(*names), "content": {answers.PROBLEM: {"schema": schema}}}


def _headers(route: Route) -> dict[str, Any]:
    operation = route.operation
    names = [REQUEST_ID_HEADER, "Cache-Control", "Vary", *_LIMITS]
    if operation.status == 201 and operation.made:
        names.append("Location")
    if operation.creates:
        names += REPLAYED
    if operation.method == "GET" and operation.validated:
        names.append("ETag")
    if route.query is not None and "cursor" in route.query.__struct_fields__:
        names.append("Link")
    if operation.component is Component.FEED:
        names.append(DEGRADED_HEADER)
    return _named(*names)


_LIMITS: Final = (
    *("RateLimit-Policy", "RateLimit"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
)
_DESCRIPTIONS: Final = {
    REQUEST_ID_HEADER: "Id of the request: the client's own, if it sent one.",
    "Cache-Control": "Whether the response may be cached.",
    "ETag": "Weak validator: send it as `If-None-Match` to get 304 while nothing changed.",
    "Location": "Address of the created resource.",
    "Link": 'The next page (RFC 8288, `rel="next"`); absent on the last.',
    "Retry-After": "Seconds until the request may be sent again.",
    "WWW-Authenticate": "`Bearer`.",
    "RateLimit-Policy": "The limit of this operation, where it has one: requests in a window of seconds.",
    "RateLimit": "Requests that are left, and the seconds until the limit is reset.",
    "Vary": "Request headers that the response depends on: `Accept-Encoding`, and `Origin` if other origins may read.",
    "X-RateLimit-Limit": "Requests that the limit allows in a window, where the operation has one.",
    "X-RateLimit-Remaining": "Requests that are left in this window.",
    "X-RateLimit-Reset": "Seconds until the limit is reset.",
    DEGRADED_HEADER: "What is missing from the page, such as `timeline`.",
    **dict.fromkeys(REPLAYED, "`true` when the key was used before and the first answer is replayed."),
}


def _named(*names: str) -> dict[str, Any]:
    return {
        name: {"description": _DESCRIPTIONS[name], "schema": {"type": "integer" if name == "Retry-After" else "string"}}
        for name in names
    }
