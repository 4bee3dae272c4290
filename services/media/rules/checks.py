"""Checks on the bytes of an upload, before a scanner or a decoder sees them.

The order is: size, magic bytes, headers by the one reader that the magic bytes allow, pixels, and the memory and time
that decoding would take, estimated from the headers alone. A file whose headers exceed the limits is refused without
decoding: it may be a decompression bomb. A photo that is merely large is not refused; `render` makes it smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.policies import photo
from core.policies.photo import Lane, Refusal
from services.media.rules import jpeg, png, webp
from services.media.rules.refusal import Refused

# Upper bounds of what `render` takes, from photos and from files made to be slow (pyvips-binary 8.18.7, one thread)
_RENDER_BYTES: Final = 200 * 2**20  # besides the decoder: libraries, 4096 × 4096 pixels and their variants
_WEBP_PIXEL_BYTES: Final = 16
_ROWS: Final = 640  # of a PNG, in memory at once
_PIXEL_SECONDS: Final = {"jpeg": 8e-9, "png": 5e-9, "webp": 40e-9}
_SAMPLE_SECONDS: Final = 1e-9  # of one scan of a progressive JPEG
_INFLATED_SECONDS: Final = 4e-9  # a byte


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A photo that may be scanned and decoded."""

    kind: str  # jpeg, png, webp
    width: int
    height: int
    memory_bytes: int  # estimates for one decoder
    decode_seconds: float
    clean: bytes  # what a decoder may see

    @property
    def lane(self) -> Lane:
        """The lane on which it is processed."""
        return next(lane for lane in Lane if self._fits(lane))

    def _fits(self, lane: Lane) -> bool:
        return (
            self.memory_bytes <= photo.MEMORY_BYTES_MAX[lane] and self.decode_seconds <= photo.DECODE_SECONDS_MAX[lane]
        )


def format_of(data: bytes) -> str | None:
    """``jpeg``, ``png`` or ``webp`` by the magic bytes; None for anything else."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == png.MAGIC:
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def checked(data: bytes) -> Checked:
    """A photo whose bytes pass all checks; raises Refused."""
    if len(data) > photo.BYTES_MAX:
        raise Refused(Refusal.TOO_LARGE, f"{len(data)} bytes")
    kind = format_of(data)
    if kind is None:
        raise Refused(Refusal.NOT_A_PHOTO)
    found = {"jpeg": _jpeg, "png": _png, "webp": _webp}[kind](data)
    size = f"{found.width} × {found.height}"
    if max(found.width, found.height) > photo.SIDE_PIXELS_MAX or found.width * found.height > photo.PIXELS_MAX[kind]:
        raise Refused(Refusal.TOO_MANY_PIXELS, size)
    if found.memory_bytes > photo.MEMORY_BYTES_MAX[Lane.HEAVY]:
        raise Refused(Refusal.TOO_MANY_PIXELS, f"{size}, {found.memory_bytes} bytes of memory")
    if found.decode_seconds > photo.DECODE_SECONDS_MAX[Lane.HEAVY]:
        raise Refused(Refusal.TOO_COMPLEX, f"{size}, {found.decode_seconds:.0f} s")
    return found


def _jpeg(data: bytes) -> Checked:
    read = jpeg.read(data)
    return Checked(
        kind="jpeg",
        width=read.width,
        height=read.height,
        memory_bytes=_RENDER_BYTES + read.coefficient_bytes,
        decode_seconds=read.width * read.height * _PIXEL_SECONDS["jpeg"]
        + (read.scanned_samples * _SAMPLE_SECONDS if read.coefficient_bytes else 0.0),
        clean=read.clean,
    )


def _png(data: bytes) -> Checked:
    read = png.read(data)
    rows = read.height if read.interlaced else min(read.height, _ROWS)
    return Checked(
        kind="png",
        width=read.width,
        height=read.height,
        memory_bytes=_RENDER_BYTES + read.inflated_bytes * rows // read.height,
        decode_seconds=read.width * read.height * _PIXEL_SECONDS["png"]
        + read.inflated_bytes * _INFLATED_SECONDS * (2 if read.interlaced else 1),
        clean=read.clean,
    )


def _webp(data: bytes) -> Checked:
    read = webp.read(data)
    pixels = read.width * read.height
    return Checked(
        kind="webp",
        width=read.width,
        height=read.height,
        memory_bytes=_RENDER_BYTES + pixels * _WEBP_PIXEL_BYTES,
        decode_seconds=pixels * _PIXEL_SECONDS["webp"],
        clean=read.clean,
    )
