"""The compiled engine under given arrivals and given work: the tables of a small memory, run by the loop of every run.

Needs are numbers of the tables: where all customers visit the same few places, the factors of their arrivals, else
shares of instructions that each customer has of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest

from sim.compiled import accounts, loop, moves
from sim.compiled.draft import rows
from sim.compiled.memory import RETURNED, Array, Memory
from sim.compiled.records import NOBODY, TableId
from sim.model.flow import Ending, Per
from sim.model.program import Op
from sim.results.laws import VisitTally, check_conservation, check_little, check_work
from tests.model.queues import TURNS, Bools, Floats, Ints, Journeys, Place, alone, in_series

#: What an arrival can say of the work that it brings, and the kind of step that asks for it.
_FACTORS: Final = {Per.PUSH: "push_count", Per.PULL: "pull_factor", Per.MERGE: "merge_factor"}
#: Later than anything that happens.
_NEVER: Final = 1e15
#: Free rows that a memory of such short programs needs for one event; few, so that tables grow on the way.
_RESERVE: Final = 64


class CompiledEngine:
    """The compiled engine's own stations, pools and hosts. Checks the laws at the end of each run."""

    customers = 400_000

    def departures(self, arrivals: Floats, journeys: Journeys, places: Sequence[Place]) -> Floats:
        return answers(let_run(memory_of(Op.SEQUENCE, arrivals, journeys, places)))[0]

    def joined(self, arrivals: Floats, needs: Floats) -> Floats:
        places = [Place()] * len(needs)
        return answers(let_run(memory_of(Op.PARALLEL, arrivals, in_series(needs), places)))[0]

    def refused(self, arrivals: Floats, needs: Floats, *, size: int) -> Bools:
        place = Place(workers=size, cores=size)
        endings = answers(let_run(memory_of(Op.ADMIT, arrivals, alone(needs), [place], admitted=size)))[1]
        assert set(np.unique(endings)) <= {Ending.OK, Ending.OVERLOADED}
        return np.asarray(endings == Ending.OVERLOADED, dtype=np.bool_)


def memory_of(
    op: Op,
    arrivals: Floats,
    journeys: Journeys,
    places: Sequence[Place],
    *,
    admitted: int = 0,
    timeout_seconds: float = _NEVER,
    faults: Array | None = None,
) -> Memory:
    """Customers whose operation is one step ``op`` over the visits of their journeys; ``faults`` act on place 0."""
    count = len(arrivals)
    clock = rows(TableId.CLOCK, 1)
    clock["open"] = clock["arrivals_count"] = count
    clock["hosts_count"], clock["lanes_count"] = len(places), 1
    clock["cores_count"] = sum(place.cores for place in places)
    clock["tick"], clock["slice"] = TURNS.tick_seconds, TURNS.slice_seconds
    clock["regions"] = clock["push_mean"] = 1
    clock["arrivals_mask"], clock["samples_max"] = -1, count + 1
    lanes = rows(TableId.LANES, 1)
    lanes["delay"], lanes["first"], lanes["last"] = timeout_seconds, NOBODY, NOBODY
    tables = {
        TableId.CLOCK: clock,
        TableId.LANES: lanes,
        TableId.CHOICES: np.arange(len(places)),
        TableId.MEANS: np.ones(1),
        TableId.SHARES: np.ones(1),
        TableId.SAMPLES: rows(TableId.SAMPLES, count + 1),
        TableId.FAULT_STATIONS: np.zeros(1, dtype=np.int64),
    }
    if faults is not None:
        tables[TableId.FAULTS] = faults
    return Memory(
        tables | _program(op, arrivals, journeys) | _resources(places, admitted), frames=_RESERVE, burst=_RESERVE
    )


def _program(op: Op, arrivals: Floats, journeys: Journeys) -> dict[TableId, Array]:
    asked = rows(TableId.ARRIVALS, len(arrivals))
    asked["at"] = arrivals
    alike = _visits_alike(journeys)
    if alike:
        for name, needs in zip(_FACTORS.values(), journeys.need_seconds.reshape(-1, alike).T, strict=False):
            asked[name] = needs
        first, places, shares = np.array([0, alike]), journeys.place[:alike], np.ones(alike)
        per = [moves.PER_CODES[kind] for kind in _FACTORS][:alike]
    else:
        asked["act"] = np.arange(len(arrivals))
        first, places, shares = journeys.first, journeys.place, journeys.need_seconds
        per = [moves.PER_CODES[Per.VISIT]]
    tops, visits = len(first) - 1, len(places)
    steps = rows(TableId.INSTRUCTIONS, tops + visits + 1)
    steps["nodes"], steps["choices_count"] = 1, 1
    steps["op"][:tops], steps["children"][:tops], steps["children_count"][:tops] = op, first[:-1], np.diff(first)
    steps["op"][tops:-1], steps["share"][tops:-1], steps["per"][tops:-1] = Op.USE, shares, per
    steps["choices"][tops:-1] = places
    steps["op"][-1] = Op.SEQUENCE  # behind every answer: nothing
    entries, acts, demands = rows(TableId.ENTRIES, tops), rows(TableId.ACTS, tops), rows(TableId.DEMANDS, 1)
    entries["front"], entries["behind"] = np.arange(tops), tops + visits
    acts["steps"], acts["steps_count"] = np.arange(tops), 1
    demands["seconds_count"] = 1
    return {
        TableId.INSTRUCTIONS: steps,
        TableId.CHILDREN: tops + np.arange(visits),
        TableId.DEMANDS: demands,
        TableId.ENTRIES: entries,
        TableId.ACTS: acts,
        TableId.STEPS: np.arange(tops),
        TableId.ARRIVALS: asked,
    }


