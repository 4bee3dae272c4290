"""Differences between simulated and measured requests: percentiles, rates and distances, for each operation.

Latency counts from the intended start of a request. An unanswered request counts with at least the client's patience
(`core.judge`), because leaving out failures on either side would hide them. The noise is what the sizes of the two
samples alone would cause (order statistics of independent samples); how much two measurements of the same thing differ
can only be found by repeating them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core import judge, stats
from core.names import ERRORS, Outcome
from core.run import Samples
from records.comparison import OperationPair, Quantile, Side

#: Percentiles that are compared.
QUANTILES: Final = (0.5, 0.95, 0.99)

Floats = npt.NDArray[np.float64]
_INSTANCE: Final = re.compile(r"[-_]\d+$")


def pairs(
    simulated: Samples | None,
    measured: Samples | None,
    *,
    seconds: float,
    busy_by_second: Floats | None = None,
    kept_ratio: float = 1.0,
) -> tuple[OperationPair, ...]:
    """Compare each operation of two sets of judged samples that cover ``seconds``; worst first. A share ``kept_ratio``
    of the simulated requests have rows.

    ``busy_by_second`` is the measured utilisation of the stack's cores in each second from t0.
    """
    sides = [side for side in (measured, simulated) if side is not None]
    names = dict.fromkeys(str(name) for side in sides for name in np.unique(side.operation.astype(str)))
    found = [
        _pair(
            name,
            simulated.of(name) if simulated is not None else None,
            measured.of(name) if measured is not None else None,
            seconds,
            busy_by_second,
            kept_ratio,
        )
        for name in names
    ]
    return tuple(sorted(found, key=lambda each: each.badness, reverse=True))


def waited(samples: Samples, patience_seconds: float) -> Samples:
    """The samples with latency as `core.judge` judges it: an unanswered request took at least the client's patience."""
    return dataclasses.replace(samples, latency_seconds=judge.waited_seconds(samples, patience_seconds))


def seconds_in(windows: judge.Windows, duration_seconds: float) -> float:
    """How much of the judged time the windows cover; overlaps count once."""
    covered, reached = 0.0, 0.0
    for begins, finishes in sorted(windows):
        begins, finishes = max(begins, reached), min(finishes, duration_seconds)
        if finishes > begins:
            covered += finishes - begins
            reached = finishes
    return covered


def cpu_by_second(usage: pa.Table, duration_seconds: float) -> dict[str, Floats]:
    """CPU seconds in each judged second, by kind of process: instances (``postgres_0``, ``feed-2``) are added up."""
    names = usage.column("process").to_pylist()
    second, used = usage.column("second").to_numpy(), usage.column("cpu_seconds").to_numpy()
    length = max(1, int(np.ceil(duration_seconds)))
    found: dict[str, Floats] = {}
    for name, at, value in zip(names, second, used, strict=True):
        if 0 <= at < length:
            kind = kind_of(name)
            found.setdefault(kind, np.zeros(length))[at] += value
    return {kind: found[kind] for kind in sorted(found)}


def kind_of(process: str) -> str:
    """Its name without the number of its instance: ``postgres_0`` and ``postgres_1`` are ``postgres``."""
    return _INSTANCE.sub("", process)


def busy_by_second(cpu: Iterable[Floats], cores: int) -> Floats | None:
    """Utilisation of ``cores`` cores in each second; None where nothing was recorded."""
    parts = list(cpu)
    return np.asarray(np.sum(parts, axis=0) / max(1, cores), dtype=np.float64) if parts else None


def _pair(
    name: str,
    simulated: Samples | None,
    measured: Samples | None,
    seconds: float,
    busy: Floats | None,
    kept_ratio: float,
) -> OperationPair:
    ours = simulated if simulated is not None and len(simulated) else None
    real = measured if measured is not None and len(measured) else None
    pair = OperationPair(
        operation=name,
        simulated=_side(simulated, seconds * kept_ratio),
        measured=_side(measured, seconds),
        utilisation_ratio=_weighted(busy, real if real is not None else ours),
        quantiles=tuple(_quantile(q, ours, real) for q in QUANTILES),
    )
    if ours is None or real is None:
        return pair
    mean = float(real.latency_seconds.mean())
    distance = stats.wasserstein_distance(ours.latency_seconds, real.latency_seconds)
    return msgspec.structs.replace(
        pair,
        throughput_error_ratio=stats.signed_error(len(ours) / kept_ratio, len(real)),
        ks=stats.ks_distance(ours.latency_seconds, real.latency_seconds),
        wasserstein_seconds=distance,
        wasserstein_ratio=distance / mean if mean > 0 else None,
    )


def _side(samples: Samples | None, seconds: float) -> Side | None:
    if samples is None:
        return None
    if not len(samples):
        return Side(count=0, per_second=0.0)
    return Side(
        count=len(samples),
        per_second=len(samples) / seconds if seconds > 0 else 0.0,
        errors_ratio=float(np.isin(samples.outcome, [each.value for each in ERRORS]).mean()),
        refused_ratio=float((samples.outcome == Outcome.REFUSED.value).mean()),
        degraded_ratio=float((samples.outcome == Outcome.DEGRADED.value).mean()),
    )


def _quantile(q: float, simulated: Samples | None, measured: Samples | None) -> Quantile:
    ours, real = _figure(simulated, q), _figure(measured, q)
    if ours is None or real is None or real.value <= 0:
        return Quantile(q=q, simulated=ours, measured=real)
    half_ours, half_real = (ours.high - ours.low) / 2, (real.high - real.low) / 2
    # propagation of error for s/m, with half widths for deviations: the noise covers 95 %, as the intervals do
    noise = float(np.hypot(half_ours / real.value, ours.value * half_real / real.value**2))
    return Quantile(
        q=q,
        simulated=ours,
        measured=real,
        error_ratio=stats.signed_error(ours.value, real.value),
        noise_ratio=noise,
    )


def _figure(samples: Samples | None, q: float) -> stats.Estimate | None:
    if samples is None or not stats.supported(len(samples), q):
        return None
    return stats.quantile_interval(samples.latency_seconds, q)


def _weighted(busy: Floats | None, samples: Samples | None) -> float | None:
    """Mean utilisation at the arrivals of this operation."""
    if busy is None or samples is None:
        return None
    second = np.floor(samples.at_seconds).astype(np.int64)
    seen = second[(second >= 0) & (second < len(busy))]
    return float(busy[seen].mean()) if len(seen) else None
