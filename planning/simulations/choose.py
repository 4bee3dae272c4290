"""Chooses where simulations run: in this process, on processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from planning.simulations.cluster import Cluster
from planning.simulations.runners import Inline, Runner, StudyPool, cores


def choose(scheduler: str | None, workers: int | None) -> Runner:
    """A cluster where its address is given, else as many processes as asked for or as there are cores."""
    if scheduler is not None:
        return Cluster(scheduler)
    count = workers or cores()
    return Inline() if count == 1 else StudyPool(count)
