"""The last step of every response: location of a new resource, validator and cache rules, content coding.

It is the last step of an operation, so an answer that is replayed for an `Idempotency-Key` gets the same.
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

#: A client may keep an answer to its own read, and asks each time whether it still holds.
READ: Final = "private, no-cache"
#: Tokens, answers to writes, errors: kept nowhere.
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
            place = location(operation, response.body, request)
            if place:
                headers["Location"] = place
        read = request.method in _READS and response.status == 200
        if read and operation is not None and operation.validated:
            _validate(request, response, response.body)
        headers.setdefault("Cache-Control", READ if read else NEVER)
        _encode(request, response)
    else:
        headers.setdefault("Cache-Control", NEVER)


def location(operation: Operation, body: bytes, request: web.Request) -> str:
    """Where what the operation made is found: its template, filled from the answer and from the request's path.

    Empty when the answer does not name it: what is written is written, and its answer goes out all the same.
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
    """Give the answer its entity tag; empty it (304) when the client has it.

    The tag is weak: it is of the value, whatever the coding it travels in.
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
    """Compress what is worth it, for a client that asks."""
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
