"""The compiled engine: it runs a `PreparedRun` in compiled code and reports what happened."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.operations import OPERATIONS
from core.run import Event
from sim.compiled import accounts, loop
from sim.compiled.memory import Array
from sim.compiled.records import BrokenLaw, TableId
from sim.compiled.tables import Builder
from sim.model.flow import Ending
from sim.model.prepared import PreparedRun
from sim.results.accounts import HostAccount, LogAccount
from sim.results.client import seen
from sim.results.jobs import CLASSES, JobDelay, JobTally
from sim.results.laws import ModelError, VisitTally
from sim.results.observed import Observed
from sim.results.outcomes import OUTCOMES, Answers, joined

_LAWS: Final = {BrokenLaw.CAUSALITY: "causality", BrokenLaw.CAPACITY: "capacity"}


class CompiledEngine:
    """One run in compiled code, as `sim.results.observed.Engine` describes."""

    def __init__(self, prepared: PreparedRun):
        self._prepared = prepared
        self._builder = Builder(prepared)
        self._memory = self._builder.memory()
        self._aside: list[Array] = []
        made = self._builder.tables
        loop.begin(self._memory.address, len(made[TableId.STALLS]), len(made[TableId.IDLES]), len(prepared.faults))

    @property
    def now(self) -> float:
        return float(self._memory.clock["now"])

    @property
    def open(self) -> int:
        return int(self._memory.clock["open"])

    def run(self, *, until_seconds: float) -> None:
        self._builder.arrivals.feed(self._memory, until_seconds=until_seconds)
        while True:
            ended = loop.run(self._memory.address, until_seconds)
            if ended == loop.DONE:
                return
            if ended == loop.FULL:
                if self._prepared.long:
                    self._set_aside()
                self._memory.grow()
                continue
            clock = self._memory.clock
            law = _LAWS[BrokenLaw(int(clock["error"]))]
            raise ModelError(law, f"at {clock['now']} s, row {clock['error_row']} of the compiled engine")

    def count_from_now(self) -> None:
        self._memory.clock["counting"] = 1
        for name in ("hit_count", "miss_count"):
            self._memory[TableId.CACHES][name] = 0

    def cpu_seconds(self) -> list[float]:
        accounts.settle(self._memory.address)
        found: list[float] = self._memory[TableId.PROCESSES]["cpu"].tolist()
        return found

    def observed(self) -> Observed:
        memory, prepared = self._memory, self._prepared
        resources = prepared.resources
        names = [station.name for station in resources.stations]
        names += [spec.name for spec in resources.pools for _ in range(resources.pools_count(spec))]
        found = [*(memory[TableId.STATIONS]["waiting_count"] + memory[TableId.STATIONS]["serving_count"]).tolist()]
        found += (memory[TableId.POOLS]["taken"] + memory[TableId.POOLS]["waiting_count"]).tolist()
        tallies = memory[TableId.TALLIES].tolist()
        stages = memory[TableId.STAGES][: len(prepared.program.stages)]
        return Observed(
            now=self.now,
            samples=self.drain().samples(),
            stages=list(zip(stages["count"].tolist(), stages["seconds"].tolist(), strict=True)),
            degraded_count={
                reason: count
                for reason, count in zip(self._builder.reasons, memory[TableId.REASONS].tolist(), strict=False)
                if count
            },
            jobs=self._jobs(),
            journal=self._journal(),
            requests=_tally("requests", tallies[0]),
            background=_tally("background work", tallies[1]),
            queues=[(_tally(name, row), count) for name, row, count in zip(names, tallies[2:], found, strict=False)],
            hosts=self._hosts(),
            caches=[
                (cache.name, int(row["hit_count"]), int(row["miss_count"]))
                for cache, row in zip(prepared.resources.caches, memory[TableId.CACHES], strict=False)
            ],
            hot_keys=(int(memory.clock["splits"]), int(memory.clock["folds"])),
            lost_count={
                name: count
                for name, count in zip(self._builder.operations, memory[TableId.LOST].tolist(), strict=True)
                if count
            },
            logs=self._logs(),
            breaker_opened=memory[TableId.BREAKER_FAMILIES]["opened_count"].tolist()[: len(prepared.program.breakers)],
        )

    def drain(self) -> Answers:
        """Answers since the last call; a short run drains all of them at its end."""
        self._set_aside()
        found, self._aside = self._aside, []
        return joined([self._answers(rows) for rows in found], self._builder.operations)

    def _set_aside(self) -> None:
        """Copy the rows of answers, and use the table from its first row again."""
        count = int(self._memory.clock["samples_count"])
        if count:
            self._aside.append(self._memory[TableId.SAMPLES][:count].copy())
            self._memory.clock["samples_count"] = 0

    def _answers(self, found: Array) -> Answers:
        operations = self._builder.operations
        # outcome and status by operation, ending and degraded, so that all rows are looked up at once
        endings: list[Ending | None] = [None, *Ending]
        pairs = [
            [[seen(name, ending, degraded=degraded) for degraded in (False, True)] for ending in endings]
            for name in (each if each in OPERATIONS else next(iter(OPERATIONS)) for each in operations)
        ]
        outcomes = np.array([[[OUTCOMES.index(o) for o, _ in pair] for pair in each] for each in pairs], dtype=np.int8)
        statuses = np.array([[[status for _, status in pair] for pair in each] for each in pairs], dtype=np.int16)
        index = (found["entry"], found["ending"] - loop.GAVE_UP, found["degraded"])
        return Answers(
            operations=operations,
            number=found["number"].copy(),
            step=found["step"].astype(np.int8),
            operation=found["entry"].astype(np.int16),
            outcome=outcomes[index],
            status=statuses[index],
            began_seconds=found["began"].copy(),
            latency_seconds=found["latency"].copy(),
        )

    def _hosts(self) -> list[HostAccount]:
        memory, found = self._memory, []
        accounts.settle(memory.address)
        for index, (machine, row) in enumerate(zip(self._prepared.layout.hosts, memory[TableId.HOSTS], strict=True)):
            inside = accounts.unfinished_seconds(memory.address, index, len(memory[TableId.STATIONS]))
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
        names, classes = self._prepared.program.jobs, self._memory[TableId.JOB_CLASSES]
        found = [
            JobTally(
                job=name,
                count=int(row["count"]),
                weight=float(row["weight"]),
                done_seconds=float(row["done_seconds"]),
                inside_weight=float(row["inside_weight"]),
                inside_asked_seconds=float(row["inside_asked_seconds"]),
                classes=classes[index * CLASSES : (index + 1) * CLASSES].tolist(),
            ).delay(self.now)
            for index, (name, row) in enumerate(zip(names, self._memory[TableId.JOB_TALLIES], strict=False))
            if row["count"]
        ]
        return tuple(sorted(found, key=lambda each: each.job))

    def _logs(self) -> tuple[LogAccount, ...]:
        memory, found = self._memory, []
        records, partitions = memory[TableId.RECORDS], memory[TableId.PARTITIONS]
        for topic, row in zip(
            (log.topic for log in self._prepared.resources.logs), memory[TableId.TOPICS], strict=False
        ):
            inside = 0
            for partition in range(int(row["partitions"]), int(row["partitions"] + row["partitions_count"])):
                record = int(partitions["first"][partition])
                for _ in range(int(partitions["count"][partition])):
                    inside += not records["done"][record]
                    record = int(records["next"][record])
            found.append(
                LogAccount(
                    job=topic.job,
                    tally=_tally(f"{topic.job} on the log", memory[TableId.TALLIES][row["tally"]].item()),
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
        for row in self._memory[TableId.PROMOTIONS][: len(self._builder.tables[TableId.PROMOTIONS])]:
            if not math.isnan(row["at"]):
                processes = {"process": names[row["promoted"]].name, "instead_of": names[row["dead"]].name}
                values = {**processes, "lost": int(row["lost"])}
                found.append(Event(at_seconds=float(row["at"]), event="replica_promoted", values=values))
        regions = self._prepared.layout.regions
        for row in self._memory[TableId.REROUTES][: int(self._memory.clock["reroutes_count"])]:
            home, before, now = (regions[int(row[name])] for name in ("home", "before", "now"))
            values = {"home": home, "from": before, "to": now, "lost": int(row["lost"])}
            found.append(Event(at_seconds=float(row["at"]), event="region_rerouted", values=values))
        for fault, row in zip(self._prepared.faults, self._memory[TableId.FAULTS], strict=False):
            for event, at in (("fault_begins", float(row["began"])), ("fault_ends", float(row["ended"]))):
                if not math.isnan(at):
                    found.append(Event(at_seconds=at, event=event, values=fault.values))
        return found


def _tally(name: str, row: tuple[Any, ...]) -> VisitTally:
    """A row of `TableId.TALLIES` as a value."""
    arrived, ended, inside, area, sojourn, entered, changed, started = row
    return VisitTally(
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
