"""What clients ask for, by operation and second, before anything is simulated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core import arrivals, diurnal
from core.operations import (
    BACKGROUND,
    FANOUT_DELIVER,
    MEDIA_COMPLETE,
    MEDIA_DELETE,
    MEDIA_PROCESS,
    MEDIA_REMOVE,
    OPERATIONS,
    POST_CREATE,
    POST_DELETE,
    STORY_DELETE,
    steps_of,
)
from core.scenario import Scenario

Floats = npt.NDArray[np.float64]


def rates_by_source(scenario: Scenario) -> dict[str, Floats]:
    """Offered rate of every operation and background job by second from the start of the warm-up, in two rows: the
    usual traffic, and what the viral post adds."""
    load, middles = scenario.traffic, _middles(scenario)
    viral = load.viral
    extra = [arrivals.viral_rate_per_second(viral, load.rate_per_second, at) if viral else 0.0 for at in middles]
    usual = load.rate_per_second * diurnal.weights(scenario, middles).sum(axis=0)
    both = np.array([usual, extra])
    rates = {name: np.zeros_like(both) for name in (*OPERATIONS, *BACKGROUND)}
    for act in sorted({*load.mix_ratio, *(viral.mix_ratio if viral else ())}):
        shares = np.array([load.mix_ratio.get(act, 0.0), viral.mix_ratio.get(act, 0.0) if viral else 0.0])
        for step in steps_of(act):
            rates[step] = rates[step] + shares[:, None] * both
    rates[MEDIA_PROCESS] = rates[MEDIA_COMPLETE]
    rates[MEDIA_REMOVE] = rates[MEDIA_DELETE] + rates[POST_DELETE] + rates[STORY_DELETE]
    rates[FANOUT_DELIVER] = rates[POST_CREATE]
    return rates


def offered_per_second(scenario: Scenario) -> dict[str, tuple[float, ...]]:
    """Offered rate of every operation and background job, by second from the start of the warm-up."""
    return {name: tuple(both.sum(axis=0).tolist()) for name, both in rates_by_source(scenario).items()}


def shares_per_second(scenario: Scenario) -> Floats:
    """Share of the rate that comes from each region's people: one row per region; they add up to 1 in every second."""
    weights = diurnal.weights(scenario, _middles(scenario))
    shares: Floats = weights / weights.sum(axis=0)
    return shares


def _middles(scenario: Scenario) -> Floats:
    load = scenario.traffic
    seconds = max(1, int(np.ceil(load.warm_up_seconds + load.duration_seconds)))
    return np.arange(seconds, dtype=np.float64) + 0.5 - load.warm_up_seconds
