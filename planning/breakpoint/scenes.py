"""The scenarios of the search: the normal load alone, with a burst, with a fault, and with a fall of the load after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from core import arrivals
from core.errors import UserError
from core.scenario import Scenario
from core.scenario.faults import Fault
from core.scenario.model import Expectation, LoadPhase
from core.scenario.units import Below, Within
from planning.breakpoint.search import scan
from sim.model.prepared import WHOLE_MAX

#: The normal load before the burst or fault.
LEAD_SECONDS: Final = 10.0
#: The normal load between a burst and the fall of the load, in which the system has not come back.
HOLD_SECONDS: Final = 10.0
#: The shortest fault that is tried.
FAULT_SECONDS_MIN: Final = 1.0
#: Loads after a fall that are tried, as shares of the normal one.
LOADS: Final = (0.1, *scan(0.1, 1.0)[:-1])
#: Limits of a scenario that has none: twice the normal p95, and this share of errors.
_P95_FACTOR: Final = 2.0
_ERRORS_RATIO: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A time with more than the normal load; its amount is the height, as a multiple of the normal load."""

    for_seconds: float
    most: float

    @property
    def start(self) -> float:
        """The height of no burst."""
        return 1.0

    @property
    def amounts(self) -> tuple[float, ...]:
        """What the scan tries."""
        return scan(self.start, self.most)

    @property
    def name(self) -> str:
        """What it is, without its amount."""
        return f"burst of {self.for_seconds:g} s"

    @property
    def unit(self) -> str:
        """The unit of its amount."""
        return "ratio"

    @property
    def axis(self) -> str:
        """The amount as the title of an axis."""
        return "height of the burst over the normal load"

    def length_seconds(self, _amount: float) -> float:
        return self.for_seconds

    def amount(self, value: float) -> str:
        """``2.15×``."""
        return f"{value:.3g}×"

    def disturb(self, scenario: Scenario, amount: float) -> Scenario:
        """The scenario with a burst of this height."""
        return _with_phase(scenario, LoadPhase(at_seconds=LEAD_SECONDS, for_seconds=self.for_seconds, factor=amount))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A fault of the scenario under the normal load; its amount is the length in seconds."""

    fault: Fault
    most: float

    @property
    def start(self) -> float:
        """The length of no fault."""
        return 0.0

    @property
    def amounts(self) -> tuple[float, ...]:
        """What the scan tries."""
        return (FAULT_SECONDS_MIN, *scan(FAULT_SECONDS_MIN, self.most))

    @property
    def name(self) -> str:
        """What it is, without its amount."""
        return f"{self.fault.target} {self.fault.short}"

    @property
    def unit(self) -> str:
        """The unit of its amount."""
        return "seconds"

    @property
    def axis(self) -> str:
        """The amount as the title of an axis."""
        return "length of the fault in seconds"

    def length_seconds(self, amount: float) -> float:
        return amount

    def amount(self, value: float) -> str:
        """``4.2 s``."""
        return f"{value:.3g} s"

    def disturb(self, scenario: Scenario, amount: float) -> Scenario:
        """The scenario with the fault for this long."""
        fault = replace(self.fault, at_seconds=LEAD_SECONDS, for_seconds=amount)
        marked = _with_phase(scenario, LoadPhase(at_seconds=LEAD_SECONDS, for_seconds=amount, factor=1.0))
        return replace(marked, faults=(fault,))


Disturbance: TypeAlias = Burst | Outage


def normal(scenario: Scenario) -> Scenario:
    """The scenario's normal load: without its viral post, phases and faults; raises UserError."""
    if scenario.traffic.arrivals == "diurnal":
        raise UserError(f"{scenario.name}: traffic.arrivals is diurnal, so there is no normal load; use poisson")
    traffic = replace(scenario.traffic, viral=None, phases=())
    expect: dict[str, Expectation | Within] = {
        name: replace(each, outside=None) for name, each in scenario.expectations.items()
    }
    return replace(scenario, traffic=traffic, faults=(), drill=None, expect=expect)


