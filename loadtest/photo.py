"""Synthetic photos: a JPEG of the scenario's size, with EXIF data and a position, as a function of seed and person.

A phone's photo is neither flat nor pure noise: soft shapes are most of the picture and sensor noise is most of the
bytes. A coarse random grid scaled up gives the first, a tiled patch of noise the second; at quality 85 a picture of
1600 × 1200 has 200–400 kB.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyvips

from core.scenario.model import PhotoSettings

QUALITY: Final = 85
_GRAIN: Final = 256  # pixels; the side of the tile
_GRAIN_DEVIATION: Final = 6.0  # of 255
_SOI: Final = b"\xff\xd8"
_COM: Final = b"\xff\xfe"


def taken_by(person: int, *, seed: int, photo: PhotoSettings) -> bytes:
    """The photo of one person."""
    numbers = np.random.Generator(np.random.PCG64((seed, person)))
    coarse = numbers.integers(20, 236, size=(12, 16, 3), dtype=np.uint8)
    shapes = _from_array(coarse).resize(photo.width / 16, vscale=photo.height / 12, kernel="cubic")
    shapes = shapes.crop(0, 0, photo.width, photo.height)
    patch = numbers.normal(0.0, _GRAIN_DEVIATION, size=(_GRAIN, _GRAIN, 3)).astype(np.float32)
    across, down = -(-photo.width // _GRAIN), -(-photo.height // _GRAIN)
    grain = _from_array(patch).replicate(across, down).crop(0, 0, photo.width, photo.height)
    image = (shapes + grain).cast("uchar").copy(interpretation="srgb")
    return bytes(_with_exif(image, person).jpegsave_buffer(Q=QUALITY, keep="exif"))


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture with a comment in it: a different object at the cost of a copy.

    ``text`` is at most 65,000 bytes of UTF-8; raises ValueError for a longer text, or for data that is not JPEG.
    """
    note = text.encode()
    if not jpeg.startswith(_SOI) or len(note) > 65_000:
        raise ValueError("expected a JPEG and a comment of at most 65,000 bytes")
    return _SOI + _COM + (len(note) + 2).to_bytes(2, "big") + note + jpeg[2:]


def _from_array(values: np.ndarray[Any, Any]) -> Any:
    height, width, bands = values.shape
    kind = {"uint8": "uchar", "float32": "float"}[str(values.dtype)]
    return pyvips.Image.new_from_memory(values.tobytes(), width, height, bands, kind)


def _with_exif(image: Any, person: int) -> Any:
    image = image.copy()
    fields = {
        "exif-ifd0-Make": "Windtunnel",
        "exif-ifd0-Model": f"Camera {person % 7}",
        "exif-ifd2-DateTimeOriginal": f"2026:01:{1 + person % 28:02d} 12:{person % 60:02d}:00",
        "exif-ifd3-GPSLatitudeRef": "N",
        "exif-ifd3-GPSLatitude": f"{40 + person % 20}/1 {person % 60}/1 0/1",
        "exif-ifd3-GPSLongitudeRef": "E",
        "exif-ifd3-GPSLongitude": f"{person % 30}/1 {person * 7 % 60}/1 0/1",
    }
    for name, value in fields.items():
        image.set_type(pyvips.GValue.gstr_type, name, value)
    return image
