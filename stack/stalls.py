"""Measures how often, and for how long, the host takes a core away: a busy loop reads the clock and counts the gaps.

In a loop that is never stalled the clock advances by well under a microsecond per step. In a step of more than 50 µs
the core did something else: for the hypervisor, an interrupt, or another process. The model needs it as vacations of
the host, and a run far outside of the calibrated range is void.

Run as ``python -m stack.stalls CORE SECONDS`` it prints its result as JSON: the caller's own threads would count as
stalls, so `probe` runs it in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Final

import msgspec

#: Upper bounds of the classes of length, in seconds; a longer one (never seen yet) counts in the last class.
BOUNDS_SECONDS: Final = (100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 1.0)
GAP_SECONDS_MIN: Final = 50e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class StallSample:
    """The result of one probe."""

    core: int
    seconds: float  # duration of the probe
    upto_seconds: tuple[float, ...]  # upper bound of each class of length
    counts: tuple[int, ...]
    totals_seconds: tuple[float, ...]  # their sums
    longest_seconds: float
    clock_step_seconds: float  # median step of the clock: the resolution of the probe

    @property
    def lost_ratio(self) -> float:
        """Share of the time that was taken away."""
        return sum(self.totals_seconds) / self.seconds

    @property
    def per_second(self) -> tuple[float, ...]:
        """Stalls a second in each class."""
        return tuple(count / self.seconds for count in self.counts)

    @property
    def mean_seconds(self) -> tuple[float, ...]:
        """Mean length in each class; 0 if there was none."""
        return tuple(
            total / count if count else 0.0 for total, count in zip(self.totals_seconds, self.counts, strict=True)
        )


def merged(samples: Sequence[StallSample]) -> StallSample:
    """Several probes of one core as one: a stall of many milliseconds is rare, and one probe sees too many or none."""
    first = samples[0]
    return replace(
        first,
        seconds=sum(each.seconds for each in samples),
        counts=tuple(sum(counts) for counts in zip(*(each.counts for each in samples), strict=True)),
        totals_seconds=tuple(sum(totals) for totals in zip(*(each.totals_seconds for each in samples), strict=True)),
        longest_seconds=max(each.longest_seconds for each in samples),
    )


def spin(core: int, seconds: float) -> StallSample:
    """Spin on ``core`` for ``seconds`` (this thread is pinned there and stays so); raises OSError for no such core."""
    os.sched_setaffinity(0, {core})
    clock = time.perf_counter_ns
    gap_min = round(GAP_SECONDS_MIN * 1e9)
    gaps: list[int] = []
    steps = [clock() for _ in range(2001)]
    began = last = clock()
    end = began + round(seconds * 1e9)
    while last < end:
        now = clock()
        if now - last > gap_min:
            gaps.append(now - last)
            now = clock()  # without the time that recording it took
        last = now
    counts, totals = [0] * len(BOUNDS_SECONDS), [0.0] * len(BOUNDS_SECONDS)
    for gap in gaps:
        index = sum(gap / 1e9 > bound for bound in BOUNDS_SECONDS[:-1])
        counts[index] += 1
        totals[index] += gap / 1e9
    between = sorted(b - a for a, b in pairwise(steps))
    return StallSample(
        core=core,
        seconds=(last - began) / 1e9,
        upto_seconds=BOUNDS_SECONDS,
        counts=tuple(counts),
        totals_seconds=tuple(totals),
        longest_seconds=max(gaps, default=0) / 1e9,
        clock_step_seconds=between[len(between) // 2] / 1e9,
    )


def probe(core: int, seconds: float) -> StallSample:
    """`spin` in a process of its own; blocks for ``seconds``. Raises OSError when the core cannot be used."""
    done = subprocess.run(
        [sys.executable, "-m", "stack.stalls", str(core), str(seconds)],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 30,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise OSError(f"cannot measure stalls on core {core}: {said[-1] if said else 'no message'}")
    return msgspec.json.decode(done.stdout, type=StallSample)


if __name__ == "__main__":
    print(json.dumps(asdict(spin(int(sys.argv[1]), float(sys.argv[2])))))  # noqa: T201 - its result
