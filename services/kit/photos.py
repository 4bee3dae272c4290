"""Photos as clients see them, in posts, feeds, stories and uploads."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from core.names import PhotoState
from services.kit.fields import Id, Size, Url


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One rendering of a photo, at its public address; the content at an address never changes."""

    name: Annotated[str, Meta(min_length=1, max_length=32)]
    url: Url
    width: Size
    height: Size
    content_type: Annotated[str, Meta(pattern="^image/[a-z]+$")]
    size_bytes: Size


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """One photo; it has variants once its state is ``succeeded``."""

    id: Id
    state: PhotoState
    variants: list[Variant]


def address(media_url: str, object_key: str) -> str:
    """URL at which the CDN at ``media_url`` serves an object of the media bucket."""
    return f"{media_url}/media/{object_key}"
