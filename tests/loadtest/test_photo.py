"""Synthetic photos resemble a phone's."""

from __future__ import annotations

import hashlib

import pytest
import pyvips

from core.scenario.model import PhotoSettings
from loadtest import photo


def decoded(data: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(data, "", fail_on="error")


def test_a_photo_is_a_jpeg_of_the_scenarios_size_with_exif_and_a_position() -> None:
    image = decoded(photo.taken_by(5, seed=7, photo=PhotoSettings(width=640, height=480)))
    assert (image.width, image.height, image.bands) == (640, 480, 3)
    assert image.get("exif-ifd0-Make").startswith("Windtunnel")
    assert image.get("exif-ifd3-GPSLatitude").startswith("45/1")


def test_a_photo_has_the_bytes_of_a_real_one() -> None:
    assert 200_000 < len(photo.taken_by(0, seed=7, photo=PhotoSettings(width=1600, height=1200))) < 400_000


def test_a_photo_is_a_function_of_seed_and_person() -> None:
    small = PhotoSettings(width=160, height=120)
    photos = {(seed, who): photo.taken_by(who, seed=seed, photo=small) for seed in (1, 2) for who in (0, 1)}
    assert photos[1, 0] == photo.taken_by(0, seed=1, photo=small)
    assert len({hashlib.sha256(data).digest() for data in photos.values()}) == 4


def test_a_comment_changes_the_bytes_and_not_the_picture() -> None:
    plain = photo.taken_by(0, seed=1, photo=PhotoSettings(width=160, height=120))
    marked = photo.with_comment(plain, "request 7")
    assert marked != plain
    assert decoded(marked).write_to_memory() == decoded(plain).write_to_memory()


@pytest.mark.parametrize(("data", "text"), [(b"PNG", "x"), (b"\xff\xd8\xff", "x" * 70_000)])
def test_a_comment_needs_a_jpeg_and_a_bound(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match="expected a JPEG"):
        photo.with_comment(data, text)
