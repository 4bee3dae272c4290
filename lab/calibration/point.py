"""One steady run of one operation on the stack, and the CPU that the operating system accounts to each process."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from core.errors import UserError
from core.names import Outcome, Server
from core.operations import OPERATIONS
from core.run import Samples
from core.scenario import Scenario, explain
from lab import load
from lab.calibration.idle import Idle
from lab.calibration.series import LEAVES_WORK_TO, SMALL, Series, sized
from lab.sampler import UsageSampler
from loadtest import photo
from loadtest.seeded import read as read_seeded
from loadtest.seeded import write as write_seeded
from records import run
from stack.control import RunningStack
from stack.usage import Accounting

START_SECONDS_MAX: Final = 200.0  # of the generator, with what it does ahead
LEAD_SECONDS: Final = 0.6  # from the generator's readiness, with which accounting begins, to its first request
#: Repeats of a point from which its scatter is estimated, and by how many standard errors, of idle use, its CPU must
#: exceed zero.
_SCATTER_REPEATS: Final = 3
_SCATTER_SIGNIFICANT: Final = 10.0
#: Median standard deviation of three values of a normal distribution, over its own: √(ln 4 / 2), of χ² with 2 degrees.
_MEDIAN_DEVIATION: Final = 0.8326
#: Share of a point's requests that must end as expected.
CARRIED_RATIO_MIN: Final = 0.9
_SETTLED_SECONDS_MAX: Final = 60.0


class OverloadError(Exception):
    """More requests than this machine can serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyPoint:
    """One steady run: CPU seconds per operation by process class, and how its latency varied."""

    operation: str  # `Series.name`
    rate_per_second: float
    cpu_seconds: Mapping[str, float]  # beyond idle use; below zero where the process used less than usual
    variation: float
    count: int
    error_seconds: Mapping[str, float] = field(default_factory=dict)  # of `cpu_seconds`, by idle use: standard error
    repeats: int = 1  # measurements whose median this is

    def at_speed(self, factor: float) -> SteadyPoint:
        """The point on a machine that needs ``factor`` × the CPU time."""
        return replace(
            self,
            cpu_seconds={name: value * factor for name, value in self.cpu_seconds.items()},
            error_seconds={name: value * factor for name, value in self.error_seconds.items()},
        )


def merged(points: Sequence[SteadyPoint]) -> list[SteadyPoint]:
    """The medians of points of one operation at one rate."""
    alike: dict[tuple[str, float], list[SteadyPoint]] = {}
    for point in points:
        alike.setdefault((point.operation, point.rate_per_second), []).append(point)
    return [_median(each) for each in alike.values()]


def scatter_ratio(points: Sequence[SteadyPoint]) -> float:
    """By how much the CPU of one operation differs between points of one rate at different times, beyond what idle use
    explains: standard deviation over the mean, the median over processes; 0 where no point was repeated."""
    alike: dict[tuple[str, float], list[SteadyPoint]] = {}
    for point in points:
        alike.setdefault((point.operation, point.rate_per_second), []).append(point)
    found = []
    for same in (each[:_SCATTER_REPEATS] for each in alike.values() if len(each) >= _SCATTER_REPEATS):
        for process in {name for point in same for name in point.cpu_seconds}:
            seconds = [point.cpu_seconds.get(process, 0.0) for point in same]
            idle = float(np.mean([point.error_seconds.get(process, 0.0) for point in same]))
            if (mean := float(np.mean(seconds))) > _SCATTER_SIGNIFICANT * idle:
                found.append(max(0.0, float(np.var(seconds, ddof=1)) - idle**2) ** 0.5 / mean)
    return float(np.median(found)) / _MEDIAN_DEVIATION if found else 0.0


