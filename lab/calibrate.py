"""Calibration: measures the durations of the real stack's parts, one operation at a time, and writes a dated profile.

CPU demand is what the operating system accounts to each process while one operation runs steadily at a known rate,
minus what the process uses without traffic, so it contains no waiting time. Points are measured in random order,
because the speed of a shared machine drifts; for the same reason the fixed work is done before and after each, and its
CPU counts as what it would have been at the median speed of the whole calibration. At the end, the scenario's mix shows
what operations cost together (`lab.calibration.mixed`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np

from chaos.toxiproxy import ToxiproxyClient
from core import population, streams
from core.errors import UserError
from core.fixed_work import FixedWork, median_reading
from core.operations import FANOUT_DELIVER
from core.profile import DEGRADED, CpuScheduler, Delay, LinkDelay, Profile, Stalls
from core.scenario import Scenario, explain
from lab import client, fixed_work, load, stacks, wire
from lab.calibration import demands, idle, mixed, refusal, series
from lab.calibration.mixed import MixedPoint
from lab.calibration.point import MeasuredStack, OverloadError, SteadyPoint, merged, scatter_ratio
from lab.calibration.series import POINT_SECONDS, Series
from present.progress import task
from records import provenance
from sim.model import pulls
from stack import cores, stalls, turns
from stack.control import RunningStack

#: Of one probe of stalls; there is one before all points, and one after every few of them.
STALL_SECONDS: Final = 3.0
POINTS_BETWEEN_STALLS: Final = 6
#: A rate limit that calibration never reaches, in the scenario's unit.
LIMIT_MIN: Final = 100_000
#: How often a point is tried when requests do not end as expected, and the factor of its rate each time.
TRIES: Final = 3
SLOWER: Final = 2 / 3
_Point = TypeVar("_Point")
#: Between the seeds of the points of one operation and those of the mix.
_SEEDS_APART: Final = 10_000
#: Seconds of a point in which no requests are sent: the generator starts, and waits for the last answers.
_AROUND_SECONDS: Final = 5.0


def calibrate(
    scenario: Scenario, *, data: Path, point_seconds: float = POINT_SECONDS
) -> tuple[Profile, tuple[SteadyPoint, ...]]:
    """Measure a profile on a stack of ``scenario`` and stop the stack; takes a quarter of an hour; raises UserError."""
    if "feed_redis" not in scenario.broken_links:
        raise UserError("calibration needs a scenario with a fault on feed_redis, to measure the fallback path")
    scenario = _wide(scenario)
    try:
        plan = series.planned(scenario, point_seconds=point_seconds)
    except ValueError as error:
        raise UserError(f"{scenario.name}: {error}") from error
    work = data.parent / f"{data.name}-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    path = work / "scenario.yaml"
    path.write_text(explain(scenario), encoding="utf-8")
    on = scenario.system.placement.cores.stack
    try:
        scheduler = turns.probe(on[0])
        readings = [fixed_work.measure(on)]
        with stacks.running(path, data, wipe=True) as stack:
            with stacks.on_every_core(stack):
                load.seed(path, stack, work / "seeded")
            with cores.keep_awake(stack.cores):
                lost = [stalls.probe(scenario.system.placement.cores.load[0], STALL_SECONDS)]
                still = idle.measure(stack)
                with task("client"):
                    clients = client.wires(scenario, path, stack, work)
                measured = MeasuredStack(scenario=scenario, path=path, stack=stack, work=work, idle=still)

                def between() -> None:
                    readings.append(fixed_work.measure(on))
                    if len(readings) % POINTS_BETWEEN_STALLS == 0:
                        lost.append(stalls.probe(scenario.system.placement.cores.load[0], STALL_SECONDS))

                points = _points(measured, plan, between=between)
                points = at_one_speed(points, readings)
                scatter = scatter_ratio(points)
                points = merged(points)
                with task("refusals"):
                    refused = refusal.measure(scenario, stack, work)
                loopback = wire.round_trip(stack.cores)
                flush = wire.flush(data)
                fixed = median_reading(readings)
                profile = _profile(
                    scenario,
                    points,
                    still,
                    stalls.merged(lost),
                    (loopback, *clients),
                    flush,
                    scheduler,
                    fixed,
                    refused,
                    scatter,
                )
                ratios = _mixed(measured, profile, lambda: fixed_work.measure(on))
                profile = msgspec.structs.replace(profile, mix_cpu_ratio=ratios)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return profile, tuple(points)


def _wide(scenario: Scenario) -> Scenario:
    """The scenario with rate limits that cost the same to check, but refuse nothing."""
    gateway = scenario.system.gateway
    limits = {
        name: dataclasses.replace(limit, count=max(limit.count, LIMIT_MIN)) for name, limit in gateway.limits.items()
    }
    wide = dataclasses.replace(gateway, limits=limits)
    return dataclasses.replace(scenario, system=dataclasses.replace(scenario.system, gateway=wide))


def _points(measured: MeasuredStack, plan: tuple[Series, ...], *, between: Callable[[], None]) -> list[SteadyPoint]:
    """All points; ``between`` is called after each."""
    todo = [(each, rate) for each in plan for rate in each.rates_per_second for _ in range(each.repeats)]
    shuffle = streams.named(measured.scenario.seed, "calibration.order")
    todo = [todo[number] for number in np.argsort(shuffle.uniforms(np.arange(len(todo))))]
    points, seeds = list[SteadyPoint](), itertools.count(measured.scenario.seed + 1)
    sizes = [each.warm_up_seconds + each.seconds + _AROUND_SECONDS for each, _ in todo]
    began = time.monotonic()
    with task("calibrate") as report:
        for number, (each, rate) in enumerate(todo):
            done = sum(sizes[:number])
            pace = (time.monotonic() - began) / done if done else 1.0
            left = _left(sum(sizes[number:]) * pace)
            report(done, sum(sizes), f"{each.name} at {rate:g}/s, {number + 1} of {len(todo)}, {left}")
            with _cut(measured.stack) if each.kind == DEGRADED else contextlib.nullcontext():
                points.append(
                    _carried(
                        lambda slower, each=each: measured.measure(each, slower, seed=next(seeds)),  # type: ignore[misc]
                        rate,
                        calm=measured.settle,
                    )
                )
            between()
    return points


def _mixed(measured: MeasuredStack, profile: Profile, read: Callable[[], FixedWork]) -> dict[str, float]:
    """`Profile.mix_cpu_ratio`, at the speed of the profile; ``read`` does the fixed work."""
    assert profile.fixed_work is not None
    alone = mixed.unmixed(profile)
    count = len(mixed.BUSY_RATIOS)
    found, before = list[MixedPoint](), read()
    with task("mix") as report:
        for number in range(count * mixed.REPEATS):
            if number < count:
                rate = mixed.rate_at(mixed.BUSY_RATIOS[number], measured, alone, found[-1] if found else None)
            else:
                rate = found[number % count].rate_per_second
            report(number, count * mixed.REPEATS, f"{rate:.0f}/s")
            seed = measured.scenario.seed + _SEEDS_APART + number
            point = _carried(
                lambda slower, seed=seed: mixed.measure(measured, alone, slower, seed=seed),  # type: ignore[misc]
                rate,
                calm=measured.settle,
            )
            after = read()
            here = (before.whole_seconds + after.whole_seconds) / 2.0
            found.append(point.at_speed(profile.fixed_work.whole_seconds / here))
            before = after
    return mixed.ratios(measured.scenario, found)


def at_one_speed(points: Sequence[SteadyPoint], readings: Sequence[FixedWork]) -> list[SteadyPoint]:
    """The points at the median speed of the machine, by a reading of the fixed work before and after each of them."""
    usual = median_reading(readings).whole_seconds
    pairs = itertools.pairwise(each.whole_seconds for each in readings)
    return [
        point.at_speed(2.0 * usual / (before + after)) for point, (before, after) in zip(points, pairs, strict=True)
    ]


def _left(seconds: float) -> str:
    """The remaining time, in words."""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


def _carried(measured: Callable[[float], _Point], rate: float, *, calm: Callable[[], None]) -> _Point:
    """A point at this rate, or at a lower one if the machine cannot sustain it: the other work of an overloaded system
    is not demand of the operation."""
    for left in reversed(range(TRIES)):
        try:
            return measured(rate)
        except OverloadError as error:
            if not left:
                raise UserError(f"calibration of {error}; is anything else running on this machine?") from error
            calm()
            rate *= SLOWER
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _cut(stack: RunningStack) -> Iterator[None]:
    """Refuse connections from the feed to Redis for the length of the block."""
    wire_to = ToxiproxyClient(stack.toxiproxy_url)
    names = stack.proxies["feed_redis"]
    for name in names:
        asyncio.run(wire_to.switch_off(name))
    try:
        yield
    finally:
        for name in names:
            asyncio.run(wire_to.switch_on(name))


def _profile(
    scenario: Scenario,
    points: list[SteadyPoint],
    still: idle.Idle,
    lost: stalls.StallSample,
    wires: tuple[LinkDelay, ...],
    flush: Delay,
    scheduler: CpuScheduler,
    work: FixedWork,
    refused: float,
    scatter: float,
) -> Profile:
    people = population.draw_population(scenario)
    followers = people.follower_counts[: people.posters]
    pulled = followers[followers >= scenario.system.fanout.threshold]
    timelines = float(followers.sum() - pulled.sum()) / people.posters  # for a post by any author
    few, many = (series.timelines(scenario, authors) for authors in series.authors(scenario))
    return Profile(
        id=f"{provenance.new_id()}-{platform.machine()}-{os.cpu_count()}",
        measured=provenance.now(),
        commit=provenance.commit(),
        machine=provenance.machine(),
        scenario=scenario.name,
        demands=demands.fitted_demands(points, few=few, many=many, timelines=timelines, scatter_ratio=scatter),
        sizes=demands.fitted_sizes(points, scenario, scatter_ratio=scatter),
        wires=wires,
        delays=(flush,),
        stalls=Stalls(
            per_second=lost.per_second,
            upto_seconds=lost.upto_seconds,
            mean_seconds=lost.mean_seconds,
            lost_ratio=lost.lost_ratio,
        ),
        scheduler=scheduler,
        background_cpu_ratio={name: round(share, 6) for name, share in sorted(still.ratio.items())},
        batch_sizes={
            FANOUT_DELIVER: timelines,
            pulls.FOLLOWED: float(pulled.sum()) / people.people,
            pulls.KNOWN: float(len(pulled)),
        },
        fixed_work=work,
        refusal_cpu_seconds=refused,
        notes=(
            "demands: CPU from /proc/PID/task/*/schedstat, one operation at a time, idle use subtracted",
            "variation: of the latency at the lowest rate, where there is almost no queue, without its top 1 %",
            "client links: include the generator's own time from the intended start; see lab/client.py",
            f"fanout.deliver: by posts to {few:.3g} and to {many:.3g} timelines each; see lab/calibration/demands.py",
            "media.process and media.remove: parts of the measured cost of media.complete and media.delete; "
            "see lab/calibration/series.py",
            "below twice the standard error, and so none: " + (", ".join(demands.below_noise(points)) or "nothing"),
            f"error_ratio: by idle use, and by the ± {scatter:.0%} by which a point differs from one time to another",
            "mix_cpu_ratio: of the scenario's own mix at three rates; see lab/calibration/mixed.py",
            "sizes: by points with a fifth of the page, or a quarter of the pixels; see lab/calibration/demands.py",
            "refusals: by a gateway that stands before a peer without room; see lab/calibration/refusal.py",
        ),
    )
