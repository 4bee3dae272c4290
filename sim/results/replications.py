"""Independent replications: intervals without assumptions about the dependence inside a run, and a rule when to stop.

Each replication is a run with a different seed, without its warm-up, and gives one number for each figure. These are
independent and identically distributed, so Student's t holds for their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core import stats
from sim.results.histogram import Histogram, merged


class StoppingVerdict(StrEnum):
    """What a stopping rule says."""

    MORE = "more"  # run more
    NARROW = "narrow"  # the interval is narrow enough
    SPENT = "spent"  # it is not, but no more are allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """Run until half of the 95 % interval is at most ``half_width_ratio_max`` of the figure.

    ``count_min`` matters: a rule that looks after every replication stops when the spread happens to look small, which
    it often does with few replications, so the interval contains the true value less often than it claims. With ten or
    more, and a target of some per cent, coverage is near 95 % again (Y. S. Chow and H. Robbins 1965 for the limit;
    A. M. Law and W. D. Kelton, *Confidence intervals for steady-state simulations*, 1982, for small counts).
    """

    half_width_ratio_max: float
    count_min: int = 10
    count_max: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.count_min <= self.count_max:
            raise ValueError(f"{self.count_min} to {self.count_max} replications: expected 2 at least, and a range")
        if not self.half_width_ratio_max > 0.0:
            raise ValueError("half_width_ratio_max: expected above 0")

    def verdict(self, figures: Sequence[float]) -> StoppingVerdict:
        """Judge the figure of all replications so far."""
        if len(figures) < self.count_min:
            return StoppingVerdict.MORE
        if half_width_ratio(stats.mean_interval(figures)) <= self.half_width_ratio_max:
            return StoppingVerdict.NARROW
        return StoppingVerdict.MORE if len(figures) < self.count_max else StoppingVerdict.SPENT


def half_width_ratio(estimate: stats.Estimate) -> float:
    """Half of the interval over the value; 0 for an interval of no width, infinite for a value of 0."""
    half = (estimate.high - estimate.low) / 2.0
    if not half:
        return 0.0
    return half / abs(estimate.value) if estimate.value else float("inf")


def pooled_interval(histograms: Sequence[Histogram], q: float) -> stats.Estimate:
    """`pooled_quantile` with its 95 % t-interval, from its changes when each replication in turn is left out."""
    value, spread = pooled_quantile(histograms, q), stats.mean_interval(pseudo_values(histograms, q))
    half = (spread.high - spread.low) / 2.0
    return stats.Estimate(value=value, low=value - half, high=value + half)


def pseudo_values(histograms: Sequence[Histogram], q: float) -> tuple[float, ...]:
    """A number for each replication whose mean estimates the pooled q-quantile, for a `StoppingRule`: n times the
    quantile of all less n − 1 times that of all others (grouped jackknife; M. H. Quenouille 1956, J. W. Tukey 1958).

    For a quantile this is valid where a replication has many samples beyond it (J. Shao and C. F. J. Wu, *A general
    theory for jackknife variance estimation*, 1989)."""
    count, total = len(histograms), merged(histograms)
    whole = total.quantile(q)
    return tuple(count * whole - (count - 1) * Histogram(total.counts - each.counts).quantile(q) for each in histograms)


def pooled_quantile(histograms: Sequence[Histogram], q: float) -> float:
    """The q-quantile of all replications' samples together: less biased than the mean of quantiles, without an
    interval."""
    return merged(histograms).quantile(q)
