"""The feed-forward engine: a network that no request enters twice is solved station by station, without any event.

Where requests pass stations in one direction only, each on cores of its own, and nothing looks at the state of another
place (no pools, limits, deadlines, caches, faults), all arrivals at a station are known once the stations before it are
solved. They are sorted and go through the station's recursion as one array (`sim.compiled.queues`): the same sample
path as the event engines', several times faster than the compiled one. `sim.compiled.forward` says what stands in the
way.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core import streams
from core.operations import OPERATIONS, steps_of
from core.run import Samples
from sim.compiled import many, queues
from sim.compiled.forward import host_of, order, why_not
from sim.flow import Ending, Where
from sim.host import Account
from sim.laws import ModelError, Tally
from sim.observe import seen
from sim.observed import EngineError, Observed
from sim.parts import Parts
from sim.program import Instruction, Op
from sim.task import STEPS_MAX

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class _Visit:
    """Requests that come to a step: to which station, when, and with how much work; ``ends`` is filled."""

    rows: Ints
    station: Ints
    at: Floats
    need: Floats
    ends: Floats


@dataclass(slots=True)
class _Solved:
    """One station's arrivals in order, with when each was served and done."""

    arrivals: Floats = field(default_factory=lambda: np.empty(0))
    ends: Floats = field(default_factory=lambda: np.empty(0))
    work_seconds: float = 0.0


#: Requests of one operation on their way: stops at every step that uses a station.
_Way = Generator[_Visit, None, Floats]


