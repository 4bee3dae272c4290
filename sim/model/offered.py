"""Offered rates by operation and second, before anything is simulated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core import arrivals, diurnal, operations
from core.scenario import Scenario

Floats = npt.NDArray[np.float64]


def rates_by_source(scenario: Scenario) -> dict[str, Floats]:
    """Offered rate of every operation and background job by second from the start of the warm-up, in two rows: the
    usual traffic, and the traffic that the viral post adds."""
    load, middles = scenario.traffic, _middles(scenario)
    viral = load.viral
    extra = [arrivals.viral_rate_per_second(viral, load.rate_per_second, at) if viral else 0.0 for at in middles]
    usual = load.rate_per_second * arrivals.phase_factors(scenario, middles)
    usual = usual * diurnal.weights(scenario, middles).sum(axis=0)
    both = np.array([usual, extra])
    rates = {name: np.zeros_like(both) for name in (*operations.OPERATIONS, *operations.BACKGROUND)}
    for act in sorted({*load.mix_ratio, *(viral.mix_ratio if viral else ())}):
        shares = np.array([load.mix_ratio.get(act, 0.0), viral.mix_ratio.get(act, 0.0) if viral else 0.0])
        for step in operations.steps_of(act):
            rates[step] = rates[step] + shares[:, None] * both
    rates[operations.MEDIA_PROCESS] = rates[operations.MEDIA_COMPLETE]
    deleting = (operations.MEDIA_DELETE, operations.POST_DELETE, operations.STORY_DELETE)
    rates[operations.MEDIA_REMOVE] = sum((rates[name] for name in deleting), np.zeros_like(both))
    rates[operations.FANOUT_DELIVER] = rates[operations.POST_CREATE]
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
