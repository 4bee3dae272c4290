"""One station under Poisson arrivals, driven without flows, so that it can be laid beside a closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core import streams
from sim.host import Host
from sim.kernel import Kernel
from sim.laws import check_conservation, check_little
from sim.station import Station

Floats = npt.NDArray[np.float64]


def sojourns(
    *, seed: int, count: int, rate_per_second: float, workers: int, cores: int, service: Callable[[Floats], Floats]
) -> Floats:
    """Time in the station of ``count`` customers; ``service`` turns uniforms into service times. Checks the laws."""
    numbers = np.arange(count)
    gaps = streams.named(seed, "test.arrivals").exponentials(numbers) / rate_per_second
    arrivals = np.cumsum(gaps).tolist()
    needs = service(streams.named(seed, "test.service").uniforms(numbers)).tolist()
    kernel = Kernel()
    host = Host(kernel, name="test", cores=cores, processes=1)
    station = Station(kernel, host, name="test", process=0, workers=workers)
    times = [0.0] * count

    def arrive(number: int) -> None:
        began = arrivals[number]

        def done(_served: bool) -> None:
            times[number] = kernel.now - began

        station.submit(needs[number], done)
        if number + 1 < count:
            kernel.after(arrivals[number + 1] - kernel.now, lambda: arrive(number + 1))

    kernel.after(arrivals[0], lambda: arrive(0))
    kernel.run(until_seconds=arrivals[-1] + 1_000.0 * float(np.mean(needs)))
    station.tally.close(kernel.now)
    check_conservation(station.tally)
    check_little(station.tally, now=kernel.now)
    host.check()
    assert station.tally.ended == count
    return np.array(times)


def exponential(mean_seconds: float) -> Callable[[Floats], Floats]:
    """Service times of this mean."""
    return lambda uniforms: -mean_seconds * np.log(uniforms)
