"""JSON bodies into typed values; what is wrong is told by the field's name.

Declare a body as a subclass of `Body`: unknown fields are refused, so that a misspelt one is not silently ignored.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from core.failures import Invalid, UnsupportedMedia

T = TypeVar("T")

_AT: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `([^`]*)`")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `([^`]*)`")


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operation takes."""


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


async def read(request: web.Request, kind: type[T]) -> T:
    """Read the request's body as ``kind``; raises Invalid that names the field, UnsupportedMedia, TooLarge beyond the
    chassis' limit."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise UnsupportedMedia.media_type(request.content_type)
    return decode(await request.read(), kind)


def decode(data: bytes, kind: type[T]) -> T:
    """`read` of bytes."""
    try:
        value: T = _decoder(kind).decode(data)  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid.field("body", f"expected JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise Invalid.field("body", "expected JSON that is less deeply nested") from error
    if b"\\u0000" in data and any("\0" in text for text in _texts(msgspec.to_builtins(value))):
        # no store takes it in text; refused here, in one place, rather than as a failure of a store
        raise Invalid.field("body", "expected text without the NUL character")
    return value


def invalid(message: str) -> Invalid:
    """msgspec's message as a failure that names the field by its path, such as ``media_ids[2]``."""
    at = _AT.search(message)
    path = at[1] if at else ""
    detail = message[: at.start()] if at else message
    for pattern, says in ((_MISSING, "expected a value: this field is required"), (_UNKNOWN, "no such field")):
        match = pattern.match(detail)
        if match:
            return Invalid.field(f"{path}.{match[1]}" if path else match[1], says)
    return Invalid.field(path or "body", detail[:1].lower() + detail[1:])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
