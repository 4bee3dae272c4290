"""WebP as the checks read it: the chunks of its RIFF container, nothing decoded (RFC 9649)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.policies.photo import Refusal
from services.media.rules.refusal import Refused

CHUNKS_MAX: Final = 2_000  # includes the frames of an animation, of which only the first is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Webp:
    """What the headers of a WebP say."""

    width: int
    height: int
    clean: bytes


def read(data: bytes) -> Webp:
    """Read the chunks of a file that begins as a WebP does; raises Refused."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Refused(Refusal.DAMAGED, "truncated")
    at, width, height, pictures = 12, 0, 0, 0
    for _ in range(CHUNKS_MAX):
        if at + 8 > end:
            break
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise Refused(Refusal.DAMAGED, "a chunk is cut off")
        size = _size(name, data[at + 8 : at + 8 + min(length, 16)])
        if size is not None:
            width, height = max(width, size[0]), max(height, size[1])
        pictures += name in (b"VP8 ", b"VP8L", b"ANMF")
        at += 8 + length + length % 2
    else:
        raise Refused(Refusal.TOO_COMPLEX, f"more than {CHUNKS_MAX} chunks")
    if not pictures or not width or not height:
        raise Refused(Refusal.DAMAGED, "no picture")
    return Webp(width=width, height=height, clean=data[:end])


def _size(name: bytes, head: bytes) -> tuple[int, int] | None:
    """Width and height in a chunk's header."""
    if name == b"VP8X" and len(head) >= 10:
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if name == b"ANMF" and len(head) >= 12:
        return 1 + int.from_bytes(head[6:9], "little"), 1 + int.from_bytes(head[9:12], "little")
    if name == b"VP8 " and head[3:6] == b"\x9d\x01\x2a" and len(head) >= 10:
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if name == b"VP8L" and head[:1] == b"\x2f" and len(head) >= 5:
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
