"""What one run of the model is made of, before anything happens; every engine starts from the same parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from core import arrivals, traffic
from core.operations import OPERATIONS, steps_of
from core.profile import Profile
from core.scenario import Scenario
from core.traffic import Schedule
from sim import layout, plant
from sim.compiler import compile_flows
from sim.components import all_flows
from sim.content import Content
from sim.flow import OperationFlow
from sim.kernel import Kernel
from sim.layout import Layout
from sim.plant import Plant
from sim.program import Program
from sim.pulls import Pulls

#: Requests up to which a run's schedule and rows are held whole; a longer run is drawn in windows of so many, and keeps
#: rows of so many at most.
WHOLE_MAX: Final = 1_000_000
WINDOW: Final = 200_000
#: How long after the last arrival a run may go on, in client time limits: a journey's steps may each use one up.
_TAIL_TIMEOUTS: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Scenario and profile, worked out."""

    scenario: Scenario
    profile: Profile
    schedule: Schedule  # of a long run, its first window
    later: Iterator[Schedule]  # the windows that follow; for one engine, once
    long: bool
    content: Content
    layout: Layout
    program: Program
    kernel: Kernel
    plant: Plant
    push_mean: float  # timelines for which the demand of one fan-out was measured
    pulls: Pulls  # celebrities with which the demand of a feed read was

    @property
    def last_seconds(self) -> float:
        """When a run is over whatever happens."""
        load = self.scenario.traffic
        return load.duration_seconds + _TAIL_TIMEOUTS * load.timeout_seconds


def prepare(scenario: Scenario, profile: Profile, *, pages: Mapping[str, OperationFlow] | None = None) -> Parts:
    """Work out a scenario, by the pages of `sim.components` where no other ones are given.

    Raises ValueError where pages speak of a process that the scenario does not have.
    """
    long = arrivals.mean_count(scenario) > WHOLE_MAX
    windows = traffic.windows(scenario, size=WINDOW if long else None)
    schedule = next(windows)
    content = Content(scenario, viral_author=schedule.viral_author)
    placed = layout.of(scenario)
    program = _program(scenario, profile, placed, pages or all_flows(scenario))
    kernel = Kernel(start_seconds=-scenario.traffic.warm_up_seconds)
    built = plant.build(kernel, program, scenario=scenario, profile=profile, layout=placed)
    plant.fill(built, content, scenario=scenario)
    return Parts(
        scenario=scenario,
        profile=profile,
        schedule=schedule,
        later=windows,
        long=long,
        content=content,
        layout=placed,
        program=program,
        kernel=kernel,
        plant=built,
        pulls=Pulls.of(profile),
        push_mean=max(1.0, profile.batch_sizes.get("fanout.deliver", content.mean_push_count())),
    )


def _program(scenario: Scenario, profile: Profile, placed: Layout, pages: Mapping[str, OperationFlow]) -> Program:
    mix = scenario.traffic.mix_ratio
    viral = scenario.traffic.viral.mix_ratio if scenario.traffic.viral else {}
    wanted = {step for act in (*mix, *viral) for step in steps_of(act)}
    return compile_flows(
        pages,
        scenario=scenario,
        profile=profile,
        layout=placed,
        names=tuple(name for name in OPERATIONS if name in wanted),
    )
