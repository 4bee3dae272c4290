"""Demands of a profile from measured points; CPU that a background job used is charged to that job.

A point of few requests says little where idle use varies, and more where a process does nothing else. So each point
counts by its standard error: a demand that all its points together do not tell from zero is none, and a point that is
uncertain is drawn towards what all of them say.

The error of a demand has two parts: idle use, and that the same point gives another figure at another time. The latter
is the same share of every point, known from those that are measured several times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from core.names import Component, Server
from core.operations import BACKGROUND, FANOUT_DELIVER, MEDIA_REMOVE, OPERATIONS, POST_CREATE, POST_DELETE, STORY_DELETE
from core.profile import CpuDemand, SizeShare
from core.scenario import Scenario
from lab.calibration.point import SteadyPoint
from lab.calibration.series import FEW, MANY, SHARES, SIZED, SMALL, size_of, sized

#: A smaller demand counts as none.
_NOTHING_SECONDS: Final = 1e-6
#: Standard errors by which a demand must exceed zero.
_SIGNIFICANT: Final = 2.0
#: How much the demands of an operation differ by rate, as a standard deviation over their mean: a point whose standard
#: error is as large counts for half, and the mean of all points for half.
_BY_RATE_RATIO: Final = 0.3
#: Variance of the median of n values of a normal distribution, over theirs, times n: 1.35 for three, and π/2 for many.
_MEDIAN_VARIANCE: Final = 1.35
#: A demand that is less sure than this is only known to be there.
_ERROR_RATIO_MAX: Final = 1.0
#: Variation of a job's execution: no client waits for it, so its latency is not seen.
_JOB_VARIATION: Final = 0.3
#: Stores whose work grows with the number of timelines that a fan-out writes: it reads followers, writes timelines.
_PER_TIMELINE: Final = (str(Component.FANOUT), str(Server.REDIS), str(Server.POSTGRES))
_POST, _DELIVER, _REMOVE = POST_CREATE, FANOUT_DELIVER, MEDIA_REMOVE
#: Operations that delete something with photos; the photos are removed at once.
_DELETING: Final = (POST_DELETE, STORY_DELETE)


def fitted_demands(
    points: Sequence[SteadyPoint], *, few: float, many: float, timelines: float, scatter_ratio: float
) -> tuple[CpuDemand, ...]:
    """All demands. A fan-out was measured at ``few`` and at ``many`` timelines per post; the profile's is for
    ``timelines``. ``scatter_ratio`` is that of a point measured once (`lab.calibration.point.scatter_ratio`)."""
    by_name: dict[str, list[SteadyPoint]] = {}
    for point in sorted(points, key=lambda each: (each.operation, each.rate_per_second)):
        by_name.setdefault(point.operation, []).append(point)
    sizes = by_name.pop(_POST + FEW), by_name.pop(_POST + MANY)
    by_name = {name: each for name, each in by_name.items() if not name.endswith(SMALL)}
    found = [demand for name, each in by_name.items() for demand in _shared(name, each, scatter_ratio)]
    found += _fanned_out(*sizes, few=few, many=many, timelines=timelines, scatter_ratio=scatter_ratio)
    return tuple(_without_removals(found))


def fitted_sizes(points: Sequence[SteadyPoint], scenario: Scenario, *, scatter_ratio: float) -> tuple[SizeShare, ...]:
    """How demands grow with a size: by points at one rate with both sizes, each process by itself, where the difference
    is more than their error; jobs that were measured with an operation grow like its part."""
    known = {(each.operation, each.rate_per_second): each for each in points}
    found = []
    for name, (size, _, rates) in SIZED.items():
        pairs = [(known.get((name, rate)), known.get((name + SMALL, rate))) for rate in rates]
        both = [(large, small) for large, small in pairs if large is not None and small is not None]
        at, less = size_of(scenario, size), size_of(sized(scenario, name), size)
        for process in sorted({process for large, _ in both for process in large.cpu_seconds}):
            large, small = (sum(each[side].cpu_seconds.get(process, 0.0) for each in both) for side in (0, 1))
            values = [_value(each[side], process, scatter_ratio) for each in both for side in (0, 1)]
            error = math.hypot(*(math.hypot(each.error_seconds, each.scatter_seconds) for each in values))
            if large <= 0.0 or large - small <= _SIGNIFICANT * error:
                continue
            share = min(1.0, (1.0 - small / large) / (1.0 - less / at))
            found += [
                SizeShare(operation=job, process=process, size=size, at=at, share=round(share, 4))
                for job in SHARES.get(name, {}).get(process, {name: 1.0})
            ]
    return tuple(found)


def below_noise(points: Sequence[SteadyPoint]) -> tuple[str, ...]:
    """Demands above zero that are left out, because they are below the noise, as ``operation at process``."""
    found: dict[tuple[str, str], list[_Value]] = {}
    for point in (each for each in points if not each.operation.endswith(SMALL)):
        for process, seconds in point.cpu_seconds.items():
            value = _Value(point.rate_per_second, seconds, point.error_seconds.get(process, 0.0))
            found.setdefault((point.operation, process), []).append(value)
    return tuple(
        f"{operation} at {process}"
        for (operation, process), values in sorted(found.items())
        if max(each.seconds for each in values) > _NOTHING_SECONDS
        and not settled(values, is_own=_is_own(operation, process))
    )


def _is_own(operation: str, process: str) -> bool:
    """Whether the process does the operation or job itself: it has a demand however uncertain it is."""
    name = operation.partition("/")[0]
    return process == (BACKGROUND[name] if name in BACKGROUND else OPERATIONS[name].component)


class _Value(NamedTuple):
    """CPU seconds at one rate, with their standard error by idle use, and by how much they differ at other times."""

    rate_per_second: float
    seconds: float
    error_seconds: float = 0.0
    scatter_seconds: float = 0.0


def settled(values: Sequence[_Value], *, is_own: bool = False) -> tuple[float, ...]:
    """The demand at each rate; empty where all values together do not tell it from zero, unless it is the operation's
    own.

    The mean of all values, weighted by precision, is the prior of each, which varies by rate; a value without an error
    is kept as it is.
    """
    exact = [each for each in values if not each.error_seconds]
    if exact:
        mean, error = float(np.mean([each.seconds for each in exact])), 0.0
    else:
        weights = [each.error_seconds**-2 for each in values]
        mean = sum(weight * each.seconds for weight, each in zip(weights, values, strict=True)) / sum(weights)
        error = float(sum(weights) ** -0.5)
    if mean <= (0.0 if is_own else _SIGNIFICANT * error):
        return ()
    prior = (_BY_RATE_RATIO * mean) ** 2
    return tuple(
        max(0.0, (each.seconds * prior + mean * each.error_seconds**2) / (prior + each.error_seconds**2))
        for each in values
    )


def _shared(operation: str, points: Sequence[SteadyPoint], scatter_ratio: float = 0.0) -> Iterator[CpuDemand]:
    shares = SHARES.get(operation, {})
    for process in sorted({name for point in points for name in point.cpu_seconds}):
        parts = shares.get(process, {operation: 1.0})
        for name, share in parts.items():
            yield from _demand(
                name,
                process,
                [_value(point, process, scatter_ratio) for point in points],
                ratio=share / sum(parts.values()),
                variation=points[0].variation if name == operation else _JOB_VARIATION,
            )


def _value(point: SteadyPoint, process: str, scatter_ratio: float) -> _Value:
    seconds = point.cpu_seconds.get(process, 0.0)
    scatter = scatter_ratio * abs(seconds) * min(1.0, _MEDIAN_VARIANCE / point.repeats) ** 0.5
    return _Value(point.rate_per_second, seconds, point.error_seconds.get(process, 0.0), scatter)


def _demand(
    operation: str, process: str, found: Sequence[_Value], *, variation: float, ratio: float = 1.0
) -> Iterator[CpuDemand]:
    values = tuple(seconds * ratio for seconds in settled(found, is_own=_is_own(operation, process)))
    if max(values, default=0.0) > _NOTHING_SECONDS:
        yield CpuDemand(
            operation=operation,
            process=process,
            rates_per_second=tuple(each.rate_per_second for each in found),
            cpu_seconds=values,
            variation=variation,
            error_ratio=_error_ratio(found),
        )


def _error_ratio(values: Sequence[_Value]) -> float:
    """Standard error of the mean of all values, over it."""
    mean = float(np.mean([each.seconds for each in values]))
    squares = math.fsum(each.error_seconds**2 + each.scatter_seconds**2 for each in values)
    return round(min(_ERROR_RATIO_MAX, squares**0.5 / len(values) / mean), 4) if mean > 0.0 else _ERROR_RATIO_MAX


def _fanned_out(
    small: Sequence[SteadyPoint],
    large: Sequence[SteadyPoint],
    *,
    few: float,
    many: float,
    timelines: float,
    scatter_ratio: float,
) -> Iterator[CpuDemand]:
    """A post's fixed cost, and its cost per timeline: a straight line through both sizes at every rate, with one slope
    for all rates."""
    pairs = list(zip(small, large, strict=True))
    rates = [min(one.rate_per_second, other.rate_per_second) for one, other in pairs]
    variation = small[0].variation
    for process in sorted({name for point in (*small, *large) for name in point.cpu_seconds}):
        ends = [(_value(one, process, scatter_ratio), _value(other, process, scatter_ratio)) for one, other in pairs]
        errors = [math.hypot(low.error_seconds, high.error_seconds) for low, high in ends]
        scatters = [math.hypot(low.scatter_seconds, high.scatter_seconds) for low, high in ends]
        slope, slopes = 0.0, list[_Value]()
        if process in _PER_TIMELINE:
            slopes = [
                _Value(rate, *(each / (many - few) for each in (high.seconds - low.seconds, error, scatter)))
                for rate, (low, high), error, scatter in zip(rates, ends, errors, scatters, strict=True)
            ]
            slope = max(0.0, float(np.mean(settled(slopes, is_own=_is_own(_DELIVER, process)) or 0.0)))
        middle = slope * (few + many) / 2.0
        constants = [
            _Value(rate, (low.seconds + high.seconds) / 2.0 - middle, error / 2.0, scatter / 2.0)
            for rate, (low, high), error, scatter in zip(rates, ends, errors, scatters, strict=True)
        ]
        yield from _demand(_POST, process, constants, variation=variation)
        for each in _demand(_DELIVER, process, [_Value(rates[0], slope * timelines)], variation=_JOB_VARIATION):
            yield msgspec.structs.replace(each, error_ratio=_error_ratio(slopes))


def _without_removals(found: Sequence[CpuDemand]) -> Iterator[CpuDemand]:
    """Subtract the removal of the photos of a deleted post or story, which has a separate demand."""
    removals = {each.process: each for each in found if each.operation == _REMOVE}
    for each in found:
        removal = removals.get(each.process) if each.operation in _DELETING else None
        if each.operation in _DELETING and each.process == Component.FANOUT and not _apart(found, each.operation):
            removal = removals.get(str(Component.MEDIA))
        if removal is None:
            yield each
            continue
        values = [
            _Value(rate, max(0.0, seconds - removal.at(rate)))
            for rate, seconds in zip(each.rates_per_second, each.cpu_seconds, strict=True)
        ]
        for less in _demand(each.operation, each.process, values, variation=each.variation):
            squares = (each.error_ratio * sum(each.cpu_seconds)) ** 2 + (
                removal.error_ratio * sum(map(removal.at, each.rates_per_second))
            ) ** 2
            error = min(_ERROR_RATIO_MAX, squares**0.5 / sum(less.cpu_seconds))
            yield msgspec.structs.replace(less, error_ratio=round(error, 4))


def _apart(found: Sequence[CpuDemand], operation: str) -> bool:
    """Whether the media worker, which removes photos, is not in one process with fan-out."""
    return any(each.operation == operation and each.process == Component.MEDIA for each in found)
