"""What may be uploaded, and how far a photo has come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from core.failures import FieldError

CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
SIZE_BYTES_MAX: Final = 20_000_000
UPLOAD_SECONDS: Final = 900  # how long a presigned address is good for
ABANDONED_SECONDS: Final = 3600.0  # what is not completed by then is swept; well after its address has expired
_CHECKSUM: Final = re.compile(r"^[0-9a-f]{64}$")


class PhotoState(StrEnum):
    """How far a photo has come."""

    REGISTERED = "registered"  # its owner may put it
    PROCESSING = "processing"  # it has arrived
    SUCCEEDED = "succeeded"  # its variants can be fetched
    FAILED = "failed"  # it was refused, for the reason given


def wrong_fields(*, content_type: str, size_bytes: int, checksum_sha256: str | None) -> Iterator[FieldError]:
    """Everything that is wrong with an announced upload."""
    if content_type not in CONTENT_TYPES:
        yield FieldError(field="content_type", detail=f"expected one of {', '.join(CONTENT_TYPES)}")
    if not 1 <= size_bytes <= SIZE_BYTES_MAX:
        yield FieldError(field="size_bytes", detail=f"expected 1 to {SIZE_BYTES_MAX} bytes")
    if checksum_sha256 is not None:
        yield from wrong_checksum(checksum_sha256)


def wrong_checksum(checksum_sha256: str) -> Iterator[FieldError]:
    """What is wrong with the form of a checksum."""
    if not _CHECKSUM.match(checksum_sha256):
        yield FieldError(field="checksum_sha256", detail="expected 64 hexadecimal digits in lower case")


def object_key(media_id: int) -> str:
    """Where an upload is put, in the bucket of uploads."""
    return f"uploads/{media_id}"


def may_see(*, owner_id: int, viewer_id: int, is_posted: bool) -> bool:
    """A photo is its owner's alone until a post shows it."""
    return viewer_id == owner_id or is_posted
