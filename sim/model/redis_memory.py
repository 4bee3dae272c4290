"""What Redis holds that it may evict, in bytes, and how its memory is divided: timelines and cards.

Redis evicts the least recently used of all keys that have a time to live, which are these. If they do not fit, each
kind gets the share of the memory that it has of the bytes: all keys then stay for about as long after their last use.
Counters and sets, which stay, are small beside them and left out. Bytes are those of Redis 7 with 64-bit numbers
(`tests/planner/test_workload.py` compares them with measured ones).
"""

from __future__ import annotations

import math
from typing import Final

from core.names import Cache
from core.scenario import Scenario
from sim.model.content import Content

#: A sorted set of up to 128 entries is a list with 24 bytes for each; a larger one has 119 for each and 1.6 kB.
_LISTED_MAX: Final = 128
_LISTED_BYTES: Final = 24.0
_SORTED_BYTES: Final = 119.0
_SORTED_START_BYTES: Final = 1_600.0
#: For the key and header of any value, and for those of a card, whose key is longer.
KEY_BYTES: Final = 100.0
CARD_KEY_BYTES: Final = 196.0
#: Of a card itself.
POST_CARD_BYTES: Final = 900
AUTHOR_CARD_BYTES: Final = 150


def sorted_set_bytes(entries: float) -> float:
    """A Redis sorted set of post ids."""
    if entries <= _LISTED_MAX:
        return KEY_BYTES + entries * _LISTED_BYTES
    return _SORTED_START_BYTES + entries * _SORTED_BYTES


def entries_max(content: Content, scenario: Scenario) -> dict[Cache, float]:
    """How many timelines and cards a region's Redis has room for; infinite where all fit."""
    people, redis, regions = content.people, scenario.system.redis, len(scenario.system.regions)
    posts = people.posters * scenario.population.posts_per_poster
    readers = len(content.followers()) / regions
    pushed = content.mean_push_count() * posts / max(1, len(content.followers()))
    each_bytes = {
        Cache.TIMELINE: sorted_set_bytes(min(float(scenario.system.fanout.depth), pushed)),
        Cache.POST_CARD: POST_CARD_BYTES + CARD_KEY_BYTES,
        Cache.AUTHOR_CARD: AUTHOR_CARD_BYTES + KEY_BYTES,
    }
    counts = {Cache.TIMELINE: readers, Cache.POST_CARD: float(posts), Cache.AUTHOR_CARD: float(people.posters)}
    whole = sum(counts[name] * size for name, size in each_bytes.items())
    memory = float(redis.memory_bytes * redis.nodes)
    if whole <= memory:
        return dict.fromkeys(each_bytes, math.inf)
    return {name: math.floor(counts[name] * memory / whole) for name in each_bytes}
