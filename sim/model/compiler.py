"""Compiles flows into a program: names become indices, shares of demands become seconds.

All CPU that calibration measured of an operation is charged: a process that the operation's flow does not visit does
its part behind the answer, and the cost of a miss path is charged to the executions that missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar, assert_never

import numpy as np

from core.names import Server, link
from core.operations import BACKGROUND, FEED_READ
from core.profile import DEGRADED, Floats, Profile
from core.scenario import Scenario
from sim.model import cpu
from sim.model import flow as kinds
from sim.model.draws import spread_of
from sim.model.flow import READS, Flow, Home, OperationFlow, Where, walk
from sim.model.layout import Layout
from sim.model.offered import offered_per_second
from sim.model.program import DRAWS_MAX, DemandRow, EntryPoint, Instruction, Op, PoolSpec, Program, Topic
from sim.model.pulls import FOLLOWED
from sim.model.replication import flow_of as replicated

#: The beginning of the names of links that clients cross.
_FROM_OUTSIDE: Final = link("client", "")
#: A note of programs.
_REFUSALS: Final = "a request that the gateway refuses was not calibrated: it costs as much as one that is sent on"
T = TypeVar("T")


def compile_flows(
    flows: Mapping[str, OperationFlow], *, scenario: Scenario, profile: Profile, layout: Layout, names: tuple[str, ...]
) -> Program:
    """Compile the operations ``names`` and the background jobs that they start.

    Raises a ValueError that names the operation where a flow uses a process or link that does not exist, and
    `sim.model.cpu.NoDemandError` where an operation's own work was not measured.
    """
    compiler = _Compiler(scenario, profile, layout)
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in compiler.program.entries:
            continue
        if name not in flows:
            raise ValueError(f"{name}: no component's flow under sim/model/components describes it")
        compiler.operation(name, flows[name])
        waiting += [job for job in compiler.program.jobs if job not in compiler.program.entries]
    program = compiler.program
    cpu.check(profile, (name for name in program.entries if _works(name, flows[name])))
    if FOLLOWED not in profile.batch_sizes and FEED_READ in program.entries:
        program.notes.append("feed.read: readers were calibrated with one celebrity each, for want of a figure")
    program.topics = [_topic(job, flows[job], scenario=scenario, layout=layout) for job in program.jobs]
    return program


def _works(name: str, flow: OperationFlow) -> bool:
    """Whether the operation's own component uses CPU in it."""
    steps = walk(kinds.steps(flow.front, flow.behind))
    return any(isinstance(step, kinds.Use) and step.process == cpu.own_process(name) for step in steps)


def _topic(job: str, flow: OperationFlow, *, scenario: Scenario, layout: Layout) -> Topic:
    partitions, members = scenario.system.kafka.partitions, layout.processes_of(BACKGROUND[job])
    return Topic(job=job, partitions=partitions, keyed=flow.keyed, members=members)


