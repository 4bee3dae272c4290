"""The lag of background work on a running stack, from the services' metrics: what happened between two readings."""

from __future__ import annotations

import math
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from core.messages import PostCreated
from core.names import CONSUMER_LAG_SECONDS, PHOTO_SECONDS, Component
from stack.control import RunningStack

#: What each kind of background work does, the component that does it, and its histogram and topic.
LANES: Final = {
    "photo ready": (Component.MEDIA, PHOTO_SECONDS, None),
    "post at its last follower": (Component.FANOUT, CONSUMER_LAG_SECONDS, PostCreated.topic),
    "post searchable": (Component.SEARCH, CONSUMER_LAG_SECONDS, PostCreated.topic),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Lags of one kind of work: how many, their sum, and how many were at most each bound."""

    count: float = 0.0
    seconds: float = 0.0
    within: Mapping[float, float] = field(default_factory=dict)

    def since(self, earlier: Lag) -> Lag:
        """What was added since ``earlier``."""
        return Lag(
            count=self.count - earlier.count,
            seconds=self.seconds - earlier.seconds,
            within={bound: count - earlier.within.get(bound, 0.0) for bound, count in self.within.items()},
        )

    @property
    def mean(self) -> float:
        """Mean in seconds; NaN without any."""
        return self.seconds / self.count if self.count else math.nan

    @property
    def longest_bound(self) -> float:
        """A bound that none exceeded, at most twice the longest; 0 without any."""
        return min((bound for bound, count in self.within.items() if count >= self.count), default=0.0)


def read(stack: RunningStack) -> dict[str, Lag]:
    """The lags of each lane since the stack started."""
    return {name: _lag(stack, *lane) for name, lane in LANES.items()}


def _lag(stack: RunningStack, component: Component, metric: str, topic: str | None) -> Lag:
    count = seconds = 0.0
    within: dict[float, float] = {}
    for url in stack.components[component]:
        with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        for sample in (each for family in families for each in family.samples):
            if sample.labels.get("topic") != topic:
                continue
            if sample.name == f"{metric}_bucket":
                bound = float(sample.labels["le"])
                within[bound] = within.get(bound, 0.0) + sample.value
            elif sample.name == f"{metric}_count":
                count += sample.value
            elif sample.name == f"{metric}_sum":
                seconds += sample.value
    return Lag(count=count, seconds=seconds, within=within)
