"""Reads the services' metrics, stage times and cache look-ups, as differences between two moments."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from core.names import CACHE_LOOKUPS_TOTAL, STAGE_SECONDS

_TIMEOUT_SECONDS = 2.0

K = TypeVar("K")
StageKey = tuple[str, str, str]  # component, operation, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """Counters of all services at one moment, since they started."""

    stage_count: Mapping[StageKey, float]
    stage_seconds: Mapping[StageKey, float]
    lookups: Mapping[tuple[str, str], float]  # (cache, hit or miss)

    def since(self, earlier: Scrape) -> Scrape:
        """The difference of two readings; a counter that decreased, after a restart, counts from zero."""
        return Scrape(
            stage_count=_difference(self.stage_count, earlier.stage_count),
            stage_seconds=_difference(self.stage_seconds, earlier.stage_seconds),
            lookups=_difference(self.lookups, earlier.lookups),
        )

    def stage_rows(self) -> list[tuple[str, str, str, int, float]]:
        """Rows for `core.run.write`."""
        return [
            (*key, round(count), self.stage_seconds[key]) for key, count in sorted(self.stage_count.items()) if count
        ]

    def cache_rows(self) -> list[tuple[str, int, int]]:
        """Rows for `core.run.write`."""
        caches = sorted({cache for cache, _ in self.lookups})
        return [
            (cache, round(self.lookups.get((cache, "hit"), 0)), round(self.lookups.get((cache, "miss"), 0)))
            for cache in caches
        ]


def fetched(urls: Sequence[str]) -> dict[str, str]:
    """``/metrics`` of every address that answers, read at the same time."""
    with ThreadPoolExecutor(max_workers=max(1, len(urls))) as readers:
        pages = zip(urls, readers.map(_page, urls), strict=True)
        return {url: page for url, page in pages if page is not None}


def parsed(pages: Iterable[str]) -> Scrape:
    """The sum of the counters of several pages."""
    from prometheus_client.parser import text_string_to_metric_families  # slow to import

    count: defaultdict[StageKey, float] = defaultdict(float)
    seconds: defaultdict[StageKey, float] = defaultdict(float)
    lookups: defaultdict[tuple[str, str], float] = defaultdict(float)
    for page in pages:
        for family in text_string_to_metric_families(page):
            for name, labels, value, *_ in family.samples:
                if name in (f"{STAGE_SECONDS}_count", f"{STAGE_SECONDS}_sum"):
                    key = (labels["component"], labels["operation"], labels["stage"])
                    (count if name.endswith("_count") else seconds)[key] += value
                elif name == CACHE_LOOKUPS_TOTAL:
                    lookups[labels["cache"], labels["result"]] += value
    return Scrape(stage_count=count, stage_seconds=seconds, lookups=lookups)


def _page(url: str) -> str | None:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return None


def _difference(later: Mapping[K, float], earlier: Mapping[K, float]) -> dict[K, float]:
    return {
        key: value - (earlier.get(key, 0.0) if value >= earlier.get(key, 0.0) else 0.0) for key, value in later.items()
    }
