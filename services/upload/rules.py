"""What may be uploaded, and how far a photo has come."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp")
SIZE_BYTES_MAX: Final = 20_000_000
UPLOAD_SECONDS: Final = 900  # how long a presigned address is good for
ABANDONED_SECONDS: Final = 3600  # a photo that is not completed by then is swept; well after its address has expired


class PhotoState(StrEnum):
    """How far a photo has come."""

    REGISTERED = "registered"  # its owner may put it
    PROCESSING = "processing"  # it has arrived
    SUCCEEDED = "succeeded"  # its variants can be fetched
    FAILED = "failed"  # it was refused, for the reason given


def object_key(media_id: int) -> str:
    """Where an upload is put, in the bucket of uploads."""
    return f"uploads/{media_id}"
