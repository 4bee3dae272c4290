"""Stations on a host against closed forms: at a fixed seed the mean is within 1 %, and the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from core import stats
from sim import theory
from sim.host import Host
from sim.kernel import Kernel
from sim.station import Pool, Station
from tests.model.queues import Floats, exponential, sojourns

_COUNT = 200_000
_WARM = 2_000


def _holds(times: Floats, mean_seconds: float) -> None:
    steady = times[_WARM:]
    batches = np.array([batch.mean() for batch in np.array_split(steady, 20)])
    interval = stats.mean_interval(batches)
    assert steady.mean() == pytest.approx(mean_seconds, rel=0.01)
    assert interval.low <= mean_seconds <= interval.high


def test_one_worker_is_the_mm1_queue() -> None:
    times = sojourns(seed=3, count=_COUNT, rate_per_second=0.5, workers=1, cores=1, service=exponential(1.0))
    _holds(times, theory.mm1_mean_seconds(0.5, 1.0))
    for q in (0.5, 0.95, 0.99):
        assert stats.quantile(times[_WARM:], q) == pytest.approx(theory.mm1_quantile_seconds(0.5, 1.0, q), rel=0.02)


def test_several_workers_are_the_mmc_queue() -> None:
    times = sojourns(seed=2, count=_COUNT, rate_per_second=2.1, workers=3, cores=3, service=exponential(1.0))
    _holds(times, theory.mmc_mean_seconds(2.1, 1.0, 3))
    for q in (0.5, 0.95, 0.99):
        assert stats.quantile(times[_WARM:], q) == pytest.approx(theory.mmc_quantile_seconds(2.1, 1.0, 3, q), rel=0.02)


def test_equal_services_are_the_md1_queue() -> None:
    times = sojourns(seed=1, count=_COUNT, rate_per_second=0.6, workers=1, cores=1, service=np.ones_like)
    _holds(times, theory.md1_mean_seconds(0.6, 1.0))


def test_a_core_shared_by_all_is_processor_sharing_whatever_the_distribution() -> None:
    # one job in ten is 5.5 s, the others 0.5 s: mean 1, far from exponential
    def two_kinds(uniforms: Floats) -> Floats:
        return np.where(uniforms < 0.1, 5.5, 0.5)

    times = sojourns(seed=4, count=_COUNT, rate_per_second=0.5, workers=10_000, cores=1, service=two_kinds)
    _holds(times, theory.mg1_ps_mean_seconds(0.5, 1.0))


def test_jobs_share_cores_equally() -> None:
    kernel = Kernel()
    host = Host(kernel, name="test", cores=1, processes=2)
    first = Station(kernel, host, name="first", process=0, workers=1)
    second = Station(kernel, host, name="second", process=1, workers=1)
    ended: dict[str, float] = {}
    first.submit(1.0, lambda _served: ended.update(long=kernel.now))
    second.submit(0.25, lambda _served: ended.update(short=kernel.now))
    second.submit(0.25, lambda _served: ended.update(behind=kernel.now))
    kernel.run(until_seconds=10.0)
    # the second process's jobs go one after the other at half speed; then the first has the core to itself
    assert ended == pytest.approx({"short": 0.5, "behind": 1.0, "long": 1.5})
    assert host.cpu_seconds == pytest.approx([1.0, 0.5])
    host.check()


def test_a_stall_takes_the_core_from_everybody() -> None:
    kernel = Kernel()
    host = Host(kernel, name="test", cores=2, processes=1)
    station = Station(kernel, host, name="test", process=0, workers=2)
    ended: list[float] = []
    station.submit(1.0, lambda _served: ended.append(kernel.now))
    kernel.after(0.5, lambda: host.stall(0.3))
    kernel.after(0.6, lambda: host.stall(0.4))  # overlapping stalls are one
    kernel.run(until_seconds=5.0)
    assert ended == pytest.approx([1.5])
    assert host.stalled_seconds == pytest.approx(0.5)
    host.check()


def test_a_paused_process_keeps_its_work_and_a_dead_one_loses_it() -> None:
    kernel = Kernel()
    host = Host(kernel, name="test", cores=1, processes=1)
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
    host.check()


def test_a_pool_hands_its_places_on_in_order_and_forgets_who_gave_up() -> None:
    kernel = Kernel()
    pool = Pool(kernel, name="test", size=1)
    first, second, third = pool.claim(), pool.claim(), pool.claim()
    assert first.held
    assert not second.held
    pool.give_back(second)
    pool.give_back(first)
    kernel.run(until_seconds=1.0)
    assert third.held
    assert second.granted.value is False
    assert pool.taken == 1
