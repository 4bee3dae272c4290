"""What clients ask for, by operation and second, before anything is simulated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core import traffic
from core.operations import BACKGROUND, OPERATIONS, steps_of
from core.scenario import Scenario

Floats = npt.NDArray[np.float64]


def parts_per_second(scenario: Scenario) -> dict[str, Floats]:
    """Offered rate of every operation and background job by second from the start of the warm-up, in two rows: what
    everybody asks for, and what the viral post adds."""
    load = scenario.traffic
    seconds = range(max(1, int(np.ceil(load.warm_up_seconds + load.duration_seconds))))
    middles = [second + 0.5 - load.warm_up_seconds for second in seconds]
    viral = load.viral
    extra = [traffic.viral_rate_per_second(viral, load.rate_per_second, at) if viral else 0.0 for at in middles]
    both = np.array([[load.rate_per_second] * len(middles), extra])
    rates = {name: np.zeros_like(both) for name in (*OPERATIONS, *BACKGROUND)}
    for act in sorted({*load.mix_ratio, *(viral.mix_ratio if viral else ())}):
        shares = np.array([load.mix_ratio.get(act, 0.0), viral.mix_ratio.get(act, 0.0) if viral else 0.0])
        for step in steps_of(act):
            rates[step] = rates[step] + shares[:, None] * both
    rates["media.process"] = rates["media.complete"]
    rates["fanout.deliver"] = rates["post.create"]
    return rates


def offered_per_second(scenario: Scenario) -> dict[str, tuple[float, ...]]:
    """Offered rate of every operation and background job, by second from the start of the warm-up."""
    return {name: tuple(both.sum(axis=0).tolist()) for name, both in parts_per_second(scenario).items()}
