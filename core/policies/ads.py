"""Ads: which items of a session are ads, and which ad is shown at each.

Both depend only on how many items the session has shown, so that the share of ads is the same whatever the size of its
pages: the n-th ad follows as soon as n ads are no more than their share of the items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Number of different ads by default.
HOUSE_ADS: Final = 5
#: An ad may stand on a page again so many items after it stood there; sooner only on another page.
REPEAT_ITEMS: Final = 30
#: More than every second item is never an ad, so that no ad follows another.
RATIO_MAX: Final = 0.5


@dataclass(frozen=True, slots=True)
class AdPlace:
    """One ad: its place on the page, from 1, and its number among the ads that there are, from 0."""

    place: int
    ad: int


def ads_among(items: int, *, ratio: float) -> int:
    """Ads among the first ``items`` of a session."""
    return int(items * min(ratio, RATIO_MAX) + 1e-9)


def ad_places(page: int, *, shown: int, ratio: float, ads: int) -> tuple[AdPlace, ...]:
    """Ads on a page of ``page`` items, before which the session has shown ``shown``, of ``ads`` different ones.

    They take turns. A place whose ad stood on the same page less than `REPEAT_ITEMS` before is a post's.
    """
    found: list[AdPlace] = []
    last: dict[int, int] = {}
    for place in range(1, page + 1):
        before = ads_among(shown + place - 1, ratio=ratio)
        if not ads or ads_among(shown + place, ratio=ratio) == before:
            continue
        ad = before % ads
        if ad not in last or place - last[ad] >= REPEAT_ITEMS:
            last[ad] = place
            found.append(AdPlace(place, ad))
    return tuple(found)
