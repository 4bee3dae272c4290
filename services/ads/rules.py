"""The default house ads."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseAd:
    """One ad; ``target_path`` is on our own gateway."""

    id: str
    headline: str
    image_url: str
    target_path: str


def picture(colour: str, words: str) -> str:
    """A small picture as a data URL, so that an ad needs no other file."""
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="{colour}"/>'
        f'<text x="32" y="36" font-size="9" font-family="sans-serif" text-anchor="middle" fill="#fff">{words}</text>'
        "</svg>"
    )
    return "data:image/svg+xml;base64," + b64encode(drawn.encode()).decode()


#: Operators change them in the table ``house_ads``.
DEFAULTS: Final = tuple(
    HouseAd(id=f"house-{number}", headline=headline, image_url=picture(colour, words), target_path=path)
    for number, (headline, colour, words, path) in enumerate(
        (
            ("Find people you know", "#0072B2", "people", "/api/v1/docs#search.users"),
            ("Follow what people talk about: hashtags", "#C84E00", "#tags", "/api/v1/docs#search.hashtags"),
            ("Share a story that is gone tomorrow", "#99004D", "stories", "/api/v1/docs#story.create"),
            ("Ten photos, one post: try a carousel", "#1F6F54", "carousel", "/api/v1/docs#post.create"),
            ("Build on our API", "#4A4A8A", "API", "/api/v1/docs"),
        ),
        start=1,
    )
)
