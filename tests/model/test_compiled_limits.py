"""The compiled engine where something is very large or very small: tables that grow, crowds at one time, cut runs."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.profile import CpuDemand, Profile
from core.scenario import Scenario
from sim.compiled import tables
from sim.compiled.draft import rows
from sim.compiled.engine import CompiledEngine
from sim.compiled.loop import GAVE_UP
from sim.compiled.memory import FREES, RETURNED, Memory
from sim.compiled.records import TableId
from sim.model.flow import Ending
from sim.model.prepared import prepare
from sim.model.program import Op
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel
from sim.reference.station import Station
from sim.results import observed
from sim.simulate import simulate
from tests.model.compiled_queues import answers, let_run, memory_of
from tests.model.queues import Floats, Place, alone, exponential, needs_of, poisson
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile
from tests.model.test_engines import CASES, _case, _same
from tests.oracles import tandem

#: Tables that grow with what is under way.
_GROWING: Final = [*FREES, TableId.EVENTS, TableId.URGENTS, TableId.READIES]


def _sizes(memory: Memory) -> dict[TableId, int]:
    return {name: len(memory[name]) for name in _GROWING}


# --- tables that grow -------------------------------------------------------------------------------------------------


def test_tables_that_begin_tiny_grow_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    memories: list[tuple[Memory, dict[TableId, int]]] = []

    def tiny(made: Any, *, frames: int, burst: int) -> Memory:
        # enough for what one event of these scenarios adds, where the engine provides for more than any can
        memory = Memory(made, frames=min(frames, 40), burst=min(burst, 48))
        memories.append((memory, _sizes(memory)))
        return memory

    monkeypatch.setattr(tables, "Memory", tiny)
    grown: set[TableId] = set()
    for asked in (
        scenario(rate="420/s", duration="1s", timeout="0.4s"),
        scenario(
            rate="100/s",
            duration="3s",
            mix={"post.create": "100%"},
            faults=[{"at": "0.1s", "for": "2.5s", "process": "workers", "action": "pause"}],
        ),
        _case("everything at once"),
    ):
        _same(simulate(asked, profile(), engine="simpy"), simulate(asked, profile(), engine="compiled"))
        memory, before = memories[-1]
        grown |= {name for name, size in _sizes(memory).items() if size > before[name]}
    assert grown | {TableId.URGENTS, TableId.EVENTS} == set(_GROWING)  # for these two it takes more, as below


def test_a_crowd_that_comes_at_one_time_is_served_in_its_order() -> None:
    arrivals = np.repeat([1.0, 2.0], 20_000)
    needs = needs_of(1, len(arrivals), exponential(1.0))
    memory = memory_of(Op.SEQUENCE, arrivals, alone(needs), [Place(workers=3, cores=3)])
    before = _sizes(memory)
    left, _ = answers(let_run(memory))
    assert np.abs(left - tandem.departures(arrivals, needs, 3)).max() < 1e-9
    assert {name for name, size in _sizes(memory).items() if size > before[name]} >= {
        TableId.URGENTS,
        TableId.REQUESTS,
        TableId.JOBS,
    }


def test_a_station_that_dies_with_thousands_waiting_tells_them_all_at_once() -> None:
    arrivals = np.sort(np.concatenate([poisson(1, 30_000, 10_000.0), 20.0 + poisson(2, 100, 10.0)]))
    needs = needs_of(3, len(arrivals), exponential(0.01))
    faults = rows(TableId.FAULTS, 1)
    faults["at"], faults["for_seconds"], faults["stations_count"] = 10.0, 5.0, 1
    memory = memory_of(Op.SEQUENCE, arrivals, alone(needs), [Place(workers=2, cores=2)], faults=faults)
    left, endings = answers(let_run(memory, faults_count=1))
    expected, served = _with_a_death(arrivals, needs, at_seconds=10.0, for_seconds=5.0)
    assert np.abs(left - expected).max() < 1e-9
    assert ((endings == Ending.OK) == served).all()
    assert (left == 10.0).sum() > 25_000


def _with_a_death(arrivals: Floats, needs: Floats, *, at_seconds: float, for_seconds: float) -> tuple[Floats, Any]:
    """The same at the readable engine's station."""
    kernel = Kernel()
    station = Station(kernel, HostCpu(kernel, name="test", cores=2, processes=1), name="test", process=0, workers=2)
    left, served = np.zeros(len(arrivals)), np.zeros(len(arrivals), dtype=np.bool_)

    def done(number: int, was: bool) -> None:
        left[number], served[number] = kernel.now, was

    def come(number: int) -> None:
        station.submit(float(needs[number]), functools.partial(done, number))

    for number, at in enumerate(arrivals.tolist()):
        kernel.after(at, functools.partial(come, number))
    kernel.after(at_seconds, station.die)
    kernel.after(at_seconds + for_seconds, station.revive)
    kernel.run(until_seconds=float(arrivals[-1] + needs.sum()))
    return left, served


