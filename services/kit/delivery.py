"""The last step of every response: location of a new resource, validator and cache rules, content coding.

An answer that is replayed for an `Idempotency-Key` passes through it too.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec
from aiohttp import web

from core.operations import API, Operation
from services.kit import codings
from services.kit.answers import JSON

#: A client may store the answer to its own read, and revalidates it each time.
READ: Final = "private, no-cache"
#: Tokens, answers to writes, errors: never stored.
NEVER: Final = "no-store"
_DIGEST_BYTES: Final = 12
_READS: Final = frozenset({"GET", "HEAD"})
_HOLE: Final = re.compile(r"\{([a-z_.]+)\}")
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def deliver(request: web.Request, response: web.StreamResponse, operation: Operation | None = None) -> None:
    """Finish ``response`` in place; ``operation`` is the one it answers, None for pages and unknown paths."""
    headers = response.headers
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        if operation is not None and response.status == 201 and operation.made:
            url = location(operation, response.body, request)
            if url:
                headers["Location"] = url
        read = request.method in _READS and response.status == 200
        if read and operation is not None and operation.validated:
            _validate(request, response, response.body)
        headers.setdefault("Cache-Control", READ if read else NEVER)
        _encode(request, response)
    else:
        headers.setdefault("Cache-Control", NEVER)


def location(operation: Operation, body: bytes, request: web.Request) -> str:
    """Address of the resource that the operation created: its template, filled from the answer and the request's path.

    Empty when the answer does not name it: the write is done, so its answer is sent anyway.
    """
    value = msgspec.json.decode(body)

    def filled(match: re.Match[str]) -> str:
        if match[1] in request.match_info:
            return request.match_info[match[1]]
        found: Any = value
        for name in match[1].split("."):
            found = found[name]
        return str(found)

    try:
        return API + _HOLE.sub(filled, operation.made)
    except (KeyError, TypeError):
        return ""


def _validate(request: web.Request, response: web.Response, body: bytes) -> None:
    """Add the entity tag; turn the answer into a 304 when the client already has it.

    The tag is weak: it identifies the value, whatever its content coding.
    """
    tag = f'"{hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()}"'
    response.headers["ETag"] = f"W/{tag}"
    known = request.headers.get("If-None-Match", "").strip()
    if known and (known == "*" or tag in _TAG.findall(known)):
        response.set_status(304)
        response.headers["Cache-Control"] = READ
        response.headers["Vary"] = "Accept-Encoding"
        response.body = None
        response.headers.pop("Content-Type", None)


def _encode(request: web.Request, response: web.Response) -> None:
    """Compress an answer that is worth it, if the client accepts a coding."""
    body = response.body
    if not isinstance(body, bytes) or len(body) < codings.BYTES_MIN or response.content_type not in codings.TYPES:
        return
    response.headers["Vary"] = "Accept-Encoding"
    accepted = request.headers.get("Accept-Encoding")
    coding = codings.chosen(accepted) if accepted else ""
    if coding:
        response.body = codings.compressed(body, coding)
        response.headers["Content-Encoding"] = coding


assert JSON in codings.TYPES
