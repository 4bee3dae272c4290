"""Queueing networks that users write: stations, caches and visits, run by the SimPy engine under the same laws.

`Network` is for questions beyond the product's scenarios. A visit is a generator that yields to the stations that it
passes, as in SimPy. Its draws are a function of (seed, kind of visit, its number, the draw's number), so two networks
that differ in one setting have the same arrivals and the same work. `docs/MODEL.md` has two examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import simpy

from core import streams
from core.streams import Stream
from sim.model.caches import LruCache
from sim.model.draws import lognormal_of
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel
from sim.reference.station import Station
from sim.results.laws import VisitTally, check_conservation, check_little

Floats = npt.NDArray[np.float64]
#: What a visit does over time.
Steps: TypeAlias = Generator[simpy.Event, Any, Any]
_QUANTILES: Final = (0.5, 0.95, 0.99)


@dataclass(slots=True)
class Visit:
    """One customer, with random numbers."""

    number: int  # in the order of arrival, from 0
    _stream: Stream
    _drawn: int = 0

    def uniform(self) -> float:
        """Uniform between 0 and 1."""
        self._drawn += 1
        return self._stream.uniform(self.number, self._drawn)

    def exponential(self, mean: float) -> float:
        """Exponential, by its mean."""
        return -mean * math.log(self.uniform())

    def lognormal(self, median: float, p99: float) -> float:
        """Lognormal, by its median and its 99th percentile (the normal number by Box and Muller 1958)."""
        mu, sigma = lognormal_of(median, p99)
        angle = 2.0 * math.pi * self.uniform()
        return math.exp(mu + sigma * math.sqrt(-2.0 * math.log(self.uniform())) * math.cos(angle))

    def zipf(self, count: int) -> int:
        """A rank from 0 to ``count`` − 1, the r-th with a probability of about 1 / r (Zipf's law)."""
        return min(count - 1, int((count + 1) ** self.uniform()) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Results of a run of a network. Times are in seconds; `print` shows a table."""

    latency_seconds: dict[str, Floats]  # by kind of visit, from arrival to end, in the order of ends
    utilisation_ratio: dict[str, float]  # by station: CPU time over cores × time
    number_mean: dict[str, float]  # by station: mean number that waits or is served
    hit_ratio: dict[str, float]  # by cache

    def __str__(self) -> str:
        lines = [f"{'VISITS':<16}{'count':>9}{'mean':>11}{'p50':>11}{'p95':>11}{'p99':>11}"]
        for name, times in self.latency_seconds.items():
            seconds = (times.mean(), *np.quantile(times, _QUANTILES)) if len(times) else ()
            lines.append(f"{name:<16}{len(times):>9,}" + "".join(f"{1000 * each:>8.2f} ms" for each in seconds))
        lines.append(f"{'STATIONS':<16}{'busy':>9}{'inside':>11}")
        for name, busy in self.utilisation_ratio.items():
            lines.append(f"{name:<16}{busy:>9.1%}{self.number_mean[name]:>11.2f}")
        if self.hit_ratio:
            lines.append(f"{'CACHES':<16}{'hits':>9}")
            lines += [f"{name:<16}{ratio:>9.1%}" for name, ratio in self.hit_ratio.items()]
        return "\n".join(lines)


@dataclass(slots=True)
class Network:
    """Stations and caches, the visits that arrive, and one run of them."""

    seed: int
    _kernel: Kernel = field(default_factory=Kernel)
    _hosts: dict[str, HostCpu] = field(default_factory=dict)
    _stations: dict[str, Station] = field(default_factory=dict)
    _caches: dict[str, LruCache] = field(default_factory=dict)
    _arrivals: dict[str, tuple[Callable[[Visit], Steps], float]] = field(default_factory=dict)
    _latencies: dict[str, list[float]] = field(default_factory=dict)
    _inside: VisitTally = field(init=False)

    def __post_init__(self) -> None:
        self._inside = VisitTally("visits", self._kernel.now)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self._kernel.now

    def station(self, name: str, *, workers: int = 1, cores: int = 1) -> Station:
        """A station on a separate host; visits yield to `Station.serve`. Its ``workers`` serve in order of arrival and
        share the ``cores``."""
        host = self._hosts[name] = HostCpu(self._kernel, name=name, cores=cores, processes=1)
        station = Station(self._kernel, host, name=name, process=0, workers=workers)
        return self._stations.setdefault(name, station)

    def cache(self, name: str, *, size: int) -> LruCache:
        """An LRU cache of ``size`` entries."""
        return self._caches.setdefault(name, LruCache(name=name, capacity_bytes=size))

    def arrivals(self, visit: Callable[[Visit], Steps], *, per_second: float, name: str = "") -> None:
        """Let visits arrive as a Poisson process."""
        self._arrivals[name or visit.__name__] = (visit, per_second)

    def run(self, *, seconds: float) -> Figures:
        """Run arrivals for ``seconds``, and then until all visits have ended; raises `sim.results.laws.ModelError`
        where a law (Little's, conservation of customers and of work) does not hold."""
        for name, (visit, per_second) in self._arrivals.items():
            self._latencies[name] = []
            self._kernel.start(self._come(name, visit, per_second, seconds))
        self._kernel.run(until_seconds=seconds)
        while self._inside.inside:
            self._kernel.run(until_seconds=self._kernel.now + 1.0)
        self._check()
        elapsed = self._kernel.now
        return Figures(
            latency_seconds={name: np.array(found) for name, found in self._latencies.items()},
            utilisation_ratio={
                name: host.cpu_seconds[0] / (host.cores * elapsed) for name, host in self._hosts.items()
            },
            number_mean={name: station.tally.mean_number() for name, station in self._stations.items()},
            hit_ratio={
                name: cache.hit_count / max(1, cache.hit_count + cache.miss_count)
                for name, cache in self._caches.items()
            },
        )

    def _come(self, name: str, visit: Callable[[Visit], Steps], per_second: float, seconds: float) -> Steps:
        stream, work, number = streams.named(self.seed, f"{name}.arrivals"), streams.named(self.seed, name), 0
        while True:
            yield self._kernel.wait(stream.exponential(number) / per_second)
            if self._kernel.now >= seconds:
                return
            self._kernel.start(self._go(name, visit(Visit(number, work))))
            number += 1

    def _go(self, name: str, steps: Steps) -> Steps:
        began = self._kernel.now
        self._inside.came(began)
        yield from steps
        self._inside.left(self._kernel.now, entered_seconds=began)
        self._latencies[name].append(self._kernel.now - began)

    def _check(self) -> None:
        for host in self._hosts.values():
            host.settle()
            host.account().check()
        for tally in (self._inside, *(station.tally for station in self._stations.values())):
            tally.close(self._kernel.now)
            check_conservation(tally, found=0)
            check_little(tally, now=self._kernel.now)
