"""Simulates one scenario with the durations of a calibration profile: the same columns come out as from a measured run.

Nothing here reads a clock, a random generator or the environment: the result is a function of scenario and profile,
byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core import traffic
from core.names import Outcome
from core.operations import OPERATIONS, steps_of
from core.profile import Profile
from core.run import Event, Samples, samples_from_rows
from core.scenario import Scenario
from sim import arrivals, disturbances, faults, layout, observe, plant
from sim.compiler import compile_flows
from sim.components import all_flows
from sim.content import Content
from sim.draws import Draws
from sim.interpreter import Interpreter
from sim.jobs import JobDelay
from sim.kernel import Kernel
from sim.laws import ModelError
from sim.log import Log, LogAccount
from sim.observe import Observer
from sim.plant import Plant
from sim.program import Program
from sim.station import Pool, Station

#: How long after the last arrival a run may go on, in client time limits: a journey's steps may each use one up.
_TAIL_TIMEOUTS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One simulated run, as `core.run.write` takes it."""

    samples: Samples
    usage: tuple[tuple[str, int, float], ...]  # (process, second from t0, CPU seconds)
    stages: tuple[tuple[str, str, str, int, float], ...]
    caches: tuple[tuple[str, int, int], ...]
    journal: tuple[Event, ...]
    facts: dict[str, Any]
    ledger: dict[str, int]
    jobs: tuple[JobDelay, ...] = ()  # how late background work was, by name


def simulate(scenario: Scenario, profile: Profile, *, on_progress: Callable[[float], None] | None = None) -> Result:
    """Run the model; ``on_progress`` is told the share of simulated time that is over.

    Raises `sim.laws.ModelError` where the model breaks a law, which is a bug of it; ValueError where a fault names a
    process that the scenario does not have.
    """
    return _Run(scenario, profile).whole(on_progress)


