"""The checks and the decoder: which bytes are accepted as a photo, and what may be missing from one."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import pytest
import pyvips

from core.policies import photo
from core.policies.photo import Lane, Refusal
from services.media.rules import jpeg as jpegs
from services.media.rules import png as pngs
from services.media.rules import webp as webps
from services.media.rules.checks import checked
from services.media.rules.refusal import Refused
from services.media.rules.render import render
from tests.service.media.photos import jpeg, picture, with_exif

EOI = b"\xff\xd9"


def refusal_of(data: bytes) -> Refusal | None:
    """Why a file fails, from the checks to the last variant; None when it is rendered."""
    try:
        assert len(render(checked(data))) == 5
    except Refused as refused:
        return refused.refusal
    return None


def noisy(width: int, height: int, **how: Any) -> bytes:
    """A JPEG whose every row takes many bytes."""
    noise = pyvips.Image.gaussnoise(width, height, sigma=30, mean=128, seed=7)
    return bytes(noise.bandjoin([noise, noise]).cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=85, **how))


def segment(marker: int, body: bytes) -> bytes:
    """One segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def frame(marker: int, width: int, height: int, *sampling: int, precision: int = 8) -> bytes:
    """A frame header with components 1, 2, …"""
    parts = b"".join(bytes((number + 1, each, 0)) for number, each in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", precision, height, width, len(sampling)) + parts)


def scan(*components: int, first: int = 0, last: int = 63, bits: int = 0) -> bytes:
    """A scan header and a byte of data."""
    parts = b"".join(bytes((each, 0)) for each in components)
    return segment(0xDA, bytes((len(components),)) + parts + bytes((first, last, bits))) + b"\x00"


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlaced: int = 0, middle: bytes = b"") -> bytes:
    """A PNG with this header and hardly any data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"".join(
        (pngs.MAGIC, chunk(b"IHDR", header), middle, chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IEND", b""))
    )


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (5, 40_000), (40_000, 7), (9, 33_000), (1, 1)], ids=str)
def test_a_long_thin_photo_keeps_a_pixel_across_in_every_variant(size: tuple[int, int], kind: str) -> None:
    noise = pyvips.Image.gaussnoise(*size, sigma=30, mean=128, seed=7).cast("uchar")
    made = render(checked(bytes(noise.write_to_buffer(kind))))
    assert len(made) == 5
    assert all(min(each.width, each.height) >= 1 for each in made)
    assert max(made[0].width, made[0].height) == min(max(size), 4_096)
    assert max(made[-1].width, made[-1].height) == min(max(size), 150)


@pytest.mark.parametrize("how", [{}, {"interlace": True}, {"subsample_mode": "off"}], ids=str)
def test_a_whole_jpeg_is_shown_whatever_its_end_looks_like(how: dict[str, Any]) -> None:
    good = noisy(320, 200, **how)
    assert good.endswith(EOI)
    ends = [
        good,
        good[:-2],
        good[:-1],
        good + bytes(500),
        good + jpeg(64, 64),
        good[:-2] + bytes(40),
        good[:-2] + b"xyz" + EOI,
    ]
    assert [refusal_of(each) for each in ends] == [None] * len(ends)


@pytest.mark.parametrize("how", [{}, {"interlace": True}, {"restart_interval": 8}], ids=str)
def test_a_jpeg_that_lacks_data_is_refused_however_it_ends(how: dict[str, Any]) -> None:
    good = noisy(320, 200, **how)
    seed = random.Random(5)
    cuts = [3, 10, 60, 300, len(good) // 20, len(good) // 2, *(seed.randrange(3, len(good) - 700) for _ in range(12))]
    for cut in cuts:
        for end in (b"", EOI, b"\0" * 64 + EOI):
            if end and not end.startswith(EOI) and cut < 64:
                continue  # zeros may be what was there
            assert refusal_of(good[:-cut] + end) is Refusal.DAMAGED, (cut, end)


def test_a_progressive_jpeg_cut_between_two_scans_is_refused() -> None:
    good = noisy(160, 120, interlace=True)
    starts = [at for at in range(len(good)) if good[at : at + 2] == b"\xff\xda"]
    assert len(starts) > 5
    assert {refusal_of(good[:at] + EOI) for at in starts} == {Refusal.DAMAGED}


def test_oddities_of_headers_neither_hide_missing_rows_nor_spoil_a_photo() -> None:
    good = noisy(320, 200)
    odd = good.replace(b"JFIF\0\x01\x01", b"JFIF\0\x07\x01")  # a revision that libjpeg warns of first
    if odd == good:
        odd = good[:2] + segment(0xE0, b"JFIF\0\x07\x01\0\0\1\0\1\0\0") + good[2:]
    at = odd.index(b"\xff\xda")
    strange = bytearray(odd)
    strange[at + 4 + 7 : at + 4 + 10] = b"\x00\x00\x00"  # spectral selection that means nothing there
    for whole in (odd, bytes(strange)):
        assert refusal_of(whole) is None
        assert refusal_of(whole[:-1000] + EOI) is Refusal.DAMAGED


def test_a_decoder_sees_neither_comments_nor_previews_nor_what_follows_the_end() -> None:
    good = with_exif(jpeg(64, 48), orientation=6, comment=b"SECRET-COMMENT")
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0SECRET-XMP")
    clean = checked(good[:2] + xmp + good[2:] + b"SECRET-BEHIND").clean
    assert b"SECRET-COMMENT" in good
    assert not [secret for secret in (b"SECRET-COMMENT", b"SECRET-XMP", b"SECRET-BEHIND") if secret in clean]
    assert b"Exif\0\0" in clean  # it has the orientation
    noted = pngs.read(bytes(picture(40, 30).pngsave_buffer())[:33] + chunk(b"tEXt", b"SECRET") + png(1, 1)[33:]).clean
    assert b"SECRET" not in noted


@pytest.mark.parametrize(
    ("width", "height", "sampling", "lane"),
    [
        (8_160, 6_144, (0x22, 0x11, 0x11), Lane.LIGHT),
        (12_000, 9_000, (0x22, 0x11, 0x11), Lane.LIGHT),
        (16_320, 12_240, (0x21, 0x11, 0x11), Lane.HEAVY),
    ],
)
def test_every_phones_photo_passes_the_checks(width: int, height: int, sampling: tuple[int, ...], lane: Lane) -> None:
    data = b"\xff\xd8" + frame(0xC0, width, height, *sampling) + scan(1, 2, 3) + EOI
    assert checked(data).lane is lane
    progressive = frame(0xC2, width, height, 0x22, 0x11, 0x11) + scan(1, 2, 3, last=0)
    each = b"".join(scan(number, first=1) for number in (1, 2, 3))
    assert checked(b"\xff\xd8" + progressive + each + EOI).lane is (Lane.LIGHT if width < 9_000 else Lane.HEAVY)


def test_what_would_take_too_much_is_refused_by_its_headers() -> None:
    start = b"\xff\xd8" + frame(0xC2, 8_064, 6_048, 0x11) + scan(1, last=0)
    many = b"".join(scan(1, first=1, bits=0) for _ in range(90))
    refused = {
        b"\xff\xd8" + frame(0xC0, 65_000, 4_000, 0x11) + scan(1): Refusal.TOO_MANY_PIXELS,
        b"\xff\xd8" + frame(0xC2, 16_320, 12_240, 0x11, 0x11, 0x11) + scan(1, 2, 3): Refusal.TOO_MANY_PIXELS,
        start + many: Refusal.TOO_COMPLEX,  # 91 scans of 49 megapixels
        b"\xff\xd8" + frame(0xC2, 8, 8, 0x11) + scan(1) * (jpegs.SCANS_MAX + 1): Refusal.TOO_COMPLEX,
        b"\xff\xd8" + segment(0xFE, b"") * jpegs.SEGMENTS_MAX + frame(0xC0, 8, 8, 0x11) + scan(1): Refusal.TOO_COMPLEX,
        b"\xff\xd8\xff" + b"\x01\xff" * 100_000: Refusal.TOO_COMPLEX,
        b"\xff\xd8" + frame(0xC9, 8, 8, 0x11) + scan(1): Refusal.UNSUPPORTED,
        b"\xff\xd8" + frame(0xC0, 8, 8, 0x11, precision=12) + scan(1): Refusal.UNSUPPORTED,
        png(10_000_000, 1): Refusal.TOO_MANY_PIXELS,
        png(20_000, 20_000): Refusal.TOO_MANY_PIXELS,
        png(8_000, 8_000, depth=16, colour=6, interlaced=1): Refusal.TOO_COMPLEX,
        png(9, 9, middle=chunk(b"tEXt", b"") * pngs.CHUNKS_MAX): Refusal.TOO_COMPLEX,
        riff(b"VP8X", bytes(4) + (16_382).to_bytes(3, "little") * 2, b"VP8 ", bytes(10)): Refusal.TOO_MANY_PIXELS,
        riff(*[b"ANMF", bytes(16)] * webps.CHUNKS_MAX): Refusal.TOO_COMPLEX,
    }
    assert [refusal_of(data) for data in refused] == list(refused.values())


def riff(*parts: bytes) -> bytes:
    """A WebP of chunks: name, body, name, body …"""
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data for name, data in zip(parts[::2], parts[1::2], strict=True)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_no_bytes_break_the_checks() -> None:
    seed = random.Random(11)
    base = picture(48, 32)
    whole = [noisy(48, 32), noisy(48, 32, interlace=True), bytes(base.pngsave_buffer()), bytes(base.webpsave_buffer())]
    seen = set()
    for good in whole:
        assert refusal_of(good) is None
        for _ in range(400):
            bad = bytearray(good)
            for _ in range(seed.randint(1, 6)):
                bad[seed.randrange(3, len(bad))] = seed.randrange(256)
            try:
                found = checked(bytes(bad[: seed.randint(12, len(bad))]))
            except Refused as refused:
                seen.add(refused.refusal)
            else:
                assert found.memory_bytes <= photo.MEMORY_BYTES_MAX[found.lane]
                assert found.decode_seconds <= photo.DECODE_SECONDS_MAX[found.lane]
    assert {Refusal.DAMAGED, Refusal.NOT_A_PHOTO, Refusal.TOO_MANY_PIXELS} <= seen
