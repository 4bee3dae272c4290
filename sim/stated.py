"""CPU that a design states of its own, put into the profile in the place of what was calibrated.

A scenario's ``demand.cpu`` goes before the calibration, in a simulation as in a plan (`sim.planner.demands`), brought
to the calibrated core by the ratio of the cores' speeds. What is stated is the mean of one execution as this workload
has them: where a part of it grows with the graph, the profile gets what comes to the stated mean once it has grown.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.operations import BACKGROUND, OPERATIONS
from core.profile import DEGRADED, Demand, Profile
from core.scenario import Scenario
from core.scenario.demand import AT
from sim import flow as flows
from sim.content import Content
from sim.flow import OperationFlow, Per
from sim.planner.demands import STATED_VARIATION, core_of, speed
from sim.pulls import Pulls


def applied(profile: Profile, scenario: Scenario, *, pages: Mapping[str, OperationFlow], content: Content) -> Profile:
    """The profile with what the scenario states; the same profile where it states nothing."""
    demand = scenario.demand
    if demand is None or not demand.cpu_seconds:
        return profile
    factor = speed(demand.core, over=core_of(profile)) if demand.core is not None else 1.0
    found = {(each.operation, each.process): each for each in profile.demands}
    for name, seconds in demand.cpu_seconds.items():
        operation, _, process = name.partition(AT)
        process = process or str(BACKGROUND[operation] if operation in BACKGROUND else OPERATIONS[operation].component)
        grown = _growth(pages.get(operation), process, profile, content)
        usual = found.get((operation, process))
        stated = Demand(
            operation=operation,
            process=process,
            rates_per_second=(1.0,),
            cpu_seconds=(seconds * factor / grown,),
            variation=usual.variation if usual is not None else STATED_VARIATION,
        )
        found[operation, process] = stated
        beyond = found.get((operation + DEGRADED, process))
        if beyond is not None and usual is not None:
            found[operation + DEGRADED, process] = _beyond(beyond, usual, stated)
    return msgspec.structs.replace(profile, demands=tuple(found.values()))


def _growth(page: OperationFlow | None, process: str, profile: Profile, content: Content) -> float:
    """The mean of an operation's work for a process as the graph has it, over what it would be in calibration."""
    if page is None:
        return 1.0
    whole = flows.walk(flows.steps(page.front, page.behind), healthy=True)
    uses = [step for step in whole if isinstance(step, flows.Use) and step.process == process and not step.degraded]
    shares = sum(use.share for use in uses)
    if not shares:
        return 1.0
    return sum(use.share * mean_factor(use.per, profile, content) for use in uses) / shares


def mean_factor(per: Per, profile: Profile, content: Content) -> float:
    """What work of this kind is in the mean of these people, over what it was in calibration."""
    if per is Per.VISIT:
        return 1.0
    if per is Per.PUSH:
        pushed = content.mean_push_count()
        return pushed / max(1.0, profile.batch_sizes.get("fanout.deliver", pushed))
    return Pulls.of(profile).factor(per, followed=content.mean_pull_count(), known=content.celebrities())


def _beyond(beyond: Demand, usual: Demand, stated: Demand) -> Demand:
    """What the fallback path costs more than the usual one, in proportion to what the usual one is stated to cost."""
    base = stated.cpu_seconds[0]
    return msgspec.structs.replace(
        beyond,
        cpu_seconds=tuple(
            base + max(0.0, seconds - usual.at(rate)) * (base / usual.at(rate) if usual.at(rate) else 1.0)
            for rate, seconds in zip(beyond.rates_per_second, beyond.cpu_seconds, strict=True)
        ),
    )
