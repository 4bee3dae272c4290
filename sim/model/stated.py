"""CPU demands that a scenario states itself, put into the profile instead of the calibrated ones.

A scenario's ``demand.cpu`` has precedence over the calibration, in a simulation as in a plan
(`planning.plan.queueing.demands`); it is converted to the calibrated core by the ratio of the cores' speeds. The stated
figure is the mean of one execution in this workload. Where a part of it is proportional to the graph, the profile gets
the figure that results in the stated mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from core.bounds import JPEG_BYTES_PER_PIXEL
from core.fixed_work import ROUND_CYCLES, VERSION
from core.operations import FANOUT_DELIVER
from core.profile import DEGRADED, PAGE, PIXELS, Profile, of_sizes, under_mix
from core.profile import CpuDemand as Cost
from core.scenario import Scenario
from core.scenario.demand import AT, Core
from sim.model import cpu
from sim.model.content import Content
from sim.model.flow import OperationFlow, Per, Use, steps, walk
from sim.model.pulls import Pulls

#: Variation of a demand that is stated without one.
STATED_VARIATION: Final = 0.5
#: Core of a profile without the fixed work on a machine whose processor name has no clock rate: one of 2017 at its base
#: clock.
PLAIN_CORE: Final = Core(ghz=2.5)
_GHZ: Final = re.compile(r"@\s*([0-9.]+)\s*GHz")


def core_of(profile: Profile) -> Core:
    """The core that a profile was measured on: by the fixed work, as a clock rate with the instructions per cycle of
    `Core.ipc` = 1; in an older profile by the clock rate in the processor's name."""
    work = profile.fixed_work
    if work is not None and work.version == VERSION:
        return Core(ghz=ROUND_CYCLES / work.whole_seconds / 1e9)
    match = _GHZ.search(str(profile.machine.get("processor", "")))
    return Core(ghz=float(match[1])) if match else PLAIN_CORE


def speed(core: Core, *, over: Core) -> float:
    """Work per second of ``core`` over that of another."""
    return core.ghz * core.ipc / (over.ghz * over.ipc)


def sizes_of(scenario: Scenario) -> dict[str, float]:
    """The sizes on which demands depend (`core.profile.of_sizes`): of a page, and of a photo as it is uploaded."""
    photo, demand = scenario.population.photo, scenario.demand
    pixels = float(photo.width * photo.height)
    if demand is not None and demand.sizes.original_bytes is not None:
        pixels = demand.sizes.original_bytes / JPEG_BYTES_PER_PIXEL
    return {PAGE: float(scenario.system.feed.page), PIXELS: pixels}


def applied(
    profile: Profile, scenario: Scenario, *, flows: Mapping[str, OperationFlow], grows: Mapping[Per, float]
) -> Profile:
    """The profile with demands for the scenario's sizes, as they are under a mix of operations, and those that the
    scenario states instead.

    ``grows`` is the mean work of each kind in this workload over the mean in calibration (`growth`).
    """
    profile, demand = under_mix(of_sizes(profile, sizes_of(scenario))), scenario.demand
    if demand is None or not demand.cpu_seconds:
        return profile
    factor = speed(demand.core, over=core_of(profile)) if demand.core is not None else 1.0
    found = {(each.operation, each.process): each for each in profile.demands}
    for name, seconds in demand.cpu_seconds.items():
        operation, _, process = name.partition(AT)
        process = process or cpu.own_process(operation)
        usual = found.get((operation, process))
        stated = Cost(
            operation=operation,
            process=process,
            rates_per_second=(1.0,),
            cpu_seconds=(seconds * factor / _growth(flows.get(operation), process, grows),),
            variation=usual.variation if usual is not None else STATED_VARIATION,
        )
        found[operation, process] = stated
        beyond = found.get((operation + DEGRADED, process))
        if beyond is not None and usual is not None:
            found[operation + DEGRADED, process] = _beyond(beyond, usual, stated)
    return msgspec.structs.replace(profile, demands=tuple(found.values()))


def growth(profile: Profile, content: Content) -> dict[Per, float]:
    """Mean work of each kind for these people, over the mean in calibration."""
    pushed, pulls = content.mean_push_count(), Pulls.from_profile(profile)
    return {Per.PUSH: pushed / max(1.0, profile.batch_sizes.get(FANOUT_DELIVER, pushed))} | {
        per: pulls.factor(per, followed=content.mean_pull_count(), known=content.celebrities())
        for per in (Per.PULL, Per.MERGE)
    }


def _growth(flow: OperationFlow | None, process: str, grows: Mapping[Per, float]) -> float:
    """Mean work of an operation on a process in this workload, over the mean in calibration."""
    if flow is None:
        return 1.0
    whole = walk(steps(flow.front, flow.behind), healthy=True)
    uses = [step for step in whole if isinstance(step, Use) and step.process == process and not step.degraded]
    shares = sum(use.share for use in uses)
    grown = sum(use.share * grows.get(use.per, 1.0) for use in uses)
    return grown / shares if shares and grown else 1.0


def _beyond(beyond: Cost, usual: Cost, stated: Cost) -> Cost:
    """Demand of the fallback path: its calibrated surplus over the usual path, scaled like the usual demand."""
    base = stated.cpu_seconds[0]
    return msgspec.structs.replace(
        beyond,
        cpu_seconds=tuple(
            base + max(0.0, seconds - usual.at(rate)) * (base / usual.at(rate) if usual.at(rate) else 1.0)
            for rate, seconds in zip(beyond.rates_per_second, beyond.cpu_seconds, strict=True)
        ),
    )
