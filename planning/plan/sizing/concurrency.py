"""Concurrency limits: the utilisation at which a process cannot take another request or photo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from core.bounds import REQUESTS_UNDER_WAY_MAX
from core.names import Component
from core.operations import MEDIA_PROCESS, OPERATIONS
from planning.plan.brief import Brief, Case, PlanError
from planning.plan.queueing.demands import OperationDemand
from planning.plan.queueing.loads import GroupLoad
from planning.plan.sizing import fleets, targets, tiers
from planning.plan.sizing.targets import TierOffer


def concurrency_limits(
    brief: Brief,
    rates: Mapping[str, float],
    load_of: Mapping[str, GroupLoad],
    offers: Mapping[str, TierOffer],
    busy: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Utilisation at which a process is full, by group and by what it holds.

    The number in progress is rate × time (Little 1961), and both rate and time of one process follow from its
    utilisation, so the limit does not depend on the number of processes.
    """
    levels = np.linspace(0.02, 1.0, 50)
    whole = targets.at(brief, load_of, offers, {name: levels * each for name, each in busy.items()}, Case())
    ratio = fleets.misses(brief, Case())
    found: dict[str, dict[str, float]] = {}
    for group, members in brief.scenario.system.placement.processes.items():
        cores = load_of.get(group, GroupLoad()).cores
        if not cores[0]:
            continue
        processes = cores / (offers[group].unit.work * levels * busy[group])
        for what, jobs, room in _held(brief, members):
            inside = sum(rates.get(name, 0.0) * whole.latency(job, ratio).mean() for name, job in jobs.items())
            full = room * (busy[group] if what == tiers.PHOTOS else 1.0)
            fits = np.flatnonzero(np.asarray(inside) / processes <= full)
            if not len(fits):
                raise PlanError(f"{group}: one process has no room for its {what}, with {room} at once")
            found.setdefault(group, {})[what] = float(levels[fits[-1]] * busy[group])
    return found


def _held(brief: Brief, members: tuple[Component, ...]) -> Iterator[tuple[str, dict[str, OperationDemand], int]]:
    """(what processes of these components hold, its operations, how many at once)."""
    known = brief.demands.operations
    asked = {name: job for name, job in known.items() if name in OPERATIONS and job.component in members}
    if asked:
        yield tiers.REQUESTS, asked, REQUESTS_UNDER_WAY_MAX * len(members)
    photos = {name: job for name, job in known.items() if name == MEDIA_PROCESS}
    if photos and Component.MEDIA in members:
        yield tiers.PHOTOS, photos, brief.scenario.system.media.workers
