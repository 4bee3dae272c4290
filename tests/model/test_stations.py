"""Stations, hosts and pools by worked examples; against closed forms: `test_theory_engines`."""

from __future__ import annotations

import pytest

from core.profile import CpuScheduler
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel, Steps
from sim.reference.station import BoundedPool, Station


def test_busy_processes_take_turns_of_one_tick() -> None:
    kernel = Kernel()
    scheduler = CpuScheduler(tick_seconds=0.125, slice_seconds=0.04)
    host = HostCpu(kernel, name="test", cores=1, processes=2, scheduler=scheduler)
    first = Station(kernel, host, name="first", process=0, workers=1)
    second = Station(kernel, host, name="second", process=1, workers=1)
    ended: dict[str, float] = {}
    first.submit(1.0, lambda _served: ended.update(long=kernel.now))
    second.submit(0.24, lambda _served: ended.update(short=kernel.now))
    second.submit(0.24, lambda _served: ended.update(behind=kernel.now))
    kernel.run(until_seconds=10.0)
    # the second process has every other turn, its jobs one after the other; then the first has the core to itself
    assert ended == pytest.approx({"short": 0.49, "behind": 0.98, "long": 1.48})
    assert host.cpu_seconds == pytest.approx([1.0, 0.48])
    host.account().check()


@pytest.mark.parametrize(("pause_seconds", "order"), [(0.0, ["a1", "a2", "b1"]), (0.1, ["a1", "b1", "a2"])])
def test_a_task_goes_on_at_an_event_loop_until_it_waits(pause_seconds: float, order: list[str]) -> None:
    kernel = Kernel()
    host = HostCpu(kernel, name="test", cores=2, processes=1)
    station = Station(kernel, host, name="test", process=0, workers=1)
    ended: list[str] = []

    def task(name: str, after_seconds: float) -> Steps[None]:
        yield kernel.wait(after_seconds)
        for step in (f"{name}1", f"{name}2"):
            yield station.serve(0.5, task=name)
            ended.append(step)
            if pause_seconds:
                yield kernel.wait(pause_seconds)

    kernel.start(task("a", 0.0))
    kernel.start(task("b", 0.1))
    kernel.run(until_seconds=5.0)
    assert ended[:3] == order
    assert sorted(ended) == ["a1", "a2", "b1", "b2"]
    host.account().check()


def test_a_stall_takes_the_core_from_everybody() -> None:
    kernel = Kernel()
    host = HostCpu(kernel, name="test", cores=2, processes=1)
    station = Station(kernel, host, name="test", process=0, workers=2)
    ended: list[float] = []
    station.submit(1.0, lambda _served: ended.append(kernel.now))
    kernel.after(0.5, lambda: host.stall(0.3))
    kernel.after(0.6, lambda: host.stall(0.4))  # overlapping stalls are one
    kernel.run(until_seconds=5.0)
    assert ended == pytest.approx([1.5])
    assert host.stalled_seconds == pytest.approx(0.5)
    host.account().check()


def test_a_paused_process_keeps_its_work_and_a_dead_one_loses_it() -> None:
    kernel = Kernel()
    host = HostCpu(kernel, name="test", cores=1, processes=1)
    station = Station(kernel, host, name="test", process=0, workers=1)
    ended: list[tuple[str, bool, float]] = []
    station.submit(1.0, lambda served: ended.append(("kept", served, kernel.now)))
    kernel.after(0.25, station.pause)
    kernel.after(2.25, station.resume)
    kernel.run(until_seconds=4.0)
    station.submit(1.0, lambda served: ended.append(("lost", served, kernel.now)))
    station.submit(1.0, lambda served: ended.append(("queued", served, kernel.now)))
    kernel.after(0.5, station.die)
    kernel.run(until_seconds=5.0)
    station.submit(1.0, lambda served: ended.append(("refused", served, kernel.now)))
    station.revive()
    station.submit(1.0, lambda served: ended.append(("after", served, kernel.now)))
    kernel.run(until_seconds=9.0)
    assert ended == [
        ("kept", True, 3.0),
        ("lost", False, 4.5),
        ("queued", False, 4.5),
        ("refused", False, 5.0),
        ("after", True, 6.0),
    ]
    host.account().check()


def test_a_pool_hands_its_places_on_in_order_and_forgets_who_gave_up() -> None:
    kernel = Kernel()
    pool = BoundedPool(kernel, name="test", size=1)
    first, second, third = pool.claim(), pool.claim(), pool.claim()
    assert first.held
    assert not second.held
    pool.give_back(second)
    pool.give_back(first)
    kernel.run(until_seconds=1.0)
    assert third.held
    assert second.granted.value is False
    assert pool.taken == 1
