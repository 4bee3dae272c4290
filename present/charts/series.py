"""Numbers behind the charts: windows of time, quantile curves and label positions, without drawing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core import stats
from core.run import Samples

Row = dict[str, Any]
#: Points of a curve at most; more cannot be seen and make the file large.
POINTS_MAX: Final = 160
#: Requests in a window below which its p95 is just its slowest request.
_WINDOW_COUNT: Final = 20
_WINDOWS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileCurve:
    """Quantile levels and their values in seconds, with the 95 % interval of each."""

    levels: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def window_seconds(samples: Sequence[Samples], duration_seconds: float) -> float:
    """The shortest window in which each of ``samples`` has enough requests on average; the longest if none."""
    fewest = min((len(each) for each in samples if len(each)), default=0)
    for width in _WINDOWS:
        if fewest * width / max(duration_seconds, width) >= _WINDOW_COUNT:
            return width
    return max(width for width in _WINDOWS if width <= max(duration_seconds, 1.0))


def over_windows(samples: Samples, width_seconds: float, duration_seconds: float) -> list[Row]:
    """p50 and p95 in ms and requests a second, by window; a window with fewer than three requests has a gap."""
    rows: list[Row] = []
    order = np.argsort(samples.at_seconds, kind="stable")
    at, latency = samples.at_seconds[order], samples.latency_seconds[order]
    edges = np.arange(0.0, duration_seconds, width_seconds)
    starts = np.searchsorted(at, edges)
    ends = np.searchsorted(at, np.minimum(edges + width_seconds, duration_seconds))
    for edge, start, end in zip(edges, starts, ends, strict=True):
        part = latency[start:end]
        span = min(width_seconds, duration_seconds - edge)
        enough = len(part) >= 3
        rows.append(
            {
                "t": round(float(edge + span / 2), 3),
                "p50": _ms(stats.quantile(part, 0.5)) if enough else None,
                "p95": _ms(stats.quantile(part, 0.95)) if enough else None,
                "rate": round(len(part) / span, 3),
            }
        )
    return rows


def quantile_curve(samples: Samples, *, upto_count: int | None = None) -> QuantileCurve:
    """Quantiles evenly on x = 1/(1 − q), logarithmic, as far as so many samples carry one."""
    count = min(len(samples), upto_count or len(samples))
    top = count / stats.BEYOND_MIN
    if top <= 2.0:
        empty = np.empty(0)
        return QuantileCurve(levels=empty, values=empty, low=empty, high=empty)
    levels = 1.0 - 1.0 / np.geomspace(1.25, top, POINTS_MAX // 2)
    ordered = np.sort(samples.latency_seconds)
    n = len(ordered)
    half = 1.959963984540054 * np.sqrt(n * levels * (1 - levels))
    low = np.clip(np.floor(n * levels - half), 0, n - 1).astype(np.int64)
    high = np.clip(np.ceil(n * levels + half), 0, n - 1).astype(np.int64)
    return QuantileCurve(levels=levels, values=np.quantile(ordered, levels), low=ordered[low], high=ordered[high])


def cumulative(samples: Samples) -> list[tuple[float, float]]:
    """At most POINTS_MAX points of the empirical distribution: latency in ms and the share of requests within it."""
    ordered = np.sort(samples.latency_seconds)
    n = len(ordered)
    if not n:
        return []
    pick = np.unique(np.linspace(0, n - 1, min(n, POINTS_MAX)).round().astype(np.int64))
    return [(_ms(ordered[each]), (int(each) + 1) / n) for each in pick]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart to keep ``gap`` between neighbours, each as close to its original position as possible."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [min(max(each, low), high) for each in wanted]
    for _ in range(50):
        moved = False
        for first, second in itertools.pairwise(order):
            lack = gap - (placed[second] - placed[first])
            if lack > 1e-9:
                placed[first] -= lack / 2
                placed[second] += lack / 2
                moved = True
        placed = [min(max(each, low), high) for each in placed]
        if not moved:
            break
    return placed


def _ms(seconds: float) -> float:
    return round(float(seconds) * 1e3, 4)
