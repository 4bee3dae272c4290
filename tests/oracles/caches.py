"""Hit ratios of LRU and TTL caches under independent Poisson requests, one tier or two in series, sizes and all.

Che's approximation: an object leaves an LRU cache after a time without a request that is the same for all objects, the
characteristic time T, where the cache is just full: Σ sᵢ (1 − e^(−λᵢ T)) = capacity (H. Che, Y. Tung and Z. Wang 2002;
why it is so exact: C. Fricker, P. Robert and J. Roberts 2012). It is an approximation in that T is constant; good to
some tenths of a per cent for caches of more than some hundred objects.

The second tier sees what the first one misses, and that is not Poisson: after a miss the first tier answers for T₁ at
least. Given T₁ the gaps between misses of one object are independent, with known distribution, so no further
approximation is needed (V. Martina, M. Garetto and E. Leonardi, *A unified approach to the performance analysis of
caching systems*, 2014, treat the second tier's hits as 1 − e^(−m (T₂ − T₁)), m the miss rate, which is this to first
order; N. Choungmo Fofack, P. Nain, G. Neglia and D. Towsley, *Performance evaluation of hierarchical TTL-based cache
networks*, 2014). Every tier keeps what it fetched, as `sim.model.caches.Cache` does after a miss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: After so many characteristic times the series has settled into one exponential.
_SETTLED: Final = 20
#: A tier that would need so many times the first one's time to fill up never does.
_NEVER: Final = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What one tier does. ``hit_ratios`` are by object, of the requests that reach this tier, as are the other two."""

    characteristic_seconds: float  # infinite where all objects fit
    hit_ratios: Floats
    hit_ratio: float
    byte_hit_ratio: float


def zipf(count: int, exponent: float) -> Floats:
    """Shares of requests of ``count`` objects, in proportion to rank^−exponent."""
    shares = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def lru(
    requests_per_second: npt.ArrayLike,
    capacity_bytes: float,
    sizes_bytes: npt.ArrayLike = 1.0,
    *,
    ttl_seconds: float = math.inf,
) -> Tier:
    """An LRU cache; ``sizes_bytes`` by object or one for all, so with 1 the capacity counts objects.

    With a ``ttl_seconds`` an entry expires so long after it was fetched, however often it is asked for. What has
    expired still takes its place until it is asked for again or pushed out, so the characteristic time is that without
    a TTL.
    """
    rates, sizes = _objects(requests_per_second, sizes_bytes)
    cached = sizes <= capacity_bytes  # what is larger than the whole is never kept
    kept = _characteristic(lambda t: -np.expm1(-rates * t), np.where(cached, sizes, 0.0), capacity_bytes)
    ratios = -np.expm1(-rates * kept)
    if ttl_seconds < kept:
        ratios = rates * ttl_seconds / (1.0 + rates * ttl_seconds)
    elif math.isfinite(ttl_seconds):
        # requests answered by one fetch: those until the entry expires, as long as no gap of T has ended it before
        hits = rates * (
            _lived(rates, kept, ttl_seconds) - np.exp(-rates * kept) * _lived(rates, kept, ttl_seconds - kept)
        )
        ratios = hits / (1.0 + hits)
    return _tier(kept, np.where(cached, ratios, 0.0), rates, sizes)


def ttl(requests_per_second: npt.ArrayLike, ttl_seconds: float, sizes_bytes: npt.ArrayLike = 1.0) -> Tier:
    """A cache without bounds whose entries expire so long after they were fetched: λ T / (1 + λ T), exact (J. Jung, A.
    W. Berger and H. Balakrishnan, *Modeling TTL-based Internet caches*, 2003)."""
    rates, sizes = _objects(requests_per_second, sizes_bytes)
    return _tier(ttl_seconds, rates * ttl_seconds / (1.0 + rates * ttl_seconds), rates, sizes)


def lru_series(
    requests_per_second: npt.ArrayLike,
    edge_bytes: float,
    shield_bytes: float,
    sizes_bytes: npt.ArrayLike = 1.0,
    *,
    edges: int = 1,
) -> tuple[Tier, Tier]:
    """(edge, shield): ``edges`` equal LRU caches, each with the requests given, and one LRU cache that all their misses
    go to. The shield's ratios are of the requests that reach it."""
    if edges < 1:
        raise ValueError("edges are at least 1")
    rates, sizes = _objects(requests_per_second, sizes_bytes)
    edge = lru(rates, edge_bytes, sizes)
    kept = edge.characteristic_seconds
    passes = sizes > edge_bytes  # what the edge cannot hold reaches the shield every time
    misses = rates * (1.0 - edge.hit_ratios)
    cached = sizes <= shield_bytes

    def unseen(t: float) -> Floats:
        """Probability that one edge sends nothing in t seconds, from any moment on: 1 − m ∫₀ᵗ P(gap > x) dx."""
        return np.where(passes, np.exp(-rates * t), np.maximum(0.0, 1.0 - misses * _lived(rates, kept, t)))

    def present(t: float) -> Floats:
        return np.asarray(1.0 - unseen(t) ** edges, dtype=np.float64)

    time = _characteristic(present, np.where(cached, sizes, 0.0), shield_bytes, longest=_NEVER * kept)
    if math.isinf(time):
        ratios = np.ones_like(rates)
    else:
        own = np.where(passes, np.exp(-rates * time), _apart(rates, kept, time))
        ratios = 1.0 - own * unseen(time) ** (edges - 1)
    return edge, _tier(time, np.where(cached, ratios, 0.0), misses, sizes)


