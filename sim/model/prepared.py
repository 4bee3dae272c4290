"""A run before it begins, as values: both engines start from the same `PreparedRun`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from core import arrivals, traffic
from core.operations import FANOUT_DELIVER, OPERATIONS, steps_of
from core.profile import Profile
from core.scenario import Scenario
from core.traffic import Schedule
from sim.model import faults, layout, stated
from sim.model.compiler import compile_flows
from sim.model.components import all_flows
from sim.model.content import Content
from sim.model.faults import ScheduledFault
from sim.model.flow import OperationFlow
from sim.model.layout import Layout
from sim.model.program import Program
from sim.model.pulls import Pulls
from sim.model.resources import Resources, resources_of

#: Requests up to which a run's schedule and rows are kept whole. The schedule of a longer run is drawn in windows of
#: `WINDOW` requests, and rows are kept of at most `WHOLE_MAX` requests.
WHOLE_MAX: Final = 250_000
WINDOW: Final = 100_000
#: Most people of one system, all of whom are set up, and most posts; a larger population is split into cells.
PEOPLE_MAX: Final = 5_000_000
POSTS_MAX: Final = 4 * PEOPLE_MAX
#: Longest run: rates and CPU are kept by second. A day and an hour.
SECONDS_MAX: Final = 90_000.0
#: How long a run may continue after the last arrival, in client time limits: each step of a journey may use one up.
_TAIL_TIMEOUTS: Final = 6.0


class ScaleError(ValueError):
    """A scenario that is too large to be simulated as one system; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """A scenario and a profile, worked out. Engines only read it."""

    scenario: Scenario
    profile: Profile  # with the demands that the scenario states
    schedule: Schedule  # the whole, or the first window of a long run
    long: bool
    content: Content
    layout: Layout
    program: Program
    resources: Resources
    faults: tuple[ScheduledFault, ...]
    push_mean: float  # timelines of a fan-out in calibration
    pulls: Pulls  # celebrities that readers followed in calibration

    @property
    def last_seconds(self) -> float:
        """The latest time at which a run ends."""
        load = self.scenario.traffic
        return load.duration_seconds + _TAIL_TIMEOUTS * load.timeout_seconds

    def later(self) -> Iterator[Schedule]:
        """The windows of a long run's schedule that follow `schedule`."""
        if not self.long:
            return iter(())
        windows = traffic.windows(self.scenario, size=WINDOW)
        next(windows)
        return windows


def prepare(scenario: Scenario, profile: Profile, *, flows: Mapping[str, OperationFlow] | None = None) -> PreparedRun:
    """Work out a scenario with the given flows; by default those of `sim.model.components`.

    Raises ScaleError where it is more than one system, `sim.model.cpu.NoDemandError` where an operation's cost is not
    known, ValueError where flows use a process that the scenario does not have.
    """
    _check_scale(scenario)
    long = arrivals.mean_count(scenario) > WHOLE_MAX
    schedule = next(traffic.windows(scenario, size=WINDOW if long else None))
    content = Content(scenario, viral_author=schedule.viral_author)
    placed, flows = layout.layout_of(scenario), flows or all_flows(scenario)
    profile = stated.applied(profile, scenario, flows=flows, grows=stated.growth(profile, content))
    program = _program(scenario, profile, placed, flows)
    resources = resources_of(program, content, scenario=scenario, profile=profile, layout=placed)
    return PreparedRun(
        scenario=scenario,
        profile=profile,
        schedule=schedule,
        long=long,
        content=content,
        layout=placed,
        program=program,
        resources=resources,
        faults=faults.schedule(resources, scenario=scenario, profile=profile, layout=placed),
        pulls=Pulls.from_profile(profile),
        push_mean=max(1.0, profile.batch_sizes.get(FANOUT_DELIVER, content.mean_push_count())),
    )


def check_people(count: int, *, of: int, what: str) -> None:
    """Raise ScaleError where ``count`` people are more than one system may have, of ``of`` people in all."""
    if count > PEOPLE_MAX:
        raise ScaleError(
            f"{count:,} people in one {what}, and a simulation sets up {PEOPLE_MAX:,} at most; split them with "
            f"`system: {{cells: {-(-of // (PEOPLE_MAX // 5))}}}`, and let `system` be one cell"
        )


def _check_scale(scenario: Scenario) -> None:
    people, load = scenario.population, scenario.traffic
    if scenario.system.cells > 1:
        cells = f"{scenario.system.cells:,} cells"
        raise ScaleError(f"a fleet of {cells}, which `windtunnel simulate` takes apart; this is about one system")
    check_people(people.people, of=people.people, what="system")
    posts = round(people.people * people.posters_ratio) * people.posts_per_poster
    if posts > POSTS_MAX:
        raise ScaleError(f"{posts:,} posts, and a simulation sets up {POSTS_MAX:,} at most; lower posts_per_poster")
    if load.warm_up_seconds + load.duration_seconds > SECONDS_MAX:
        raise ScaleError(
            f"a run of {load.warm_up_seconds + load.duration_seconds:,.0f} s, and a simulation keeps account of "
            f"{SECONDS_MAX:,.0f} at most; simulate the hours that matter, or more --replications"
        )


def _program(scenario: Scenario, profile: Profile, placed: Layout, flows: Mapping[str, OperationFlow]) -> Program:
    mix = scenario.traffic.mix_ratio
    viral = scenario.traffic.viral.mix_ratio if scenario.traffic.viral else {}
    wanted = {step for act in (*mix, *viral) for step in steps_of(act)}
    return compile_flows(
        flows,
        scenario=scenario,
        profile=profile,
        layout=placed,
        names=tuple(name for name in OPERATIONS if name in wanted),
    )
