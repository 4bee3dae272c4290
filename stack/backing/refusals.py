"""HAProxy's own answers as problem documents of `core.failures`, in its syntax, and the gateway's list of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from core import failures
from core.failures import Failure
from core.names import ADDRESS_CONNECTIONS_MAX, BODY_BYTES_MAX, HEAD_BYTES_MAX, TARGET_BYTES_MAX

#: How long a request's body may take to arrive.
BODY_SECONDS: Final = 5

#: Request heads that every frontend for clients refuses: word in the configuration, kind, detail.
DOOR: Final[dict[str, tuple[type[Failure], str]]] = {
    "INVALID_TARGET": (failures.Invalid, "The path and query hold characters that must be percent-encoded"),
    "INVALID_FIELD": (failures.Invalid, "A header field has a name or a value with characters that are not allowed"),
    "URI_TOO_LONG": (failures.AddressTooLong, f"Expected a path and query of at most {TARGET_BYTES_MAX} bytes"),
    "EXPECTATION_FAILED": (failures.ExpectationFailed, "Expect: expected 100-continue or none"),
    "HEADERS_TOO_LARGE": (failures.HeadersTooLarge, f"Expected header fields of at most {HEAD_BYTES_MAX} bytes in all"),
    "TOO_MANY_CONNECTIONS": (
        failures.TooManyConnections,
        f"At most {ADDRESS_CONNECTIONS_MAX} connections from one address",
    ),
}
#: The gateway's own answers.
_REFUSALS: Final[dict[str, tuple[type[Failure], str]]] = {
    **DOOR,
    "INVALID": (failures.Invalid, "The request is not one that the service understands"),
    "UNAUTHENTICATED": (failures.Unauthenticated, "%[var(txn.why)]"),
    "NOT_FOUND": (failures.NotFound, "No such path"),
    "METHOD_NOT_ALLOWED": (failures.MethodNotAllowed, "This path accepts %[var(txn.allowed)]"),
    "TOO_LARGE": (failures.TooLarge, f"Expected a body of at most {BODY_BYTES_MAX} bytes"),
    "UNSUPPORTED_MEDIA_TYPE": (failures.UnsupportedMedia, "Content-Encoding: expected none"),
    "RATE_LIMITED": (
        failures.Limited,
        "At most %[var(txn.quota)] requests in %[var(txn.period)] s; try again in %[var(txn.reset)] s",
    ),
    "OVERLOADED": (failures.Overloaded, "Too many requests are in progress"),
    "BAD_GATEWAY": (failures.BadGateway, "The service gave no answer that the gateway understands"),
}
FIELDS: Final[dict[str, str]] = {
    "UNAUTHENTICATED": "WWW-Authenticate Bearer",
    "METHOD_NOT_ALLOWED": 'Allow "%[var(txn.allowed)]"',
    "UNSUPPORTED_MEDIA_TYPE": "Accept-Encoding identity",
    "RATE_LIMITED": 'Retry-After "%[var(txn.reset)]"',
    "TOO_MANY_CONNECTIONS": "Retry-After 5 hdr Connection close",
    "OVERLOADED": "Retry-After 1",
    "BAD_GATEWAY": "Retry-After 1",
}
#: What HAProxy itself answers once a request has been read: status, kind, detail.
_ERRORS: Final[dict[int, tuple[type[Failure], str]]] = {
    400: (failures.Invalid, "This is not HTTP that the gateway understands"),
    403: (failures.Forbidden, "Not allowed"),
    408: (failures.SlowRequest, f"Expected the whole body within {BODY_SECONDS} s"),
    413: (failures.TooLarge, f"Expected a body of at most {BODY_BYTES_MAX} bytes"),
    500: (failures.Internal, "The gateway could not continue with this request"),
    502: (failures.BadGateway, "The service closed the connection"),
    503: (failures.Unavailable, "No instance of the service answers"),
    504: (failures.DeadlineExceeded, "The service did not answer in time"),
}


def document(kind: type[Failure], detail: str, *, trace_id: str, gateway: str = "") -> str:
    """A problem document of ``kind``. Its ``type`` refers to the docs at the address ``gateway``, or at the answering
    server's own address if none is given."""
    body = {
        "type": gateway + kind.type_uri(),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "trace_id": trace_id,
    }
    return json.dumps(body, separators=(",", ":"))


def answer(kind: type[Failure], detail: str, fields: str = "", *, gateway: str = "") -> str:
    """Status, header ``fields`` (``name value``) and document as HAProxy's log-format text; the trace id is the
    request's."""
    text = document(kind, detail, trace_id="%[var(txn.id)]", gateway=gateway)
    if "'" in text:
        raise ValueError(f"a single quote in {text}")
    more = "".join(f" hdr {each}" for each in ("Cache-Control no-store", fields) if each)
    return f"status {kind.status} content-type application/problem+json{more} lf-string '{text}'"


def refusals() -> dict[str, str]:
    """The gateway's own answers by word, as actions of ``http-request``."""
    return {word: f"return {answer(kind, detail, FIELDS.get(word, ''))}" for word, (kind, detail) in _REFUSALS.items()}


def errors(said: Mapping[int, tuple[type[Failure], str]] = _ERRORS, *, gateway: str = "") -> str:
    """HAProxy's own answers, by status, as problem documents."""
    lines = []
    for status, (kind, detail) in said.items():
        if kind.status != status:
            raise ValueError(f"{kind.code} does not have status {status}")
        fields = "Retry-After 1" if status in (502, 503) else ""
        lines.append(f"    http-error {answer(kind, detail, fields, gateway=gateway)}")
    return "\n".join(lines)
