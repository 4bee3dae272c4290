"""Refusals: decisions about a photo that no second try would change."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Why a photo failed, as its owner is told."""

    MALWARE = "malware_found"
    TOO_LARGE = "too_many_bytes"
    NOT_A_PHOTO = "not_a_photo"  # no JPEG, PNG or WebP, whatever its name says
    UNSUPPORTED = "unsupported_kind"  # a kind of JPEG, PNG or WebP that no camera or editor writes for viewers
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_COMPLEX = "too_complex"  # more scans, segments, chunks or frames than a photo needs
    TOO_SLOW = "took_too_long"  # to decode or to scan
    DAMAGED = "damaged"  # truncated or corrupt
    MISSING = "missing"  # its bytes are gone
    CHANGED = "changed"  # its bytes are not those that were verified
    NOT_PROCESSED = "not_processed"  # tried several times


class Refused(Exception):  # noqa: N818 - a decision about the photo, not an error of ours
    """The photo is refused, for good."""

    def __init__(self, refusal: Refusal, detail: str = ""):
        super().__init__(refusal, detail)
        self.refusal, self.detail = refusal, detail
