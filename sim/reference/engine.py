"""The SimPy engine: it runs a `PreparedRun`."""

from __future__ import annotations

from core.run import Event
from sim.model.draws import Draws
from sim.model.prepared import PreparedRun
from sim.reference import arrivals, disturbances, faults
from sim.reference.demands import CpuDemands
from sim.reference.interpreter import Interpreter
from sim.reference.observer import Observer
from sim.reference.state import build
from sim.reference.station import BoundedPool, Station
from sim.results.observed import Observed
from sim.results.outcomes import Answers


class SimpyEngine:
    """One run in SimPy, as `sim.results.observed.Engine` describes."""

    def __init__(self, prepared: PreparedRun):
        self._prepared, scenario = prepared, prepared.scenario
        self._state = state = build(prepared.resources, layout=prepared.layout)
        self._kernel = state.kernel
        self._observer = observer = Observer(prepared.program, start_seconds=self._kernel.now)
        program, content, draws = prepared.program, prepared.content, Draws(scenario.seed)
        demands = CpuDemands(program, content, draws, push_mean=prepared.push_mean, pulls=prepared.pulls)
        interpreter = Interpreter(program, state, content, draws, observer, demands=demands)
        self._clients = arrivals.Clients(prepared, self._kernel, interpreter, observer)
        self._journal: list[Event] = []
        self._kernel.start(self._clients.arrive())
        until_seconds = prepared.last_seconds
        disturbances.start(state, scenario=scenario, profile=prepared.profile, until_seconds=until_seconds)
        faults.start(state, prepared.faults, self._journal)

    @property
    def now(self) -> float:
        return self._kernel.now

    @property
    def open(self) -> int:
        return self._clients.open

    def run(self, *, until_seconds: float) -> None:
        self._kernel.run(until_seconds=until_seconds)

    def count_from_now(self) -> None:
        self._observer.counting = True
        for cache in self._state.caches:
            cache.hit_count = cache.miss_count = 0

    def cpu_seconds(self) -> list[float]:
        return self._state.cpu_seconds()

    def drain(self) -> Answers:
        return self._observer.drain()

    def observed(self) -> Observed:
        seen, state = self._observer, self._state
        queues: list[Station | BoundedPool] = [*state.stations, *(pool for family in state.pools for pool in family)]
        return Observed(
            now=self.now,
            samples=self.drain().samples(),
            stages=seen.stages(),
            degraded_count=seen.degraded_count,
            jobs=seen.job_delays(now=self.now),
            journal=self._journal,
            requests=seen.requests,
            background=seen.background,
            queues=[(queue.tally, queue.found()) for queue in queues],
            hosts=[host.account() for host in state.hosts],
            caches=[(cache.name, cache.hit_count, cache.miss_count) for cache in state.caches],
            breaker_opened=state.breaker_opened,
            hot_keys=(state.hot_keys.split_count, state.hot_keys.folded_count),
            lost_count=state.lost_count,
            logs=tuple(log.account() for log in state.logs),
        )
