"""JPEG as the checks read it: markers and headers, no pixels (ITU-T T.81, Annex B).

`read` also returns the bytes that a decoder may see: tables, frame and scans unchanged, orientation and colour profile,
and an end marker, which cameras and messengers lose. Comments, previews and data after the end are left out, and so are
oddities of headers that a decoder would warn about: any warning left is then about damaged pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from core.policies.photo import Refusal
from services.media.rules.refusal import Refused

SCANS_MAX: Final = 256  # a progressive photo has about ten
SEGMENTS_MAX: Final = 4_096  # a colour profile may have 255, metadata some hundred

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_JFIF: Final = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
#: A marker, and not a stuffed byte, a restart or a fill byte.
_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_WINDOW_BYTES: Final = 1 << 18  # searched at once, so that other threads get their turns
_SEQUENTIAL: Final = (0xC0, 0xC1)
_PROGRESSIVE: Final = 0xC2
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_TABLES: Final = frozenset({0xC4, 0xDB, 0xDD})  # Huffman, quantization, restart interval
_BLOCK_SAMPLES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """What the headers of a JPEG say."""

    width: int
    height: int
    scans: int
    scanned_samples: int  # over all scans: what a decoder processes
    coefficient_bytes: int  # kept by a decoder until the last scan; 0 if it keeps none
    clean: bytes


@dataclass(slots=True, kw_only=True)
class _Component:
    across: int  # sampling factors
    down: int
    missing_bits: list[int]  # of each coefficient: low bits that no scan has contained; −1: no scan has contained it


@dataclass(slots=True, kw_only=True)
class _Frame:
    progressive: bool
    width: int
    height: int
    components: dict[int, _Component]
    scans: int = 0
    scanned_samples: int = 0
    buffered: bool = False  # some scan does not hold all components at once
    pieces: list[bytes] = field(default_factory=list)

    def samples(self, identifiers: tuple[int, ...]) -> int:
        """Samples of one scan of these components, including the padding of blocks."""
        most = (
            max(each.across for each in self.components.values()),
            max(each.down for each in self.components.values()),
        )
        if len(identifiers) == 1:
            one = self.components[identifiers[0]]
            blocks = _ceil(_ceil(self.width * one.across, most[0]), 8) * _ceil(
                _ceil(self.height * one.down, most[1]), 8
            )
        else:
            units = _ceil(self.width, 8 * most[0]) * _ceil(self.height, 8 * most[1])
            blocks = units * sum(self.components[each].across * self.components[each].down for each in identifiers)
        return blocks * _BLOCK_SAMPLES


def read(data: bytes) -> Jpeg:
    """Read the headers of a file that begins as a JPEG does; raises Refused."""
    frame: _Frame | None = None
    before: list[bytes] = []
    seen: set[str] = set()
    at = len(_SOI)
    for _ in range(SEGMENTS_MAX):
        found = _marker(data, at)
        if found is None:
            break
        marker, at = data[found + 1], found + 2
        if marker in (0xD8, 0xD9):
            break
        if marker == 0x01:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            break  # truncated here; whether anything is missing is checked below
        body, start, at = data[at + 2 : at + length], found, at + length
        if marker in _FRAMES:
            if frame is not None:
                raise Refused(Refusal.DAMAGED, "a second frame")
            frame = _frame(marker, body)
            frame.pieces = [*before, data[start:at]]
        elif marker == 0xDA:
            if frame is None:
                raise Refused(Refusal.DAMAGED, "a scan before its frame")
            end = _marker(data, at)
            frame.pieces += [_scan(frame, body), data[at : len(data) if end is None else end]]
            at = len(data) if end is None else end
        else:
            kept = _kept(marker, body, seen)
            (before if frame is None else frame.pieces).append(data[start:at] if kept is None else kept)
    else:
        raise Refused(Refusal.TOO_COMPLEX, f"more than {SEGMENTS_MAX} segments")
    if frame is None or not frame.scans:
        raise Refused(Refusal.DAMAGED, "no picture")
    if any(bits for each in frame.components.values() for bits in each.missing_bits):
        raise Refused(Refusal.DAMAGED, "scans are missing")
    return Jpeg(
        width=frame.width,
        height=frame.height,
        scans=frame.scans,
        scanned_samples=frame.scanned_samples,
        coefficient_bytes=2 * frame.samples(tuple(frame.components)) if frame.buffered else 0,
        clean=b"".join([_SOI, *frame.pieces, _EOI]),
    )


def _marker(data: bytes, at: int) -> int | None:
    """Where the next marker is."""
    while at < len(data):
        found = _MARKER.search(data, at, at + _WINDOW_BYTES)
        if found:
            return found.start()
        at += _WINDOW_BYTES - 1  # a marker may cross the border
    return None


def _kept(marker: int, body: bytes, seen: set[str]) -> bytes | None:
    """What replaces the segment in the clean file; None: the segment itself."""
    if marker in _TABLES:
        return None
    if marker == 0xE0 and body.startswith(b"JFIF\0") and "JFIF" not in seen:
        seen.add("JFIF")
        return _JFIF
    if marker == 0xE1 and body.startswith(b"Exif\0\0") and "Exif" not in seen:
        seen.add("Exif")
        return None
    if marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        return None
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12 and body[11] <= 2:
        return None
    return b""


def _frame(marker: int, body: bytes) -> _Frame:
    if marker not in (*_SEQUENTIAL, _PROGRESSIVE):
        raise Refused(Refusal.UNSUPPORTED, f"frame {marker:#x}")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise Refused(Refusal.DAMAGED, "a short frame header")
    precision, height, width, count = (
        body[0],
        int.from_bytes(body[1:3], "big"),
        int.from_bytes(body[3:5], "big"),
        body[5],
    )
    if precision != 8 or count not in (1, 3, 4):
        raise Refused(Refusal.UNSUPPORTED, f"{count} components of {precision} bits")
    if not width or not height:
        raise Refused(Refusal.DAMAGED, f"{width} × {height}")
    components: dict[int, _Component] = {}
    for index in range(count):
        identifier, sampling, _ = body[6 + 3 * index : 9 + 3 * index]
        across, down = sampling >> 4, sampling & 15
        if identifier in components or not (1 <= across <= 4 and 1 <= down <= 4):
            raise Refused(Refusal.DAMAGED, "a wrong component")
        components[identifier] = _Component(across=across, down=down, missing_bits=[-1] * _BLOCK_SAMPLES)
    return _Frame(progressive=marker == _PROGRESSIVE, width=width, height=height, components=components)


def _scan(frame: _Frame, body: bytes) -> bytes:
    """Account for a scan; returns its header as a decoder may see it."""
    count = body[0] if body else 0
    if not 1 <= count <= 4 or len(body) < 4 + 2 * count:
        raise Refused(Refusal.DAMAGED, "a wrong scan header")
    identifiers = tuple(body[1 : 1 + 2 * count : 2])
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    if not frame.progressive:  # some cameras write other values here, which have no meaning
        first, last, bits = 0, _BLOCK_SAMPLES - 1, 0
    if len(set(identifiers)) < count or not set(identifiers) <= set(frame.components) or last >= _BLOCK_SAMPLES:
        raise Refused(Refusal.DAMAGED, "a wrong scan header")
    frame.scans += 1
    if frame.scans > SCANS_MAX:
        raise Refused(Refusal.TOO_COMPLEX, f"more than {SCANS_MAX} scans")
    frame.scanned_samples += frame.samples(identifiers)
    frame.buffered |= frame.progressive or count < len(frame.components)
    for identifier in identifiers:
        missing = frame.components[identifier].missing_bits
        missing[first : last + 1] = [bits & 15] * len(missing[first : last + 1])
    head = body[: 1 + 2 * count] + bytes((first, last, bits))
    return b"\xff\xda" + (len(head) + 2).to_bytes(2, "big") + head


def _ceil(amount: int, size: int) -> int:
    return -(-amount // size)
