"""Rules for uploads, and the states of a photo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from core import ids
from core.failures import FieldError
from core.policies import photo

CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
SIZE_BYTES_MAX: Final = photo.BYTES_MAX
UPLOAD_SECONDS: Final = 900  # how long a presigned address is valid
SLOW_SECONDS: Final = 300  # how long a PUT may take that began just before it expired
ABANDONED_SECONDS: Final = 3600.0  # what is not completed by then is swept; well after its address has expired
CHECKSUM_PATTERN: Final = "^[0-9a-f]{64}$"
_CHECKSUM: Final = re.compile(r"[0-9a-f]{64}")


def wrong_fields(*, content_type: str, size_bytes: int, checksum_sha256: str | None) -> Iterator[FieldError]:
    """Everything that is wrong with an announced upload."""
    if content_type not in CONTENT_TYPES:
        yield FieldError(field="content_type", detail=f"expected one of {', '.join(CONTENT_TYPES)}")
    if not 1 <= size_bytes <= SIZE_BYTES_MAX:
        yield FieldError(field="size_bytes", detail=f"expected 1 to {SIZE_BYTES_MAX} bytes")
    if checksum_sha256 is not None:
        yield from wrong_checksum(checksum_sha256)


def wrong_checksum(checksum_sha256: str) -> Iterator[FieldError]:
    """What is wrong with the format of a checksum."""
    if not _CHECKSUM.fullmatch(checksum_sha256):
        yield FieldError(field="checksum_sha256", detail="expected 64 hexadecimal digits in lower case")


FOLDER: Final = "uploads/"
_KEY: Final = re.compile(rf"{FOLDER}([0-9]{{1,19}})", re.ASCII)


def object_key(media_id: int) -> str:
    """Where an upload is put, in the bucket of uploads."""
    return f"{FOLDER}{media_id}"


def over(keys: Iterable[str], *, now_ms: int) -> dict[int, str]:
    """Those of the keys in the upload area, by media id, whose address has expired: nobody can put there any more."""
    before_ms = now_ms - (UPLOAD_SECONDS + SLOW_SECONDS) * 1000
    found = {int(match[1]): key for key in keys if (match := _KEY.fullmatch(key))}
    return {media_id: key for media_id, key in found.items() if ids.created_ms_of(media_id) < before_ms}


def may_see(*, owner_id: int, viewer_id: int, is_posted: bool) -> bool:
    """Whether the viewer may see the photo: only its owner may, until a post shows it."""
    return viewer_id == owner_id or is_posted
