"""Where each field of a scenario acts: on the stack, on the model, on a plan.

`docs/FIELDS.md` is this table. A field that does not act on a side and has another value than its default is noted in
that side's output (`without_effect`); what a side cannot do at all it refuses by name (`stack.unsupported`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from core.scenario.model import Scenario
from core.scenario.reader import flat, parse


class FieldEffect(StrEnum):
    """Whether a field acts on a side."""

    YES = "acts"
    NO = "no"
    REFUSED = "refused"  # by name, where it has another value than its default
    NOT_ITS = "–"  # the side has no use for it: a plan has no load of its own, a run has no intent


class ScenarioSide(StrEnum):
    """What a scenario is given to."""

    STACK = "stack"
    MODEL = "model"
    PLAN = "plan"


class FieldReach(NamedTuple):
    """Where a field acts, and why not where it does not."""

    stack: FieldEffect
    model: FieldEffect
    plan: FieldEffect
    why: str = ""

    def on(self, side: ScenarioSide) -> FieldEffect:
        """Whether it acts there."""
        found: FieldEffect = getattr(self, side.value)
        return found


_NUMBER: Final = re.compile(r"\[\d+\]")
_Y, _N, _R, _X = FieldEffect.YES, FieldEffect.NO, FieldEffect.REFUSED, FieldEffect.NOT_ITS
_ALL: Final = FieldReach(_Y, _Y, _Y)
_RUN: Final = FieldReach(_Y, _Y, _X)
_PLAN: Final = FieldReach(_X, _X, _Y)
_MODEL: Final = FieldReach(_R, _Y, _X)

#: Every field by its name in the file; ``*`` stands for a name that the file chooses.
FIELDS: Final[Mapping[str, FieldReach]] = {
    "seed": _RUN,
    "population.people": FieldReach(_Y, _Y, _N, "a plan has demand.users and demand.daily_users"),
    "population.follows.distribution": FieldReach(_X, _X, _X, "there is one"),
    "population.follows.exponent": _ALL,
    "population.follows.mean": _ALL,
    "population.follows.maximum": _ALL,
    "population.posters": _RUN,
    "population.posts_per_poster": _RUN,
    "population.stories_per_poster": FieldReach(_Y, _N, _X, "a tray costs the same however many stories it shows"),
    "population.photo.width": _ALL,
    "population.photo.height": _ALL,
    "system.cells": FieldReach(_R, _Y, _N, "a plan sizes the whole service"),
    "system.regions.*.people": FieldReach(_R, _Y, _Y),
    "system.regions.*.utc_offset": FieldReach(_R, _Y, _N, "a plan takes the busiest hour of each region"),
    "system.regions.*.rtt": FieldReach(_R, _Y, _Y),
    "system.geo.rtt": FieldReach(_R, _Y, _Y),
    "system.geo.health_check": FieldReach(_R, _Y, _N, "a plan's availability counts the repair of a region"),
    "system.placement.cores.stack": _RUN,
    "system.placement.cores.load": FieldReach(_Y, _N, _X, "the load generator is not part of the model"),
    "system.placement.processes.*": _ALL,
    "system.placement.instances": _RUN,
    "system.placement.hosts": FieldReach(_R, _Y, _X),
    "system.admission": FieldReach(_Y, _Y, _N, "a plan keeps every limit without refusing"),
    "system.gateway.instances": _RUN,
    "system.gateway.origins": FieldReach(_Y, _N, _X, "the load sends no origins"),
    "system.gateway.limits.*": _RUN,
    "system.feed.instances": _RUN,
    "system.feed.page": _ALL,
    "system.feed.mix.*": FieldReach(_Y, _Y, _N, "in a plan every post of a page costs the same, whatever its source"),
    "system.feed.deadlines.timeline": FieldReach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.deadlines.celebrities": FieldReach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.deadlines.hydrate": FieldReach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.feed.card_ttl": FieldReach(_Y, _Y, _N, "a plan's hit ratios are intent.hits"),
    "system.breaker.failures": FieldReach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.breaker.open": FieldReach(_Y, _Y, _N, "a plan has no read that falls back"),
    "system.retry.attempts": FieldReach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.backoff": FieldReach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.backoff_cap": FieldReach(_Y, _Y, _N, "in a plan no call fails"),
    "system.retry.budget": FieldReach(_Y, _Y, _N, "in a plan no call fails"),
    "system.fanout.threshold": _ALL,
    "system.fanout.hysteresis": FieldReach(_Y, _N, _N, "no author crosses the threshold during a run of the model"),
    "system.fanout.depth": _ALL,
    "system.fanout.ttl": FieldReach(_Y, _Y, _N, "a plan's hit ratios are intent.hits"),
    "system.fanout.batch": FieldReach(_Y, _N, _N, "a timeline costs the same in a batch of any size"),
    "system.shards.logical": FieldReach(_Y, _Y, _Y),
    "system.shards.physical": _RUN,
    "system.shards.replicas": FieldReach(_R, _Y, _N, "a plan has intent.replicas"),
    "system.shards.replication.*": FieldReach(_R, _Y, _N, "a plan's replicas follow at once"),
    "system.shards.connections": FieldReach(_Y, _Y, _N, "a plan's services always find a connection"),
    "system.redis.connections": FieldReach(_Y, _Y, _N, "a plan's services always find a connection"),
    "system.redis.memory": FieldReach(_Y, _Y, _N, "a plan chooses the machines for what is to be held"),
    "system.redis.nodes": _MODEL,
    "system.redis.hot": _MODEL,
    "system.redis.hot_keys": _MODEL,
    "system.kafka.partitions": _RUN,
    "system.cdn.edge.size": _RUN,
    "system.cdn.shield.size": _RUN,
    "system.cdn.ttl": FieldReach(_Y, _Y, _N, "a plan's tiers keep photos until they need the room"),
    "system.cdn.warm": FieldReach(_R, _Y, _X),
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


def without_effect(scenario: Scenario, side: ScenarioSide) -> tuple[str, ...]:
    """A sentence for each field of ``scenario`` that does not act on ``side`` and has not its default."""
    usual, found = _usual(), []
    for field, value in flat(scenario).items():
        row = _row_of(field)
        if row and FIELDS[row].on(side) is FieldEffect.NO and value not in usual.get(row, ()):
            found.append(f"{field} {value} does not act on the {side}: {FIELDS[row].why}")
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _usual() -> dict[str, set[str]]:
    """The defaults by row: those of a name that the file chooses are those of the names that it usually has."""
    found: dict[str, set[str]] = {}
    for field, value in flat(parse("scenario: usual")).items():
        found.setdefault(_row_of(field), set()).add(value)
    return found


def reach_of(field: str) -> FieldReach | None:
    """Where a field acts, by its name in the file; None for one that only names something."""
    return FIELDS.get(_row_of(field))


def _row_of(field: str) -> str:
    """The row of a field; empty where there is none."""
    field = _NUMBER.sub("", field)
    for name in (field, f"{field}.*"):
        if name in FIELDS:
            return name
    words = field.split(".")
    for length in range(len(words), 0, -1):
        for row in FIELDS:
            steps = row.split(".")
            if len(steps) <= length and all(step in ("*", word) for step, word in zip(steps, words, strict=False)):
                return row
    return ""