class _Run:
    def __init__(self, scenario: Scenario, profile: Profile):
        self.scenario, self.profile = scenario, profile
        load = scenario.traffic
        schedule = traffic.of(scenario)
        self.content = Content(scenario, viral_author=schedule.viral_author)
        self.layout = layout.of(scenario)
        self.program = self._program()
        self.kernel = Kernel(start_seconds=-load.warm_up_seconds)
        self.plant: Plant = plant.build(
            self.kernel, self.program, scenario=scenario, profile=profile, layout=self.layout
        )
        plant.fill(self.plant, self.content, scenario=scenario)
        self.observer = Observer(start_seconds=self.kernel.now, stages=self.program.stages)
        interpreter = Interpreter(self.program, self.plant, self.content, Draws(scenario.seed), self.observer)
        interpreter.calibrate_pushes(profile.batch_sizes.get("fanout.deliver", self.content.mean_push_count()))
        self.clients = arrivals.Clients(
            self.kernel,
            interpreter,
            self.content,
            self.observer,
            schedule=schedule,
            timeout_seconds=load.timeout_seconds,
        )
        self.journal: list[Event] = arrivals.told(schedule)
        self.usage: list[tuple[str, int, float]] = []

    def whole(self, on_progress: Callable[[float], None] | None) -> Result:
        """From the first arrival to the last answer."""
        load, kernel = self.scenario.traffic, self.kernel
        begin, end = kernel.now, load.duration_seconds
        last = end + _TAIL_TIMEOUTS * load.timeout_seconds
        kernel.start(self.clients.arrive())
        disturbances.start(self.plant, scenario=self.scenario, profile=self.profile, until_seconds=last)
        faults.start(self.plant, scenario=self.scenario, profile=self.profile, journal=self.journal)
        while kernel.now < end or (self.clients.open and kernel.now < last):
            second = math.floor(kernel.now + 1e-9)
            self._second(second, until_seconds=float(second + 1))
            if on_progress is not None:
                on_progress(min(1.0, (kernel.now - begin) / (end - begin)))
        if self.clients.open:
            raise ModelError("conservation", f"{self.clients.open} requests never ended")
        self._check()
        return self._result()

    def _second(self, second: int, *, until_seconds: float) -> None:
        before = self.plant.cpu_seconds()
        if self.kernel.now >= 0.0 and not self.observer.counting:
            self.observer.counting = True
            for cache in self.plant.caches:
                cache.hit_count = cache.miss_count = 0
        if self.kernel.now < 0.0 < until_seconds:
            until_seconds = 0.0
        self.kernel.run(until_seconds=until_seconds)
        if second < self.scenario.traffic.duration_seconds:
            for process, earlier, now in zip(self.layout.processes, before, self.plant.cpu_seconds(), strict=True):
                self.usage.append((process.name, second, now - earlier))

    def _check(self) -> None:
        places: list[Station | Pool | Log] = [*self.plant.stations, *self.plant.logs]
        places += [pool for family in self.plant.pools for pool in family]
        tallies = [self.observer.requests, self.observer.background, *(place.tally for place in places)]
        observe.check(tallies, now=self.kernel.now)
        for place in places:
            place.check()
        for host in self.plant.hosts:
            host.check()

    def _program(self) -> Program:
        mix = self.scenario.traffic.mix_ratio
        viral = self.scenario.traffic.viral.mix_ratio if self.scenario.traffic.viral else {}
        wanted = {step for act in (*mix, *viral) for step in steps_of(act)}
        return compile_flows(
            all_flows(self.scenario),
            scenario=self.scenario,
            profile=self.profile,
            layout=self.layout,
            names=tuple(name for name in OPERATIONS if name in wanted),
        )

    def _result(self) -> Result:
        rows = self.observer.rows()
        return Result(
            samples=samples_from_rows(rows),
            usage=tuple(self.usage),
            stages=tuple(self.observer.stage_rows()),
            caches=tuple(sorted((cache.name, cache.hit_count, cache.miss_count) for cache in self.plant.caches)),
            journal=tuple(sorted(self.journal, key=lambda event: event.at_seconds)),
            facts=self._facts(),
            ledger=_ledger(rows),
            jobs=self.observer.job_delays(now=self.kernel.now),
        )

    def _facts(self) -> dict[str, Any]:
        hosts, seconds = self.plant.hosts, self.scenario.traffic.duration_seconds
        places = {process.name: process.host for process in self.layout.processes}
        judged = [0.0] * len(hosts)
        for name, second, spent in self.usage:
            if second >= 0:
                judged[places[name]] += spent
        opened = zip(self.program.breakers, self.plant.breaker_opened, strict=True)
        facts: dict[str, Any] = {
            "host_utilisation_ratio": sum(judged) / (seconds * self.layout.cores),
            "host_stalled_seconds": sum(host.stalled_seconds for host in hosts) / len(hosts),
            "requests_inside_mean_count": self.observer.requests.mean_number(),
            "background_unfinished_count": self.observer.background.inside,
            "breaker_opened_count": {name: count for (name, _), count in opened},
            "degraded_count": dict(sorted(self.observer.degraded_count.items())),
            "fanout_push_mean_count": self.content.mean_push_count(),
            **_log_facts([log.account() for log in self.plant.logs]),
        }
        if len(hosts) > 1:
            busy = {host.name: spent / (seconds * host.cores) for host, spent in zip(hosts, judged, strict=True)}
            facts["utilisation_ratio_by_host"] = busy
        if self.program.notes:
            facts["assumed"] = list(self.program.notes)
        return facts


def _log_facts(logs: list[LogAccount]) -> dict[str, Any]:
    """By job: how long events stood on the log before their work began, how many still do, and were handled twice."""
    heard = {log.job: log for log in logs if log.lag_count}
    return {
        "consumer_lag_mean_seconds": {job: log.lag_seconds / log.lag_count for job, log in heard.items()},
        "consumer_lag_max_seconds": {job: log.lag_max_seconds for job, log in heard.items()},
        "log_unhandled_count": {log.job: log.found for log in logs},
        "log_redelivered_count": {log.job: log.redelivered_count for log in logs},
    }


def _ledger(rows: list[observe.Sample]) -> dict[str, int]:
    """Writes that were acknowledged, and how many of them the model lost: none, for it acknowledges what is durable."""
    written: dict[str, int] = {}
    for _, _, operation, outcome, *_ in rows:
        if outcome in (Outcome.OK, Outcome.DEGRADED) and OPERATIONS[operation].method != "GET":
            written[operation] = written.get(operation, 0) + 1
    found: dict[str, int] = {}
    for operation, count in sorted(written.items()):
        found[f"{operation}.acknowledged"] = count
        found[f"{operation}.lost"] = 0
    return found
