"""Demands of a profile from measured points; CPU that a background job used is charged to that job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from core.names import Component, Server
from core.operations import FANOUT_DELIVER, MEDIA_REMOVE, POST_CREATE, POST_DELETE, STORY_DELETE
from core.profile import CpuDemand
from lab.calibration.point import SteadyPoint
from lab.calibration.series import FEW, MANY, SHARES

#: A smaller demand counts as none.
_NOTHING_SECONDS: Final = 1e-6
#: Variation of a job's execution: no client waits for it, so its latency is not seen.
_JOB_VARIATION: Final = 0.3
#: Stores whose work grows with the number of timelines that a fan-out writes: it reads followers, writes timelines.
_PER_TIMELINE: Final = (str(Component.FANOUT), str(Server.REDIS), str(Server.POSTGRES))
_POST, _DELIVER, _REMOVE = POST_CREATE, FANOUT_DELIVER, MEDIA_REMOVE
#: Operations that delete something with photos; the photos are removed at once.
_DELETING: Final = (POST_DELETE, STORY_DELETE)


def fitted_demands(
    points: Sequence[SteadyPoint], *, few: float, many: float, timelines: float
) -> tuple[CpuDemand, ...]:
    """All demands. A fan-out was measured at ``few`` and at ``many`` timelines per post; the profile's is for
    ``timelines``."""
    by_name: dict[str, list[SteadyPoint]] = {}
    for point in sorted(points, key=lambda each: (each.operation, each.rate_per_second)):
        by_name.setdefault(point.operation, []).append(point)
    sizes = by_name.pop(_POST + FEW), by_name.pop(_POST + MANY)
    found = [demand for name, each in by_name.items() for demand in _shared(name, each)]
    found += _fanned_out(*sizes, few=few, many=many, timelines=timelines)
    return tuple(_without_removals(found))


def _shared(operation: str, points: Sequence[SteadyPoint]) -> Iterator[CpuDemand]:
    shares = SHARES.get(operation, {})
    for process in sorted({name for point in points for name in point.cpu_seconds}):
        parts = shares.get(process, {operation: 1.0})
        for name, share in parts.items():
            yield from _demand(
                name,
                process,
                [(point.rate_per_second, point.cpu_seconds.get(process, 0.0)) for point in points],
                ratio=share / sum(parts.values()),
                variation=points[0].variation if name == operation else _JOB_VARIATION,
            )


def _demand(
    operation: str, process: str, found: Sequence[tuple[float, float]], *, variation: float, ratio: float = 1.0
) -> Iterator[CpuDemand]:
    values = tuple(seconds * ratio for _, seconds in found)
    if max(values) > _NOTHING_SECONDS:
        yield CpuDemand(
            operation=operation,
            process=process,
            rates_per_second=tuple(rate for rate, _ in found),
            cpu_seconds=values,
            variation=variation,
        )


def _fanned_out(
    small: Sequence[SteadyPoint], large: Sequence[SteadyPoint], *, few: float, many: float, timelines: float
) -> Iterator[CpuDemand]:
    """A post's fixed cost, and its cost per timeline: a straight line through both sizes at every rate, with one slope
    for all rates."""
    pairs = list(zip(small, large, strict=True))
    rates = [min(one.rate_per_second, other.rate_per_second) for one, other in pairs]
    variation = small[0].variation
    for process in sorted({name for point in (*small, *large) for name in point.cpu_seconds}):
        ends = [(one.cpu_seconds.get(process, 0.0), other.cpu_seconds.get(process, 0.0)) for one, other in pairs]
        slope = 0.0
        if process in _PER_TIMELINE:
            slope = max(0.0, float(np.mean([(high - low) / (many - few) for low, high in ends])))
        middle = slope * (few + many) / 2.0
        constants = [max(0.0, (low + high) / 2.0 - middle) for low, high in ends]
        yield from _demand(_POST, process, list(zip(rates, constants, strict=True)), variation=variation)
        yield from _demand(_DELIVER, process, [(rates[0], slope * timelines)], variation=_JOB_VARIATION)


def _without_removals(found: Sequence[CpuDemand]) -> Iterator[CpuDemand]:
    """Subtract the removal of the photos of a deleted post or story, which has a separate demand."""
    removals = {each.process: each for each in found if each.operation == _REMOVE}
    for each in found:
        removal = removals.get(each.process) if each.operation in _DELETING else None
        if each.operation in _DELETING and each.process == Component.FANOUT and not _apart(found, each.operation):
            removal = removals.get(str(Component.MEDIA))
        if removal is None:
            yield each
            continue
        values = [
            (rate, max(0.0, seconds - removal.at(rate)))
            for rate, seconds in zip(each.rates_per_second, each.cpu_seconds, strict=True)
        ]
        yield from _demand(each.operation, each.process, values, variation=each.variation)


def _apart(found: Sequence[CpuDemand], operation: str) -> bool:
    """Whether the media worker, which removes photos, is not in one process with fan-out."""
    return any(each.operation == operation and each.process == Component.MEDIA for each in found)
