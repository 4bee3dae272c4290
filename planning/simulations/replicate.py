"""Replications: one scenario under several seeds, the same seeds for every setting.

Replication 0 is the scenario's own seed, so that it is what `windtunnel simulate` shows; the others are drawn from it.
Because a random number is a function of (seed, stream, entity, visit), two settings under one seed see the same
arrivals and the same demands, and their difference is not noise (common random numbers).
"""

from __future__ import annotations

import dataclasses

from core import streams
from core.scenario import Scenario


def seed_of(seed: int, replication: int) -> int:
    """The seed of a replication for a scenario's ``seed``."""
    if replication == 0:
        return seed
    return streams.named(seed, "studies.replication").bits(replication) >> 1


def replication_of(scenario: Scenario, replication: int, *, seed: int | None = None) -> Scenario:
    """The scenario as it is simulated in a replication; ``seed`` instead of its own where two scenarios are paired."""
    base = scenario.seed if seed is None else seed
    return dataclasses.replace(scenario, seed=seed_of(base, replication))