def with_limits(scenario: Scenario, figures: Mapping[str, float]) -> Scenario:
    """The scenario with limits of its normal state, from ``figures`` of its normal load."""
    limits: dict[str, Expectation | Within] = {
        name: Expectation(p95=Below(_P95_FACTOR * p95, "seconds"), errors=Below(_ERRORS_RATIO, "ratio"))
        for name in scenario.traffic.mix_ratio
        if (p95 := figures.get(f"{name}.p95_seconds")) is not None
    }
    if not limits:
        raise UserError(f"{scenario.name}: too few requests for any p95; raise traffic.rate, or state expectations")
    return replace(scenario, expect=limits)


def has_limits(scenario: Scenario) -> bool:
    """Whether the scenario says what is good: a percentile or a share of errors."""
    return any(
        limit is not None
        for each in scenario.expectations.values()
        for limit in (each.p50, each.p95, each.p99, each.errors_ratio)
    )


def undisturbed(scenario: Scenario, disturbance: Disturbance, *, observe_seconds: float) -> Scenario:
    """The run beside which all others are judged: the same time and seed, without the burst or fault."""
    length = disturbance.length_seconds(disturbance.amounts[0])
    timed = _timed(scenario, LEAD_SECONDS + length + observe_seconds)
    return _with_phase(timed, LoadPhase(at_seconds=LEAD_SECONDS, for_seconds=length, factor=1.0))


def disturbed(scenario: Scenario, disturbance: Disturbance, amount: float, *, observe_seconds: float) -> Scenario:
    """The scenario with a disturbance of this amount, after which the normal load stays."""
    seconds = LEAD_SECONDS + disturbance.length_seconds(amount) + observe_seconds
    return _checked(disturbance.disturb(_timed(scenario, seconds), amount))


def fallen(
    scenario: Scenario, disturbance: Disturbance, amount: float, load: float, *, observe_seconds: float
) -> Scenario:
    """The same, but the load falls to a share ``load`` of the normal one `HOLD_SECONDS` later."""
    falls = LEAD_SECONDS + disturbance.length_seconds(amount) + HOLD_SECONDS
    timed = disturbance.disturb(_timed(scenario, falls + observe_seconds), amount)
    return _checked(_with_phase(timed, LoadPhase(at_seconds=falls, for_seconds=observe_seconds, factor=load)))


def fault_of(scenario: Scenario, name: str, *, most: float) -> Outage:
    """The fault on the link or process ``name``; raises UserError."""
    found = [each for each in scenario.faults if each.target == name]
    if not found:
        known = ", ".join(dict.fromkeys(each.target for each in scenario.faults)) or "the scenario has no faults"
        raise UserError(f"--fault {name}: expected the link or process of a fault: {known}")
    if not found[0].for_seconds:
        raise UserError(f"--fault {name}: {found[0].short} has no length (for) that could be varied")
    return Outage(fault=found[0], most=most)


def _timed(scenario: Scenario, seconds: float) -> Scenario:
    return replace(scenario, traffic=replace(scenario.traffic, duration_seconds=seconds))


def _with_phase(scenario: Scenario, phase: LoadPhase) -> Scenario:
    return replace(scenario, traffic=replace(scenario.traffic, phases=(*scenario.traffic.phases, phase)))


def _checked(scenario: Scenario) -> Scenario:
    """The same; raises UserError where it has too many requests for all of them to be kept."""
    count = arrivals.mean_count(scenario)
    if count > WHOLE_MAX:
        raise UserError(
            f"{scenario.name}: {count:,.0f} requests in one simulation, at most {WHOLE_MAX:,}: lower --up-to, "
            "--length or --observe"
        )
    return scenario


def seconds_of(scenario: Scenario) -> float:
    """How long the traffic lasts, warm-up included."""
    return scenario.traffic.warm_up_seconds + scenario.traffic.duration_seconds
