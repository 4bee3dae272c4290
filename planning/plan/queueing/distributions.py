"""Distributions of time by their first three cumulants, which add up over an operation's parts.

Percentiles come from a shifted gamma distribution with the same three cumulants (Pearson's type III), which is exact
for exponential waits and normal sums and within a few per cent for lognormal ones. Everything is an array with one
entry for each case (loads, samples of uncertain inputs), or a number for all cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TINY: Final = 1e-30
#: Beyond this the shape of the gamma distribution is normal to six digits.
_SHAPE_MAX: Final = 1e6
#: Points at which the longest of several branches is integrated, and the tail beyond them.
_NODES: Final = 20
_TAIL: Final = 1e-7
#: Skewnesses and numbers of copies for which the longest is tabulated, on logarithmic scales.
_LOG_SKEWS: Final = np.linspace(math.log(0.02), math.log(12.0), 33)
_LOG_COPIES: Final = np.linspace(0.0, math.log(4_096.0), 37)
_SKEWS: Final = np.exp(_LOG_SKEWS)
_COPIES: Final = np.exp(_LOG_COPIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cumulants:
    """Mean, variance and third central moment, in seconds and their powers."""

    mean: Floats
    variance: Floats
    third: Floats

    def __add__(self, other: Cumulants) -> Cumulants:
        return Cumulants(
            mean=self.mean + other.mean, variance=self.variance + other.variance, third=self.third + other.third
        )

    def scaled(self, factor: Floats | float) -> Cumulants:
        """Cumulants of ``factor`` × the time."""
        return Cumulants(mean=self.mean * factor, variance=self.variance * factor**2, third=self.third * factor**3)

    def gamma(self) -> tuple[Floats, Floats, Floats]:
        """(shape, scale, shift) of the gamma distribution with these cumulants."""
        ends = self.ends()
        variance = np.maximum(np.where(ends, self.variance, 1.0), _TINY)
        skew = np.maximum(np.where(ends, self.third, 1.0) / variance**1.5, 2.0 / math.sqrt(_SHAPE_MAX))
        shape = 4.0 / skew**2
        scale = np.sqrt(variance) * skew / 2.0
        return shape, scale, np.where(ends, self.mean, 0.0) - shape * scale

    def ends(self) -> npt.NDArray[np.bool_]:
        """Whether there is a steady state, so that the time is finite."""
        return np.asarray(np.isfinite(self.mean + self.variance + self.third))

    def below(self, seconds: Floats | float) -> Floats:
        """P(time ≤ ``seconds``)."""
        from scipy import special  # slow to import

        shape, scale, shift = self.gamma()
        found = special.gammainc(shape, np.maximum(0.0, (seconds - shift) / scale))
        return np.where(self.ends(), found, 0.0)

    def quantile(self, level: float) -> Floats:
        """The time that a share ``level`` does not exceed."""
        from scipy import special  # slow to import

        shape, scale, shift = self.gamma()
        found = np.maximum(0.0, shift + scale * special.gammaincinv(shape, level))
        return np.where(self.ends(), found, np.inf)


def nothing() -> Cumulants:
    """No time at all."""
    zero = np.zeros(1)
    return Cumulants(mean=zero, variance=zero, third=zero)


def of_raw(first: Floats, second: Floats, third: Floats) -> Cumulants:
    """From the raw moments."""
    return Cumulants(
        mean=first,
        variance=np.maximum(0.0, second - first**2),
        third=np.maximum(0.0, third - 3.0 * first * second + 2.0 * first**3),
    )


def lognormal(mean: float, variation: float) -> Cumulants:
    """Lognormal with this mean and coefficient of variation c: variance m²c², third m³c⁴(3 + c²)."""
    square = variation**2
    found = (mean, mean**2 * square, mean**3 * square**2 * (3.0 + square))
    return Cumulants(mean=np.array([found[0]]), variance=np.array([found[1]]), third=np.array([found[2]]))


def lognormal_of(mu: float, sigma: float) -> Cumulants:
    """Lognormal by its parameters; μ = −∞ is no time at all."""
    if mu == -math.inf:
        return nothing()
    return lognormal(math.exp(mu + sigma**2 / 2.0), math.sqrt(math.expm1(sigma**2)))


def last_of(branches: Sequence[Cumulants]) -> Cumulants:
    """The longest of independent branches: its moments by integrating 1 − ∏ Fᵢ (Gauss and Legendre, in the root of
    time, where the mass is)."""
    if len(branches) == 1:
        return branches[0]
    top = np.max(np.stack(np.broadcast_arrays(*(each.quantile(1.0 - _TAIL) for each in branches))), axis=0)
    ends = np.isfinite(top)
    longest = np.where(ends, top, 0.0)
    nodes, weights = _nodes()
    seconds = longest[..., None] * nodes**2
    below = np.ones_like(seconds)
    for each in branches:
        wide = Cumulants(mean=each.mean[..., None], variance=each.variance[..., None], third=each.third[..., None])
        below = below * wide.below(seconds)
    beyond = (1.0 - below) * (2.0 * nodes * weights)
    found = of_raw(
        beyond.sum(axis=-1) * longest,
        (2.0 * seconds * beyond).sum(axis=-1) * longest,
        (3.0 * seconds**2 * beyond).sum(axis=-1) * longest,
    )
    never = np.where(ends, 0.0, np.inf)
    return Cumulants(mean=found.mean + never, variance=found.variance + never, third=found.third + never)


def slowest_of(each: Cumulants, copies: Floats | float) -> Cumulants:
    """The longest of ``copies`` independent times of one distribution; ``copies`` need not be a whole number.

    In units of the distribution's standard deviation it depends only on the skewness and the number, so it is looked up
    in a table that is made once from the same integrals (the error between its points is at most 0.5 %).
    """
    count = np.clip(np.asarray(copies, dtype=np.float64), 1.0, _COPIES[-1])
    ends = each.ends()
    variance = np.maximum(np.where(ends, each.variance, 1.0), _TINY)
    deviation = np.sqrt(variance)
    skew = np.clip(np.where(ends, each.third, 0.0) / variance**1.5, _SKEWS[0], _SKEWS[-1])
    count, skew = np.broadcast_arrays(count, skew)
    mean, square, cube = (_between(table, skew, count) for table in _longest())
    never = np.where(ends, 0.0, np.inf)
    return Cumulants(
        mean=each.mean + deviation * mean + never,
        variance=variance * square + never,
        third=variance * deviation * cube + never,
    )


@lru_cache(maxsize=1)
def _nodes() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1.0) / 2.0, weights / 2.0


@lru_cache(maxsize=1)
def _longest() -> tuple[Floats, Floats, Floats]:
    """Cumulants of the longest of n times of mean 0 and variance 1, by skewness (rows) and n (columns)."""
    tables = np.empty((3, len(_SKEWS), len(_COPIES)))
    root, weights = np.linspace(0.0, 1.0, 601), np.full(601, 1.0 / 600.0)
    weights[0] = weights[-1] = 0.5 / 600.0
    for row, skew in enumerate(_SKEWS):
        one = Cumulants(mean=np.zeros(1), variance=np.ones(1), third=np.full(1, skew))
        shift = float(one.gamma()[2][0])
        raised = Cumulants(mean=np.full(1, -shift), variance=np.ones(1), third=np.full(1, skew))  # it starts at 0
        top = float(raised.quantile(1.0 - _TAIL / _COPIES[-1])[0])
        seconds = top * root**2
        beyond = (1.0 - raised.below(seconds)[:, None] ** _COPIES) * (2.0 * root * weights * top)[:, None]
        wide = seconds[:, None]
        found = of_raw(beyond.sum(axis=0), (2.0 * wide * beyond).sum(axis=0), (3.0 * wide**2 * beyond).sum(axis=0))
        tables[:, row] = found.mean + shift, found.variance, found.third
    return tables[0], tables[1], tables[2]


def _between(table: Floats, skew: Floats, copies: Floats) -> Floats:
    """Bilinear between the table's points, on logarithmic scales."""
    row = _position(np.log(skew), _LOG_SKEWS)
    column = _position(np.log(copies), _LOG_COPIES)
    i, j = np.minimum(row.astype(int), len(_SKEWS) - 2), np.minimum(column.astype(int), len(_COPIES) - 2)
    x, y = row - i, column - j
    return np.asarray(
        table[i, j] * (1 - x) * (1 - y)
        + table[i + 1, j] * x * (1 - y)
        + table[i, j + 1] * (1 - x) * y
        + table[i + 1, j + 1] * x * y,
        dtype=np.float64,
    )