def test_a_million_timers_stand_behind_one_that_is_still_wanted() -> None:
    count = 1_000_000
    arrivals = np.concatenate([[0.0], 1.0 + np.arange(count) / 1e4])
    needs = np.concatenate([[1e6], np.full(count, 5e-5)])  # the first holds one of two workers for days
    memory = memory_of(Op.SEQUENCE, arrivals, alone(needs), [Place(workers=2, cores=2)], timeout_seconds=500.0)
    left, endings = answers(let_run(memory))
    assert (left[0], endings[0]) == (500.0, GAVE_UP)
    assert (endings[1:] == Ending.OK).all()
    assert left[1:] - arrivals[1:] == pytest.approx(5e-5, rel=1e-4)
    assert len(memory[TableId.TIMERS]) >= count
    assert len(memory[TableId.REQUESTS]) < 2_000  # who has an answer needs no room


def test_everybody_who_waits_gives_up_at_their_own_time() -> None:
    arrivals = poisson(1, 200_000, 20_000.0)
    memory = memory_of(Op.SEQUENCE, arrivals, alone(np.full(len(arrivals), 1.0)), [Place()], timeout_seconds=30.0)
    left, endings = answers(let_run(memory))
    served = endings == Ending.OK
    assert served.sum() == 30
    assert (endings[~served] == GAVE_UP).all()
    assert np.abs(left[~served] - arrivals[~served] - 30.0).max() < 1e-9


def test_hundreds_of_thousands_of_events_leave_the_heap_in_their_order() -> None:
    count = 300_000
    arrivals = poisson(1, count, 1e5)
    memory = memory_of(Op.SEQUENCE, arrivals, alone(np.zeros(count)), [Place()])
    # instead of a visit: a wait of e⁶ s, the same for all
    delays = rows(TableId.DELAYS, 1)
    delays["mu"] = 6.0
    memory.replace(TableId.DELAYS, delays)
    memory[TableId.INSTRUCTIONS]["op"][1], memory[TableId.INSTRUCTIONS]["index"][1] = Op.WAIT, 0
    left, _ = answers(let_run(memory))
    assert np.abs(left - arrivals - np.exp(6.0)).max() < 1e-9
    assert len(memory[TableId.EVENTS]) > count


# --- what one event can set off ---------------------------------------------------------------------------------------


def test_a_broker_that_is_back_starts_consumers_of_hundreds_of_partitions_at_once() -> None:
    asked = scenario(
        rate="80/s",
        duration="4s",
        mix={"media.upload": "100%"},
        kafka={"partitions": 4_000},
        placement={"instances": {"workers": 4}, "cores": {"stack": list(range(8))}},
        faults=[{"at": "0.1s", "for": "3.5s", "process": "kafka", "action": "pause"}],
    )
    _same(*_both(asked, profile(stalls=QUIET)))


def test_a_consumer_gets_through_a_round_that_takes_no_time() -> None:
    # a profile that measured no time for the consumer's own work, on links that cost nothing
    told = profile(stalls=QUIET, idle=False)
    demands = [each for each in told.demands if each.operation != "fanout.deliver"]
    demands += [
        CpuDemand(
            operation="fanout.deliver", process=process, rates_per_second=(1.0,), cpu_seconds=(spent,), variation=0.5
        )
        for process, spent in (("fanout", 0.0), ("search", 1e-4))
    ]
    told = msgspec.structs.replace(told, demands=tuple(demands), wires=())
    asked = scenario(
        rate="250/s",
        duration="4s",
        mix={"post.create": "100%"},
        kafka={"partitions": 1},
        placement={"cores": {"stack": list(range(8))}},
        faults=[{"at": "0.1s", "for": "3.5s", "process": "kafka", "action": "pause"}],
    )
    _same(*_both(asked, told))


