"""Simulates cells until the watched percentiles are precise enough, or as many as requested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from core.errors import UserError
from core.profile import Profile, scaled
from core.scenario import Scenario
from planning.fleet.cell import Cell, cell_of
from planning.fleet.doubled import Moved, doubled, moved
from planning.fleet.seen import SimulatedCell
from planning.fleet.whole import Fleet, verdicts, whole
from planning.fleet.work import CellSetup, work
from planning.simulations import engines
from planning.simulations.runners import Here, Workers, cores
from planning.simulations.task import Setup, SimulationTask, setup, tasks
from present.progress import ProgressReport
from records.profiles import Chosen
from sim.model.prepared import ScaleError
from sim.results.replications import StoppingRule, StoppingVerdict
from sim.simulate import EngineName

#: Default target of a fleet: half of the 95 % interval over the figure.
UNTIL: Final = 0.02
COUNT_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRequest:
    """How to simulate a fleet, or replications of one system. Without ``replications`` and ``until``, until every p99
    is known to ± `UNTIL`."""

    speed: float  # factor on every CPU demand
    engine: EngineName
    replications: int | None
    until: float | None
    check_cells: bool  # also with cells twice as large
    workers: int | None  # processes; None is one for each core

    @property
    def of_one_run(self) -> bool:
        """Whether nothing was asked for that needs several simulations."""
        return self.replications is None and self.until is None and not self.check_cells


class CellRunner(Protocol):
    """Simulates cells."""

    def run(self, tasks: Sequence[SimulationTask], shared: Setup) -> Iterator[tuple[SimulationTask, SimulatedCell]]:
        """Yield each cell in the order in which they are done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFleet:
    """A fleet, and why no more of its cells were simulated. ``until`` is None if a number of cells was requested."""

    fleet: Fleet
    until: float | None
    verdicts: Mapping[str, StoppingVerdict | None]  # by operation; None if it did not count
    moved: tuple[Moved, ...] = ()  # by cells twice as large
    moved_count: int = 0  # number of pairs of cells compared for that
    demands_drawn: bool = False  # each replication but the first has demands of its own

    @property
    def reached(self) -> bool:
        """Whether every interval that was waited for is narrow enough."""
        return all(verdict in (None, StoppingVerdict.NARROW) for verdict in self.verdicts.values())


def simulate(
    scenario: Scenario, chosen: Chosen, folder: Path, request: FleetRequest, *, report: ProgressReport
) -> SimulatedFleet:
    """Simulate on a pool of processes and write the first cell into ``folder``; raises UserError."""
    engine, speed, until = request.engine, request.speed, request.until
    if until is None and request.replications is None:
        until = UNTIL
    profile = chosen.profile if speed == 1.0 else scaled(chosen.profile, speed)
    cell = _cell(scenario, profile)
    # cells of one fleet have the same demands, whatever their error; replications of one system need not
    plain = setup(cell.profile, engine, scenario=cell.scenario, draws_demands=cell.count == 1)
    shared = CellSetup(
        profile=plain.profile,
        engine=plain.engine,
        draws_demands=plain.draws_demands,
        folder=str(folder),
        seed=scenario.seed,
        calibration=chosen.profile.id,
        speed=speed,
        own_profile=chosen.own,
    )
    if request.check_cells:
        _splits(scenario)
    engines.ready(engine, report)
    count = request.workers or cores()
    with Here(work) if count == 1 else Workers(count, work) as runner:
        found = make(
            scenario,
            cell,
            shared,
            runner=runner,
            at_once=count,
            replications=request.replications,
            until=until,
            report=report,
        )
        if request.check_cells:
            found = check(scenario, found, profile, engine, runner=runner, report=report)
        return found


def make(
    scenario: Scenario,
    cell: Cell,
    shared: Setup,
    *,
    runner: CellRunner,
    at_once: int,
    replications: int | None,
    until: float | None,
    report: ProgressReport,
) -> SimulatedFleet:
    """Simulate ``replications`` cells or, with ``until``, as many as needed, at most ``replications``."""
    rule = _rule(replications, until)
    seen: list[SimulatedCell] = []
    wanted = replications or rule.count_min if until is None else rule.count_min
    while True:
        seen += run(cell.scenario, range(len(seen), wanted), shared, runner=runner, report=report, of=wanted)
        fleet = whole(scenario, cell.count, seen)
        found = verdicts(fleet, rule)
        if until is None or StoppingVerdict.MORE not in found.values():
            return SimulatedFleet(
                fleet=fleet,
                until=until,
                verdicts=found if until is not None else {},
                demands_drawn=shared.draws_demands and len(seen) > 1,
            )
        wanted = _more(fleet, found, rule, at_once)


def _rule(replications: int | None, until: float | None) -> StoppingRule:
    most = replications or COUNT_MAX
    usual = StoppingRule(half_width_ratio_max=until or UNTIL)
    try:
        return StoppingRule(
            half_width_ratio_max=until or UNTIL, count_min=min(usual.count_min, most), count_max=max(2, most)
        )
    except ValueError as error:
        raise UserError(f"--replications {replications} with --until: {error}") from error


def _more(fleet: Fleet, found: Mapping[str, StoppingVerdict | None], rule: StoppingRule, at_once: int) -> int:
    """The next number of cells: as many as the widest interval seems to need, in whole rounds of the pool, and at most
    half as many again, because that interval is itself an estimate."""
    have = len(fleet.seen)
    widest = max(each.half_width_ratio or 0.0 for each in fleet.operations if found[each.name] is StoppingVerdict.MORE)
    needed = have * (widest / rule.half_width_ratio_max) ** 2
    rounds = max(1, round((min(needed, 1.5 * have) - have) / at_once))
    return min(rule.count_max, have + rounds * at_once)


def run(
    scenario: Scenario,
    replications: range,
    shared: Setup,
    *,
    runner: CellRunner,
    report: ProgressReport,
    of: int,
    what: str = "",
) -> list[SimulatedCell]:
    """Simulate some cells, in their order."""
    wanted = tasks(scenario, scenario.name, replications, shared)
    found: dict[str, SimulatedCell] = {}
    for done, (task, seen) in enumerate(runner.run(wanted, shared), start=1):
        found[task.key] = seen
        report(replications.start + done, of, f"{what or 'cells'} {replications.start + done} of {of}")
    return [found[task.key] for task in wanted]


def check(
    scenario: Scenario,
    found: SimulatedFleet,
    profile: Profile,
    engine: EngineName,
    *,
    runner: CellRunner,
    report: ProgressReport,
) -> SimulatedFleet:
    """The same with cells twice as large, under the seeds of those that were simulated; raises UserError."""
    _splits(scenario)
    fleet = found.fleet
    larger = _cell(doubled(scenario), profile, size=2)
    count, shared = len(fleet.seen), setup(larger.profile, engine, scenario=larger.scenario)
    seen = run(larger.scenario, range(count), shared, runner=runner, report=report, of=count, what="larger cells")
    return replace(found, moved=moved(fleet.seen, seen), moved_count=count)


def _cell(scenario: Scenario, profile: Profile, *, size: int = 1) -> Cell:
    try:
        return cell_of(scenario, profile, size=size)
    except ScaleError as error:
        raise UserError(f"{scenario.name}: {error}") from error


def _splits(scenario: Scenario) -> None:
    if scenario.system.cells < 2:
        raise UserError("--check-cells: this is one cell, and there is nothing to split; see system.cells")
