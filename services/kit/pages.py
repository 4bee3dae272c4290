"""Pages: typed query parameters, opaque signed cursors, and RFC 8288 links.

A cursor is the last item's position, encoded and signed for one list: clients cannot forge one, nor use it
for another operation, for the same list of another post or user, or as another viewer. It does not expire, so a page
saved yesterday can be continued today.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Container, Iterator
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from core.failures import Invalid
from core.names import USER_HEADER
from services.kit import body
from services.kit.config import SETTINGS
from services.kit.routing import CALL

T = TypeVar("T")
_SIGNATURE_BYTES: Final = 12
LIMIT_MAX: Final = 100
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Query of a paged operation; subclass it to take more."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = 50
    cursor: str | None = None


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page; ``next_cursor`` is null on the last."""

    items: list[T]
    next_cursor: str | None


def query(request: web.Request, kind: type[T]) -> T:
    """The query's parameters as ``kind`` (unknown ones are ignored); raises Invalid that names the parameter."""
    given: dict[str, str] = {}
    known = {each.name: body.kinds_of(each.type) for each in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    for name, value in _parameters(request.rel_url.raw_query_string, known):
        if name in given:
            raise Invalid.field(name, "expected it once")
        if "\0" in value:
            raise Invalid.field(name, "expected text without the NUL character")
        if int in known[name] and not _INTEGER.fullmatch(value):
            raise Invalid.field(name, "expected an integer in decimal digits")
        given[name] = value
    try:
        return msgspec.convert(given, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise body.invalid(str(error), kind) from error


def _parameters(text: str, known: Container[str]) -> Iterator[tuple[str, str]]:
    """Names and values of a query's known parameters as they were sent; raises Invalid when one is not UTF-8."""
    for pair in text.split("&"):
        name, _, value = pair.replace("+", " ").partition("=")
        name = unquote(name)
        if name not in known:
            continue
        try:
            yield name, unquote(value, errors="strict")
        except UnicodeDecodeError as error:
            raise Invalid.field(name, "expected UTF-8 in percent-encoding") from error


def cursor_of(request: web.Request, text: str | None, kind: type[T]) -> T | None:
    """Read a cursor that `next_cursor` made for this list; raises Invalid naming ``cursor``."""
    if text is None:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if hmac.compare_digest(signature, _signature(request, payload)):
            return payload if kind is bytes else msgspec.json.decode(payload, type=kind)  # type: ignore[return-value]
    except (ValueError, msgspec.DecodeError):
        pass
    raise Invalid.field("cursor", "expected a next_cursor of this list, unchanged")


def next_cursor(request: web.Request, position: Any) -> str:
    """An opaque cursor that holds ``position``: anything msgspec encodes, or bytes, which are read by kind `bytes`."""
    payload = position if isinstance(position, bytes) else msgspec.json.encode(position)
    return base64.urlsafe_b64encode(_signature(request, payload) + payload).rstrip(b"=").decode()


def link(request: web.Request, cursor: str | None) -> dict[str, str]:
    """The ``Link`` header to the next page; empty on the last."""
    if cursor is None:
        return {}
    target = request.rel_url.update_query(cursor=cursor)
    return {"Link": f'<{target}>; rel="next"'}


def _signature(request: web.Request, payload: bytes) -> bytes:
    secret = request.app[SETTINGS].keys.cursor_secret.encode()
    # what identifies the list: its operation, the ids in its path in order, and the viewer
    scope = [
        request[CALL].operation.name,
        *request.match_info.values(),
        request.headers.get(USER_HEADER, ""),
    ]
    return hmac.digest(secret, msgspec.json.encode(scope) + payload, hashlib.sha256)[:_SIGNATURE_BYTES]
