"""Results of one simulated cell: small enough to send from a worker, enough to estimate the fleet.

A tier is a kind of instances with one event loop each, or a kind of machines shared by processes with many threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import judge
from core.names import Component
from core.scenario import Scenario
from core.scenario.processes import group_of
from planning.cost.quantities import Quantities
from planning.simulations.readings import used
from sim.model import layout
from sim.model.layout import Layout, ProcessSpec
from sim.results.outcomes import Floats, Service
from sim.simulate import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCell:
    """One cell. ``busy_ratio`` is the mean share of each tier's capacity that is used in the judged time."""

    seed: int
    engine: str
    services: Mapping[str, Service]  # by operation
    busy_ratio: Mapping[str, float]
    look_ups: Mapping[str, tuple[int, int]]  # hits and misses by cache
    quantities: Quantities
    means: Floats  # mean latency by `MOMENTS` of a second, from the warm-up's start on
    unsteady: str  # what saturates; empty in a steady state
    answers_count: int
    verdicts: tuple[judge.Verdict, ...]  # of this cell by itself, in the order of the scenario


def seen(scenario: Scenario, result: Result) -> SimulatedCell:
    """The results of a run of ``scenario``, which is one cell."""
    return SimulatedCell(
        seed=scenario.seed,
        engine=result.engine,
        services=result.outcomes.services(),
        busy_ratio=_busy(scenario, result),
        look_ups={name: (hits, misses) for name, hits, misses in result.caches if hits + misses},
        quantities=used(scenario, result),
        means=result.outcomes.means(),
        unsteady=str(result.facts.get("no_steady_state", "")),
        answers_count=result.outcomes.count,
        verdicts=judge.judge(scenario, result.samples, ledger=result.ledger).verdicts,
    )


def _busy(scenario: Scenario, result: Result) -> dict[str, float]:
    placed, spent = layout.layout_of(scenario), dict[str, float]()
    for process, second, seconds in result.usage:
        if second >= 0:
            spent[process] = spent.get(process, 0.0) + seconds / scenario.traffic.duration_seconds
    found, known = {}, set[tuple[frozenset[str], float]]()
    for tier, members, capacity in (*_loops(placed), *_machines(placed)):
        if (same := (frozenset(members), capacity)) not in known:  # machines of one kind with a core for each loop
            known.add(same)
            found[tier] = sum(spent.get(name, 0.0) for name in members) / capacity
    return found


def _loops(placed: Layout) -> list[tuple[str, list[str], float]]:
    """Kinds of processes with one event loop each: a core for each of them."""
    groups: dict[str, list[str]] = {}
    for process in placed.processes:
        if process.workers == 1 and not _has_threads(process):
            groups.setdefault(group_of(process.name), []).append(process.name)
    return [(group, members, float(len(members))) for group, members in groups.items()]


def _has_threads(process: ProcessSpec) -> bool:
    """Whether much of its work is done outside its event loop; of our services, the rendering of photos."""
    return Component.MEDIA in process.members


def _machines(placed: Layout) -> list[tuple[str, list[str], float]]:
    """Kinds of machines: the cores of all of them."""
    kinds: dict[str, tuple[list[str], int]] = {}
    for index, machine in enumerate(placed.hosts):
        members, cores = kinds.setdefault(group_of(machine.name), ([], 0))
        members += [process.name for process in placed.on(index)]
        kinds[group_of(machine.name)] = members, cores + machine.cores
    return [(f"{kind} machines", members, float(cores)) for kind, (members, cores) in kinds.items()]
