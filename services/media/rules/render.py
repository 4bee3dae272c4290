"""Rendering: one decode, turned upright, in sRGB, then each variant from the next larger one, without any metadata.

Re-encoding is what takes out EXIF, GPS, comments and whatever else a file carries beside its pixels (``keep="none"``):
no byte of an upload is ever served. A variant called ``1080`` fits into a square of 1080 pixels; a photo that is
smaller is not blown up. What is larger than 4096 pixels a side is made smaller first, by policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyvips

from services.media.rules.gate import damaged, opened

SIDE_MAX: Final = 4096
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


def render(data: bytes) -> list[Rendering]:
    """Every variant of a photo; raises Refused, and MemoryError beyond the process' bound."""
    try:
        image = _upright(opened(data))
        made = []
        for recipe in RECIPES:
            image = _fitted(image, recipe.side)
            made.append(_encoded(image, recipe))
        return made
    except pyvips.Error as error:
        raise damaged(error) from error


def _upright(image: Any) -> Any:
    """The photo in memory: decoded once, at most SIDE_MAX a side, turned as its camera was held, opaque, in sRGB."""
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
    elif image.interpretation != "srgb":
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    if image.format != "uchar":
        image = image.cast("uchar")
    scale = SIDE_MAX / max(image.width, image.height)
    if scale < 1:
        image = image.resize(scale)
    # decoded here, once; turning needs the whole photo, which a sequential decode cannot give
    return image.copy_memory().autorot()


def _fitted(image: Any, side: int) -> Any:
    scale = side / max(image.width, image.height)
    if scale >= 1:
        return image
    # a long thin photo keeps at least one pixel across
    across = max(scale, 1 / image.width), max(scale, 1 / image.height)
    return image.resize(across[0], vscale=across[1]).copy_memory()


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
