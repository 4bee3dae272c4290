"""Ads: which items of a session are ads, and which ad is shown at each.

Both depend only on how many items the session has shown, so the share of ads does not depend on the page size: the n-th
ad is shown as soon as n ads are at most their share of the items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Number of different ads by default.
HOUSE_ADS: Final = 5
#: Items after which a page may repeat an ad; another page may repeat it sooner.
REPEAT_ITEMS: Final = 30
#: At most every second item is an ad, so that no ad directly follows another.
RATIO_MAX: Final = 0.5


@dataclass(frozen=True, slots=True)
class AdPlace:
    """One ad: its position on the page, from 1, and its index among the available ads, from 0."""

    place: int
    ad: int


def ads_among(items: int, *, ratio: float) -> int:
    """Ads among the first ``items`` of a session."""
    return int(items * min(ratio, RATIO_MAX) + 1e-9)


def ad_places(page: int, *, shown: int, ratio: float, ads: int) -> tuple[AdPlace, ...]:
    """Ads on a page of ``page`` items after the session has shown ``shown`` items; there are ``ads`` different ads.

    The ads take turns. A position whose ad was shown fewer than `REPEAT_ITEMS` before on the page goes to a post.
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
