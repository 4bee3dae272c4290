"""Counters of the services and of the CDN's tiers, and what they counted during the judged time of a run.

The model counts from the end of the warm-up. Counters of the real stack run since it started, so they are read at that
moment too: the first requests of a run fill the caches, and would lower every hit ratio.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from core.names import Server
from lab.scrape import Scrape, fetched, parsed
from stack.backing import varnish
from stack.control import RunningStack, StackFailure

#: Before the judged time: the services spend some milliseconds on their answers.
_AHEAD_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterReadings:
    """Counters of services and CDN tiers at one moment."""

    pages: Mapping[str, str]  # by address; parsed when they are used, because that takes longer than reading them
    tiers: Mapping[str, tuple[int, int]]  # hits and misses

    @classmethod
    def read(cls, stack: RunningStack) -> CounterReadings:
        """Read all counters; those of a service that does not answer are missing."""
        pages = fetched([url for instances in stack.components.values() for url in instances])
        tiers = {}
        for tier in (Server.EDGE, Server.SHIELD):
            with suppress(StackFailure, OSError, ValueError, subprocess.SubprocessError):
                tiers[str(tier)] = varnish.counters(stack.data, tier)
        return cls(pages=pages, tiers=tiers)

    def or_else(self, earlier: CounterReadings) -> CounterReadings:
        """These readings, with those of ``earlier`` where they are missing."""
        return CounterReadings(pages={**earlier.pages, **self.pages}, tiers={**earlier.tiers, **self.tiers})

    def services(self) -> Scrape:
        """Counters of all services together."""
        return parsed(self.pages.values())

    def stage_rows_since(self, earlier: CounterReadings) -> list[tuple[str, str, str, int, float]]:
        """(component, operation, stage, count, seconds) between two moments."""
        return self.services().since(earlier.services()).stage_rows()

    def cache_rows_since(self, earlier: CounterReadings) -> list[tuple[str, int, int]]:
        """(cache, hits, misses) between two moments."""
        rows = self.services().since(earlier.services()).cache_rows()
        for tier, (hits, misses) in self.tiers.items():
            before = earlier.tiers.get(tier, (0, 0))
            rows.append((tier, max(0, hits - before[0]), max(0, misses - before[1])))
        return sorted(rows)


class JudgedCounters:
    """Counters when the judged time of a run begins; read by a thread, because an overloaded service answers late."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._timer: threading.Timer | None = None
        #: From before the traffic until the judged time begins, and where a service did not answer then.
        self.begin = CounterReadings.read(stack)

    def begin_at(self, t0_unix: float) -> None:
        """Read them again shortly before ``t0_unix``."""
        self._timer = threading.Timer(max(0.0, t0_unix - _AHEAD_SECONDS - time.time()), self._read)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Read them no more; a reading that has begun is finished."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    def _read(self) -> None:
        self.begin = CounterReadings.read(self._stack).or_else(self.begin)
