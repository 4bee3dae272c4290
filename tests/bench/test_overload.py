"""The stack's goodput beyond its knee, with and without admission: one core for the stack, one for the load.

Prints one table: the knee; goodput (successful answers within `IN_TIME_SECONDS`), refusals and time-outs at several
times the knee, and the time to recover from a burst. Below each line of the mix: the lag of the background work that
was acknowledged in that step, also of what was done after it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import uvloop

from core import operations, scenario
from core.names import Outcome
from loadtest import address, seeded
from loadtest.seed.__main__ import main as seed_stack
from records import scenarios
from stack import control
from tests import lags
from tests.bench.open_load import OpenLoad, Sample
from tests.conftest import SCENARIO

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

IN_TIME_SECONDS: Final = 0.3
KNEE_RATIO: Final = 0.99  # of what was sent is answered in time, up to the knee
STEP_SECONDS: Final = 6.0
SETTLE_SECONDS: Final = 2.0  # at the beginning of a step, not counted
FACTORS: Final = (1.25, 1.5, 2.0, 4.0)
BURST: Final = ((0.7, 8.0), (4.0, 10.0), (0.7, 20.0))  # of the knee, seconds
CALM_SECONDS_MAX: Final = 60.0
LONG_SECONDS: Final = 60.0  # of an overload that lasts
LOADS: Final = {
    "feed.read": ({operations.FEED_READ: 1.0}, 100.0),
    "the mix": (
        {
            operations.FEED_READ: 0.58,
            operations.LIKE_ADD: 0.18,
            operations.IMAGE_READ: 0.12,
            operations.STORY_TRAY: 0.06,
            operations.SEARCH_USERS: 0.04,
            operations.MEDIA_UPLOAD: 0.02,
        },
        60.0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the clients of one rate saw, in requests a second and milliseconds."""

    sent: float
    goodput: float
    refused: float
    timed_out_ratio: float
    p95: float
    refused_p99: float
    told_when: bool  # every refusal had Retry-After

    @classmethod
    def of_samples(cls, samples: Sequence[Sample], seconds: float) -> Step:
        """The figures of ``samples``, sent within ``seconds``."""
        answered = np.array([each.latency for each in samples if 200 <= each.status < 300])
        refused = [each for each in samples if each.outcome is Outcome.REFUSED]
        gone = sum(each.outcome in (Outcome.TIMEOUT, Outcome.LOST) for each in samples)
        return cls(
            sent=len(samples) / seconds,
            goodput=float((answered < IN_TIME_SECONDS).sum()) / seconds,
            refused=len(refused) / seconds,
            timed_out_ratio=gone / max(1, len(samples)),
            p95=_percentile(answered, 95),
            refused_p99=_percentile(np.array([each.latency for each in refused]), 99),
            told_when=all(each.retry_after for each in refused),
        )


def _percentile(seconds: np.ndarray, percent: float) -> float:
    return 1000 * float(np.percentile(seconds, percent)) if len(seconds) else float("nan")


@contextmanager
def _stack(folder: Path, *, admission: bool) -> Iterator[tuple[OpenLoad, control.RunningStack]]:
    """A seeded stack of its own and its load."""
    base = scenarios.read(SCENARIO)
    made = replace(
        base,
        system=replace(base.system, admission=admission),
        traffic=replace(base.traffic, viral=None),
        faults=(),
        expect={},
    )
    folder.mkdir()
    folder.chmod(0o755)
    path = folder / "scenario.yaml"
    path.write_text(scenario.explain(made), encoding="utf-8")
    running = control.up(path, folder / "stack", attached=True)
    try:
        arguments = ["--scenario", str(path), "--gateway", running.gateway_url, "--out", str(folder / "seeded")]
        assert seed_stack(arguments) == 0
        load = OpenLoad(
            scenario=made,
            seeded=seeded.read(folder / "seeded"),
            gateway=address.parse(running.gateway_url),
            media=address.parse(running.media_url),
        )
        yield load, running
    finally:
        running.stop(wipe=True)


def _between(samples: Sequence[Sample], begin: float, end: float) -> list[Sample]:
    return [each for each in samples if begin <= each.at < end]


