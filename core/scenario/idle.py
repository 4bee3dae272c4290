"""Fields of a scenario without effect on either side: each is reported by name, so that none is ignored silently.

Fields that affect only the model are refused by the stack instead (`stack.unsupported`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from core.scenario.impossible import FieldPath
from core.scenario.model import Diurnal, RedisServer, Scenario
from core.scenario.regions import Geo
from core.scenario.retired import DEADLINES
from core.scenario.shards import Replication

_DEADLINES: Final = ("system", "feed", "deadlines")


def idle(scenario: Scenario, data: Any) -> Iterator[tuple[FieldPath, str]]:
    """Each such field of ``scenario``, whose file holds ``data``, and why it has no effect."""
    deadlines = _part(data, _DEADLINES)
    for name, why in DEADLINES.items():
        if name in deadlines:
            yield (*_DEADLINES, name), why
    if scenario.intent is not None:
        return  # a plan determines these
    system, redis = scenario.system, RedisServer()
    if system.redis.nodes == 1:
        why = "counters are split on a cluster only (system.redis.nodes)"
        if system.redis.hot_per_second != redis.hot_per_second:
            yield ("system", "redis", "hot"), why
        if system.redis.hot_keys != redis.hot_keys:
            yield ("system", "redis", "hot_keys"), why
    if len(system.regions) == 1 and system.geo != Geo():
        yield ("system", "geo"), "there is one region (system.regions)"
    if not system.shards.replicas and system.shards.replication != Replication():
        yield ("system", "shards", "replication"), "there are no replicas (system.shards.replicas)"
    if scenario.traffic.arrivals != "diurnal" and scenario.traffic.diurnal != Diurnal():
        yield ("traffic", "diurnal"), "arrivals are not diurnal (traffic.arrivals)"


def _part(data: Any, path: FieldPath) -> Mapping[str, Any]:
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}
