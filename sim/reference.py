"""The readable reference: SimPy runs the parts of a run."""

from __future__ import annotations

from core.run import Event, samples_from_rows
from sim import arrivals, disturbances, faults
from sim.demands import Demands
from sim.draws import Draws
from sim.interpreter import Interpreter
from sim.observe import Observer
from sim.observed import Observed
from sim.outcomes import Answers
from sim.parts import Parts
from sim.station import Pool, Station


class Engine:
    """One run, by SimPy."""

    def __init__(self, parts: Parts):
        self._parts, self._kernel, self._plant = parts, parts.kernel, parts.plant
        scenario = parts.scenario
        self._observer = Observer(start_seconds=self._kernel.now, stages=parts.program.stages)
        draws = Draws(scenario.seed)
        demands = Demands(parts.program, parts.content, draws, push_mean=parts.push_mean, pulls=parts.pulls)
        interpreter = Interpreter(parts.program, parts.plant, parts.content, draws, self._observer, demands=demands)
        self._clients = arrivals.Clients(
            self._kernel,
            interpreter,
            parts.content,
            self._observer,
            schedule=parts.schedule,
            later=parts.later,
            timeout_seconds=scenario.traffic.timeout_seconds,
        )
        self._journal: list[Event] = []
        self._kernel.start(self._clients.arrive())
        disturbances.start(parts.plant, scenario=scenario, profile=parts.profile, until_seconds=parts.last_seconds)
        faults.start(parts.plant, scenario=scenario, profile=parts.profile, journal=self._journal)

    @property
    def now(self) -> float:
        """Seconds from t0."""
        return self._kernel.now

    @property
    def open(self) -> int:
        """Clients who are not done."""
        return self._clients.open

    def run(self, *, until_seconds: float) -> None:
        """Let everything before ``until_seconds`` happen; raises ModelError when a law is broken."""
        self._kernel.run(until_seconds=until_seconds)

    def count_from_now(self) -> None:
        """Totals begin: the warm-up is over."""
        self._observer.counting = True
        for cache in self._plant.caches:
            cache.hit_count = cache.miss_count = 0

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has had until now, in the order of the layout."""
        return self._plant.cpu_seconds()

    def drain(self) -> Answers:
        """What clients got since it was last asked."""
        return self._observer.drain(tuple(self._parts.program.entries))

    def observed(self) -> Observed:
        """Everything that was seen."""
        seen, plant = self._observer, self._plant
        places: list[Station | Pool] = [*plant.stations, *(pool for family in plant.pools for pool in family)]
        return Observed(
            now=self.now,
            samples=samples_from_rows(seen.rows()),
            stages=seen.stages(),
            degraded_count=seen.degraded_count,
            jobs=seen.job_delays(now=self.now),
            journal=self._journal,
            requests=seen.requests,
            background=seen.background,
            places=[(place.tally, place.found()) for place in places],
            hosts=[host.account() for host in plant.hosts],
            caches=[(cache.name, cache.hit_count, cache.miss_count) for cache in plant.caches],
            breaker_opened=plant.breaker_opened,
            hot_keys=(plant.hot_keys.split_count, plant.hot_keys.folded_count),
            lost_count=plant.lost_count,
            logs=tuple(log.account() for log in plant.logs),
        )