class _Bench:
    """Sends loads one after the other, each with a seed of its own."""

    def __init__(self, load: OpenLoad, stack: control.RunningStack, mix: dict[str, float]):
        self._load, self._stack, self._mix, self._seed = load, stack, mix, 1

    async def at(self, rate: float, *, seconds: float = STEP_SECONDS) -> Step:
        """One rate for ``seconds``."""
        samples = await self.send([(rate, seconds)])
        return Step.of_samples(_between(samples, SETTLE_SECONDS, seconds), seconds - SETTLE_SECONDS)

    async def send(self, rates: list[tuple[float, float]]) -> list[Sample]:
        self._seed += 100
        return await self._load.send(self._mix, rates, seed=self._seed)

    async def knee(self, rate: float) -> tuple[float, float]:
        """The highest rate of which `KNEE_RATIO` is answered in time, and the best goodput on the way."""
        best = knee = 0.0
        while True:
            step = await self.at(rate)
            best = max(best, step.goodput)
            if step.goodput < KNEE_RATIO * step.sent:
                step = await self.at(rate)  # once more: a stall of the machine is no knee
                best = max(best, step.goodput)
                if step.goodput < KNEE_RATIO * step.sent and knee:
                    return knee, best
                if step.goodput < KNEE_RATIO * step.sent:  # the first rate was beyond it
                    rate *= 0.5
                    continue
            knee, rate = rate, rate * 1.1
            await self.calm(knee)

    async def calm(self, knee: float) -> float:
        """Wait until a low load is served as usual; returns how long it took."""
        began = time.monotonic()
        while time.monotonic() < began + CALM_SECONDS_MAX:
            samples = await self.send([(0.1 * knee, 1.0)])
            if all(200 <= each.status < 300 for each in samples):
                break
        return time.monotonic() - began

    async def lagging(self, rate: float, *, seconds: float = STEP_SECONDS) -> tuple[Step, dict[str, lags.Lag]]:
        """`at`, and the lags of the background work that it caused, once all of it is done."""
        before = lags.read(self._stack)
        step = await self.at(rate, seconds=seconds)
        wanted = {
            lane: sum(each.operation == operation and 200 <= each.status < 300 for each in self._load.samples)
            for lane, operation in zip(
                lags.LANES, (operations.MEDIA_COMPLETE, operations.POST_CREATE, operations.POST_CREATE), strict=True
            )
        }
        deadline = time.monotonic() + CALM_SECONDS_MAX
        while True:
            added = {lane: lag.since(before[lane]) for lane, lag in lags.read(self._stack).items()}
            if time.monotonic() > deadline or all(added[lane].count >= count for lane, count in wanted.items()):
                return step, added
            await asyncio.sleep(0.5)

    async def burst(self, knee: float) -> tuple[float, float]:
        """Seconds after a burst until a second's p95 is at most 1.5 times what it was before, and that p95 in ms."""
        samples = await self.send([(factor * knee, seconds) for factor, seconds in BURST])
        begin, burst, end = np.cumsum([seconds for _, seconds in BURST])
        before = Step.of_samples(_between(samples, SETTLE_SECONDS, begin), begin - SETTLE_SECONDS).p95
        for offset in np.arange(0.0, end - burst - 1.0, 0.5):
            part = _between(samples, burst + offset, burst + offset + 1.0)
            step = Step.of_samples(part, 1.0)
            if step.goodput >= KNEE_RATIO * step.sent and step.p95 <= 1.5 * before:
                return float(offset), before
        return float("inf"), before


def _row(name: str, admission: str, what: str, step: Step, best: float) -> str:
    refused = f"{step.refused:7.0f}/s p99 {step.refused_p99:7.1f} ms" if step.refused else f"{'none':>23}"
    return (
        f"{name:<10} {admission:<4} {what:<7} sent {step.sent:6.0f}/s  in time {step.goodput:6.0f}/s"
        f" {step.goodput / best:5.0%}  p95 {step.p95:7.1f} ms  refused {refused}  timed out {step.timed_out_ratio:6.2%}"
    )


def _lag_row(added: dict[str, lags.Lag]) -> str:
    each = (f"{lane} {lag.mean:.2f} s, at most {lag.longest_bound:.3g} s" for lane, lag in added.items() if lag.count)
    return f"{'':<16} background: {'; '.join(each)}"


async def _measured(
    load: OpenLoad, stack: control.RunningStack, *, admission: bool, knees: dict[str, tuple[float, float]]
) -> None:
    word = "on" if admission else "off"
    for name, (mix, start) in LOADS.items():
        bench = _Bench(load, stack, mix)
        await bench.calm(start)
        await bench.at(0.5 * start)  # fills what is cold
        if admission:
            knees[name] = await bench.knee(start)
            print(f"\n{name}: knee {knees[name][0]:.0f}/s, best goodput {knees[name][1]:.0f}/s", flush=True)
        knee, best = knees[name]
        for factor in (0.8, *FACTORS):
            step, added = await bench.lagging(factor * knee)
            print(_row(name, word, f"× {factor:g}", step, best), flush=True)
            if operations.MEDIA_UPLOAD in mix:
                print(_lag_row(added), flush=True)
            calm = await bench.calm(knee)
            if calm > 2.0:
                print(f"{name:<10} {word:<4} calm again after {calm:.0f} s without load", flush=True)
        after, before = await bench.burst(knee)
        print(
            f"{name:<10} {word:<4} after 10 s at × 4: p95 as before ({before:.0f} ms) after {after:.1f} s", flush=True
        )
        await bench.calm(knee)
        if operations.MEDIA_UPLOAD in mix:
            step, added = await bench.lagging(FACTORS[-1] * knee, seconds=LONG_SECONDS)
            print(_row(name, word, f"{LONG_SECONDS:g} s × {FACTORS[-1]:g}", step, best), flush=True)
            print(_lag_row(added), flush=True)
    load.close()


def test_overload(data_folder: Path) -> None:
    cores = os.sched_getaffinity(0)
    knees: dict[str, tuple[float, float]] = {}
    for admission in (True, False):
        with _stack(data_folder / f"overload-{admission}", admission=admission) as (load, stack):
            try:
                os.sched_setaffinity(0, set(scenarios.read(SCENARIO).system.placement.cores.load))
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_measured(load, stack, admission=admission, knees=knees))
            finally:
                os.sched_setaffinity(0, cores)
    assert all(best > 0 for _, best in knees.values())
