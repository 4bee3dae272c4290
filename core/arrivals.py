"""Arrival times of a scenario's requests, drawn in pieces, so that they never have to be in memory all at once.

A time is a function of seed, stream and number. Sums are carried from one piece to the next, so the times do not depend
on the size of the pieces.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core import diurnal, streams
from core.scenario.model import LoadPhase, Scenario, Viral

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: Number of the first arrival of a piece, and the times from t0.
Piece = tuple[int, Floats]


def base(scenario: Scenario, size: int) -> Iterator[Piece]:
    """The base traffic, from the start of the warm-up to the end, in pieces of about ``size``."""
    load = scenario.traffic
    span = load.warm_up_seconds + load.duration_seconds
    if load.arrivals == "steady":
        pieces = _steady(load.rate_per_second, span, size)
    elif load.arrivals == "diurnal":
        pieces = _diurnal(scenario, span, size)
    else:
        pieces = _poisson(scenario.seed, "traffic.arrivals", load.rate_per_second, span, size)
    for first, times in pieces:
        yield first, times - load.warm_up_seconds


def viral(scenario: Scenario, size: int) -> Iterator[Piece]:
    """The traffic that a viral post adds: thinning (Lewis and Shedler 1979) of a Poisson process at the peak rate."""
    load, post = scenario.traffic, scenario.traffic.viral
    if post is None:
        return
    peak = (post.factor - 1.0) * load.rate_per_second
    span = min(post.rise_seconds + post.fall_seconds, load.duration_seconds - post.at_seconds)
    keep, count = streams.named(scenario.seed, "traffic.viral.thinning"), 0
    for first, since in _poisson(scenario.seed, "traffic.viral.arrivals", peak, span, size):
        times = post.at_seconds + since
        rates = np.array([viral_rate_per_second(post, load.rate_per_second, at) for at in times])
        kept = times[keep.uniforms(np.arange(first, first + len(times))) * peak < rates]
        yield count, kept
        count += len(kept)


def viral_rate_per_second(viral: Viral, base_per_second: float, at_seconds: float) -> float:
    """Extra arrivals per second at a time: up to (factor − 1) × base during ``rise``, back to zero during ``fall``."""
    since = at_seconds - viral.at_seconds
    peak = (viral.factor - 1.0) * base_per_second
    if since < 0:
        return 0.0
    if since < viral.rise_seconds:
        return peak * since / viral.rise_seconds
    return max(0.0, peak * (1.0 - (since - viral.rise_seconds) / viral.fall_seconds)) if viral.fall_seconds else 0.0


def phase_factors(scenario: Scenario, at_seconds: Floats) -> Floats:
    """The usual traffic's rate over that without phases, at times from t0."""
    factors = np.ones(len(at_seconds))
    for phase in scenario.traffic.phases:
        factors[(at_seconds >= phase.at_seconds) & (at_seconds < phase.end_seconds)] = phase.factor
    return factors


def kept(scenario: Scenario, first: int, times: Floats) -> Bools:
    """Which arrivals of a piece of `base` are left by the phases with a lower rate."""
    factors, numbers = np.minimum(phase_factors(scenario, times), 1.0), np.arange(first, first + len(times))
    if scenario.traffic.arrivals == "steady":  # evenly spaced, as the others are
        return np.floor((numbers + 1) * factors) > np.floor(numbers * factors)
    return streams.named(scenario.seed, "traffic.phases.thinning").uniforms(numbers) < factors


def added(scenario: Scenario, size: int) -> Iterator[Piece]:
    """The arrivals that phases with a higher rate add, each phase from streams of its own, so that the length of one
    does not change another."""
    load, count = scenario.traffic, 0
    for index, phase in enumerate(load.phases):
        rate, name = (phase.factor - 1.0) * load.rate_per_second, f"traffic.phases.{index}"
        if rate <= 0.0:
            continue
        for first, since in _added(scenario, rate, phase, name, size):
            times = phase.at_seconds + since
            if load.arrivals == "diurnal":
                weights = diurnal.weights(scenario, times).sum(axis=0)
                keep = streams.named(scenario.seed, f"{name}.thinning")
                times = times[keep.uniforms(np.arange(first, first + len(times))) * load.diurnal.factor < weights]
            yield count, times
            count += len(times)


def _added(scenario: Scenario, rate_per_second: float, phase: LoadPhase, name: str, size: int) -> Iterator[Piece]:
    """Times from the phase's begin, at the highest rate of the day if that changes."""
    load = scenario.traffic
    if load.arrivals == "steady":
        return _steady(rate_per_second, phase.for_seconds, size)
    peak = rate_per_second * (load.diurnal.factor if load.arrivals == "diurnal" else 1.0)
    return _poisson(scenario.seed, f"{name}.arrivals", peak, phase.for_seconds, size)


def mean_count(scenario: Scenario) -> float:
    """Mean number of requests."""
    load, post = scenario.traffic, scenario.traffic.viral
    more = sum((phase.factor - 1.0) * phase.for_seconds for phase in load.phases)
    usual = load.rate_per_second * (load.warm_up_seconds + load.duration_seconds + more)
    if post is None:
        return usual
    return usual + (post.factor - 1.0) * load.rate_per_second * (post.rise_seconds + post.fall_seconds) / 2.0


def _steady(rate_per_second: float, span_seconds: float, size: int) -> Iterator[Piece]:
    count = int(span_seconds * rate_per_second)
    for first in range(0, count, size):
        yield first, np.asarray((np.arange(first, min(first + size, count)) + 0.5) / rate_per_second, np.float64)


def _diurnal(scenario: Scenario, span_seconds: float, size: int) -> Iterator[Piece]:
    """Thinning, as in `viral`, of a Poisson process at the peak rate, from the start of the warm-up."""
    load = scenario.traffic
    peak = load.rate_per_second * load.diurnal.factor
    keep, count = streams.named(scenario.seed, "traffic.diurnal.thinning"), 0
    for first, times in _poisson(scenario.seed, "traffic.arrivals", peak, span_seconds, size):
        rates = load.rate_per_second * diurnal.weights(scenario, times - load.warm_up_seconds).sum(axis=0)
        kept: Floats = times[keep.uniforms(np.arange(first, first + len(times))) * peak < rates]
        yield count, kept
        count += len(kept)


def _poisson(seed: int, name: str, rate_per_second: float, span_seconds: float, size: int) -> Iterator[Piece]:
    stream = streams.named(seed, name)
    mean = rate_per_second * span_seconds
    size = min(size, int(mean + 10 * mean**0.5 + 20))  # more than will ever arrive
    first, last = 0, 0.0
    while last / rate_per_second < span_seconds:
        gaps = stream.exponentials(np.arange(first, first + size))
        gaps[0] += last
        sums = np.cumsum(gaps)
        times: Floats = sums / rate_per_second
        yield first, times[times < span_seconds]
        first, last = first + size, float(sums[-1])
