"""The stationary content of the CDN's tiers, with which a short run of a large system begins.

Requests for photo i are a Poisson process of rate λᵢ, so the time since its last request is exponential and independent
of all others. An LRU cache holds the photos with the shortest times, as many as fit; this is its exact stationary
state. The second tier gets the misses of the first: with the first tier's characteristic time T (H. Che, Y. Tung and
Z. Wang 2002) their rate is λᵢ exp(−λᵢ T). They are assumed to be Poisson again, which is an approximation. The time to
live is ignored.
"""

from __future__ import annotations

import math

import numpy as np

from core import streams
from core.names import Cache as CacheName
from core.operations import IMAGE_READ
from core.scenario import Scenario
from core.traffic import Floats, Ints
from sim.model.caches import LruCache
from sim.model.content import Content


def warm(tiers: list[LruCache], content: Content, *, scenario: Scenario, region: int, now: float) -> None:
    """Fill the tiers of one region's CDN, which are empty."""
    authors = np.arange(content.people.posters)
    weights = content.people.follower_counts[: len(authors)] + 1.0
    load = scenario.traffic
    asked = load.rate_per_second * load.mix_ratio.get(IMAGE_READ, 0.0) * content.share(region)
    if not asked:
        return
    rates, sizes = asked * weights / weights.sum(), content.photos_bytes(authors)
    for name in (CacheName.EDGE, CacheName.SHIELD):
        tier = next((each for each in tiers if each.name == name), None)
        if tier is None:
            return
        stream = streams.named(scenario.seed, f"model.warm.{name}.{region}")
        with np.errstate(divide="ignore", over="ignore"):  # a photo that the first tier never evicts has no rate here
            ages = stream.exponentials(authors) / rates
        kept, characteristic_seconds = _held(ages, sizes, tier.capacity_bytes)
        for author in kept[::-1].tolist():  # the least recently used first
            tier.keep(author, size_bytes=int(sizes[author]), now=now)
        # of a tier that has room for all, nothing comes through
        full = np.isfinite(characteristic_seconds)
        rates = rates * np.exp(-rates * characteristic_seconds) if full else np.zeros_like(rates)


def _held(ages: Floats, sizes: Ints, capacity_bytes: float) -> tuple[Ints, float]:
    """The most recently used that fit, and the age of the first that does not; infinite where all fit."""
    order = np.argsort(ages, kind="stable")
    order = order[np.isfinite(ages[order])]
    count = int(np.searchsorted(np.cumsum(sizes[order]), capacity_bytes, side="right"))
    return order[:count], float(ages[order[count]]) if count < len(order) else math.inf
