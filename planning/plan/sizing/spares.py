"""Spares: increased until the machines' part of the availability holds, as far as more spares help."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from planning.plan.brief import Brief
from planning.plan.sizing import availability, candidates, size
from planning.plan.sizing.availability import Availability
from planning.plan.sizing.size import RegionPlan, Shapes, Spares

_SPARES_MAX: Final = 512


def reached(
    known: Brief, shapes: Shapes, regions: tuple[RegionPlan, ...], down_max: float
) -> tuple[Spares, tuple[RegionPlan, ...], Availability]:
    """The spares, from those of the intent on, with which people are unserved for at most ``down_max`` of the time, as
    far as more spares help. ``regions`` have the intent's spares."""
    spares = size.asked(known)
    found = availability.availability_of(known, regions)
    while found.down_ratio > down_max and max(spares.machines, spares.spot) < _SPARES_MAX:
        more = _more(spares, found.causes[0].name)
        if more is None:
            break  # no spare removes the worst cause
        wider = candidates.fleet(known, shapes, more)
        better = availability.availability_of(known, wider)
        if better.down_ratio >= found.down_ratio * 0.999:
            break
        spares, regions, found = more, wider, better
    return spares, regions, found


def _more(spares: Spares, cause: str) -> Spares | None:
    if cause == availability.MACHINES:
        return replace(spares, machines=spares.machines + max(1, spares.machines // 4))
    if cause == availability.SPOT_MACHINES:
        return replace(spares, spot=spares.spot + max(1, spares.spot // 4))
    if cause == availability.SHARD:
        return replace(spares, replicas=spares.replicas + 1)
    return None
