"""The model's host against the kernel: small programs on one core, and the same jobs in the model.

What each job needs is drawn from jobs that ran alone. Shares of the core, and p50 and p99 of the time from when a job
is due until it is done, are within 10 %. Another process of the machine can spoil a measurement but not repair a model,
so one good try of several will do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest

from core import niceness
from core.profile import CpuScheduler
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel
from sim.reference.station import Station
from stack import turns

pytestmark = pytest.mark.alone

Floats = npt.NDArray[np.float64]

_TRIES: Final = 4
_JOB_SECONDS: Final = 0.001
_SECONDS: Final = 6.0
_PROGRAM: Final = Path(__file__).with_name("kernel_program.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Jobs that arrive at random, with these pauses in the mean; without pauses it is always busy."""

    job_seconds: float
    pause_seconds: float | None = None
    nice: int = 0


CASES: Final[dict[str, tuple[Program, ...]]] = {
    "busy beside busy": (Program(job_seconds=_JOB_SECONDS), Program(job_seconds=_JOB_SECONDS)),
    "a sleeper beside busy": (
        Program(job_seconds=_JOB_SECONDS, pause_seconds=0.005),
        Program(job_seconds=_JOB_SECONDS),
    ),
    "three at different shares": (
        Program(job_seconds=_JOB_SECONDS),
        Program(job_seconds=_JOB_SECONDS, nice=5),
        Program(job_seconds=_JOB_SECONDS, nice=10),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a program did, in the kernel or in the model."""

    share: float
    p50_seconds: float
    p99_seconds: float

    @classmethod
    def of(cls, done: Sequence[float], cpu_seconds: float, seconds: float) -> Seen:
        p50, p99 = np.quantile(done, [0.5, 0.99])
        return cls(share=cpu_seconds / seconds, p50_seconds=float(p50), p99_seconds=float(p99))


def _real(programs: Sequence[Program], seconds: float = _SECONDS) -> list[dict[str, Any]]:
    """What the programs print that the kernel runs side by side."""
    start = time.perf_counter() + 1.0
    started = [
        subprocess.Popen(
            [
                sys.executable,
                str(_PROGRAM),
                *(str(each) for each in (_core(), program.nice, program.job_seconds, start, start + seconds)),
                "busy" if program.pause_seconds is None else str(program.pause_seconds),
                str(seed),
            ],
            stdout=subprocess.PIPE,
        )
        for seed, program in enumerate(programs)
    ]
    return [json.loads(process.communicate(timeout=60)[0]) for process in started]


def _modelled(
    programs: Sequence[Program], needs: Sequence[Floats], scheduler: CpuScheduler, seconds: float
) -> list[Seen]:
    kernel = Kernel()
    host = HostCpu(kernel, name="test", cores=1, processes=len(programs), scheduler=scheduler)
    done: list[list[float]] = [[] for _ in programs]

    def start(number: int, program: Program) -> None:
        weight = niceness.WEIGHTS[program.nice] / niceness.WEIGHTS[0]
        station = Station(kernel, host, name="test", process=number, workers=1, weight=weight)
        rng = np.random.default_rng(number)

        def come() -> None:
            due = kernel.now

            def end(_served: bool) -> None:
                done[number].append(kernel.now - due)
                if program.pause_seconds is None:
                    come()

            station.submit(float(rng.choice(needs[number])), end)
            if program.pause_seconds is not None:
                kernel.after(rng.exponential(program.pause_seconds), come)

        kernel.after(0.0001 * number, come)

    for number, program in enumerate(programs):
        start(number, program)
    kernel.run(until_seconds=seconds)
    host.account().check()
    return [Seen.of(done[number], host.cpu_seconds[number], seconds) for number in range(len(programs))]


def _differ(real: Seen, modelled: Seen) -> list[str]:
    return [
        f"{name}: {getattr(real, name):.5f} in the kernel, {getattr(modelled, name):.5f} in the model"
        for name in ("share", "p50_seconds", "p99_seconds")
        if abs(getattr(modelled, name) / getattr(real, name) - 1.0) > 0.1
    ]


@pytest.fixture(scope="module", name="alone")
def _alone() -> Floats:
    """Seconds of jobs that nothing runs beside."""
    return np.array(_real([Program(job_seconds=_JOB_SECONDS)], 2.0)[0]["done"])


@pytest.fixture(scope="module", name="scheduler")
def _scheduler() -> CpuScheduler:
    return turns.probe(_core())


def _core() -> int:
    return max(os.sched_getaffinity(0))


@pytest.mark.parametrize("case", CASES)
def test_programs_share_a_core_in_the_model_as_in_the_kernel(case: str, alone: Floats, scheduler: CpuScheduler) -> None:
    programs = CASES[case]
    for left in reversed(range(_TRIES)):
        told = _real(programs)
        real = [Seen.of(each["done"], each["cpu"], _SECONDS) for each in told]
        needs = [alone / alone.mean() * each["cpu"] / len(each["done"]) for each in told]
        modelled = _modelled(programs, needs, scheduler, 60.0)
        differences = [_differ(*each) for each in zip(real, modelled, strict=True)]
        if not any(differences):
            return
        assert left, differences


def test_who_wakes_up_beside_a_busy_process_gets_the_core_as_soon_as_the_probe_says(scheduler: CpuScheduler) -> None:
    assert scheduler.wake_up_seconds is not None
    assert scheduler.wake_up_p99_seconds is not None
    assert scheduler.slice_seconds <= scheduler.tick_seconds
    assert scheduler.wake_up_seconds < scheduler.slice_seconds
