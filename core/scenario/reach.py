"""Where each field of a scenario acts: on the stack, on the model, on a plan.

`docs/FIELDS.md` is this table. A field that does not act on a side and has another value than its default is noted in
that side's output (`without_effect`); what a side cannot do at all it refuses by name (`stack.unsupported`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from core.scenario.model import Scenario
from core.scenario.reader import flat, parse


class Acts(StrEnum):
    """Whether a field acts on a side."""

    YES = "acts"
    NO = "no"
    REFUSED = "refused"  # by name, where it has another value than its default
    NOT_ITS = "–"  # the side has no use for it: a plan has no load of its own, a run has no intent


class Side(StrEnum):
    """What a scenario is given to."""

    STACK = "stack"
    MODEL = "model"
    PLAN = "plan"


class Reach(NamedTuple):
    """Where a field acts, and why not where it does not."""

    stack: Acts
    model: Acts
    plan: Acts
    why: str = ""

    def on(self, side: Side) -> Acts:
        """Whether it acts there."""
        found: Acts = getattr(self, side.value)
        return found


_Y, _N, _R, _X = Acts.YES, Acts.NO, Acts.REFUSED, Acts.NOT_ITS
_ALL: Final = Reach(_Y, _Y, _Y)
_RUN: Final = Reach(_Y, _Y, _X)
_PLAN: Final = Reach(_X, _X, _Y)
_MODEL: Final = Reach(_R, _Y, _X)

#: Every field by its name in the file; ``*`` stands for a name that the file chooses.
FIELDS: Final[Mapping[str, Reach]] = {
    "seed": _RUN,
    "population.people": _ALL,
    "population.follows.exponent": _ALL,
    "population.follows.mean": _ALL,
    "population.follows.maximum": _ALL,
    "population.posters": _RUN,
    "population.posts_per_poster": _RUN,
    "population.stories_per_poster": Reach(_Y, _N, _X, "a tray costs the same however many stories it shows"),
    "population.photo.width": _ALL,
    "population.photo.height": _ALL,
    "system.cells": Reach(_R, _Y, _N, "a plan sizes the whole service"),
    "system.regions.*.people": Reach(_R, _Y, _Y),
    "system.regions.*.utc_offset": Reach(_R, _Y, _Y),
    "system.regions.*.rtt": Reach(_R, _Y, _Y),
    "system.geo.rtt": Reach(_R, _Y, _Y),
    "system.geo.health_check": Reach(_R, _Y, _N, "a plan's availability counts the repair of a region"),
    "system.placement.cores.stack": _RUN,
    "system.placement.cores.load": Reach(_Y, _N, _X, "the load generator is not part of the model"),
    "system.placement.processes": _ALL,
    "system.placement.instances": _RUN,
    "system.placement.hosts": Reach(_R, _Y, _X),
    "system.admission": Reach(_Y, _Y, _N, "a plan keeps every limit without refusing"),
    "system.gateway.instances": _RUN,
    "system.gateway.origins": Reach(_Y, _N, _X, "the load sends no origins"),
    "system.gateway.limits.*": _RUN,
    "system.feed.instances": _RUN,
    "system.feed.page": _ALL,
    "system.feed.mix.*": Reach(_Y, _N, _N, "every post of a page costs the same, whatever its source"),
    "system.feed.deadlines.timeline": Reach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.deadlines.celebrities": Reach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.deadlines.hydrate": Reach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.card_ttl": Reach(_Y, _Y, _N, "a plan's hit ratios are intent.hits"),
    "system.breaker.failures": Reach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.breaker.open": Reach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.retry.attempts": Reach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.backoff": Reach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.backoff_cap": Reach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.budget": Reach(_Y, _Y, _N, "in a plan no call fails"),
    "system.fanout.threshold": _ALL,
    "system.fanout.hysteresis": _RUN,
    "system.fanout.depth": _ALL,
    "system.fanout.ttl": Reach(_Y, _Y, _N, "a plan's hit ratios are intent.hits"),
    "system.fanout.batch": Reach(_Y, _N, _N, "a timeline costs the same in a batch of any size"),
    "system.shards.logical": Reach(_Y, _Y, _Y),
    "system.shards.physical": _RUN,
    "system.shards.replicas": Reach(_R, _Y, _N, "a plan has intent.replicas"),
    "system.shards.replication.*": Reach(_R, _Y, _N, "a plan's replicas follow at once"),
    "system.redis.memory": Reach(_Y, _Y, _N, "a plan chooses the machines for what is to be held"),
    "system.redis.nodes": _MODEL,
    "system.redis.hot": _MODEL,
    "system.redis.hot_keys": _MODEL,
    "system.kafka.partitions": _RUN,
    "system.cdn.edge.size": _RUN,
    "system.cdn.shield.size": _RUN,
    "system.cdn.ttl": _ALL,
    "system.cdn.warm": Reach(_R, _Y, _X),
    "system.media.workers": _ALL,
    "traffic.warm_up": _RUN,
    "traffic.duration": _RUN,
    "traffic.arrivals": _RUN,
    "traffic.diurnal.*": _RUN,
    "traffic.rate": _RUN,
    "traffic.mix.*": _RUN,
    "traffic.viral.*": _RUN,
    "traffic.phases": _RUN,
    "traffic.timeout": _RUN,
    "faults": _RUN,
    "demand.*": _PLAN,
    "intent.*": _PLAN,
    "expect.*": _RUN,
    "prices": _ALL,
}


def without_effect(scenario: Scenario, side: Side) -> tuple[str, ...]:
    """A sentence for each field of ``scenario`` that does not act on ``side`` and has not its default."""
    usual = _usual()
    found = []
    for field, value in flat(scenario).items():
        reach = reach_of(field)
        if reach is not None and reach.on(side) is Acts.NO and usual.get(field) != value:
            found.append(f"{field} {value} does not act on the {side}: {reach.why}")
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _usual() -> dict[str, str]:
    return flat(parse("scenario: usual"))


def reach_of(field: str) -> Reach | None:
    """Where a field acts, by its name in the file; None for one that only names something."""
    if field in FIELDS:
        return FIELDS[field]
    words = field.split(".")
    for length in range(len(words), 0, -1):
        for pattern, reach in FIELDS.items():
            steps = pattern.split(".")
            if len(steps) <= length and all(step in ("*", word) for step, word in zip(steps, words, strict=False)):
                return reach
    return None
