"""The requests that one process sends: its share of the schedule, which the model uses too. Pure: no clock, no network.

All limits are checked before anything is sent: rate, duration, number of requests, and concurrent requests.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from core import arrivals, traffic
from core.operations import JOURNEYS, ONLY_WITHIN_A_JOURNEY, OPERATIONS, steps_of
from core.scenario.model import Scenario

RATE_MAX_PER_SECOND: Final = 5_000  # of one process, over any second
DURATION_MAX_SECONDS: Final = 7_200.0
REQUESTS_MAX: Final = 2_000_000
INFLIGHT_MIN: Final = 64
INFLIGHT_MAX: Final = 4_096


class LoadPlanError(ValueError):
    """Traffic that exceeds a limit or cannot be generated; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The share of process ``worker`` of ``worker_count``: requests whose number modulo the count is ``worker``."""

    scenario: Scenario
    schedule: traffic.Schedule
    numbers: npt.NDArray[np.int64]  # of its own requests, in order of time
    worker: int
    worker_count: int
    inflight_max: int

    def __len__(self) -> int:
        return len(self.numbers)

    def act(self, number: int) -> str:
        """The act of request ``number``."""
        return self.schedule.acts[int(self.schedule.act[number])]

    @property
    def posts_viral(self) -> bool:
        """Whether this process writes the viral post: the first one does."""
        return self.worker == 0 and self.schedule.viral_author is not None


def make_plan(
    scenario: Scenario,
    *,
    worker: int = 0,
    worker_count: int = 1,
    seed: int | None = None,
    people: tuple[int, ...] = (),
) -> LoadPlan:
    """The share of one process of the schedule with ``seed`` (None: the scenario's), by ``people`` only, if given;
    raises LoadPlanError."""
    if not 0 <= worker < worker_count:
        raise LoadPlanError(f"worker {worker} of {worker_count}: expected a worker below the count")
    for act in {*scenario.traffic.mix_ratio, *(scenario.traffic.viral.mix_ratio if scenario.traffic.viral else ())}:
        if act in ONLY_WITHIN_A_JOURNEY:
            journey = next(name for name, parts in JOURNEYS.items() if act in parts)
            raise LoadPlanError(f"{act}: is a step of a journey and cannot be sent alone; expected e.g. {journey}")
    span = scenario.traffic.warm_up_seconds + scenario.traffic.duration_seconds
    if span > DURATION_MAX_SECONDS:
        raise LoadPlanError(f"traffic of {span:g} s: at most {DURATION_MAX_SECONDS:g} s")
    if (count := arrivals.mean_count(scenario)) > REQUESTS_MAX:
        raise LoadPlanError(f"{count:,.0f} requests: at most {REQUESTS_MAX:,}")
    schedule = traffic.draw_schedule(scenario, seed=seed)
    if people:
        if not 0 <= min(people) <= max(people) < scenario.population.people:
            raise LoadPlanError(
                f"people {min(people)} to {max(people)}: expected 0 to {scenario.population.people - 1}"
            )
        schedule = dataclasses.replace(schedule, person=np.array(people, dtype=np.int64)[schedule.person % len(people)])
    numbers = np.arange(worker, len(schedule), worker_count, dtype=np.int64)
    peak = peak_per_second(schedule.at_seconds[numbers])
    if peak > RATE_MAX_PER_SECOND:
        raise LoadPlanError(f"{peak:,} requests in one second: one process sends at most {RATE_MAX_PER_SECOND:,}")
    return LoadPlan(
        scenario=scenario,
        schedule=schedule,
        numbers=numbers,
        worker=worker,
        worker_count=worker_count,
        inflight_max=inflight_max(peak, scenario),
    )


def steady(
    scenario: Scenario, operation: str | None, *, rate_per_second: float, seconds: float, warm_up_seconds: float
) -> Scenario:
    """The scenario with traffic of one act, or for None of its mix, at a steady mean rate, for calibration; raises
    LoadPlanError.

    A step of a journey stands for the shortest journey that has it: `loadtest.ahead` performs the steps before it.
    """
    known = {*OPERATIONS, *JOURNEYS}
    if operation is not None and operation not in known:
        raise LoadPlanError(f"{operation}: expected one of {', '.join(sorted(known))}")
    if not (rate_per_second > 0 and seconds > 0 and warm_up_seconds >= 0):
        raise LoadPlanError(f"rate {rate_per_second:g}/s for {seconds:g} s: expected more than zero")
    alone = dataclasses.replace(
        scenario.traffic,
        mix_ratio=scenario.traffic.mix_ratio if operation is None else {act_of(operation): 1.0},
        rate_per_second=rate_per_second,
        duration_seconds=seconds,
        warm_up_seconds=warm_up_seconds,
        viral=None,
        phases=(),
    )
    return dataclasses.replace(scenario, traffic=alone, faults=(), expect={}, drill=None)


def act_of(operation: str) -> str:
    """The act that contains ``operation``: the operation itself, or the shortest journey with it."""
    if operation not in ONLY_WITHIN_A_JOURNEY:
        return operation
    return min((name for name in JOURNEYS if operation in JOURNEYS[name]), key=lambda name: len(JOURNEYS[name]))


def spins(scenario: Scenario) -> bool:
    """Whether the generator has a core of its own, so that it may spin before an arrival instead of sleeping."""
    cores = scenario.system.placement.cores
    return set(cores.load).isdisjoint(cores.stack)


def peak_per_second(at_seconds: npt.NDArray[np.float64]) -> int:
    """The largest number of arrivals in any second."""
    if not len(at_seconds):
        return 0
    return int(np.bincount(np.floor(at_seconds - at_seconds[0]).astype(np.int64)).max())


def inflight_max(peak: int, scenario: Scenario) -> int:
    """The limit of concurrent requests: by Little's law, as many as arrive when every request times out.

    Each step of a journey may last until its time-out. More requests are concurrent only when the generator itself
    fails; it then refuses requests and the run is void.
    """
    steps = max(len(steps_of(act)) for act in scenario.traffic.mix_ratio)
    wanted = 1.25 * peak * scenario.traffic.timeout_seconds * steps
    return int(min(INFLIGHT_MAX, max(INFLIGHT_MIN, wanted)))
