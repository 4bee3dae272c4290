"""Stations with given arrivals and work, without flows, so that an engine can be compared with an oracle.

An engine is handed every number (when who comes, where they go, what they need) and answers with times: so two of them
can be compared customer by customer, and each with closed forms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pytest

from core import streams
from core.profile import CpuScheduler
from tests.oracles.batches import batch_means

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Times are whole numbers of ticks of 60 ns, so that sums of them are exact in floating point for a year: what two ways
#: of adding up millions of them differ by is no rounding.
_TICKS_PER_SECOND: Final = float(1 << 24)
#: Turns so short beside services of about a second that jobs which share cores seem to be served at the same time.
TURNS: Final = CpuScheduler(tick_seconds=1 / 64, slice_seconds=1 / 64)
#: Turns uniforms into service times.
Service = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A station on a host of its own: first come first served by as many workers; many workers share the cores."""

    workers: int = 1
    cores: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Journeys:
    """Where customers go: visits ``first[i]`` up to, without, ``first[i + 1]`` are those of customer i, one after the
    other; ``place`` and ``need_seconds`` are by visit."""

    first: Ints
    place: Ints
    need_seconds: Floats


class Engine(Protocol):
    """What runs customers: as many as ``customers`` in a second."""

    customers: int

    def departures(self, arrivals: Floats, journeys: Journeys, places: Sequence[Place]) -> Floats:
        """When each customer leaves its last place."""

    def joined(self, arrivals: Floats, needs: Floats) -> Floats:
        """When the last task of each customer is done: a row of ``needs`` for each branch, one worker each."""

    def refused(self, arrivals: Floats, needs: Floats, *, size: int) -> Bools:
        """Who found all of ``size`` places taken and went away; the others hold one for what they need."""


def alone(needs: Floats) -> Journeys:
    """Each customer visits place 0 once."""
    return in_series(needs[np.newaxis])


def in_series(needs: Floats) -> Journeys:
    """Each customer visits places 0, 1, 2, …; a row of ``needs`` for each place."""
    stages, count = needs.shape
    return Journeys(
        first=np.arange(count + 1) * stages,
        place=np.tile(np.arange(stages), count),
        need_seconds=needs.T.ravel(),
    )


def at_random(seed: int, begins: Ints, routing: npt.ArrayLike, services: Sequence[Service]) -> Journeys:
    """Each customer begins at its place and goes on as ``routing`` says, until it leaves."""
    bounds = np.cumsum(np.asarray(routing, dtype=np.float64), axis=1)
    who, at, step = np.arange(len(begins)), begins, 0
    owners, places, needs = [], [], []
    while len(who):
        draws = streams.named(seed, "test.service").uniforms(who, step)
        needs.append(_whole_ticks(np.choose(at, [service(draws) for service in services])))
        owners.append(who)
        places.append(at)
        going = streams.named(seed, "test.routing").uniforms(who, step)
        at = (going[:, np.newaxis] >= bounds[at]).sum(axis=1)
        stays = at < len(services)
        who, at, step = who[stays], at[stays], step + 1
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return Journeys(
        first=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(begins)))]),
        place=np.concatenate(places)[order],
        need_seconds=np.concatenate(needs)[order],
    )


def poisson(seed: int, count: int, rate_per_second: float) -> Floats:
    """Times of ``count`` Poisson arrivals."""
    gaps = streams.named(seed, "test.arrivals").exponentials(np.arange(count))
    return _whole_ticks(np.cumsum(gaps) / rate_per_second)


def needs_of(seed: int, shape: int | tuple[int, int], service: Service) -> Floats:
    """Service times of that many customers, or of customers (columns) at several places (rows)."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    return _whole_ticks(service(streams.named(seed, "test.service").uniforms(numbers)))


def exponential(mean_seconds: float) -> Service:
    """Exponential service times."""
    return lambda uniforms: -mean_seconds * np.log(uniforms)


def constant(seconds: float) -> Service:
    """Equal service times."""
    return lambda uniforms: np.full_like(uniforms, seconds)


def gamma(mean_seconds: float, variation: float) -> Service:
    """Gamma service times with this coefficient of variation."""
    from scipy import special

    shape = variation**-2.0
    return lambda uniforms: special.gammaincinv(shape, uniforms) * mean_seconds / shape


def lognormal(mean_seconds: float, variation: float) -> Service:
    """Lognormal service times with this coefficient of variation."""
    from scipy import special

    variance = np.log1p(variation**2)
    return lambda uniforms: mean_seconds * np.exp(np.sqrt(variance) * special.ndtri(uniforms) - 0.5 * variance)


def two_kinds(uniforms: Floats) -> Floats:
    """One job in ten is 5.5 s, the others 0.5 s: mean 1 s, far from exponential."""
    return np.where(uniforms < 0.1, 5.5, 0.5)


def _whole_ticks(seconds: Floats) -> Floats:
    return np.asarray(np.rint(seconds * _TICKS_PER_SECOND) / _TICKS_PER_SECOND, dtype=np.float64)


def assert_mean(times: Floats, mean_seconds: float, *, warm: int = 2_000) -> None:
    """The mean of a steady series is within 1 % of the truth, and its 95 % interval contains the truth."""
    interval = batch_means(times[warm:])
    assert interval.value == pytest.approx(mean_seconds, rel=0.01)
    assert interval.low <= mean_seconds <= interval.high
