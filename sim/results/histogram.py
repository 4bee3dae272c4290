"""Latencies in bounded memory: logarithmic octaves of linear buckets, as in an HDR histogram, over one array of
integers.

A bucket is at most 1/512 of its lower edge wide, so every figure is within 0.2 % of the sample's, for times from a
microsecond to nine hours, in 18 thousand counters, however long the run. Many samples are counted at once; the
hdrhistogram package, which the load generator uses, counts one by one. (The scheme: G. Tene, HdrHistogram, 2012.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from core import stats

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Buckets of one octave.
LINEAR: Final = 512
#: The first octave begins at 2^-20 s = 0.95 µs, the last one ends at 2^15 s = 9.1 h.
_FIRST: Final = -20
_LAST: Final = 15
FLOOR_SECONDS: Final = 2.0**_FIRST
CEILING_SECONDS: Final = 2.0**_LAST
#: All counters: below the floor, the octaves, from the ceiling on.
BUCKETS: Final = (_LAST - _FIRST) * LINEAR + 2
#: Bound of |figure − sample's figure| / sample's figure, between floor and ceiling.
RELATIVE_ERROR_MAX: Final = 1.0 / LINEAR


def indices_of(seconds: npt.ArrayLike) -> Ints:
    """The bucket of each time: below the floor the first, from the ceiling on the last. Raises ValueError for what is
    not a time: negative or NaN."""
    values = np.asarray(seconds, dtype=np.float64)
    if not (values >= 0.0).all():
        raise ValueError("a time is at least 0")
    mantissa, exponent = np.frexp(np.clip(values, FLOOR_SECONDS, CEILING_SECONDS))  # the mantissa is in [0.5, 1)
    index = 1 + (exponent - 1 - _FIRST).astype(np.int64) * LINEAR + ((2.0 * mantissa - 1.0) * LINEAR).astype(np.int64)
    return np.asarray(np.where(values < FLOOR_SECONDS, 0, index), dtype=np.int64)


def _edges() -> Floats:
    """Lower edges of all buckets, and infinity as the end of the last."""
    octaves = 2.0 ** np.arange(_FIRST, _LAST)
    inner = np.multiply.outer(octaves, 1.0 + np.arange(LINEAR) / LINEAR).ravel()
    return np.concatenate([[0.0], inner, [CEILING_SECONDS, math.inf]])


_EDGES: Final = _edges()


def _no_counts() -> Ints:
    return np.zeros(BUCKETS, dtype=np.int64)


@dataclass(slots=True)
class Histogram:
    """Counts by bucket."""

    counts: Ints = field(default_factory=_no_counts)

    def __post_init__(self) -> None:
        if self.counts.shape != (BUCKETS,) or self.counts.dtype != np.int64:
            raise ValueError(f"counts: expected {BUCKETS} of int64")

    def __len__(self) -> int:
        return int(self.counts.sum())

    def add(self, seconds: npt.ArrayLike) -> None:
        """Count samples."""
        self.counts += np.bincount(indices_of(seconds).ravel(), minlength=BUCKETS)

    def mean_seconds(self) -> float:
        """Mean of the buckets' middles; NaN without samples, infinite where one is beyond the ceiling."""
        total = len(self)
        if not total:
            return math.nan
        filled = np.flatnonzero(self.counts)
        return float(self.counts[filled] @ ((_EDGES[filled] + _EDGES[filled + 1]) / 2.0)) / total

    def quantile(self, q: float) -> float:
        """The q-quantile as `core.stats.quantile` defines it, with the samples of one bucket spread over it evenly; NaN
        without samples, infinite beyond the ceiling."""
        total = len(self)
        if not total:
            return math.nan
        rank = (total - 1) * q
        low = math.floor(rank)
        below, above = self._spread(low), self._spread(min(low + 1, total - 1))
        return below if rank == low else below + (rank - low) * (above - below)

    def quantile_interval(self, q: float) -> stats.Estimate:
        """The q-quantile with its 95 % interval as `core.stats.quantile_interval` defines it, widened to the edges of
        the buckets. It assumes independent samples; those of one queue are not: see `replications`."""
        total = len(self)
        if not total:
            return stats.Estimate(value=math.nan, low=math.nan, high=math.nan)
        low, high = stats.quantile_ranks(total, q)
        return stats.Estimate(
            value=self.quantile(q), low=float(_EDGES[self._bucket(low)]), high=float(_EDGES[self._bucket(high) + 1])
        )

    def beyond_ratio(self, seconds: float) -> float:
        """Share of samples above ``seconds``, those of the same bucket in proportion; NaN without samples."""
        total = len(self)
        if not total:
            return math.nan
        bucket = int(indices_of(seconds))
        above = int(self.counts[bucket + 1 :].sum())
        low, high = float(_EDGES[bucket]), float(_EDGES[bucket + 1])
        inside = (high - seconds) / (high - low) if math.isfinite(high) else 1.0
        return (above + inside * int(self.counts[bucket])) / total

    def _bucket(self, rank: int) -> int:
        return int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))

    def _spread(self, rank: int) -> float:
        """Value of the sample of this rank if those of its bucket are spread evenly."""
        running = np.cumsum(self.counts)
        bucket = int(np.searchsorted(running, rank, side="right"))
        count = int(self.counts[bucket])
        position = rank - (int(running[bucket]) - count)
        low, high = float(_EDGES[bucket]), float(_EDGES[bucket + 1])
        return low + (high - low) * (position + 0.5) / count


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """One histogram of all samples."""
    total = Histogram()
    for each in histograms:
        total.counts += each.counts
    return total
