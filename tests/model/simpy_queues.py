"""The SimPy engine with given arrivals and work: its own stations, pools and hosts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel
from sim.reference.station import BoundedPool, PoolClaim, Station
from sim.results.laws import check_conservation, check_little
from tests.model.queues import TURNS, Bools, Floats, Journeys, Place


class SimPyEngine:
    """The readable engine's own stations, pools and hosts. Checks the laws at the end of each run."""

    customers = 2_000

    def departures(self, arrivals: Floats, journeys: Journeys, places: Sequence[Place]) -> Floats:
        kernel = Kernel()
        hosts, stations = _stations(kernel, places)
        first, place, need = journeys.first.tolist(), journeys.place.tolist(), journeys.need_seconds.tolist()
        left = [0.0] * len(arrivals)

        def go(number: int, visit: int) -> None:
            if visit < first[number + 1]:
                stations[place[visit]].submit(need[visit], lambda _served: go(number, visit + 1))
            else:
                left[number] = kernel.now

        _run(kernel, arrivals, lambda number: go(number, first[number]), float(journeys.need_seconds.sum()))
        _check(kernel, hosts, stations)
        return np.array(left)

    def joined(self, arrivals: Floats, needs: Floats) -> Floats:
        kernel = Kernel()
        hosts, stations = _stations(kernel, [Place()] * len(needs))
        work = needs.T.tolist()
        undone, left = [len(needs)] * len(arrivals), [0.0] * len(arrivals)

        def arrive(number: int) -> None:
            def done(_served: bool) -> None:
                undone[number] -= 1
                if not undone[number]:
                    left[number] = kernel.now

            for station, seconds in zip(stations, work[number], strict=True):
                station.submit(seconds, done)

        _run(kernel, arrivals, arrive, float(needs.sum()))
        _check(kernel, hosts, stations)
        return np.array(left)

    def refused(self, arrivals: Floats, needs: Floats, *, size: int) -> Bools:
        kernel = Kernel()
        pool = BoundedPool(kernel, name="test", size=size)
        work = needs.tolist()
        away = np.zeros(len(arrivals), dtype=np.bool_)

        def arrive(number: int) -> None:
            if pool.full:
                away[number] = True
                return
            claim: PoolClaim = pool.claim()
            kernel.after(work[number], lambda: pool.give_back(claim))

        _run(kernel, arrivals, arrive, float(needs.max()))
        check_conservation(pool.tally, found=pool.found())
        assert pool.tally.ended == len(arrivals) - away.sum()
        return away


def _stations(kernel: Kernel, places: Sequence[Place]) -> tuple[list[HostCpu], list[Station]]:
    hosts = [HostCpu(kernel, name="test", cores=place.cores, processes=1, scheduler=TURNS) for place in places]
    return hosts, [
        Station(kernel, host, name="test", process=0, workers=place.workers)
        for host, place in zip(hosts, places, strict=True)
    ]


def _run(kernel: Kernel, arrivals: Floats, arrive: Callable[[int], None], work_seconds: float) -> None:
    """Run until all customers have come and their work is done."""
    times = arrivals.tolist()

    def come(number: int) -> None:
        arrive(number)
        if number + 1 < len(times):
            kernel.after(times[number + 1] - kernel.now, lambda: come(number + 1))

    kernel.after(times[0], lambda: come(0))
    kernel.run(until_seconds=times[-1] + work_seconds + 1.0)


def _check(kernel: Kernel, hosts: Sequence[HostCpu], stations: Sequence[Station]) -> None:
    for host, station in zip(hosts, stations, strict=True):
        station.tally.close(kernel.now)
        check_conservation(station.tally, found=0)
        check_little(station.tally, now=kernel.now)
        host.account().check()
