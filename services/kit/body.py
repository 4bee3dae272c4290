"""Decodes JSON bodies into typed values; errors name the field.

Declare a body as a subclass of `Body`: unknown fields are refused, so that a misspelt one is not silently ignored.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from aiohttp import web

from core.failures import Invalid, UnsupportedMedia

T = TypeVar("T")

_AT: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `([^`]*)`")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `([^`]*)`")
_EXPECTED: Final = re.compile(r"^Expected `([^`]*)`, got `([^`]*)`$")
_NAMES: Final = {
    "int": "an integer",
    "str": "text",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


async def read(request: web.Request, kind: type[T]) -> T:
    """Read the request's body as ``kind``; raises Invalid that names the field, UnsupportedMedia, TooLarge beyond the
    chassis' limit."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise UnsupportedMedia.media_type(request.content_type)
    charset = request.charset
    if charset is not None and charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia.media_type(f"{request.content_type}; charset={charset}")
    return decode(await request.read(), kind)


def decode(data: bytes, kind: type[T]) -> T:
    """Decode ``data`` as `read` does."""
    try:
        value: T = _decoder(kind).decode(data)  # type: ignore[arg-type]
    except msgspec.ValidationError as error:
        raise invalid(str(error), kind) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid.field("body", f"expected JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise Invalid.field("body", "expected JSON that is less deeply nested") from error
    json.loads(data, object_pairs_hook=_once)  # msgspec takes the last of duplicate fields
    if b"\\u0000" in data and any("\0" in text for text in _texts(msgspec.to_builtins(value))):
        # no store accepts it in text; refused here, in one place, before a store fails
        raise Invalid.field("body", "expected text without the NUL character")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid.field(name, "expected it once")
        found[name] = value
    return found


def kinds_of(kind: Any) -> tuple[Any, ...]:
    """The types that a field may have: those of a union or an annotation, each choice of a literal."""
    if get_origin(kind) is Annotated:
        return kinds_of(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(inner for each in get_args(kind) for inner in kinds_of(each))
    return get_args(kind) if get_origin(kind) is Literal else (kind,)


def invalid(message: str, kind: Any = None) -> Invalid:
    """Turn msgspec's message into a failure that names the field by its path, such as ``media_ids[2]``."""
    at = _AT.search(message)
    path = at[1] if at else ""
    detail = message[: at.start()] if at else message
    for pattern, text in ((_MISSING, "expected a value: this field is required"), (_UNKNOWN, "no such field")):
        match = pattern.match(detail)
        if match:
            return Invalid.field(f"{path}.{match[1]}" if path else match[1], text)
    return Invalid.field(path or "body", _plain(detail, path, kind))


def _plain(detail: str, path: str, kind: Any) -> str:
    """msgspec's message without Python's names of types, and with the values of an enumeration."""
    if detail.startswith("Invalid enum value"):
        fields = msgspec.structs.fields(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()
        choices = [value for each in fields if each.encode_name == path for value in kinds_of(each.type)]
        return f"expected one of {', '.join(str(each) for each in choices if each is not type(None))}"
    match = _EXPECTED.match(detail)
    if match is None:
        return detail[:1].lower() + detail[1:]
    expected, given = (" or ".join(_NAMES.get(each, each) for each in match[at].split(" | ")) for at in (1, 2))
    return f"expected {expected}, got {given}"


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