def _visits_alike(journeys: Journeys) -> int:
    """How many places everybody visits, where they are the same and not more than there are factors; else 0."""
    count = int(journeys.first[1])
    if not 0 < count <= len(_FACTORS) or (np.diff(journeys.first) != count).any():
        return 0
    return count if (journeys.place.reshape(-1, count) == journeys.place[:count]).all() else 0


def _resources(places: Sequence[Place], admitted: int) -> dict[TableId, Array]:
    numbers = np.arange(len(places))
    counts = np.array([place.cores for place in places])
    hosts, cores = rows(TableId.HOSTS, len(places)), rows(TableId.CORES, counts.sum())
    hosts["cores"], hosts["first"] = counts, np.cumsum(counts) - counts
    cores["host"] = np.repeat(numbers, counts)
    cores["running"] = cores["first"] = cores["last"] = NOBODY
    stations = rows(TableId.STATIONS, len(places))
    stations["host"] = stations["process"] = numbers
    stations["tally"], stations["workers"] = 2 + numbers, [place.workers for place in places]
    stations["weight"] = 1.0
    for name in ("first", "last", "waiting", "waiting_last", "idle"):
        stations[name] = NOBODY
    pools, families = rows(TableId.POOLS, 1), rows(TableId.POOL_FAMILIES, 1)
    pools["first"] = pools["last"] = NOBODY
    pools["size"], pools["tally"] = admitted, 2 + len(places)
    families["callers"] = families["callees"] = 1
    return {
        TableId.HOSTS: hosts,
        TableId.CORES: cores,
        TableId.PROCESSES: rows(TableId.PROCESSES, len(places)),
        TableId.STATIONS: stations,
        TableId.POOLS: pools,
        TableId.POOL_FAMILIES: families,
        TableId.TALLIES: rows(TableId.TALLIES, 3 + len(places)),
    }


def let_run(memory: Memory, *, faults_count: int = 0) -> Memory:
    """Run until everybody has left, and check the laws."""
    loop.begin(memory.address, 0, 0, faults_count)
    while (ended := loop.run(memory.address, _NEVER)) == loop.FULL:
        memory.grow()
    assert ended == loop.DONE
    assert memory.clock["open"] == 0
    _check(memory)
    return memory


def answers(memory: Memory) -> tuple[Floats, Ints]:
    """When each customer left, and with what ending."""
    count = int(memory.clock["samples_count"])
    found, left, endings = memory[TableId.SAMPLES][:count], np.empty(count), np.empty(count, dtype=np.int64)
    left[found["number"]] = found["began"] + found["latency"]
    endings[found["number"]] = found["ending"]
    return left, endings


def _check(memory: Memory) -> None:
    """Check the laws, and that nothing is left in the system."""
    now = float(memory.clock["last_ended"])
    for number, row in enumerate(memory[TableId.TALLIES]):
        tally = VisitTally(
            name=f"tally {number}",
            started_seconds=0.0,
            arrived=int(row["arrived"]),
            ended=int(row["ended"]),
            inside=int(row["inside"]),
            area=float(row["area"]),
            sojourn_seconds=float(row["sojourn"]),
            entered_seconds=float(row["entered"]),
            changed_seconds=float(row["changed"]),
        )
        check_conservation(tally, found=0)
        check_little(tally, now=now)
    accounts.settle(memory.address)
    for row, process in zip(memory[TableId.HOSTS], memory[TableId.PROCESSES], strict=True):
        given = float(row["given"])
        check_work(
            "test", given_seconds=given, done_seconds=float(row["done"]), possible_seconds=float(row["possible"])
        )
        assert process["cpu"] == pytest.approx(given, rel=1e-9)
    for table in RETURNED:
        assert memory[TableId.FREES]["count"][table] == len(memory[table]), f"{table.name}: rows that nobody gave back"
