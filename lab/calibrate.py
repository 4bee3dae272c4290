"""Calibrates: measures the durations of the real stack's parts, one operation at a time, and writes a dated profile.

CPU demand is what the operating system accounts to each process while one operation runs steadily at a known rate,
minus what the process uses with no traffic; so it holds no waiting. Points are taken in random order, because the
speed of a shared machine drifts. No queueing that was observed enters the profile.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from chaos.toxiproxy import Wire as Toxiproxy
from core import population, run, streams
from core.names import Component, Outcome, Server
from core.operations import OPERATIONS
from core.profile import DEGRADED, Delay, Demand, Profile, Stalls, Wire
from core.scenario import Scenario
from lab import client, load, provenance, stacks, wire
from lab.errors import UserError
from lab.progress import task
from lab.sampler import UsageSampler
from sim import pulls
from stack import cores, stalls
from stack.control import RunningStack
from stack.usage import Accounting

IDLE_SECONDS: Final = 6.0
POINT_SECONDS: Final = 6.0
START_SECONDS_MAX: Final = 20.0  # of the generator
WARM_UP_SECONDS: Final = 2.0  # of the generator's single-operation runs
STALL_SECONDS: Final = 8.0
RATES: Final[dict[str, tuple[float, ...]]] = {
    "feed.read": (15.0, 60.0, 150.0),
    "like.add": (15.0, 60.0, 150.0),
    "image.read": (20.0, 100.0, 300.0),
    "story.tray": (15.0, 60.0, 150.0),
    "search.users": (15.0, 60.0, 150.0),
    "media.create": (5.0, 20.0, 60.0),
    "post.create": (3.0, 10.0, 30.0),
    "media.upload": (0.5, 1.0, 2.0),
}
#: Measured with the way from the feed to Redis cut, so that every read takes the fallback.
DEGRADED_RATES: Final[dict[str, tuple[float, ...]]] = {"feed.read": (10.0, 30.0, 60.0)}
#: Who does the work that an operation leaves for later, where that is another process than its own.
LEAVES_WORK_TO: Final[dict[str, Component]] = {
    "like.add": Component.DISCOVERY,
    "post.create": Component.FANOUT,
    "media.upload": Component.MEDIA,
}
#: Requests to the object store per upload: the client's PUT; the HEAD of complete; the worker's GET and its PUTs.
OBJECT_SHARES: Final = {"object.put": 1.0, "media.complete": 0.5, "media.process": 6.0}


#: Share of a point's requests that must end as they should, and how it is tried again where they do not.
CARRIED_RATIO_MIN: Final = 0.9
TRIES: Final = 3
SLOWER: Final = 2 / 3


class _OverloadError(Exception):
    """More requests than this machine carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One steady run: CPU seconds per operation by process class, and how its latency varied."""

    operation: str
    rate_per_second: float
    cpu_seconds: Mapping[str, float]
    variation: float
    count: int


def calibrate(
    scenario: Scenario, scenario_text: str, *, data: Path, point_seconds: float = POINT_SECONDS
) -> tuple[Profile, tuple[Point, ...]]:
    """Measure a profile on a stack of ``scenario``; raises UserError. Takes a few minutes; leaves nothing running."""
    if not any(fault.link == "feed_redis" for fault in scenario.faults):
        raise UserError("calibration needs a scenario with a fault on feed_redis, to measure the fallback path")
    work = data.parent / f"{data.name}-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    path = work / "scenario.yaml"
    path.write_text(scenario_text, encoding="utf-8")
    try:
        with stacks.running(path, data, wipe=True) as stack:
            with stacks.on_every_core(stack):
                load.seed(path, stack, work / "seeded")
            with cores.keep_awake(stack.cores):
                lost = stalls.probe(scenario.system.placement.cores.load[0], STALL_SECONDS)
                idle = _idle(stack)
                with task("client"):
                    clients = client.wires(scenario, path, stack, work)
                points = _points(scenario, path, stack, work, idle, point_seconds)
                crossing = wire.round_trip(stack.cores)
                flush = wire.flush(data)
            loopback = Wire(link="loopback", median_seconds=crossing.median_seconds, p99_seconds=crossing.p99_seconds)
            profile = _profile(scenario, points, idle, lost, (loopback, *clients), flush)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return profile, tuple(points)


def _idle(stack: RunningStack) -> dict[str, float]:
    with task("idle"):
        accounting = Accounting()
        before, began = accounting.read(stack), time.monotonic()
        time.sleep(IDLE_SECONDS)
        after, seconds = accounting.read(stack), time.monotonic() - began
    return {name: max(0.0, after[name] - before.get(name, 0.0)) / seconds for name in after}


def _points(
    scenario: Scenario, path: Path, stack: RunningStack, work: Path, idle: Mapping[str, float], point_seconds: float
) -> list[Point]:
    todo = [(name, rate, False) for name, rates in RATES.items() for rate in rates]
    todo += [(name, rate, True) for name, rates in DEGRADED_RATES.items() for rate in rates]
    shuffle = streams.named(scenario.seed, "calibration.order")
    todo = [todo[number] for number in np.argsort(shuffle.uniforms(np.arange(len(todo))))]
    points, seeds = list[Point](), itertools.count(scenario.seed + 1)
    with task("calibrate") as report:
        for number, (name, rate, degraded) in enumerate(todo):
            report(number, len(todo), f"{name} at {rate:g}/s{' degraded' if degraded else ''}")
            seconds = max(point_seconds, 8.0) if name == "media.upload" else point_seconds
            expected = Outcome.DEGRADED if degraded else Outcome.OK
            measured = functools.partial(
                _point, scenario, path, stack, work, idle, seeds, name, seconds=seconds, expected=expected
            )
            with _cut(stack) if degraded else contextlib.nullcontext():
                point = _carried(measured, rate, calm=lambda: _settle(stack, idle))
            points.append(_renamed(point, name + DEGRADED) if degraded else point)
    return points


def _carried(measured: Callable[[float], Point], rate: float, *, calm: Callable[[], None]) -> Point:
    """A point at this rate, or at a lower one where this is more than the machine carries: what an overloaded system
    does instead of answering is no demand of the operation."""
    for left in reversed(range(TRIES)):
        try:
            return measured(rate)
        except _OverloadError as error:
            if not left:
                raise UserError(f"calibration of {error}; is something else running on this machine?") from error
            calm()
            rate *= SLOWER
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _cut(stack: RunningStack) -> Iterator[None]:
    """The way from the feed to Redis refuses connections for the length of the block."""
    wire_to = Toxiproxy(stack.toxiproxy_url)
    names = stack.proxies["feed_redis"]
    for name in names:
        asyncio.run(wire_to.switch_off(name))
    try:
        yield
    finally:
        for name in names:
            asyncio.run(wire_to.switch_on(name))


def _renamed(point: Point, operation: str) -> Point:
    return Point(
        operation=operation,
        rate_per_second=point.rate_per_second,
        cpu_seconds=point.cpu_seconds,
        variation=point.variation,
        count=point.count,
    )


def _point(
    scenario: Scenario,
    path: Path,
    stack: RunningStack,
    work: Path,
    idle: Mapping[str, float],
    seeds: Iterator[int],
    name: str,
    rate: float,
    seconds: float,
    expected: Outcome,
) -> Point:
    out = work / "point"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    began = time.time()
    accounting = Accounting()
    with UsageSampler(lambda: accounting.read(stack), t0_unix=began) as sampler:
        told = load.drive(
            path,
            stack,
            work / "seeded",
            out,
            duration_seconds=START_SECONDS_MAX + seconds,
            cores=scenario.system.placement.cores.load,
            only=load.Only(operation=name, rate_per_second=rate, seconds=seconds, seed=next(seeds)),
        )
        if name in LEAVES_WORK_TO:
            _settle(stack, idle)
    samples = run.read_samples(out / "samples.parquet")
    first = samples.where(samples.step == 0)
    answered = first.answered()
    as_expected = int((first.outcome == expected.value).sum())
    if not len(first) or as_expected < CARRIED_RATIO_MIN * len(first):
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(first.outcome.tolist()).most_common())
        raise _OverloadError(
            f"{name} at {rate:.3g}/s: of {len(first)} requests {as_expected} were {expected} ({kinds})"
        )
    # from before the warm-up until the work that was left is done: nothing is split between in and out
    window = (told["t0_unix"] - began - WARM_UP_SECONDS - 0.5, time.time() - began)
    used = sampler.total(since_seconds=window[0], until_seconds=window[1])
    spent = {key: max(0.0, value - idle.get(key, 0.0) * (window[1] - window[0])) for key, value in used.items()}
    trimmed = np.sort(answered.latency_seconds)[: max(2, int(0.99 * len(answered)))]
    return Point(
        operation=name,
        rate_per_second=rate,
        cpu_seconds=_by_class(scenario, name, {key: value / len(first) for key, value in spent.items()}),
        variation=float(trimmed.std() / trimmed.mean()),
        count=len(first),
    )


def _settle(stack: RunningStack, idle: Mapping[str, float]) -> None:
    """Wait until the work that was left for later is done: CPU use is near idle for a second."""
    deadline = time.monotonic() + 60.0
    allowed = sum(idle.values()) * 1.5 + 0.03
    accounting = Accounting()
    before = sum(accounting.read(stack).values())
    while time.monotonic() < deadline:
        time.sleep(1.0)
        now = sum(accounting.read(stack).values())
        if now - before < allowed:
            return
        before = now


def _by_class(scenario: Scenario, operation: str, used: Mapping[str, float]) -> dict[str, float]:
    """From names of processes to components and kinds of server (see `core.profile.Demand.process`)."""
    own = OPERATIONS[operation].component if operation in OPERATIONS else Component.UPLOAD
    found: dict[str, float] = {}
    for name, seconds in used.items():
        members = scenario.system.placement.processes.get(name.partition("-")[0])
        if members is None:
            key = name.rpartition("_")[0] if name.rpartition("_")[2].isdigit() else name.partition("-")[0]
        elif own in members:
            key = str(own)
        elif operation in LEAVES_WORK_TO and LEAVES_WORK_TO[operation] in members:
            key = str(LEAVES_WORK_TO[operation])
        else:
            key = str(members[0])
        found[key] = found.get(key, 0.0) + seconds
    return {key: value for key, value in found.items() if key != Server.PROMETHEUS}


def _profile(
    scenario: Scenario,
    points: list[Point],
    idle: Mapping[str, float],
    lost: Any,
    wires: tuple[Wire, ...],
    flush: wire.Spread,
) -> Profile:
    by_operation: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda each: each.rate_per_second):
        by_operation.setdefault(point.operation, []).append(point)
    demands = [
        demand
        for operation, found in by_operation.items()
        if operation not in ("media.upload", "post.create")
        for demand in _demands(operation, found)
    ]
    demands += _upload(by_operation)
    people = population.of(scenario)
    followers = people.follower_counts[: people.posters]
    pulled = followers[followers >= scenario.system.fanout.threshold]
    return Profile(
        id=f"{provenance.new_id()}-{platform.machine()}-{os.cpu_count()}",
        measured=provenance.now(),
        commit=provenance.commit(),
        machine=provenance.machine(),
        scenario=scenario.name,
        demands=tuple(demands),
        wires=wires,
        delays=(Delay(station="postgres.commit", median_seconds=flush.median_seconds, p99_seconds=flush.p99_seconds),),
        stalls=Stalls(
            per_second=lost.per_second,
            upto_seconds=lost.upto_seconds,
            mean_seconds=lost.mean_seconds,
            lost_ratio=lost.lost_ratio,
        ),
        background_cpu_ratio={name: round(share, 6) for name, share in sorted(idle.items())},
        batch_sizes={
            "fanout.deliver": float(followers.sum() - pulled.sum()) / people.posters,  # for a post of anybody's
            pulls.FOLLOWED: float(pulled.sum()) / people.people,
            pulls.KNOWN: float(len(pulled)),
        },
        notes=(
            "demands: CPU by /proc/PID/task/*/schedstat, one operation at a time, idle use subtracted",
            "variation: of the latency of the slowest rate, where there is next to no queue, without its top 1 %",
            "wires of clients: the generator's own time, from the intended start, is in them; see lab/client.py",
            "media.complete, object.put, media.process: shares of the journey media.upload; see lab/calibrate.py",
        ),
    )


def _demands(operation: str, points: list[Point]) -> Iterator[Demand]:
    for process in sorted({name for point in points for name in point.cpu_seconds}):
        values = tuple(point.cpu_seconds.get(process, 0.0) for point in points)
        if max(values) > 1e-6:
            yield Demand(
                operation=operation,
                process=process,
                rates_per_second=tuple(point.rate_per_second for point in points),
                cpu_seconds=values,
                variation=points[0].variation,
            )


def _upload(points: Mapping[str, list[Point]]) -> Iterator[Demand]:
    """The steps of an upload, of which only some can be run alone: the others get what is left of the journey."""
    journey, create, post = points["media.upload"], points["media.create"], points["post.create"]
    fanout = str(Component.FANOUT)
    for demand in _demands("post.create", post):
        if demand.process == fanout:
            yield _named(demand, "fanout.deliver")
        else:
            yield demand
    rates = tuple(point.rate_per_second for point in journey)

    def left(process: str, *parts: float) -> tuple[float, ...]:
        return tuple(max(0.0, point.cpu_seconds.get(process, 0.0) - sum(parts)) for point in journey)

    def low(found: list[Point], process: str) -> float:
        return found[0].cpu_seconds.get(process, 0.0)

    def shared(process: str, shares: Mapping[str, float], whole: tuple[float, ...]) -> Iterator[Demand]:
        total = sum(shares.values())
        for operation, share in shares.items():
            yield Demand(
                operation=operation,
                process=process,
                rates_per_second=rates,
                cpu_seconds=tuple(value * share / total for value in whole),
                variation=0.3,
            )

    upload, media = str(Component.UPLOAD), str(Component.MEDIA)
    # media.create and post.create run in the same process as media.complete: what is left of the journey is its own
    yield from shared(
        upload, {"media.complete": 1.0}, left(upload, low(create, upload), low(post, str(Component.POSTS)))
    )
    yield from shared(media, {"media.process": 1.0}, left(media, low(post, fanout)))
    yield from shared(Server.OBJECTS, OBJECT_SHARES, left(Server.OBJECTS))
    for server, shares in (
        (Server.POSTGRES, {"media.complete": 1.0, "media.process": 1.0}),
        (Server.KAFKA, {"media.complete": 1.0, "media.process": 1.0}),
        (Server.GATEWAY, {"media.complete": 1.0}),
        (Server.CLAMD, {"media.process": 1.0}),
        (Server.REDIS, {"media.process": 1.0}),
        (str(Component.FEED), {"media.process": 1.0}),
    ):
        yield from shared(str(server), shares, left(str(server), low(create, str(server)), low(post, str(server))))


def _named(demand: Demand, operation: str) -> Demand:
    return Demand(
        operation=operation,
        process=demand.process,
        rates_per_second=demand.rates_per_second,
        cpu_seconds=demand.cpu_seconds,
        variation=demand.variation,
    )