def _objects(requests_per_second: npt.ArrayLike, sizes_bytes: npt.ArrayLike) -> tuple[Floats, Floats]:
    rates = np.atleast_1d(np.asarray(requests_per_second, dtype=np.float64))
    sizes = np.broadcast_to(np.asarray(sizes_bytes, dtype=np.float64), rates.shape)
    if (rates < 0.0).any() or not rates.sum() > 0.0 or (sizes <= 0.0).any():
        raise ValueError("request rates are at least 0, one of them above, and sizes above 0")
    return rates, sizes


def _tier(seconds: float, ratios: Floats, rates: Floats, sizes: Floats) -> Tier:
    asked = rates.sum()
    return Tier(
        characteristic_seconds=seconds,
        hit_ratios=ratios,
        hit_ratio=min(1.0, float(rates @ ratios / asked)) if asked else 0.0,
        byte_hit_ratio=min(1.0, float((rates * sizes) @ ratios / (rates @ sizes))) if asked else 0.0,
    )


def _characteristic(
    present: Callable[[float], Floats], sizes: Floats, capacity_bytes: float, *, longest: float = math.inf
) -> float:
    """The time at which the objects present fill the cache; infinite where they never do."""
    from scipy import optimize

    if not capacity_bytes > 0.0:
        raise ValueError(f"capacity {capacity_bytes}: expected above 0")
    if sizes.sum() <= capacity_bytes:
        return math.inf

    def over(t: float) -> float:
        return float(sizes @ present(t)) - capacity_bytes

    high = 1.0
    while over(high) < 0.0:
        high *= 2.0
        if high > min(longest, 1e300):
            return math.inf
    return float(optimize.brentq(over, 0.0, high, xtol=1e-12 * high, rtol=1e-12))


def _apart(rates: Floats, kept: float, t: float) -> Floats:
    """P(gap between two misses of an object > t) at an LRU cache of characteristic time ``kept`` = T.

    It solves G' = −a G(t − T), G = 1 up to T, with a = λ e^(−λT), for a request after T is a miss with probability
    e^(−λT) whatever was before: G = Σₖ (−a)ᵏ (t − kT)ᵏ / k! over kT < t. The sum alternates, so it is used up to 20 T,
    after which G falls by its slowest exponential alone.
    """
    total = np.ones_like(rates)
    if math.isinf(kept):
        return total
    missing = rates * np.exp(-rates * kept)
    near = min(t, _SETTLED * kept)
    for k in range(1, math.ceil(near / kept)):
        total += _term(missing, near - k * kept, k)
    if t > near:
        total = total * np.exp(-_slowest(missing, kept) * (t - near))
    return np.maximum(0.0, total)


def _lived(rates: Floats, kept: float, t: float) -> Floats:
    """∫₀ᵗ of `_apart`."""
    if math.isinf(kept):
        return np.full_like(rates, t)
    missing = rates * np.exp(-rates * kept)
    near = min(t, _SETTLED * kept)
    total = np.full_like(rates, near)
    for k in range(1, math.ceil(near / kept)):
        rest = near - k * kept
        total += _term(missing, rest, k) * rest / (k + 1)
    if t > near:
        rate = _slowest(missing, kept)
        later = np.where(rate > 0.0, -np.expm1(-rate * (t - near)) / np.where(rate > 0.0, rate, 1.0), t - near)
        total = total + _apart(rates, kept, near) * later
    return total


def _term(missing: Floats, rest: float, k: int) -> Floats:
    return np.asarray((-missing * rest) ** k / math.factorial(k), dtype=np.float64)


def _slowest(missing: Floats, kept: float) -> Floats:
    """Smallest θ with θ = a e^(θT), by Lambert's W; aT is 1/e at most."""
    from scipy import special

    product = np.minimum(missing * kept, math.exp(-1.0))
    return np.asarray(-special.lambertw(-product).real / kept, dtype=np.float64)
