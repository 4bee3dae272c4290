"""PNG as the checks read it: chunks and the header, nothing inflated (ISO/IEC 15948)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.policies.photo import Refusal
from services.media.rules.refusal import Refused

CHUNKS_MAX: Final = 20_000  # 20 MB in chunks of 4 kB are 5,000
MAGIC: Final = b"\x89PNG\r\n\x1a\n"
#: Chunks that a decoder may see: the picture, its transparency, colours and orientation.
_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf"})
#: Samples of a pixel and their depths, by colour type.
_COLOURS: Final = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}
_AROUND_BYTES: Final = 12  # length, name and checksum of a chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Png:
    """What the header of a PNG says."""

    width: int
    height: int
    inflated_bytes: int
    interlaced: bool
    clean: bytes


def read(data: bytes) -> Png:
    """Read the chunks of a file that begins as a PNG does; raises Refused."""
    pieces, at, pictures = [MAGIC], len(MAGIC), 0
    header = data[at + 8 : at + 21]
    if data[at : at + 8] != b"\x00\x00\x00\x0dIHDR" or len(header) < 13:
        raise Refused(Refusal.DAMAGED, "no header")
    for _ in range(CHUNKS_MAX):
        if at + 8 > len(data):
            break
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + _AROUND_BYTES + length
        if name in _KEPT:
            pieces.append(data[at:end])
            pictures += name == b"IDAT"
        if name == b"IEND":
            break
        at = end
    else:
        raise Refused(Refusal.TOO_COMPLEX, f"more than {CHUNKS_MAX} chunks")
    if not pictures:
        raise Refused(Refusal.DAMAGED, "no picture")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, _, _, interlace = header[8:]
    samples, depths = _COLOURS.get(colour, (0, ()))
    if depth not in depths or interlace > 1 or not width or not height:
        raise Refused(Refusal.DAMAGED, "a wrong header")
    return Png(
        width=width,
        height=height,
        inflated_bytes=height * (1 + -(-width * samples * depth // 8)),
        interlaced=interlace == 1,
        clean=b"".join(pieces),
    )
