"""Each kind of step on a flow of its own: deadlines, pools, breakers, retries, limits, look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core import profile as calibration
from core.policies.breaker import BreakerState
from core.profile import CpuDemand, Profile
from core.scenario import Scenario
from sim.model import layout
from sim.model.compiler import compile_flows
from sim.model.content import Content
from sim.model.draws import Draws
from sim.model.flow import (
    NOTHING,
    Admit,
    Deadline,
    Ending,
    Fail,
    Flow,
    Hold,
    Keys,
    Limit,
    Lookup,
    Mark,
    OperationFlow,
    Parallel,
    Rescue,
    Retry,
    Sequence,
    Stage,
    Use,
    Wait,
    Where,
    WithBreaker,
    steps,
)
from sim.model.pulls import Pulls
from sim.model.resources import resources_of
from sim.reference.demands import CpuDemands
from sim.reference.interpreter import Interpreter
from sim.reference.kernel import Steps
from sim.reference.observer import Observer
from sim.reference.state import build
from sim.reference.task import RequestTask, SimulatedRequest
from sim.results.laws import check_conservation
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

_NAME = "feed.read"


class Bench:
    """One flow on stations of its own, with nothing in the caches. The service needs 10 ms of CPU for the whole of it,
    ``wait`` stations 100 ms."""

    def __init__(self, flow: Flow, asked: Scenario | None = None, *, waits: Mapping[str, float] | None = None):
        asked = asked or scenario()
        told = Profile(
            id="bench",
            measured="",
            commit="",
            machine={},
            scenario="",
            demands=(
                CpuDemand(operation=_NAME, process="feed", rates_per_second=(1.0,), cpu_seconds=(0.01,), variation=0.0),
            ),
            wires=(),
            delays=tuple(
                calibration.Delay(station=name, median_seconds=seconds, p99_seconds=seconds)
                for name, seconds in {"wait": 0.1, **(waits or {})}.items()
            ),
            stalls=QUIET,
        )
        placed = layout.layout_of(asked)
        page = {_NAME: OperationFlow(front=flow)}
        self.program = compile_flows(page, scenario=asked, profile=told, layout=placed, names=(_NAME,))
        content = Content(asked, viral_author=None)
        resources = resources_of(self.program, content, scenario=asked, profile=told, layout=placed)
        self.state = build(replace(resources, start_seconds=0.0), layout=placed)
        self.kernel = self.state.kernel
        for cache in self.state.caches:
            cache.clear()
        self.observer = Observer(self.program, start_seconds=0.0)
        draws = Draws(1)
        demands = CpuDemands(self.program, content, draws, push_mean=1.0, pulls=Pulls())
        self.interpreter = Interpreter(self.program, self.state, content, draws, self.observer, demands=demands)
        self.ended: list[tuple[float, Ending]] = []
        self.requests: list[SimulatedRequest] = []

    def ask(self, *, at: float = 0.0, person: int = 0) -> None:
        """Do the flow once, from a time on."""
        number = len(self.requests)
        request = SimulatedRequest(
            entity=number, number=number, operation=_NAME, person=person, author=person, post=-1, second=0
        )
        self.requests.append(request)

        def client() -> Steps[None]:
            yield self.kernel.wait(at)
            ending = yield from self.interpreter.run(self.interpreter.entry(_NAME).front, RequestTask(request))
            self.ended.append((round(self.kernel.now, 9), ending))

        self.kernel.start(client())

    def run(self, seconds: float = 10.0) -> list[tuple[float, Ending]]:
        """How and when every request ended."""
        self.kernel.run(until_seconds=seconds)
        return self.ended


_WAIT = Wait(station="wait")
_OWN = Use(process="feed")


def test_a_sequence_stops_at_the_first_step_that_ends_badly() -> None:
    bench = Bench(steps(_WAIT, Fail(ending=Ending.UNAVAILABLE), _WAIT))
    bench.ask()
    assert bench.run() == [(0.1, Ending.UNAVAILABLE)]


def test_branches_run_at_once_and_the_worst_counts() -> None:
    bench = Bench(steps(Parallel(branches=(_WAIT, steps(_WAIT, _WAIT), Fail(ending=Ending.BROKEN)))))
    bench.ask()
    assert bench.run() == [(0.2, Ending.BROKEN)]


def test_an_event_loop_does_one_thing_at_a_time() -> None:
    bench = Bench(Parallel(branches=(_OWN, _OWN)))
    bench.ask()
    bench.ask()
    assert bench.run() == [(0.02, Ending.OK), (0.04, Ending.OK)]


def test_a_deadline_leaves_what_is_late_to_itself() -> None:
    bench = Bench(steps(Rescue(inner=Deadline(seconds=0.05, inner=steps(_WAIT, _OWN)), otherwise=Mark(reason="late"))))
    bench.ask()
    assert bench.run() == [(0.05, Ending.OK)]
    assert bench.requests[0].degraded
    assert sum(bench.state.cpu_seconds()) == pytest.approx(0.01)  # the step after the wait was done all the same


def test_a_deadline_that_cancels_asks_for_nothing_more_and_frees_its_places() -> None:
    held = Hold(pool="feed_redis", size=1, inner=steps(_WAIT, _OWN))
    bench = Bench(Deadline(seconds=0.05, inner=held, cancels=True))
    bench.ask()
    bench.ask(at=0.02)  # waits for the place, gets it when the first is cancelled, and is late in its turn
    bench.ask(at=0.06)
    assert bench.run() == [(0.05, Ending.EXPIRED), (0.07, Ending.EXPIRED), (0.11, Ending.EXPIRED)]
    assert sum(bench.state.cpu_seconds()) == 0.0
    pool = bench.state.pools[0][0]
    assert pool.taken == 0
    check_conservation(pool.tally, found=pool.found())


def test_a_deadline_that_is_met_changes_nothing() -> None:
    bench = Bench(Deadline(seconds=0.5, inner=_WAIT))
    bench.ask()
    assert bench.run() == [(0.1, Ending.OK)]


def test_a_pool_lets_callers_in_one_after_the_other() -> None:
    bench = Bench(Hold(pool="feed_redis", size=2, inner=_WAIT))
    for _ in range(5):
        bench.ask()
    assert [at for at, _ in bench.run()] == [0.1, 0.1, 0.2, 0.2, 0.3]


def test_a_component_that_is_full_refuses() -> None:
    bench = Bench(Admit(component="feed", size=2, urgent=False, inner=_WAIT))
    for _ in range(3):
        bench.ask()
    bench.ask(at=0.2)
    assert bench.run() == [(0.0, Ending.OVERLOADED), (0.1, Ending.OK), (0.1, Ending.OK), (0.3, Ending.OK)]


def test_the_gateway_limits_each_person_apart() -> None:
    bench = Bench(Limit(), scenario(gateway={"limits": {"feed.read": "2/s per user"}}))
    for at, person in ((0.0, 1), (0.1, 1), (0.2, 1), (0.2, 2), (1.15, 1), (2.3, 1)):
        bench.ask(at=at, person=person)
    endings = [ending for _, ending in sorted(bench.run())]
    limited = Ending.LIMITED
    assert endings == [Ending.OK, Ending.OK, Ending.OK, limited, Ending.OK, Ending.OK]


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_through_later() -> None:
    inner = Deadline(seconds=0.05, inner=_WAIT)
    flow = WithBreaker(dependency="test", inner=inner, otherwise=Mark(reason="test"))
    bench = Bench(flow, scenario(breaker={"failures": 3, "open": "1s"}))
    for number in range(5):
        bench.ask(at=0.1 * number)
    bench.ask(at=1.3)  # a second after it opened: the probe
    bench.ask(at=1.32)  # while the probe is under way nobody else tries
    bench.ask(at=1.4)
    times = [at for at, _ in bench.run()]
    assert times == [0.05, 0.15, 0.25, 0.3, 0.4, 1.32, 1.35, 1.4]
    assert bench.state.breakers[0][0].state is BreakerState.OPEN
    assert bench.state.breaker_opened == [2]
    assert all(request.degraded for request in bench.requests)


def test_a_breaker_closes_when_the_probe_succeeds() -> None:
    flow = WithBreaker(dependency="test", inner=Deadline(seconds=0.05, inner=_WAIT), otherwise=NOTHING)
    bench = Bench(flow, scenario(breaker={"failures": 1, "open": "1s"}))
    bench.ask()
    bench.kernel.after(0.5, lambda: bench.state.delays.__setitem__(0, (-7.0, 0.0)))  # e^-7 s: quick again
    bench.ask(at=1.2)
    bench.run()
    assert bench.state.breakers[0][0].state is BreakerState.CLOSED


def test_a_retry_tries_as_often_as_the_policy_says_and_its_budget_allows() -> None:
    flow = steps(Retry(inner=Sequence(steps=(_WAIT, Fail(ending=Ending.UNAVAILABLE)))))
    bench = Bench(flow, scenario(retry={"attempts": 3, "backoff": "10ms", "budget": "0%"}))
    for number in range(8):
        bench.ask(at=float(number))
    lasted = [at - number for number, (at, _) in enumerate(bench.run(20.0))]
    assert all(0.3 < each < 0.35 for each in lasted[:5])  # three tries of 100 ms and two waits of at most 10 and 20 ms
    assert lasted[5:] == pytest.approx([0.1, 0.1, 0.1])  # ten retries were the whole budget
    assert all(ending is Ending.UNAVAILABLE for _, ending in bench.ended)


def test_one_fetch_serves_all_who_miss_a_key_at_once() -> None:
    bench = Bench(Lookup(cache="edge", keys=Keys.PHOTO, hit=NOTHING, miss=steps(_WAIT, _OWN), coalesce=True))
    bench.ask(person=1)
    bench.ask(at=0.05, person=1)
    bench.ask(at=0.05, person=2)
    bench.ask(at=1.0, person=1)
    assert [at for at, _ in bench.run()] == [0.11, 0.11, 0.16, 1.0]
    cache = bench.state.caches[0]
    assert (cache.hit_count, cache.miss_count) == (1, 3)
    assert sum(bench.state.cpu_seconds()) == pytest.approx(0.02)


def test_a_stage_is_timed() -> None:
    bench = Bench(steps(Stage(name="skeleton", inner=_WAIT), _OWN))
    bench.ask()
    bench.ask(at=1.0)
    bench.run()
    ((count, seconds),) = bench.observer.stages()
    assert (bench.program.stages, count) == ([("feed", "feed.read", "skeleton")], 2)
    assert seconds == pytest.approx(0.2)


def test_a_page_that_speaks_of_no_process_is_refused() -> None:
    page = {_NAME: OperationFlow(front=Use(process="postgres", where=Where.EACH, degraded=True))}
    asked, told = scenario(), profile()
    with pytest.raises(ValueError, match=r"feed\.read: postgres is used for each instance outside of Each"):
        compile_flows(page, scenario=asked, profile=told, layout=layout.layout_of(asked), names=(_NAME,))
