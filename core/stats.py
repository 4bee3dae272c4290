"""Statistics: quantiles and their intervals, distances of distributions, signed errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: A quantile is shown only if at least this many samples lie beyond it.
BEYOND_MIN: Final = 10
#: Blocks of time for the intervals of one run, which leave out each in turn.
BLOCKS: Final = 10
_Z95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def quantile(samples: npt.ArrayLike, q: float) -> float:
    """The q-quantile: linear between order statistics (Hyndman and Fan 1996, type 7); NaN without samples."""
    values = np.asarray(samples, dtype=np.float64)
    return float(np.quantile(values, q)) if len(values) else float("nan")


def supported(count: int, q: float) -> bool:
    """Whether ``count`` samples are enough for a q-quantile: n(1 − q) and nq are at least BEYOND_MIN."""
    return count * min(1.0 - q, q) >= BEYOND_MIN - 1e-9


def quantile_interval(samples: npt.ArrayLike, q: float) -> Estimate:
    """The q-quantile with its distribution-free 95 % interval from order statistics (normal approximation of the
    binomial ranks with continuity correction; David and Nagaraja, Order Statistics, §7.1); it always contains the
    value, even of a handful of samples. Assumes independent samples."""
    values = np.sort(np.asarray(samples, dtype=np.float64))
    n = len(values)
    if n == 0:
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"))
    low, high = quantile_ranks(n, q)
    return Estimate(value=quantile(values, q), low=float(values[low]), high=float(values[high]))


def quantile_ranks(count: int, q: float) -> tuple[int, int]:
    """Ranks, from 0, of the two order statistics among ``count`` samples that bound `quantile_interval`."""
    half = _Z95 * (count * q * (1.0 - q)) ** 0.5
    middle = (count - 1) * q  # rank of the quantile itself
    low = int(np.clip(min(np.floor(count * q + 0.5 - half) - 1, np.floor(middle)), 0, count - 1))
    high = int(np.clip(max(np.ceil(count * q + 0.5 + half) - 1, np.ceil(middle)), 0, count - 1))
    return low, high


def blocked_quantile(samples: npt.ArrayLike, at_seconds: npt.ArrayLike, q: float, *, seconds: float) -> Estimate:
    """The q-quantile of one run, with a 95 % interval that allows for requests which wait for each other.

    The ``seconds`` of the run are divided into BLOCKS blocks, long enough to be nearly independent, and the spread is
    that of the quantile when each block is left out in turn: a grouped jackknife (Asmussen and Glynn, *Stochastic
    Simulation*, 2007, III.5). Blocks are assumed to be alike, so a run that changes gets a wider interval, and one run
    cannot give the uncertainty of a peak that comes once. Infinite if fewer than two blocks have a sample.
    """
    values = np.asarray(samples, dtype=np.float64)
    block = _blocks(at_seconds, seconds)
    there = np.unique(block)
    return _jackknifed(quantile(values, q), [quantile(values[block != each], q) for each in there])


def blocked_share(chosen: npt.ArrayLike, at_seconds: npt.ArrayLike, *, seconds: float) -> Estimate:
    """The share of requests that are ``chosen``, with its interval as in `blocked_quantile`."""
    block = _blocks(at_seconds, seconds)
    hits = np.bincount(block, weights=np.asarray(chosen, dtype=np.float64), minlength=BLOCKS)
    return share_of_pieces(hits, np.bincount(block, minlength=BLOCKS))


def share_of_pieces(hits: npt.ArrayLike, counts: npt.ArrayLike) -> Estimate:
    """As `blocked_share`: ``hits`` are the chosen ones of the ``counts`` requests in each block of time. If none or all
    are chosen, the interval is that of the rule of three; NaN without requests."""
    chosen, of = np.asarray(hits, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    total = float(of.sum())
    if not total:
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"))
    value, unseen = float(chosen.sum()) / total, unseen_ratio_max(int(total))
    if value in (0.0, 1.0):
        return Estimate(value=value, low=max(0.0, value - unseen), high=min(1.0, value + unseen))
    there = (of > 0) & (of < total)
    found = _jackknifed(value, ((chosen.sum() - chosen[there]) / (total - of[there])).tolist())
    return Estimate(value=value, low=max(0.0, found.low), high=min(1.0, found.high))


def visits_rate(visits: npt.ArrayLike, *, seconds: float) -> Estimate:
    """Requests per second with a 95 % interval, from the number of the visit to which each belongs. Visits are a
    Poisson process of any rate, so requests are a compound one, whose variance is the sum of the squared numbers of
    requests per visit (Ross, *Introduction to Probability Models*, 5.4.2)."""
    counts = np.unique(np.asarray(visits), return_counts=True)[1].astype(np.float64)
    value, half = float(counts.sum()) / seconds, _Z95 * float((counts**2).sum()) ** 0.5 / seconds
    return Estimate(value=value, low=max(0.0, value - half), high=value + half)


def _blocks(at_seconds: npt.ArrayLike, seconds: float) -> npt.NDArray[np.int64]:
    position = np.asarray(at_seconds, dtype=np.float64) / seconds * BLOCKS
    return np.clip(position, 0, BLOCKS - 1).astype(np.int64)


def _jackknifed(whole: float, without: Sequence[float]) -> Estimate:
    """A figure with its interval, from its values ``without`` each block."""
    n = len(without)
    if n < 2:
        return Estimate(value=whole, low=-float("inf"), high=float("inf"))
    spread = mean_interval([n * whole - (n - 1) * each for each in without])
    half = (spread.high - spread.low) / 2.0
    return Estimate(value=whole, low=whole - half, high=whole + half)


def mean_interval(samples: npt.ArrayLike) -> Estimate:
    """Mean of independent replications with its 95 % t-interval; infinite for fewer than two."""
    values = np.asarray(samples, dtype=np.float64)
    n = len(values)
    if n < 2:
        value = float(values.mean()) if n else float("nan")
        return Estimate(value=value, low=-float("inf"), high=float("inf"))
    mean = float(values.mean())
    half = _student95(n - 1) * float(values.std(ddof=1)) / n**0.5
    return Estimate(value=mean, low=mean - half, high=mean + half)


def unseen_ratio_max(count: int) -> float:
    """Upper bound of a share of which none was seen among ``count``, at 95 % (rule of three: Hanley and
    Lippman-Hand, *If nothing goes wrong, is everything all right?*, 1983)."""
    return min(1.0, 3.0 / count)


def signed_error(simulated: float, measured: float) -> float:
    """(simulated − measured) / measured; NaN if the measured value is zero or missing."""
    return (simulated - measured) / measured if measured else float("nan")


def ks_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Kolmogorov–Smirnov: the largest vertical distance between two empirical distribution functions."""
    a, b = np.sort(np.asarray(first, dtype=np.float64)), np.sort(np.asarray(second, dtype=np.float64))
    if not len(a) or not len(b):
        return float("nan")
    both = np.concatenate([a, b])
    in_a = np.searchsorted(a, both, side="right") / len(a)
    in_b = np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(in_a - in_b).max())


def wasserstein_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Area between two empirical distributions, in the samples' unit (1-Wasserstein)."""
    a, b = np.sort(np.asarray(first, dtype=np.float64)), np.sort(np.asarray(second, dtype=np.float64))
    if not len(a) or not len(b):
        return float("nan")
    both = np.sort(np.concatenate([a, b]))
    widths = np.diff(both)
    in_a = np.searchsorted(a, both[:-1], side="right") / len(a)
    in_b = np.searchsorted(b, both[:-1], side="right") / len(b)
    return float((np.abs(in_a - in_b) * widths).sum())


def _student95(degrees: int) -> float:
    from scipy.special import stdtrit  # loading it takes a tenth of a second, and most commands do not need it

    return float(stdtrit(degrees, 0.975))
