"""Chooses where simulations run: in this process, on processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from planning.simulations.cluster import Cluster
from planning.simulations.runners import Inline, Runner, StudyPool, cores


def choose(scheduler: str | None, workers: int | None) -> Runner:
    """A cluster if an address is given, otherwise ``workers`` processes, by default one for each core."""
    if scheduler is not None:
        return Cluster(scheduler)
    count = workers or cores()
    return Inline() if count == 1 else StudyPool(count)
