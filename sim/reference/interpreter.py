"""Executes a program as SimPy processes: one generator for each kind of instruction.

A `sim.reference.task.RequestTask` runs a flow; parallel branches and deadlines start tasks below it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import simpy

from core.policies.backlog import WAIT_SECONDS_MAX
from core.policies.breaker import BreakerState
from core.policies.patience import pause_seconds
from core.policies.retry import backoff_seconds, may_retry
from sim.model.content import Content
from sim.model.draws import Draws
from sim.model.flow import Ending, Keys
from sim.model.program import DRAWS_MAX, EntryPoint, Instruction, Op, Program
from sim.reference.demands import ATTEMPT, CpuDemands
from sim.reference.events import Events
from sim.reference.kernel import Steps
from sim.reference.log import Record
from sim.reference.observer import Observer
from sim.reference.routing import Routing
from sim.reference.state import RunState
from sim.reference.task import RequestTask, SimulatedRequest

Walk = Steps[Ending]


class Interpreter:
    """Executes the instructions of a program on the state of a run."""

    def __init__(
        self,
        program: Program,
        state: RunState,
        content: Content,
        draws: Draws,
        observer: Observer,
        *,
        demands: CpuDemands,
    ):
        self._program, self._state, self._content = program, state, content
        self._draws, self._observer, self._demands = draws, observer, demands
        self._kernel, self._routing = state.kernel, Routing(program, state, content)
        self._events, self._regions = Events(program, state, content, observer), len(state.layout.regions)
        self._fetching: dict[tuple[int, int], simpy.Event] = {}
        # a method for each kind of instruction, of the same name, as in `ast.NodeVisitor`
        self._steps: Final[dict[Op, Callable[[Instruction, RequestTask], Walk]]] = {
            op: getattr(self, f"_{op.name.lower()}") for op in Op
        }
        for log in state.logs:
            log.handler = partial(self._handled, log.topic.job)

    def entry(self, operation: str) -> EntryPoint:
        """Where ``operation`` starts."""
        return self._program.entries[operation]

    def serving(self, person: int) -> int:
        """The region that serves a person now."""
        return self._state.geography.serving[self._content.home(person)] if self._regions > 1 else 0

    def run(self, at: int, task: RequestTask) -> Walk:
        """Execute the instruction ``at`` and everything below it."""
        instruction = self._program.instructions[at]
        return self._steps[instruction.op](instruction, task)

    def behind(self, entry: EntryPoint, request: SimulatedRequest) -> None:
        """Start the work behind an answer."""
        if self._program.instructions[entry.behind].children:
            self._kernel.start(self._background(entry.behind, request))

    def _background(self, at: int, request: SimulatedRequest) -> Steps[None]:
        self._observer.background.came(self._kernel.now)
        began = self._kernel.now
        yield from self.run(at, RequestTask(request))
        self._observer.background.left(self._kernel.now, entered_seconds=began)

    def _sequence(self, step: Instruction, task: RequestTask) -> Walk:
        for child in step.children:
            ending = yield from self.run(child, task)
            if ending:
                return ending
            if task.cancelled:
                return Ending.CANCELLED
        return Ending.OK

    def _use(self, step: Instruction, task: RequestTask) -> Walk:
        station, request = self._routing.station(step, task.request), task.request
        seconds = self._demands.seconds(step, step.index, step.share, request, task.attempt)
        if not (yield station.serve(seconds, task=task, begun=request.begun_at(station))):
            task.died = True
            return Ending.BROKEN
        return Ending.CANCELLED if task.cancelled else Ending.OK

    def _call(self, step: Instruction, task: RequestTask) -> Walk:
        request = task.request
        link = self._state.links[step.index + request.region * len(self._program.links)]
        visit = step.visit + task.attempt * ATTEMPT
        if link.cut():
            return Ending.UNAVAILABLE
        if step.proxy >= 0 and step.choices:
            proxy = self._state.stations[step.choices[0] + request.region * self._state.layout.span]
            seconds = self._demands.seconds(step, step.proxy, step.share, request, task.attempt)
            if not (yield proxy.serve(seconds, task=task)):
                return Ending.BROKEN
        half = 0.0
        if link.mu != float("-inf"):
            half = 0.5 * self._draws.wait_seconds(link.mu, link.sigma, request.entity, visit + 1)
        if step.home:
            half += self._routing.away_seconds(step, request)
        if half:
            yield self._kernel.wait(half * (2.0 * step.trips - 1.0))
        if link.acting:
            narrow, is_cut = link.send(now=self._kernel.now, sent_bytes=step.sent_bytes)
            if narrow:
                yield self._kernel.wait(narrow)
            if is_cut:
                return Ending.BROKEN
        if task.cancelled:
            return Ending.CANCELLED
        arrived = self._kernel.now
        ending = yield from self.run(step.children[0], task)
        # a process that was already dead has no connection to be closed late
        died, task.died = task.died and ending is not Ending.OK and self._kernel.now > arrived, False
        if link.acting:
            held, is_cut = link.answer(
                now=self._kernel.now,
                trips=step.trips,
                answer_bytes=step.answer_bytes,
                uniform=self._draws.uniform(request.entity, visit + 2),
                died=died,
            )
            if is_cut:
                if held:
                    yield self._kernel.wait(held)
                return Ending.BROKEN
            half += held
        if half:
            yield self._kernel.wait(half)
        return Ending.CANCELLED if task.cancelled else ending

    def _hold(self, step: Instruction, task: RequestTask) -> Walk:
        pool = self._routing.pool(step, task.request)
        claim = pool.claim()
        held = (pool, claim)
        task.claims.append(held)
        if not (yield claim.granted):
            return Ending.CANCELLED
        ending = yield from self.run(step.children[0], task)
        if not task.cancelled:
            task.claims.remove(held)
            pool.give_back(claim)
        return ending

    def _committed(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        state, request = self._state, task.request
        if step.commits and step.nodes > 1 and not step.hop:
            waiting = state.unreplicated[self._routing.database(step, request)]
            waiting[step.operation] = waiting.get(step.operation, 0) + step.commits
        if step.home:
            region = self._routing.region(step, request)
            if step.hop:
                state.geography.followed((region - step.hop) % self._regions, region, step.operation)
            elif step.commits >= 0:
                state.geography.committed(region, step.operation)
        if step.commits >= 0:
            state.wrote_seconds[request.person] = self._kernel.now
        return Ending.OK

    def _admit(self, step: Instruction, task: RequestTask) -> Walk:
        self._routing.balance(step, task.request)
        pool = self._routing.pool(step, task.request)
        if not pool.admits(urgent=step.urgent):
            return Ending.OVERLOADED
        task.request.unbegun = (self._routing.station(step, task.request), partial(pool.began, self._kernel.now))
        claim = pool.claim()
        yield claim.granted
        ending = yield from self.run(step.children[0], task)
        pool.give_back(claim)
        return ending

    def _limit(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()  # it takes no time, but each of these methods is a generator
        request = task.request
        passes = self._state.lets_through(request.operation, request.person, self._kernel.now)
        return Ending.OK if passes else Ending.LIMITED

    def _backlog(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        log = self._state.logs[step.index + task.request.region * len(self._program.jobs)]
        waits = log.wait_seconds(standing_seconds=step.seconds)
        return Ending.OVERLOADED if waits > WAIT_SECONDS_MAX else Ending.OK

    def _wait(self, step: Instruction, task: RequestTask) -> Walk:
        mu, sigma = self._state.delays[step.index]
        if mu != float("-inf"):
            visit = step.visit + task.attempt * ATTEMPT
            seconds = self._draws.wait_seconds(mu, sigma, task.request.entity, visit)
            if step.hop:
                seconds += self._routing.away_seconds(step, task.request)
            yield self._kernel.wait(seconds)
        return Ending.CANCELLED if task.cancelled else Ending.OK

    def _lookup(self, step: Instruction, task: RequestTask) -> Walk:
        index, now = self._cache(step, task.request), self._kernel.now
        cache, keys = self._state.caches[index], self._keys(step, task.request)
        missing = [key for key in keys if not cache.lookup(key, now=now)]
        if not missing:
            return (yield from self.run(step.children[0], task))
        first = (index, missing[0])
        if step.coalesce and first in self._fetching:
            ending: Ending = yield self._fetching[first]
            return ending if ending else (yield from self.run(step.children[0], task))
        fetched = self._kernel.event()
        self._fetching[first] = fetched
        ending = yield from self.run(step.children[1], task)
        if not ending:
            for key in missing:
                cache.keep(key, size_bytes=self._bytes(step.keys, key), now=self._kernel.now)
        if self._fetching.get(first) is fetched:
            del self._fetching[first]
        fetched.succeed(ending)
        return ending

    def _missed(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        cache = self._state.caches[self._cache(step, task.request)]
        cache.miss_count += len(self._keys(step, task.request))
        return Ending.OK

    def _cache(self, step: Instruction, request: SimulatedRequest) -> int:
        return step.index + request.region * len(self._program.caches)

    def _keys(self, step: Instruction, request: SimulatedRequest) -> tuple[int, ...]:
        return self._content.keys(step.keys, person=request.person, author=request.author)

    def _bytes(self, keys: Keys, key: int) -> int:
        return self._content.photo_bytes(key) if keys is Keys.PHOTO else 1

    def _parallel(self, step: Instruction, task: RequestTask) -> Walk:
        left, worst = len(step.children), Ending.OK
        joined = self._kernel.event()

        def branch(at: int) -> Steps[None]:
            nonlocal left, worst
            ending = yield from self.run(at, task.child())
            worst = max(worst, ending)
            left -= 1
            if not left:
                joined.succeed()

        for child in step.children:
            self._kernel.start(branch(child))
        yield joined
        return Ending.CANCELLED if task.cancelled else worst

    def _deadline(self, step: Instruction, task: RequestTask) -> Walk:
        below = task.child()
        over: simpy.Event = self._kernel.event()

        def inner() -> Steps[None]:
            ending = yield from self.run(step.children[0], below)
            if not over.triggered:
                over.succeed(ending)

        def expire() -> None:
            if not over.triggered:
                over.succeed(Ending.EXPIRED)
                if step.cancels:
                    below.cancel()

        self._kernel.start(inner())
        self._kernel.after(step.seconds, expire)
        ending: Ending = yield over
        task.died = task.died or below.died
        if below.cancelled or ending is not Ending.EXPIRED:
            task.below.remove(below)  # a task that was not cancelled stays, and is cancelled with its parent
        return Ending.CANCELLED if task.cancelled else ending

    def _rescue(self, step: Instruction, task: RequestTask) -> Walk:
        ending = yield from self.run(step.children[0], task)
        if not ending or task.cancelled:
            return ending
        return (yield from self.run(step.children[1], task))

    def _breaker(self, step: Instruction, task: RequestTask) -> Walk:
        state, breakers = self._state, self._state.breakers[step.index]
        count = self._program.breakers[step.index][1]
        instance = task.request.region * count + task.request.instance % count
        policy = state.resources.breaker_policy
        if breakers[instance].allows(policy, now_seconds=self._kernel.now):
            breakers[instance] = breakers[instance].admitted(policy, now_seconds=self._kernel.now)
            ending = yield from self.run(step.children[0], task)
            was_open = breakers[instance].state is BreakerState.OPEN
            breakers[instance] = breakers[instance].after(policy, succeeded=not ending, now_seconds=self._kernel.now)
            if breakers[instance].state is BreakerState.OPEN and not was_open:
                state.breaker_opened[step.index] += 1
            if not ending or task.cancelled:
                return ending
        return (yield from self.run(step.children[1], task))

    def _retry(self, step: Instruction, task: RequestTask) -> Walk:
        state, began = self._state, task.attempt
        if step.endless:
            return (yield from self._insist(step, task))
        state.retry_budget = state.retry_budget.after_first_try(state.resources.retry_policy)
        attempt = 1
        while True:
            ending = yield from self.run(step.children[0], task)
            if not ending or task.cancelled:
                break
            if not may_retry(state.resources.retry_policy, state.retry_budget, attempt=attempt, retryable=True):
                break
            state.retry_budget = state.retry_budget.spend()
            uniform = self._draws.uniform(task.request.entity, step.visit + attempt)
            yield self._kernel.wait(backoff_seconds(state.resources.retry_policy, attempt=attempt, uniform=uniform))
            attempt += 1
            task.attempt += 1
        task.attempt = began
        return ending

    def _insist(self, step: Instruction, task: RequestTask) -> Walk:
        """Try until it ends OK; a cancelled task ends after the current attempt or pause."""
        began, attempt = task.attempt, 1
        while True:
            ending = yield from self.run(step.children[0], task)
            if not ending or task.cancelled:
                break
            # the draws of the pauses repeat, so that they stay among the draws of this instruction
            uniform = self._draws.uniform(task.request.entity, step.visit + 1 + (attempt - 1) % (DRAWS_MAX - 1))
            yield self._kernel.wait(pause_seconds(attempt, uniform))
            if _over(task):
                break
            attempt += 1
            task.attempt += 1
        task.attempt = began
        return Ending.CANCELLED if task.cancelled else ending

    def _decide(self, step: Instruction, task: RequestTask) -> Walk:
        case = 0 if self._content.fanout(task.request.author).push_count else 1
        return (yield from self.run(step.children[case], task))

    def _emit(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        self._events.emit(step, task.request)
        return Ending.OK

    def _aside(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        self._kernel.start(self._background(step.children[0], task.request))
        return Ending.OK

    def _handled(self, job: str, record: Record, task: RequestTask) -> Walk:
        """The work of one event of a job."""
        entry, began = self.entry(job), self._kernel.now
        self._observer.background.came(began)
        ending = yield from self.run(entry.front, task)
        self._observer.background.left(self._kernel.now, entered_seconds=began)
        if not task.cancelled and not record.done:
            self._events.done(job, record, task.request)
            self.behind(entry, task.request)
        return ending

    def _stage(self, step: Instruction, task: RequestTask) -> Walk:
        began = self._kernel.now
        ending = yield from self.run(step.children[0], task)
        self._observer.stage(step.index, self._kernel.now - began)
        return ending

    def _mark(self, step: Instruction, task: RequestTask) -> Walk:
        yield from ()
        if not task.cancelled:
            task.request.degraded = True
            self._observer.degraded(step.reason)
        return Ending.OK

    def _fail(self, step: Instruction, _task: RequestTask) -> Walk:
        yield from ()
        return step.ending


def _over(task: RequestTask) -> bool:
    """Whether the task is cancelled: for mypy, which does not know that a wait may change it."""
    return task.cancelled
