"""Sizes of the CDN's caches: how much each tier must hold for the intended hit ratios.

Che's approximation over a Zipf law of images, in bins of similar popularity (H. Che, Y. Tung
and Z. Wang 2002; `tests.oracles.caches` is the same for a list of objects). The shield sees what the edges miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.operations import IMAGE_READ, MEDIA_PROCESS
from planning.plan.brief import Brief
from planning.plan.demand.workload import DAY_SECONDS, Moment
from planning.plan.queueing.distributions import Floats

_EXACT: Final = 1_000
_BINS_PER_DECADE: Final = 100
#: Readers ask for the uploads of this long, if the demand does not say.
_LIVE_DAYS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTier:
    """One tier in one region."""

    name: str
    hit_ratio: float
    bytes_held: float
    requests_per_second: float  # in the worst hour
    bytes_per_second: float  # sent, in the worst hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """Edge and shield of every region by its name, and what the object store sends for their misses."""

    edge: dict[str, CacheTier]
    shield: dict[str, CacheTier]
    origin_bytes_per_second: dict[str, float]
    images: float  # number of different ones

    @classmethod
    def of(cls, brief: Brief) -> Caches:
        """Sizes for the brief's hit ratios."""
        images = float(brief.demand.images or max(1.0, _uploads(brief)))
        popularity = Popularity.zipf(images, brief.demand.popularity)
        size = brief.sizes.image_bytes
        edge_hit, shield_hit = 1.0 - brief.miss_ratio["edge"], 1.0 - brief.miss_ratio["shield"]
        edge_objects, left = popularity.objects_for(edge_hit)
        shield_objects, _ = left.objects_for(shield_hit)
        edge, shield, origin = {}, {}, {}
        for name in brief.workload.shares:
            rate = brief.workload.rates(name, Moment.LOST)[IMAGE_READ]
            missed = rate * brief.miss_ratio["edge"]
            edge[name] = CacheTier(
                name="edge",
                hit_ratio=edge_hit,
                bytes_held=edge_objects * size,
                requests_per_second=rate,
                bytes_per_second=rate * size,
            )
            shield[name] = CacheTier(
                name="shield",
                hit_ratio=shield_hit,
                bytes_held=shield_objects * size,
                requests_per_second=missed,
                bytes_per_second=missed * size,
            )
            origin[name] = missed * brief.miss_ratio["shield"] * size
        return cls(edge=edge, shield=shield, origin_bytes_per_second=origin, images=images)


def _uploads(brief: Brief) -> float:
    return brief.workload.per_second[MEDIA_PROCESS] * DAY_SECONDS * _LIVE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """Shares of requests of one object each, and how many objects have them."""

    shares: Floats
    counts: Floats

    @classmethod
    def zipf(cls, images: float, exponent: float) -> Popularity:
        """Shares of ``images`` objects, the k-th in proportion to k^−exponent."""
        edges = np.arange(1.0, min(images, _EXACT) + 1.0)
        if images > _EXACT:
            bins = max(2, round(np.log10(images / _EXACT) * _BINS_PER_DECADE))
            edges = np.concatenate((edges, np.round(np.geomspace(_EXACT, images, bins))[1:]))
        edges = np.unique(np.append(edges, np.floor(images) + 1.0))
        counts = np.diff(edges)
        shares = ((edges[:-1] + edges[1:] - 1.0) / 2.0) ** -exponent
        return cls(shares=shares / float(shares @ counts), counts=counts)

    def objects_for(self, hit_ratio: float) -> tuple[float, Popularity]:
        """(objects that an LRU cache must hold to hit so often, popularity of what it misses)."""
        low, high = -20.0, 40.0  # of log of the characteristic time, in mean gaps of all requests
        for _ in range(200):
            middle = (low + high) / 2.0
            if float((self.shares * self.counts) @ self._kept(middle)) < hit_ratio:
                low = middle
            else:
                high = middle
        kept = self._kept(high)
        missed = self.shares * (1.0 - kept)
        total = float(missed @ self.counts)
        left = Popularity(shares=missed / total if total else self.shares, counts=self.counts)
        return float(kept @ self.counts), left

    def _kept(self, log_time: float) -> Floats:
        return np.asarray(-np.expm1(-self.shares * np.exp(log_time)), dtype=np.float64)
