"""The compiled engine: it runs a prepared run by compiled code, and reports what was seen."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.operations import OPERATIONS
from core.run import Event
from sim.compiled import accounts, loop
from sim.compiled.records import Broken
from sim.compiled.tables import Builder
from sim.compiled.world import Array
from sim.model.flow import Ending
from sim.model.prepared import PreparedRun
from sim.results.accounts import HostAccount, LogAccount
from sim.results.client import seen
from sim.results.jobs import CLASSES, JobDelay, JobTally
from sim.results.laws import ModelError, Tally
from sim.results.observed import Observed
from sim.results.outcomes import OUTCOMES, Answers, joined

_LAWS: Final = {Broken.CAUSALITY: "causality", Broken.CAPACITY: "capacity"}


class Engine:
    """One run, by compiled code."""

    def __init__(self, prepared: PreparedRun):
        self._prepared = prepared
        self._builder = Builder(prepared)
        self._world = self._builder.world()
        self._aside: list[Array] = []
        builder = self._builder
        loop.begin(self._world.address, builder.stalls_count, builder.idles_count, len(prepared.faults))

    @property
    def now(self) -> float:
        """Seconds from t0."""
        return float(self._world.clock["now"])

    @property
    def open(self) -> int:
        """Clients who are not done."""
        return int(self._world.clock["open"])

    @property
    def events_count(self) -> int:
        """Turns of the loop so far."""
        return int(self._world.clock["events"])

    def run(self, *, until_seconds: float) -> None:
        """Let everything before ``until_seconds`` happen; raises ModelError when a law is broken."""
        self._builder.arrivals.feed(self._world, until_seconds=until_seconds)
        while True:
            ended = loop.run(self._world.address, until_seconds)
            if ended == loop.DONE:
                return
            if ended == loop.FULL:
                if self._prepared.long:
                    self._set_aside()
                self._world.grow()
                continue
            clock = self._world.clock
            law = _LAWS[Broken(int(clock["error"]))]
            raise ModelError(law, f"at {clock['now']} s, place {clock['error_place']} of the compiled engine")

    def count_from_now(self) -> None:
        """Totals begin: the warm-up is over."""
        self._world.clock["counting"] = 1
        for name in ("hit_count", "miss_count"):
            self._world["CACHES"][name] = 0

    def cpu_seconds(self) -> list[float]:
        """CPU time that each process has had until now, in the order of the layout."""
        accounts.settle(self._world.address, len(self._world["PROCESSES"]))
        found: list[float] = self._world["PROCESSES"]["cpu"].tolist()
        return found

    def observed(self) -> Observed:
        """Everything that was seen."""
        world, prepared = self._world, self._prepared
        resources = prepared.resources
        places_of = [station.name for station in resources.stations]
        places_of += [spec.name for spec in resources.pools for _ in range(resources.pools_count(spec))]
        found = [*(world["STATIONS"]["waiting_count"] + world["STATIONS"]["serving_count"]).tolist()]
        found += (world["POOLS"]["taken"] + world["POOLS"]["waiting_count"]).tolist()
        tallies = world["TALLIES"].tolist()
        return Observed(
            now=self.now,
            samples=self.drain().samples(),
            stages=list(zip(world["STAGES"]["count"].tolist(), world["STAGES"]["seconds"].tolist(), strict=True))[
                : len(prepared.program.stages)
            ],
            degraded_count={
                reason: count
                for reason, count in zip(self._builder.reasons, world["REASONS"].tolist(), strict=False)
                if count
            },
            jobs=self._jobs(),
            journal=self._journal(),
            requests=_tally("requests", tallies[0]),
            background=_tally("background work", tallies[1]),
            places=[
                (_tally(name, told), count) for name, told, count in zip(places_of, tallies[2:], found, strict=False)
            ],
            hosts=self._hosts(),
            caches=[
                (cache.name, int(row["hit_count"]), int(row["miss_count"]))
                for cache, row in zip(prepared.resources.caches, world["CACHES"], strict=False)
            ],
            hot_keys=(int(world.clock["splits"]), int(world.clock["folds"])),
            lost_count={
                name: count
                for name, count in zip(self._builder.operations, world["LOST"].tolist(), strict=True)
                if count
            },
            logs=self._logs(),
            breaker_opened=world["BREAKER_FAMILIES"]["opened_count"].tolist()[: len(prepared.program.breakers)],
        )

    def drain(self) -> Answers:
        """What clients got since it was last asked; in a run that is not long all at once, at its end."""
        self._set_aside()
        found, self._aside = self._aside, []
        return joined([self._answers(rows) for rows in found], self._builder.operations)

    def _set_aside(self) -> None:
        """Rows of answers are full or wanted: new ones begin at the beginning."""
        count = int(self._world.clock["samples_count"])
        if count:
            self._aside.append(self._world["SAMPLES"][:count].copy())
            self._world.clock["samples_count"] = 0

    def _answers(self, found: Array) -> Answers:
        operations = self._builder.operations
        # an outcome for every operation, ending and kind of answer, so that rows are looked up instead of computed
        endings: list[Ending | None] = [None, *Ending]
        told = [
            [[seen(name, ending, degraded=degraded) for degraded in (False, True)] for ending in endings]
            for name in (each if each in OPERATIONS else next(iter(OPERATIONS)) for each in operations)
        ]
        outcomes = np.array([[[OUTCOMES.index(o) for o, _ in pair] for pair in each] for each in told], dtype=np.int8)
        statuses = np.array([[[status for _, status in pair] for pair in each] for each in told], dtype=np.int16)
        place = (found["entry"], found["ending"] - loop.GAVE_UP, found["degraded"])
        return Answers(
            operations=operations,
            number=found["number"].copy(),
            step=found["step"].astype(np.int8),
            operation=found["entry"].astype(np.int16),
            outcome=outcomes[place],
            status=statuses[place],
            began_seconds=found["began"].copy(),
            latency_seconds=found["latency"].copy(),
        )

    def _hosts(self) -> list[HostAccount]:
        world, found = self._world, []
        accounts.settle(world.address, len(world["PROCESSES"]))
        for index, (machine, row) in enumerate(zip(self._prepared.layout.hosts, world["HOSTS"], strict=True)):
            inside = accounts.unfinished_seconds(world.address, index, len(world["STATIONS"]))
            found.append(
                HostAccount(
                    name=machine.name,
                    given_seconds=float(row["given"]),
                    done_seconds=float(row["done"]) + inside,
                    possible_seconds=float(row["possible"]),
                    stalled_seconds=float(row["stalled"]),
                )
            )
        return found

    def _jobs(self) -> tuple[JobDelay, ...]:
        names, classes = self._prepared.program.jobs, self._world["JOB_CLASSES"].reshape(-1, CLASSES)
        found = [
            JobTally(
                job=name,
                count=int(row["count"]),
                weight=float(row["weight"]),
                done_seconds=float(row["done_seconds"]),
                inside_weight=float(row["inside_weight"]),
                inside_asked_seconds=float(row["inside_asked_seconds"]),
                classes=classes[place].tolist(),
            ).told(self.now)
            for place, (name, row) in enumerate(zip(names, self._world["JOB_TALLIES"], strict=False))
            if row["count"]
        ]
        return tuple(sorted(found, key=lambda each: each.job))

    def _logs(self) -> tuple[LogAccount, ...]:
        world, found = self._world, []
        records, partitions = world["RECORDS"], world["PARTITIONS"]
        for topic, row in zip((log.topic for log in self._prepared.resources.logs), world["TOPICS"], strict=False):
            inside = 0
            for partition in range(int(row["partitions"]), int(row["partitions"] + row["partitions_count"])):
                record = int(partitions["first"][partition])
                for _ in range(int(partitions["count"][partition])):
                    inside += not records["done"][record]
                    record = int(records["next"][record])
            found.append(
                LogAccount(
                    job=topic.job,
                    tally=_tally(f"{topic.job} on the log", world["TALLIES"][row["tally"]].item()),
                    found=inside,
                    redelivered_count=int(row["redelivered"]),
                    lag_count=int(row["lag_count"]),
                    lag_seconds=float(row["lag"]),
                    lag_max_seconds=float(row["lag_max"]),
                )
            )
        return tuple(found)

    def _journal(self) -> list[Event]:
        found, names = [], self._prepared.layout.processes
        for row in self._world["PROMOTIONS"]:
            if row["at"] == row["at"]:
                told = {"process": names[row["place"]].name, "instead_of": names[row["dead"]].name}
                values = {**told, "lost": int(row["lost"])}
                found.append(Event(at_seconds=float(row["at"]), event="replica_promoted", values=values))
        regions = self._prepared.layout.regions
        for row in self._world["REROUTES"][: int(self._world.clock["reroutes_count"])]:
            home, before, now = (regions[int(row[name])] for name in ("home", "before", "now"))
            values = {"home": home, "from": before, "to": now, "lost": int(row["lost"])}
            found.append(Event(at_seconds=float(row["at"]), event="region_rerouted", values=values))
        for deed, row in zip(self._prepared.faults, self._world["DEEDS"], strict=False):
            for event, at in (("fault_begins", float(row["began"])), ("fault_ends", float(row["ended"]))):
                if not math.isnan(at):
                    found.append(Event(at_seconds=at, event=event, values=deed.values))
        return found


def _tally(name: str, row: tuple[Any, ...]) -> Tally:
    """A row of tallies, as it is in `sim.compiled.kinds`."""
    arrived, ended, inside, area, sojourn, entered, changed, started = row
    return Tally(
        name=name,
        started_seconds=started,
        arrived=arrived,
        ended=ended,
        inside=inside,
        area=area,
        sojourn_seconds=sojourn,
        entered_seconds=entered,
        changed_seconds=changed,
    )
