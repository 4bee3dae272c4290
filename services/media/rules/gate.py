"""The gate: what is taken for a photo before any of it is decoded.

The order is: size, the scanner's word, magic bytes, the header by the one loader that its magic bytes allow. A file
whose header promises more pixels than `PIXELS_MAX` is refused unread: that is what a decompression bomb looks like. A
photo that is merely large is not refused; `render` makes it smaller.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import pyvips

SIZE_BYTES_MAX: Final = 20_000_000
PIXELS_MAX: Final = 50_000_000


class Refusal(StrEnum):
    """Why a photo failed, as its owner is told."""

    MALWARE = "malware_found"
    TOO_LARGE = "too_many_bytes"
    NOT_A_PHOTO = "not_a_photo"  # no JPEG, PNG or WebP, whatever its name says
    TOO_MANY_PIXELS = "too_many_pixels"
    DAMAGED = "damaged"  # truncated or corrupt
    MISSING = "missing"  # its bytes are gone
    CHANGED = "changed"  # its bytes are not those that were verified
    NOT_PROCESSED = "not_processed"  # tried several times


class Refused(Exception):  # noqa: N818 - a decision about the photo, not an error of ours
    """The photo is refused, for good."""

    def __init__(self, refusal: Refusal, detail: str = ""):
        super().__init__(refusal, detail)
        self.refusal, self.detail = refusal, detail


def format_of(data: bytes) -> str | None:
    """``jpeg``, ``png`` or ``webp`` by the magic bytes; None for anything else."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def opened(data: bytes) -> Any:
    """The photo with its header read and nothing decoded (a pyvips image, sequential); raises Refused."""
    if len(data) > SIZE_BYTES_MAX:
        raise Refused(Refusal.TOO_LARGE, f"{len(data)} bytes")
    kind = format_of(data)
    if kind is None:
        raise Refused(Refusal.NOT_A_PHOTO)
    # the loader is named: libvips' own sniffing would let any format in that it was built with
    load = {
        "jpeg": pyvips.Image.jpegload_buffer,
        "png": pyvips.Image.pngload_buffer,
        "webp": pyvips.Image.webpload_buffer,
    }[kind]
    try:
        image = load(data, access="sequential", fail_on="error")
    except pyvips.Error as error:
        raise damaged(error) from error
    if image.width * image.height > PIXELS_MAX:
        raise Refused(Refusal.TOO_MANY_PIXELS, f"{image.width} × {image.height}")
    return image


def damaged(error: pyvips.Error) -> Refused:
    """The refusal that a decoder's error means; raises MemoryError where it was our bound that it met."""
    told = " ".join(str(error.detail or error.message).split())[:200]
    if "out of memory" in told:
        raise MemoryError(told) from error
    return Refused(Refusal.DAMAGED, told)
