"""CPU that the stack uses without traffic, and how much that varies."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lab.sampler import UsageSampler
from present.progress import task
from stack.control import RunningStack
from stack.usage import Accounting

IDLE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """By process: share of a core, and the standard deviation of what it uses in one second."""

    ratio: Mapping[str, float]
    sigma_seconds: Mapping[str, float]
    seconds: float = IDLE_SECONDS  # how long it was observed

    def error_seconds(self, process: str, seconds: float) -> float:
        """Standard error of a process's use over ``seconds`` minus its idle use, which varies, and whose mean is known
        from `self.seconds` only."""
        return self.sigma_seconds.get(process, 0.0) * math.sqrt(max(0.0, seconds) * (1.0 + seconds / self.seconds))

    @property
    def whole_ratio(self) -> float:
        """Share of a core that all processes use together."""
        return sum(self.ratio.values())


def measure(stack: RunningStack, *, seconds: float = IDLE_SECONDS) -> Idle:
    """Observe a stack without traffic for ``seconds``."""
    with task("idle") as report:
        accounting = Accounting()
        with UsageSampler(lambda: accounting.read(stack), t0_unix=time.time()) as sampler:
            for second in range(int(seconds) + 1):
                report(second, seconds)
                time.sleep(1.0)
        rows = sampler.rows(first_second=0, last_second=int(seconds))
    used: dict[str, list[float]] = {}
    for name, _, spent in rows:
        used.setdefault(name, []).append(max(0.0, spent))
    return Idle(
        ratio={name: float(np.mean(each)) for name, each in used.items()},
        sigma_seconds={name: float(np.std(each)) for name, each in used.items()},
        seconds=seconds,
    )