def _median(points: Sequence[SteadyPoint]) -> SteadyPoint:
    def by_process(kind: Literal["cpu_seconds", "error_seconds"]) -> dict[str, float]:
        seen: list[Mapping[str, float]] = [getattr(point, kind) for point in points]
        names = dict.fromkeys(name for each in seen for name in each)
        return {name: float(np.median([each.get(name, 0.0) for each in seen])) for name in names}

    return replace(
        points[0],
        cpu_seconds=by_process("cpu_seconds"),
        error_seconds=by_process("error_seconds"),
        variation=float(np.median([point.variation for point in points])),
        count=sum(point.count for point in points),
        repeats=len(points),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStack:
    """What every point is measured on: a seeded and otherwise idle stack."""

    scenario: Scenario
    path: Path  # of the scenario's file
    stack: RunningStack
    work: Path
    idle: Idle

    def measure(self, series: Series, rate_per_second: float, *, seed: int) -> SteadyPoint:
        """Measure one point; raises OverloadError if too few requests end as expected, UserError if the
        generator fails."""
        steady = load.Steady(
            operation=series.operation,
            rate_per_second=rate_per_second,
            seconds=series.seconds,
            seed=seed,
            warm_up_seconds=series.warm_up_seconds,
            people=series.people,
        )
        asked = self.scenario if series.kind != SMALL else sized(self.scenario, series.operation)
        seconds, used, samples = self._used(steady, asked, settles=series.operation in LEAVES_WORK_TO)
        first = samples.where(samples.step == 0)
        as_expected = _as_expected(first, series.expected, what=f"{series.name} at {rate_per_second:.3g}/s")
        spent = {key: value - self.idle.ratio.get(key, 0.0) * seconds for key, value in used.items()}
        squares = {key: self.idle.error_seconds(key, seconds) ** 2 for key in used}
        latencies = np.sort(as_expected.latency_seconds)
        trimmed = latencies[: max(2, int(0.99 * len(latencies)))]
        return SteadyPoint(
            operation=series.name,
            rate_per_second=rate_per_second,
            cpu_seconds={key: value / len(first) for key, value in self._by_class(series, spent).items()},
            error_seconds={key: value**0.5 / len(first) for key, value in self._by_class(series, squares).items()},
            variation=float(trimmed.std() / trimmed.mean()),
            count=len(first),
        )

    def measure_mix(
        self, rate_per_second: float, *, seconds: float, warm_up_seconds: float, seed: int
    ) -> tuple[float, dict[str, float]]:
        """Send the scenario's mix at a steady rate: seconds until all work was done, and CPU seconds by process in
        them. Raises as `measure`."""
        steady = load.Steady(
            operation=None,
            rate_per_second=rate_per_second,
            seconds=seconds,
            seed=seed,
            warm_up_seconds=warm_up_seconds,
        )
        lasted, used, samples = self._used(steady, self.scenario, settles=True)
        _as_expected(samples, Outcome.OK, what=f"the mix at {rate_per_second:.3g}/s")
        return lasted, used

    def _used(self, steady: load.Steady, asked: Scenario, *, settles: bool) -> tuple[float, dict[str, float], Samples]:
        """Seconds, and CPU seconds by process in them, from the generator's readiness until its last answer, or until
        the stack is idle again; and the requests. ``asked`` is the scenario as the generator reads it."""
        out, path = self.work / "point", self.path
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        seeded = self.work / "seeded"
        if asked is not self.scenario:
            path = out / "scenario.yaml"
            path.write_text(explain(asked), encoding="utf-8")
            if asked.population.photo != self.scenario.population.photo:
                seeded = with_photos(seeded, out / "seeded", asked)
        accounting = _Readings(self.stack)
        # it remembers threads that end; the two readings that count are taken when they must be, not every second
        with UsageSampler(accounting.read, t0_unix=time.time()):
            load.drive(
                path,
                self.stack,
                seeded,
                out,
                lead_seconds=LEAD_SECONDS,
                duration_seconds=START_SECONDS_MAX + steady.seconds,
                cores=self.scenario.system.placement.cores.load,
                steady=steady,
                on_line=accounting.on_line,
            )
            if settles:
                self.settle()
            seconds, used = accounting.since_ready()
        return seconds, used, run.read_samples(out / "samples.parquet")

    def settle(self) -> None:
        """Wait until deferred work is done: CPU use is near idle for a second."""
        deadline = time.monotonic() + _SETTLED_SECONDS_MAX
        allowed = self.idle.whole_ratio * 1.5 + 0.03
        accounting = Accounting()
        before = sum(accounting.read(self.stack).values())
        while time.monotonic() < deadline:
            time.sleep(1.0)
            now = sum(accounting.read(self.stack).values())
            if now - before < allowed:
                return
            before = now

    def _by_class(self, series: Series, values: Mapping[str, float]) -> dict[str, float]:
        return by_class(self.scenario, series.operation, values)


def with_photos(seeded: Path, folder: Path, scenario: Scenario) -> Path:
    """A copy of seeded data in ``folder`` whose photos to upload have the size of ``scenario``."""
    known = read_seeded(seeded)
    photos = [
        photo.taken_by(number, seed=scenario.seed, photo=scenario.population.photo)
        for number in range(len(known.photos))
    ]
    write_seeded(
        folder, summary=known.summary, people=known.people, posts=known.posts, stories=known.stories, photos=photos
    )
    return folder


def _as_expected(requests: Samples, expected: Outcome, *, what: str) -> Samples:
    """Those that ended as expected; raises OverloadError where they are too few."""
    found = requests.where(requests.outcome == expected.value)
    if not len(requests) or len(found) < CARRIED_RATIO_MIN * len(requests):
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(requests.outcome.tolist()).most_common())
        raise OverloadError(f"{what}: of {len(requests)} requests {len(found)} were {expected} ({kinds})")
    return found


class _Readings:
    """CPU of a stack's processes from the generator's readiness, when what it does ahead is done, until deferred work
    is done: so no job is counted in part."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack, self._accounting, self._lock = stack, Accounting(), threading.Lock()
        self._ready: tuple[float, Mapping[str, float]] | None = None

    def read(self) -> Mapping[str, float]:
        """CPU seconds so far."""
        with self._lock:
            return self._accounting.read(self._stack)

    def on_line(self, line: Mapping[str, Any]) -> None:
        """Handle a line of the generator, whose first one announces t0."""
        if self._ready is None and "t0_unix" in line:
            self._ready = time.time(), self.read()

    def since_ready(self) -> tuple[float, dict[str, float]]:
        """Seconds since then, and what each process used in them."""
        if self._ready is None:
            raise UserError("calibration: the load generator did not say when it begins")
        at, before = self._ready
        return time.time() - at, {name: value - before.get(name, value) for name, value in self.read().items()}


def by_class(scenario: Scenario, operation: str, used: Mapping[str, float]) -> dict[str, float]:
    """Map names of processes to components and kinds of server (`core.profile.CpuDemand.process`)."""
    own = OPERATIONS[operation].component
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
