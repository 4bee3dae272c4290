"""Photos for tests, and how a client uploads one."""

from __future__ import annotations

import struct
from typing import Any

import pyvips

from tests.service.conftest import Someone, System

#: The test file that every scanner detects (eicar.org), in two parts so that this module is not detected.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def picture(width: int, height: int) -> Any:
    """Dark on the left, bright on the right, red at the top, blue at the bottom: its orientation is visible."""
    across = pyvips.Image.xyz(width, height)
    grey = across[0] * (255.0 / max(1, width - 1))
    down = across[1] * (255.0 / max(1, height - 1))
    return (255.0 - down).bandjoin([grey, down]).cast("uchar").copy(interpretation="srgb")


def jpeg(width: int = 320, height: int = 240) -> bytes:
    """A JPEG photo without metadata."""
    return bytes(picture(width, height).jpegsave_buffer(Q=90, keep="none"))


def with_exif(data: bytes, *, orientation: int = 1, comment: bytes = b"SECRET-CAMERA-OWNER") -> bytes:
    """The JPEG as a phone writes it: orientation, camera, a GPS position; and a comment after it."""
    exif = b"Exif\0\0" + _tiff(orientation)
    app1 = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    note = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    return data[:2] + app1 + note + data[2:]


def _tiff(orientation: int) -> bytes:
    make = b"SecretPhone\0"
    # header, IFD0 with three entries, IFD of GPS with two, values behind
    ifd0, entries = 8, 3
    gps = ifd0 + 2 + 12 * entries + 4
    values = gps + 2 + 12 * 2 + 4
    out = b"II*\0" + struct.pack("<I", ifd0)
    out += struct.pack("<H", entries)
    out += struct.pack("<HHII", 0x010F, 2, len(make), values)  # Make
    out += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)  # Orientation
    out += struct.pack("<HHII", 0x8825, 4, 1, gps)  # GPS IFD
    out += struct.pack("<I", 0)
    out += struct.pack("<H", 2)
    out += struct.pack("<HHI4s", 0x0001, 2, 2, b"N\0\0\0")  # GPSLatitudeRef
    out += struct.pack("<HHII", 0x0002, 5, 3, values + len(make))  # GPSLatitude
    out += struct.pack("<I", 0)
    return out + make + struct.pack("<6I", 48, 1, 8, 1, 14, 1)


async def announce(system: System, user: Someone, data: bytes, *, content_type: str = "image/jpeg") -> Any:
    """Register an upload of ``data``; the answer's JSON."""
    answer = await system.call("media.create", user=user, json={"content_type": content_type, "size_bytes": len(data)})
    assert answer.status == 201, answer.json
    return answer.json


async def put(system: System, upload: Any, data: bytes) -> int:
    """PUT as the answer said; the status of the object store."""
    # versitygw leaves the body of a PUT that it refuses unread, and takes it for the connection's next request
    headers = {**upload["headers"], "Connection": "close"}
    async with system.session.put(upload["url"], data=data, headers=headers) as response:
        await response.read()
        return response.status


async def uploaded(system: System, user: Someone, data: bytes, *, content_type: str = "image/jpeg") -> str:
    """Upload and complete; the media's id. It is not processed yet."""
    told = await announce(system, user, data, content_type=content_type)
    assert await put(system, told["upload"], data) == 200
    answer = await system.call("media.complete", user=user, media_id=told["media"]["id"])
    assert answer.status == 202, answer.json
    assert answer.json == {"media": {"id": told["media"]["id"], "state": "processing"}}
    return str(told["media"]["id"])


def flat_jpeg(width: int, height: int, *, scans: int = 1) -> bytes:
    """A grey JPEG of any size, created quickly; progressive if it has several scans.

    Zeros are all of its data: '0' says "no difference" of a block's mean and "nothing more" of the rest; in the scans
    that follow '0' and 14 bits of zero say "nothing" of 16,384 blocks.
    """

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    def scan(first: int, last: int, bits: int) -> bytes:
        return segment(0xDA, bytes((1, 1, 0, first, last, 0))) + bytes(-(-bits // 8))

    one_code, blocks = bytes((1, *[0] * 15)), -(-width // 8) * -(-height // 8)
    several = scans > 1
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xDB, bytes((0, *[16] * 64))),
            segment(0xC2 if several else 0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"),
            segment(0xC4, b"\x00" + one_code + b"\x00"),
            segment(0xC4, b"\x10" + one_code + (b"\xe0" if several else b"\x00")),
            scan(0, 0, blocks) if several else scan(0, 63, 2 * blocks),
            *[scan(1, 63, 15 * -(-blocks // 16_384))] * (scans - 1),
            b"\xff\xd9",
        )
    )