class _Compiler:
    def __init__(self, scenario: Scenario, profile: Profile, layout: Layout):
        self.program = Program()
        self._scenario, self._profile, self._layout = scenario, profile, layout
        self._rates = offered_per_second(scenario)
        self._connections = {
            str(Server.POSTGRES): scenario.system.shards.connections,
            str(Server.REDIS): scenario.system.redis.connections,
        }
        self._busy: dict[tuple[int, ...], Floats] = {}  # by processes: cores that the load uses of them in each second
        self._proxied = scenario.broken_links
        self._operation = ""
        self._first = self._visit = 0
        self._component = ""
        self._each: tuple[str, int, int] | None = None  # server, instance, of how many
        self._scale = 1.0
        self._proxy_trips = 0.0

    def operation(self, name: str, flow: OperationFlow) -> None:
        """Compile one operation or background job."""
        self._operation = name
        self._first = len(self.program.instructions)
        # from the name, so that scenarios with different mixes draw the same numbers for the same step
        self._visit = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") << 20
        self._component = cpu.own_process(name)
        whole = kinds.steps(flow.front, flow.behind)
        uses = {step.process for step in walk(whole) if isinstance(step, kinds.Use) and not step.degraded}
        calls = [step for step in walk(whole, healthy=True) if isinstance(step, kinds.RemoteCall)]
        self._proxy_trips = sum(call.trips for call in calls if call.link in self._proxied)
        self.program.entries[name] = EntryPoint(name=name, front=-1, behind=-1)  # a job may start itself
        front = self._add(flow.front)
        behind = self._add(kinds.steps(flow.behind, *self._unseen(uses | {str(Server.TOXIPROXY)})))
        if flow.admission != kinds.NOTHING:
            self.program.instructions.append(Instruction(op=Op.SEQUENCE, children=(self._add(flow.admission), front)))
            front = len(self.program.instructions) - 1
        self.program.entries[name] = EntryPoint(name=name, front=front, behind=behind)

    def _unseen(self, seen: set[str]) -> Iterator[Flow]:
        """Work behind the answer: CPU that was measured of the operation in processes that its flow does not visit."""
        for demand in self._profile.demands:
            if demand.operation == self._operation and demand.process not in seen:
                if self._layout.named(demand.process):
                    where = Where.PERSON if demand.process == Server.POSTGRES else Where.ANY
                    yield kinds.Use(process=demand.process, where=where)
                else:
                    self.program.notes.append(f"{self._operation}: no process {demand.process} in this scenario")

    def _add(self, step: Flow) -> int:
        instructions = self.program.instructions
        index = len(instructions)
        visit = self._visit + (index - self._first) * DRAWS_MAX
        instructions.append(Instruction(op=Op.SEQUENCE))  # keeps the index while children are added
        instructions[index] = replace(self._instruction(step), visit=visit)
        return index

    def _all(self, *steps: Flow) -> tuple[int, ...]:
        return tuple(self._add(step) for step in steps)

    def _instruction(self, step: Flow) -> Instruction:
        program, layout = self.program, self._layout
        match step:
            case kinds.Sequence():
                return Instruction(op=Op.SEQUENCE, children=self._all(*step.steps))
            case kinds.Use():
                return self._use(step)
            case kinds.RemoteCall():
                return self._call(step)
            case kinds.Hold():
                return self._hold(step)
            case kinds.Admit():
                choices = layout.processes_of(step.component)
                spec = PoolSpec(
                    name=f"{step.component} under way",
                    size=step.size,
                    callers=max(1, len(choices)),
                    callees=1,
                    adaptive=self._scenario.system.admission,
                )
                return Instruction(
                    op=Op.ADMIT,
                    index=_row(program.pools, spec),
                    choices=choices,
                    urgent=step.urgent,
                    children=self._all(step.inner),
                )
            case kinds.Limit():
                limited = self._operation in self._scenario.system.gateway.limits
                return Instruction(op=Op.LIMIT if limited else Op.SEQUENCE)
            case kinds.Wait():
                row = _row(program.delays, str(step.station))
                return Instruction(op=Op.WAIT, index=row, home=self._home(step.home), hop=step.hop)
            case kinds.Commit():
                replication = self._scenario.system.shards.replication
                nodes, regions = layout.nodes(Server.POSTGRES), len(layout.regions)
                return self._instruction(replicated(step, nodes=nodes, regions=regions, replication=replication))
            case kinds.Committed():
                return Instruction(
                    op=Op.COMMITTED,
                    commits=step.count,
                    where=step.where,
                    choices=layout.named(Server.POSTGRES),
                    nodes=layout.nodes(Server.POSTGRES),
                    operation=self._operation,
                    home=self._home(step.home),
                    hop=step.hop,
                )
            case kinds.Lookup():
                return self._lookup(step)
            case kinds.Missed():
                return Instruction(op=Op.MISSED, index=_row(program.caches, str(step.cache)), keys=step.keys)
            case kinds.Parallel():
                return Instruction(op=Op.PARALLEL, children=self._all(*step.branches))
            case kinds.Each():
                return self._for_each(step)
            case kinds.Deadline():
                seconds = self._scenario.traffic.timeout_seconds if step.seconds is None else step.seconds
                inner = self._all(step.inner)
                return Instruction(op=Op.DEADLINE, seconds=seconds, cancels=step.cancels, children=inner)
            case kinds.Rescue():
                return Instruction(op=Op.RESCUE, children=self._all(step.inner, step.otherwise))
            case kinds.WithBreaker():
                callers = max(1, len(layout.processes_of(self._component)))
                row = _row(program.breakers, (step.dependency, callers))
                return Instruction(op=Op.BREAKER, index=row, children=self._all(step.inner, step.otherwise))
            case kinds.Retry():
                return Instruction(op=Op.RETRY, endless=step.endless, children=self._all(step.inner))
            case kinds.Decide():
                return Instruction(op=Op.DECIDE, policy=step.policy, children=self._all(*step.cases))
            case kinds.BacklogLimit():
                if not any(self._rates.get(step.job, ())):
                    return Instruction(op=Op.SEQUENCE)  # this workload has no such events
                return Instruction(op=Op.BACKLOG, index=_row(program.jobs, step.job), seconds=step.standing_seconds)
            case kinds.Emit():
                return Instruction(op=Op.EMIT, index=_row(program.jobs, step.job), everywhere=step.everywhere)
            case kinds.Aside():
                return Instruction(op=Op.ASIDE, children=self._all(step.inner))
            case kinds.Stage():
                row = _row(program.stages, (self._component, self._operation, step.name))
                return Instruction(op=Op.STAGE, index=row, children=self._all(step.inner))
            case kinds.Mark():
                return Instruction(op=Op.MARK, reason=step.reason)
            case kinds.Fail():
                return Instruction(op=Op.FAIL, ending=step.ending)
            case _:
                assert_never(step)

    def _use(self, step: kinds.Use) -> Instruction:
        row = self._refusal(step) if step.refusal else self._demand(step.process, degraded=step.degraded)
        if row < 0 or not step.share:
            return Instruction(op=Op.SEQUENCE)
        choices = self._layout.named(step.process)
        if not choices:
            raise ValueError(f"{self._operation}: there is no process {step.process}")
        share, where = step.share * self._scale, step.where
        if where is Where.EACH:
            choices, share, where = self._turn(step.process, choices, share)
        if where is Where.ANY and choices != self._layout.named(self._component):
            where = Where.TURN  # the gateway chose an instance of another process
        if step.threaded:
            choices = tuple(len(self._layout.processes) + process for process in choices)
        return Instruction(
            op=Op.USE,
            index=row,
            choices=choices,
            where=where,
            per=step.per,
            share=share,
            nodes=self._layout.nodes(step.process),
            role=self._role(step.role),
            home=self._home(step.home),
            hop=step.hop,
        )

    def _home(self, home: Home) -> Home:
        """With one region, everything is there."""
        return home if len(self._layout.regions) > 1 else Home.HERE

    def _role(self, role: int) -> int:
        return 0 if role == READS and self._scenario.system.shards.replication.reads == "primary" else role

    def _turn(self, process: str, choices: tuple[int, ...], share: float) -> tuple[tuple[int, ...], float, Where]:
        if self._each is None or self._each[0] != process:
            raise ValueError(f"{self._operation}: {process} is used for each instance outside of Each")
        _, turn, count = self._each
        nodes = len(choices) // count
        return choices[turn * nodes : (turn + 1) * nodes], share / count, Where.ANY

    def _call(self, step: kinds.RemoteCall) -> Instruction:
        proxy, share, parts = -1, 1.0, 1
        if self._each is not None and step.link.endswith(f"_{self._each[0]}"):
            parts = self._each[2]
        if step.link in self._proxied:
            proxy = self._demand(str(Server.TOXIPROXY), degraded=False)
            share = (step.trips / self._proxy_trips if self._proxy_trips else 1.0) / parts
        return Instruction(
            op=Op.CALL,
            index=_row(self.program.links, step.link),
            trips=step.trips,
            answer_bytes=step.answer_bytes // parts,
            sent_bytes=step.sent_bytes // parts,
            proxy=proxy,
            share=share,
            choices=self._layout.processes_of(str(Server.TOXIPROXY)),
            home=self._home(Home.CLIENT if step.link.startswith(_FROM_OUTSIDE) else step.home),
            children=self._all(step.inner),
        )

    def _hold(self, step: kinds.Hold) -> Instruction:
        caller, _, callee = step.pool.partition("_")
        callers, callees = (max(1, len(self._layout.processes_of(name))) for name in (caller, callee))
        nodes = self._layout.nodes(callee)
        size = step.size if step.size is not None else self._connections[callee]
        spec = PoolSpec(name=step.pool, size=size, callers=callers, callees=callees * nodes)
        turn = self._each[1] if self._each and self._each[0] == callee and step.where is Where.EACH else -1
        return Instruction(
            op=Op.HOLD,
            index=_row(self.program.pools, spec),
            where=step.where,
            callee=turn,
            choices=self._layout.named(callee) if nodes > 1 else (),
            nodes=nodes,
            role=self._role(step.role),
            home=self._home(step.home),
            children=self._all(step.inner),
        )

    def _lookup(self, step: kinds.Lookup) -> Instruction:
        hit, scale = self._add(step.hit), self._scale
        self._scale = scale * cpu.per_miss(self._profile, step.cache)
        miss = self._add(step.miss)
        self._scale = scale
        row = _row(self.program.caches, str(step.cache))
        return Instruction(op=Op.LOOKUP, index=row, keys=step.keys, coalesce=step.coalesce, children=(hit, miss))

    def _for_each(self, step: kinds.Each) -> Instruction:
        count = len(self._layout.processes_of(step.process))
        if count == 1:
            self._each = (step.process, 0, 1)
            inner = self._instruction(step.inner)
            self._each = None
            return inner
        children = []
        for turn in range(count):
            self._each = (step.process, turn, count)
            children.append(self._add(step.inner))
        self._each = None
        return Instruction(op=Op.PARALLEL, children=tuple(children))

    def _demand(self, process: str, *, degraded: bool) -> int:
        operation = self._operation
        found = cpu.cost(self._profile, operation, process, degraded=degraded)
        if found is None:
            note = f"{operation}: its fallback path was not calibrated"
            if degraded and note not in self.program.notes and not cpu.is_measured(self._profile, operation + DEGRADED):
                self.program.notes.append(note)
            return -1
        return self._demand_row(found, lambda seconds: seconds)

    def _refusal(self, step: kinds.Use) -> int:
        found, admission = cpu.cost(self._profile, self._operation, step.process), self._scenario.system.admission
        if found is None:
            return -1
        if admission and self._profile.refusal_cpu_seconds is None and _REFUSALS not in self.program.notes:
            self.program.notes.append(_REFUSALS)

        return self._demand_row(found, lambda seconds: cpu.refusal_seconds(self._profile, seconds, admission=admission))

    def _demand_row(self, found: cpu.CpuCost, part: Callable[[Floats], Floats]) -> int:
        """The row of a part of a demand, which is a function of the whole. Regions are assumed alike: each has its part
        of the rate."""
        if self._profile.mix_cpu_ratio:
            seconds = found.while_busy(self._busy_of(found.demand.process))
        else:
            own = self._rates.get(self._operation) or (0.0,)
            seconds = found.at(np.asarray(own) / len(self._layout.regions))
        row = DemandRow(
            operation=found.demand.operation,
            process=found.demand.process,
            mean_seconds=tuple(part(seconds).tolist()),
            sigma=spread_of(found.demand.variation),
        )
        return _row(self.program.demands, row)

    def _busy_of(self, process: str) -> Floats:
        """Cores that the whole load uses in each second of what hosts ``process``."""
        hosts = self._layout.named(process)
        if hosts not in self._busy:
            busy = np.zeros(max(map(len, self._rates.values()), default=1))
            for each in self._profile.demands:
                rates = self._rates.get(each.operation, ())
                if any(rates) and self._layout.named(each.process) == hosts:
                    of_a_region = np.asarray(rates) / len(self._layout.regions)
                    busy += of_a_region * np.interp(of_a_region, each.rates_per_second, each.cpu_seconds)
            self._busy[hosts] = busy
        return self._busy[hosts]


def _row(table: list[T], value: T) -> int:
    if value not in table:
        table.append(value)
    return table.index(value)
