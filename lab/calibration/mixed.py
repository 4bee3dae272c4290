"""What operations cost each process under a mix of them, over what they cost each alone.

A process that does many things in turn finds its caches colder than one that repeats a single thing, and gets more to
do with each wake-up. Neither shows where operations are measured one at a time. So the scenario's own mix is sent at a
few rates, and the CPU that each process then uses is divided by what the model has for the same requests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from core.names import Server
from core.profile import Profile
from core.scenario import Scenario
from lab import agreement
from lab.calibration.point import MeasuredStack
from loadtest import plan
from sim.model.prepared import prepare
from sim.model.saturation import saturation
from sim.simulate import simulate

#: About how busy the stack's cores are at the points: below the knee, where requests fail.
BUSY_RATIOS: Final = (0.3, 0.55, 0.8)
REPEATS: Final = 3
SECONDS: Final = 10.0
WARM_UP_SECONDS: Final = 3.0
#: Where the model is asked for the utilisation by which the first point's rate is found.
_PROBED_PER_SECOND: Final = 40.0
#: What these do depends on what caches hold, which is not the same on a stack on which everything else was calibrated.
_BY_CACHES: Final = frozenset({Server.EDGE, Server.SHIELD, Server.OBJECTS, Server.PROMETHEUS})
#: A process's ratio is kept where its CPU is so many times the standard error of its idle use.
_SIGNIFICANT: Final = 10.0


class MixedPoint(NamedTuple):
    """CPU seconds by kind of process beyond idle use, on the real stack and in the model, for the same requests."""

    rate_per_second: float
    measured: Mapping[str, float]
    modelled: Mapping[str, float]
    errors: Mapping[str, float]  # standard errors of ``measured``

    def at_speed(self, factor: float) -> MixedPoint:
        """As measured on a machine that needs ``factor`` × the CPU time."""
        return self._replace(measured={name: seconds * factor for name, seconds in self.measured.items()})


def unmixed(profile: Profile) -> Profile:
    """The profile with a ratio of 1 for every process, so that the model reads costs as it will with the ratios."""
    return msgspec.structs.replace(profile, mix_cpu_ratio={each.process: 1.0 for each in profile.demands})


def steady(scenario: Scenario, rate_per_second: float, *, seed: int) -> Scenario:
    """The mix at a steady rate, with the proxies of the scenario's faults but without a fault that acts."""
    alone = plan.steady(
        scenario, None, rate_per_second=rate_per_second, seconds=SECONDS, warm_up_seconds=WARM_UP_SECONDS
    )
    after_all = tuple(dataclasses.replace(fault, at_seconds=1e6 + fault.at_seconds) for fault in scenario.faults)
    return dataclasses.replace(alone, seed=seed, faults=after_all)


def rate_at(busy_ratio: float, measured: MeasuredStack, profile: Profile, last: MixedPoint | None) -> float:
    """Rate per second at which the stack's cores are at most about so busy: by the ``last`` point, at a lower rate, or
    by the model. The CPU of a request falls with the rate."""
    scenario = measured.scenario
    if last is None:
        found = saturation(prepare(steady(scenario, _PROBED_PER_SECOND, seed=scenario.seed), profile))
        return _PROBED_PER_SECOND * busy_ratio / max(each.mean_ratio for each in found if each.kind == "host")
    cores = len(scenario.system.placement.cores.stack)
    used = sum(last.measured.values()) / (SECONDS + WARM_UP_SECONDS) + measured.idle.whole_ratio
    return last.rate_per_second * busy_ratio * cores / used


def measure(measured: MeasuredStack, profile: Profile, rate_per_second: float, *, seed: int) -> MixedPoint:
    """One point, on the stack and on the model. Raises UserError where the generator fails, OverloadError where too
    many requests fail."""
    seconds, used = measured.measure_mix(rate_per_second, seconds=SECONDS, warm_up_seconds=WARM_UP_SECONDS, seed=seed)
    idle = measured.idle
    usage = simulate(steady(measured.scenario, rate_per_second, seed=seed), profile).usage
    rows = list(usage)
    lasted = len({second for _, second, _ in rows})
    modelled = by_kind((name, spent) for name, _, spent in rows)
    still = by_kind((name, profile.background_cpu_ratio.get(name, 0.0) * lasted) for name in usage.processes)
    squares = by_kind((name, idle.error_seconds(name, seconds) ** 2) for name in used)
    return MixedPoint(
        rate_per_second,
        by_kind((name, spent - idle.ratio.get(name, 0.0) * seconds) for name, spent in used.items()),
        {name: spent - still[name] for name, spent in modelled.items()},
        {name: square**0.5 for name, square in squares.items()},
    )


def ratios(scenario: Scenario, points: Sequence[MixedPoint]) -> dict[str, float]:
    """Median over the points, by component or server (`core.profile.CpuDemand.process`); none where idle use hides
    it."""
    found: dict[str, float] = {}
    for name in sorted({name for point in points for name in point.measured} - {str(each) for each in _BY_CACHES}):
        seen = [
            point.measured[name] / point.modelled[name]
            for point in points
            if point.modelled.get(name, 0.0) > 0.0
            and point.measured.get(name, 0.0) > _SIGNIFICANT * point.errors.get(name, 0.0)
        ]
        if 2 * len(seen) > len(points):
            for member in scenario.system.placement.processes.get(name, (name,)):
                found[str(member)] = float(np.median(seen))
    return found


def by_kind(spent: Iterator[tuple[str, float]]) -> dict[str, float]:
    """CPU seconds by name, with those of all instances added up."""
    found: dict[str, float] = {}
    for name, seconds in spent:
        kind = agreement.kind_of(name)
        found[kind] = found.get(kind, 0.0) + seconds
    return found