class Engine:
    """One feed-forward run: all is solved when it is first asked to run."""

    def __init__(self, parts: Parts):
        reason = why_not(parts)
        if reason:
            raise EngineError(f"not feed-forward: {reason}; --engine compiled takes any scenario")
        self._parts = parts
        self._start = parts.kernel.now
        self._now = self._start
        self._counted_from = 0.0 if self._start < 0.0 else self._start
        seed, schedule = parts.scenario.seed, parts.schedule
        self._demand_key = streams.named(seed, "model.demand").key
        self._wait_key = streams.named(seed, "model.wait").key
        self._at = np.ascontiguousarray(schedule.at_seconds)
        self._entity = (np.arange(len(schedule)) * STEPS_MAX).astype(np.uint64)
        self._second = (self._at - self._start).astype(np.int64)
        self._ended = np.empty(len(schedule))
        seconds = math.ceil(parts.last_seconds - self._start) + 2
        self._busy = np.zeros((len(parts.layout.processes), seconds))  # CPU by process and second
        self._solved: dict[int, _Solved] = {}
        self._stages: list[list[float]] = [[0, 0.0] for _ in parts.program.stages]
        self._instances: dict[Where, Ints] = {}
        self._solve()

    @property
    def now(self) -> float:
        """Seconds from t0."""
        return self._now

    @property
    def open(self) -> int:
        """Clients who are not done."""
        return int((self._ended > self._now).sum())

    def run(self, *, until_seconds: float) -> None:
        """Set the clock; everything has been solved."""
        self._now = until_seconds

    def count_from_now(self) -> None:
        """Totals begin: stages are counted by when they end."""

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has had until now, a whole second from the start."""
        spent: list[float] = self._busy[:, : round(self._now - self._start)].sum(axis=1).tolist()
        return spent

    def observed(self) -> Observed:
        """Everything that was seen."""
        parts = self._parts
        requests = self._tally("requests", self._at, self._ended)
        return Observed(
            now=self._now,
            samples=self._samples(),
            stages=[(int(count), seconds) for count, seconds in self._stages],
            degraded_count={},
            jobs=(),
            journal=[],
            requests=requests,
            background=Tally("background work", self._start),
            places=[
                (self._tally(parts.plant.stations[place].name, solved.arrivals, solved.ends), 0)
                for place, solved in sorted(self._solved.items())
            ],
            hosts=self._hosts(),
            caches=[(cache.name, 0, 0) for cache in parts.plant.caches],
            breaker_opened=[0] * len(parts.program.breakers),
        )

    # --- solving ----------------------------------------------------------------------------------------------------

    def _solve(self) -> None:
        """Advance all operations from station to station, each when everything that can come to it is there."""
        program, schedule = self._parts.program, self._parts.schedule
        ways: list[tuple[_Way, _Visit | None, Ints]] = []
        for act, name in enumerate(schedule.acts):
            rows = np.flatnonzero(schedule.act == act)
            ways.append((self._walk(program.entries[steps_of(name)[0]].front, rows, self._at[rows]), None, rows))
        waiting = [self._next(way, rows) for way, _, rows in ways]
        for station in order(self._parts):
            here = [(visit, visit.station == station) for _, visit, _ in waiting if visit is not None]
            self._serve(station, [(visit, mask) for visit, mask in here if mask.any()])
            # a step is passed when the last of its instances is solved
            waiting = [
                self._next(way, rows) if visit is not None and not np.isnan(visit.ends).any() else (way, visit, rows)
                for way, visit, rows in waiting
            ]
        if any(visit is not None for _, visit, _ in waiting):
            raise ModelError("conservation", "a request never came to its end")
        latest = (self._ended - self._at).max(initial=0.0)
        if latest >= self._parts.scenario.traffic.timeout_seconds:
            raise ModelError("feed-forward", f"a client would have given up: {latest} s; take --engine compiled")

    def _next(self, way: _Way, rows: Ints) -> tuple[_Way, _Visit | None, Ints]:
        try:
            while True:
                visit = next(way)
                if len(visit.rows):
                    return way, visit, rows
        except StopIteration as ended:
            self._ended[rows] = ended.value
            return way, None, rows

    def _walk(self, at: int, rows: Ints, times: Floats) -> _Way:
        """Take requests that come to an instruction at ``times`` through it; returns when they leave."""
        step = self._parts.program.instructions[at]
        match step.op:
            case Op.SEQUENCE:
                for child in step.children:
                    times = yield from self._walk(child, rows, times)
            case Op.USE:
                visit = self._visit(step, rows, times)
                yield visit
                times = visit.ends
            case Op.CALL:
                half = self._half(step, rows)
                times = yield from self._walk(step.children[0], rows, times + half * (2.0 * step.trips - 1.0))
                times = times + half
            case Op.DELAY:
                mu, sigma = self._parts.plant.delays[step.index]
                if mu != -math.inf:
                    times = times + many.waits(self._wait_key, mu, sigma, self._entity[rows], np.uint64(step.visit))
            case Op.FORK:
                times = yield from self._fork(step, rows, times)
            case Op.STAGE:
                began = times
                times = yield from self._walk(step.children[0], rows, times)
                counted = times >= self._counted_from
                self._stages[step.index][0] += int(counted.sum())
                self._stages[step.index][1] += float((times - began)[counted].sum())
        return times

    def _fork(self, step: Instruction, rows: Ints, times: Floats) -> _Way:
        """All branches at once: their visits are joined into one, so that none waits for another's station."""
        branches = [self._walk(child, rows, times) for child in step.children]
        ended: dict[int, Floats] = {}
        visits: dict[int, _Visit] = {}

        def go(branch: int) -> None:
            try:
                visits[branch] = next(branches[branch])
            except StopIteration as over:
                visits.pop(branch, None)
                ended[branch] = over.value

        for branch in range(len(branches)):
            go(branch)
        while visits:
            joined = _Visit(
                rows=np.concatenate([visit.rows for visit in visits.values()]),
                station=np.concatenate([visit.station for visit in visits.values()]),
                at=np.concatenate([visit.at for visit in visits.values()]),
                need=np.concatenate([visit.need for visit in visits.values()]),
                ends=np.concatenate([visit.ends for visit in visits.values()]),
            )
            yield joined
            place = 0
            for branch, visit in list(visits.items()):
                visit.ends = joined.ends[place : place + len(visit.rows)]
                place += len(visit.rows)
                go(branch)
        return np.maximum.reduce([ended[branch] for branch in range(len(branches))])

    def _visit(self, step: Instruction, rows: Ints, times: Floats) -> _Visit:
        demand = self._parts.program.demands[step.index]
        means = np.array(demand.mean_seconds)
        factor = many.factors(self._demand_key, demand.sigma, self._entity[rows], np.uint64(step.visit))
        need = means[np.clip(self._second[rows], 0, len(means) - 1)] * step.share * factor
        turn = self._turn(step, rows)
        return _Visit(
            rows=rows,
            station=np.array(step.choices, dtype=np.int64)[turn],
            at=times,
            need=need,
            ends=np.full(len(rows), np.nan),
        )

    def _turn(self, step: Instruction, rows: Ints) -> Ints:
        count = len(step.choices)
        if count == 1:
            return np.zeros(len(rows), dtype=np.int64)
        if step.where is Where.ANY:
            return rows % count
        if step.where not in self._instances:
            parts = self._parts
            person = parts.schedule.person
            if step.where is Where.AUTHOR:
                person = parts.content.authors(parts.schedule.target, person)
            known, place = np.unique(person, return_inverse=True)
            found = np.array([parts.content.instance(each) for each in known.tolist()], dtype=np.int64)
            self._instances[step.where] = found[place]
        return self._instances[step.where][rows]

    def _half(self, step: Instruction, rows: Ints) -> Floats:
        link = self._parts.plant.links[step.index]
        if link.mu == -math.inf:
            return np.zeros(len(rows))
        wire: Floats = many.waits(self._wait_key, link.mu, link.sigma, self._entity[rows], np.uint64(step.visit + 1))
        return 0.5 * wire

    def _serve(self, station: int, visits: list[tuple[_Visit, npt.NDArray[np.bool_]]]) -> None:
        """Everything that ever comes to a station, in its order."""
        if not visits:
            return
        parts = self._parts
        at = np.concatenate([visit.at[mask] for visit, mask in visits])
        need = np.concatenate([visit.need[mask] for visit, mask in visits])
        order = np.argsort(at, kind="stable")
        arrivals, needs = np.ascontiguousarray(at[order]), np.ascontiguousarray(need[order])
        ends = np.empty(len(at))
        workers, cores = parts.plant.stations[station].workers, parts.layout.hosts[host_of(parts, station)].cores
        busy = self._busy[station % len(parts.layout.processes)]
        if workers <= cores:
            starts = np.empty(len(at))
            queues.fcfs(arrivals, needs, workers, starts, ends)
            queues.by_second(starts, ends, self._start, busy)
        else:
            queues.shared(arrivals, needs, cores, ends, self._start, busy)
            if most_inside(arrivals, ends) > workers:
                raise ModelError(
                    "feed-forward", f"{parts.plant.stations[station].name} was full; take --engine compiled"
                )
        self._solved[station] = _Solved(arrivals, ends, float(needs.sum()))
        back = np.empty(len(at))
        back[order] = ends
        place = 0
        for visit, mask in visits:
            count = int(mask.sum())
            visit.ends[mask] = back[place : place + count]
            place += count

    # --- telling ----------------------------------------------------------------------------------------------------

    def _samples(self) -> Samples:
        schedule, count = self._parts.schedule, len(self._parts.schedule)
        names = [steps_of(act)[0] for act in schedule.acts]
        told = [seen(name, Ending.OK, degraded=False) for name in names]
        assert all(name in OPERATIONS for name in names)
        return Samples(
            request=np.arange(count, dtype=np.int64),
            step=np.zeros(count, dtype=np.int8),
            operation=np.array(names, dtype=object)[schedule.act],
            outcome=np.array([outcome.value for outcome, _ in told], dtype=object)[schedule.act],
            status=np.array([status for _, status in told], dtype=np.int16)[schedule.act],
            at_seconds=self._at.copy(),
            sent_seconds=self._at.copy(),
            latency_seconds=self._ended - self._at,
        )

    def _tally(self, name: str, came: Floats, went: Floats) -> Tally:
        """Both accounts of Little's law: the area under the number inside, and the sum of the sojourns."""
        times = np.concatenate([came, went])
        change = np.concatenate([np.ones(len(came)), -np.ones(len(went))])
        order = np.lexsort((-change, times))
        inside = np.cumsum(change[order])
        area = float((inside[:-1] * np.diff(times[order])).sum()) if len(times) else 0.0
        if (went < came).any():
            raise ModelError("causality", f"{name}: somebody left before coming")
        return Tally(
            name=name,
            started_seconds=self._start,
            arrived=len(came),
            ended=len(went),
            area=area,
            sojourn_seconds=float((went - came).sum()),
            changed_seconds=float(times.max(initial=self._start)),
        )

    def _hosts(self) -> list[Account]:
        """CPU of each host: by second, and job by job; what could have been given is what was asked, for none waits
        while its core is idle."""
        found = []
        for host, machine in enumerate(self._parts.layout.hosts):
            places = [place for place in self._solved if host_of(self._parts, place) == host]
            accounts = {place % len(self._parts.layout.processes) for place in places}
            done = sum(self._solved[place].work_seconds for place in places)
            given = float(sum(self._busy[account].sum() for account in accounts))
            found.append(
                Account(
                    name=machine.name,
                    given_seconds=given,
                    done_seconds=done,
                    possible_seconds=given,
                    stalled_seconds=0.0,
                )
            )
        return found


def most_inside(arrivals: Floats, ends: Floats) -> int:
    """The largest number that was ever inside at once; who leaves when another comes has left."""
    left = np.searchsorted(np.sort(ends), arrivals, side="right")
    return int((np.arange(1, len(arrivals) + 1) - left).max(initial=0))
