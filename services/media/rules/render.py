"""Rendering: one decode, turned upright, in sRGB, then each variant from the next larger one, without any metadata.

Re-encoding removes EXIF, GPS, comments and everything else that a file contains besides its pixels (``keep="none"``):
no byte of an upload is ever served. A variant called ``1080`` fits into a square of 1080 pixels; a smaller photo is not
enlarged. A photo of more than 4096 pixels a side is made smaller first, by policy.

A photo is decoded strictly, because libjpeg fills missing parts with grey and only warns. `_HARMLESS` names the
warnings that an intact photo may cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyvips

from core.policies.photo import Refusal
from services.media.rules.checks import Checked
from services.media.rules.refusal import Refused

SIDE_MAX: Final = 4096
#: Extra bytes after a scan, and scans in an odd order: nothing is missing.
_HARMLESS: Final = ("extraneous bytes before marker", "Inconsistent progression sequence")
_WHITE: Final = [255.0, 255.0, 255.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one variant is made."""

    name: str
    side: int
    quality: int
    progressive: bool = False
    webp: bool = False

    @property
    def content_type(self) -> str:
        return "image/webp" if self.webp else "image/jpeg"

    @property
    def file_name(self) -> str:
        return f"{self.name}.{'webp' if self.webp else 'jpg'}"


#: From large to small: each is scaled from the one before.
RECIPES: Final = (
    Recipe(name="original", side=SIDE_MAX, quality=90),
    Recipe(name="1080", side=1080, quality=85, progressive=True),
    Recipe(name="640", side=640, quality=85, progressive=True),
    Recipe(name="webp_640", side=640, quality=80, webp=True),
    Recipe(name="150", side=150, quality=80, progressive=True),
)


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """One variant and its bytes."""

    name: str
    file_name: str
    content_type: str
    width: int
    height: int
    body: bytes


def render(photo: Checked) -> list[Rendering]:
    """Every variant of a photo; raises Refused, and MemoryError beyond the process' bound."""
    try:
        image = _decoded(photo)
        made = []
        for recipe in RECIPES:
            image = _fitted(image, recipe.side)
            made.append(_encoded(image, recipe))
        return made
    except pyvips.Error as error:
        raise damaged(error) from error


def _decoded(photo: Checked) -> Any:
    """The photo, upright, in memory; raises Refused when the decoder warned that something is missing."""
    pyvips.vips_lib.vips_error_clear()
    try:
        image = _small(_opened(photo, fail_on="warning"))
    except pyvips.Error as error:
        if not _harmless(_detail(error)):
            raise
        image = _small(_opened(photo, fail_on="error"))
    else:
        # libvips checks for warnings before each row, so never after the last
        message = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer()).decode(errors="replace").strip()
        if message and not _harmless(message):
            raise Refused(Refusal.DAMAGED, message[:200])
    return image.autorot()  # of the whole photo in memory, which a sequential decode cannot give


def _harmless(message: str) -> bool:
    return any(each in message for each in _HARMLESS)


def damaged(error: pyvips.Error) -> Refused:
    """The refusal for a decoder's error; raises MemoryError if our memory limit caused it."""
    message = _detail(error)
    if "out of memory" in message:
        raise MemoryError(message) from error
    return Refused(Refusal.DAMAGED, message)


def _detail(error: pyvips.Error) -> str:
    return " ".join(str(error.detail or error.message).split())[:200]


def _opened(photo: Checked, *, fail_on: str) -> Any:
    """The photo with its header read and nothing decoded (a pyvips image, sequential)."""
    # the loader is named: libvips would otherwise accept any format that it was built with
    match photo.kind:
        case "jpeg":
            # large photos are shrunk during decoding, to no less than the policy's size, and long thin ones to no less
            # than one pixel across
            across, along = sorted((photo.width, photo.height))
            shrink = next(by for by in (8, 4, 2, 1) if by == 1 or (along >= by * SIDE_MAX and across >= by))
            return pyvips.Image.jpegload_buffer(photo.clean, access="sequential", fail_on=fail_on, shrink=shrink)
        case "png":
            return pyvips.Image.pngload_buffer(photo.clean, access="sequential", fail_on=fail_on)
        case _:
            return pyvips.Image.webpload_buffer(photo.clean, access="sequential", fail_on=fail_on)


def _small(image: Any) -> Any:
    """The photo in memory: decoded once, at most SIDE_MAX a side, opaque, in sRGB."""
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
    elif image.interpretation != "srgb":
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    if image.format != "uchar":
        image = image.cast("uchar")
    return _scaled(image, SIDE_MAX).copy_memory()  # decoded here, once


def _fitted(image: Any, side: int) -> Any:
    return image if max(image.width, image.height) <= side else _scaled(image, side).copy_memory()


def _scaled(image: Any, side: int) -> Any:
    """The image within a square of ``side`` pixels; a long thin one keeps at least one pixel across."""
    scale = side / max(image.width, image.height)
    if scale >= 1:
        return image
    return image.resize(max(scale, 1 / image.width), vscale=max(scale, 1 / image.height))


def _encoded(image: Any, recipe: Recipe) -> Rendering:
    if recipe.webp:
        body = image.webpsave_buffer(Q=recipe.quality, effort=2, keep="none")
    else:
        # libvips drops chroma subsampling at Q 90, which would double the original's bytes
        body = image.jpegsave_buffer(
            Q=recipe.quality,
            interlace=recipe.progressive,
            optimize_coding=recipe.progressive,
            subsample_mode="on",
            keep="none",
        )
    return Rendering(
        name=recipe.name,
        file_name=recipe.file_name,
        content_type=recipe.content_type,
        width=image.width,
        height=image.height,
        body=body,
    )