def _position(values: Floats, marks: Floats) -> Floats:
    return np.asarray((values - marks[0]) / (marks[1] - marks[0]), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """One of several distributions, each with its probability."""

    probabilities: tuple[Floats, ...]
    parts: tuple[Cumulants, ...]

    def mean(self) -> Floats:
        """Mean over all parts."""
        total = np.zeros(1)
        for probability, part in zip(self.probabilities, self.parts, strict=True):
            total = total + probability * part.mean
        return total

    def below(self, seconds: Floats | float) -> Floats:
        """P(time ≤ ``seconds``)."""
        total = np.zeros(1)
        for probability, part in zip(self.probabilities, self.parts, strict=True):
            total = total + probability * part.below(seconds)
        return total

    def quantile(self, level: float) -> Floats:
        """The time that a share ``level`` does not exceed, by bisection; infinite if too many are infinite."""
        real = [(p, part) for p, part in zip(self.probabilities, self.parts, strict=True) if np.any(p > 0.0)]
        if len(real) == 1:
            return real[0][1].quantile(level)
        own = Mixture(probabilities=tuple(p for p, _ in real), parts=tuple(part for _, part in real))
        ending = sum((np.where(part.ends(), p, 0.0) for p, part in real), np.zeros(1))
        never = ending <= level
        # where some are infinite, the others alone must reach the level
        reach = float(np.clip(level / np.min(np.where(never, 1.0, ending)), level, 1.0 - 1e-9))
        known = np.stack(np.broadcast_arrays(*(part.quantile(reach) + 0.0 * p for p, part in real)))
        high = np.max(np.where(np.isfinite(known), known, 0.0), axis=0) * (1.0 + 1e-9) + 1e-12
        low = np.zeros_like(high)
        for _ in range(36):
            middle = (low + high) / 2.0
            under = own.below(middle) < level
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return np.where(never, np.inf, high)


def sum_of(mixtures: Sequence[Mixture]) -> Mixture:
    """The time of several independent parts, one after the other."""
    whole = mixtures[0]
    for other in mixtures[1:]:
        whole = Mixture(
            probabilities=tuple(p * q for p in whole.probabilities for q in other.probabilities),
            parts=tuple(part + more for part in whole.parts for more in other.parts),
        )
    return whole