def test_hundreds_of_hosts_with_stalls_of_their_own_have_room_from_the_start() -> None:
    asked = scenario(
        rate="30/s",
        duration="2s",
        mix={"image.read": "100%"},
        placement={
            "instances": {"api": 320},
            "hosts": {"front": {"cores": 1, "count": 320, "runs": ["api"]}},
        },
    )
    prepared = prepare(asked, profile())
    assert len(prepared.layout.hosts) == 320
    _same(*_both(asked, profile()))


def _both(asked: Scenario, told: Profile) -> tuple[Any, Any]:
    return simulate(asked, told, engine="simpy"), simulate(asked, told, engine="compiled")


# --- stopping and going on --------------------------------------------------------------------------------------------


@functools.cache
def _whole() -> CompiledEngine:
    return _cut([])


def _cut(times: list[float]) -> CompiledEngine:
    """A run that is stopped at these times and continued."""
    prepared = prepare(_case("everything at once"), profile())
    engine = CompiledEngine(prepared)
    for until in (*times, prepared.last_seconds):
        engine.run(until_seconds=until)
    return engine


def _told(engine: CompiledEngine) -> list[bytes]:
    memory = engine._memory
    samples = memory[TableId.SAMPLES][: int(memory.clock["samples_count"])]
    return [
        samples.tobytes(),
        *(memory[name].tobytes() for name in (TableId.TALLIES, TableId.HOSTS, TableId.STATIONS, TableId.CACHES)),
    ]


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_run_in_pieces_is_the_run_in_one(data: st.DataObject) -> None:
    whole = _whole()
    # at any times, and at those at which something ends, where it matters what is before and what behind
    samples = whole._memory[TableId.SAMPLES][: int(whole._memory.clock["samples_count"])]
    ends = (samples["began"] + samples["latency"]).tolist()
    cuts = data.draw(st.lists(st.one_of(st.floats(-1.0, 12.0), st.sampled_from(ends)), max_size=30))
    assert _told(_cut(sorted(cuts))) == _told(whole)


def test_asking_for_a_time_that_is_over_changes_nothing() -> None:
    engine = CompiledEngine(prepare(_case("nothing breaks"), profile()))
    engine.run(until_seconds=2.0)
    before = _told(engine)
    engine.run(until_seconds=1.0)
    engine.run(until_seconds=2.0)
    assert engine.now == 2.0
    assert _told(engine) == before


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_when_nothing_is_under_way_any_more_every_row_is_free(name: str) -> None:
    prepared = prepare(_case(name), profile(stalls=QUIET, idle=False))
    engine = CompiledEngine(prepared)
    engine.run(until_seconds=prepared.last_seconds)
    observed.check(engine.observed())
    engine.run(until_seconds=prepared.last_seconds + 600.0)
    memory = engine._memory
    for table in RETURNED:
        assert memory[TableId.FREES]["count"][table] == len(memory[table]), table.name
    assert memory.clock["heap_count"] == 0


def test_a_long_run_needs_no_more_room_than_a_short_one() -> None:
    sizes = []
    for duration in ("3s", "60s"):
        prepared = prepare(scenario(rate="60/s", duration=duration), profile())
        engine = CompiledEngine(prepared)
        engine.run(until_seconds=prepared.last_seconds)
        sizes.append(_sizes(engine._memory))
    assert all(long <= 2 * short for short, long in zip(sizes[0].values(), sizes[1].values(), strict=True))


def test_code_is_kept_by_its_sources_even_if_numba_was_imported_first() -> None:
    check = "import numba; from sim.compiled import jit, kept; print(numba.config.CACHE_DIR == str(kept.FOLDER))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True", done.stderr
