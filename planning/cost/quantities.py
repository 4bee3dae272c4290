"""What one run used, as rates: cores busy by process, requests by operation, bytes moved. The same for both origins.

Bytes are not in the samples, so they come from the run's ``facts`` if it recorded them and otherwise from sizes stated
here; the bill says which. Both sides of a pair use the same sizes, so a difference of their bills comes from what was
simulated and measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.bounds import JPEG_BYTES_PER_PIXEL
from core.names import Cache
from core.run import Run
from core.scenario.model import PhotoSettings, Scenario

#: WebP of the same photo against its JPEG.
WEBP_RATIO: Final = 0.7
#: Sides of the variants that the media worker makes: JPEG by width, and the one that is made as WebP too.
JPEG_WIDTHS: Final = (1080, 640, 150)
WEBP_WIDTH: Final = 640
VARIANTS_COUNT: Final = len(JPEG_WIDTHS) + 1
#: JSON of one post in a feed, and of any other answer of the API.
POST_JSON_BYTES: Final = 900.0
ANSWER_JSON_BYTES: Final = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledSizes:
    """Mean bytes of one thing each."""

    image_bytes: float  # as a reader loads it
    original_bytes: float
    variants_bytes: float  # all variants of one photo
    feed_bytes: float  # one answer to feed.read
    answer_bytes: float  # one other answer
    assumed: tuple[str, ...] = ()  # those that were neither recorded nor stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What a system uses, as long-term rates."""

    cores: Mapping[str, float]  # busy cores by process
    per_second: Mapping[str, float]  # requests sent, by operation
    answered_per_second: Mapping[str, float]  # of these, those that got what they asked for
    edge_miss_ratio: float  # of image reads
    shield_miss_ratio: float  # of what the edge missed
    redis_memory_bytes: float  # capacity of all nodes
    sizes: BilledSizes
    people: int


def of_run(run: Run) -> Quantities:
    """Rates over the run's judged time; raises ValueError when that is empty."""
    seconds = run.record.duration_seconds
    if seconds <= 0:
        raise ValueError(f"{run.folder}: a run of {seconds} s has no rates")
    samples = run.samples.judged()
    answered = samples.answered()
    return used(
        run.scenario,
        cores=_cores(run, seconds),
        per_second=_rates(samples.operation, seconds * run.rows_kept_ratio),
        answered_per_second=_rates(answered.operation, seconds * run.rows_kept_ratio),
        look_ups=((row["cache"], row["hit_count"], row["miss_count"]) for row in run.caches.to_pylist()),
        facts=run.record.facts,
    )


def used(
    scenario: Scenario,
    *,
    cores: Mapping[str, float],
    per_second: Mapping[str, float],
    answered_per_second: Mapping[str, float],
    look_ups: Iterable[tuple[str, int, int]],
    facts: Mapping[str, Any],
) -> Quantities:
    """What the system of a scenario used. ``look_ups`` are (cache, hits, misses); only their ratio counts, because the
    measured side's counters cover the warm-up too."""
    misses = {cache: miss / (hit + miss) for cache, hit, miss in look_ups if hit + miss}
    redis = scenario.system.redis
    return Quantities(
        cores=cores,
        per_second=per_second,
        answered_per_second=answered_per_second,
        edge_miss_ratio=misses.get(Cache.EDGE, 1.0),
        shield_miss_ratio=misses.get(Cache.SHIELD, 1.0),
        redis_memory_bytes=float(redis.memory_bytes * redis.nodes),
        sizes=sizes_of(scenario, facts),
        people=scenario.population.people,
    )


def sizes_of(scenario: Scenario, facts: Mapping[str, Any]) -> BilledSizes:
    """Sizes as ``facts`` has them under these names with ``_mean``, such as ``image_bytes_mean``, else as assumed."""
    photo = scenario.population.photo
    jpegs = sum(_jpeg_bytes(width, photo) for width in JPEG_WIDTHS)
    assumed = {
        "image_bytes": _jpeg_bytes(640, photo),
        "original_bytes": photo.width * photo.height * JPEG_BYTES_PER_PIXEL,
        "variants_bytes": jpegs + _jpeg_bytes(WEBP_WIDTH, photo) * WEBP_RATIO,
        "feed_bytes": scenario.system.feed.page * POST_JSON_BYTES,
        "answer_bytes": ANSWER_JSON_BYTES,
    }
    known = {name: facts.get(f"{name}_mean") for name in assumed}
    recorded = {name: float(value) for name, value in known.items() if isinstance(value, int | float)}
    return BilledSizes(**{**assumed, **recorded}, assumed=tuple(name for name in assumed if name not in recorded))


def _jpeg_bytes(width: int, photo: PhotoSettings) -> float:
    """A variant is never larger than the photo."""
    width = min(width, photo.width)
    return width * width * photo.height / photo.width * JPEG_BYTES_PER_PIXEL


def _cores(run: Run, seconds: float) -> dict[str, float]:
    second = run.usage.column("second").to_numpy()
    spent = run.usage.column("cpu_seconds").to_numpy()
    names = np.asarray(run.usage.column("process").to_pylist(), dtype=object)
    judged = (second >= 0) & (second < seconds)
    return {str(name): float(spent[judged & (names == name)].sum()) / seconds for name in dict.fromkeys(names[judged])}


def _rates(operations: np.typing.NDArray[np.object_], seconds: float) -> dict[str, float]:
    names, counts = np.unique(operations.astype(str), return_counts=True)
    return {str(name): int(count) / seconds for name, count in zip(names, counts, strict=True)}
