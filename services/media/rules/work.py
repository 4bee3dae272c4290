"""Results of rendering a photo, addresses of its variants, and limits of tries and time."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from core.messages import MediaVariant
from core.policies.photo import Lane, Refusal
from services.media.rules.render import Rendering

BACKOFF_SECONDS: Final = 0.5  # before the second try of a photo whose decoder died; doubles
#: Wall-clock limit, for a decoder that hangs. One that works is limited by its CPU time, which a heavy photo may get
#: slowly on busy cores.
RENDER_SECONDS_MAX: Final = {Lane.LIGHT: 60.0, Lane.HEAVY: 600.0}
LEASE_SECONDS: Final = 900.0  # longer than fetching, scanning, decoding and storing a photo may take
CACHE_CONTROL: Final = "public, max-age=31536000, immutable"


class RenderResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of rendering one photo: variants, or a refusal."""

    renderings: list[Rendering] = []
    refusal: Refusal | None = None
    detail: str = ""


def folder(media_id: int, *, secret: str) -> str:
    """Folder of a photo's variants in the media bucket. It cannot be guessed from the photo or its id."""
    return hashlib.blake2b(b"%d" % media_id, key=bytes.fromhex(secret), digest_size=16).hexdigest()


def address(media_id: int, data: bytes, *, secret: str) -> str:
    """Common prefix of the keys of this photo's variants; it depends on the bytes, so the content of a key never
    changes."""
    content = hashlib.blake2b(data, key=bytes.fromhex(secret), digest_size=8).hexdigest()
    return f"{folder(media_id, secret=secret)}/{content}"


def object_key(at: str, rendering: Rendering) -> str:
    """Key of a variant of the photo at the `address` ``at``, in the bucket of media."""
    return f"{at}-{rendering.file_name}"


def variant(rendering: Rendering, key: str) -> MediaVariant:
    """The published description of a rendering stored at ``key``."""
    return MediaVariant(
        name=rendering.name,
        object_key=key,
        content_type=rendering.content_type,
        width=rendering.width,
        height=rendering.height,
        size_bytes=len(rendering.body),
    )


def backoff_seconds(attempt: int) -> float:
    """Pause after the ``attempt``-th try (from 1) of a photo."""
    return BACKOFF_SECONDS * 2.0 ** (attempt - 1)
