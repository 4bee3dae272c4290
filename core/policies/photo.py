"""Limits of one photo, shared by upload, the media worker and its decoders, the scanner and the containers.

They are consistent (`tests/unit/test_photo_limits.py` checks it): the scanner can read what upload accepts, a decoder's
memory holds what the checks let through, and slow photos are processed apart from fast ones.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

BYTES_MAX: Final = 20_000_000

#: Maximum pixels by format. A baseline JPEG is decoded row by row, and phones write 200 megapixels (16,320 × 12,240); a
#: WebP is decoded as a whole, at up to 16 bytes per pixel.
PIXELS_MAX: Final = {"jpeg": 200_000_000, "png": 64_000_000, "webp": 51_000_000}
SIDE_PIXELS_MAX: Final = 65_535  # as in JPEG; longer rows cost a decoder hundreds of megabytes

TRIES_MAX: Final = 3  # at a photo on which a decoder, the scanner or the worker died


class Refusal(StrEnum):
    """Why a photo failed, as its owner sees it."""

    MALWARE = "malware_found"
    TOO_LARGE = "too_many_bytes"
    NOT_A_PHOTO = "not_a_photo"  # not a JPEG, PNG or WebP, whatever its name says
    UNSUPPORTED = "unsupported_kind"  # a kind of JPEG, PNG or WebP that no camera or editor writes for viewers
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_COMPLEX = "too_complex"  # more scans, segments, chunks or frames than a photo needs
    TOO_SLOW = "took_too_long"  # to decode or to scan
    DAMAGED = "damaged"  # truncated or corrupt
    MISSING = "missing"  # its bytes are gone
    CHANGED = "changed"  # its bytes are not those that were verified
    NOT_PROCESSED = "not_processed"  # every try failed


class Lane(StrEnum):
    """The queue in which a photo is processed, so that a slow photo delays only other slow ones."""

    LIGHT = "light"  # `system.media.workers` at once
    HEAVY = "heavy"  # `HEAVY_WORKERS` at once, and only on otherwise idle cores


HEAVY_WORKERS: Final = 1

#: Longest decode allowed by the checks' estimate (`services.media.rules.checks`), in CPU seconds of the machine it was
#: measured on.
DECODE_SECONDS_MAX: Final = {Lane.LIGHT: 1.0, Lane.HEAVY: 4.0}
#: CPU time after which a decoder is killed: the estimate, encoding, and a margin for a slower machine.
CPU_SECONDS_MAX: Final = {Lane.LIGHT: 4, Lane.HEAVY: 20}
#: Memory of one decoder.
MEMORY_BYTES_MAX: Final = {Lane.LIGHT: 512 * 2**20, Lane.HEAVY: 1024 * 2**20}

SCANS_AT_ONCE_MAX: Final = 4
SCAN_SECONDS_MAX: Final = 10.0  # of one photo, in the scanner
SCANNER_BYTES_MAX: Final = 512 * 2**20  # memory of the scanner with the test database of one signature
