"""The abort condition: watches requests during a drill and decides when it must be rolled back.

Its limits are judged like the expectations (`core.judge`), but over the last seconds only. A limit that is certainly
missed is a reason to abort; too few requests are not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.judge import Verdict, judge_operation
from core.run import samples_from_rows
from core.scenario import Scenario
from core.scenario.units import format_ratio, format_seconds

#: With fewer requests of an operation in the window there is no abort: the condition is checked many times a second.
COUNT_MIN: Final = 10
#: Requests kept for one operation, whatever the window; the oldest are dropped first.
KEPT_MAX: Final = 50_000

Seen = tuple[str, str, float, float]  # operation, outcome, intended start from t0, latency in seconds


class AbortCondition:
    """`Scenario.drill.abort` over its sliding window. Without a drill, or without limits, it never aborts."""

    def __init__(self, scenario: Scenario):
        drill = scenario.drill
        self._limits = dict(drill.abort) if drill is not None else {}
        self._window_seconds = drill.abort_window_seconds if drill is not None else 0.0
        self._patience_seconds = scenario.traffic.timeout_seconds
        self._recent: dict[str, deque[Seen]] = {name: deque(maxlen=KEPT_MAX) for name in self._limits}
        self._last_seconds: float | None = None

    @property
    def is_watching(self) -> bool:
        """Whether any request was seen since t0, so that the condition could have been met."""
        return self._last_seconds is not None

    def see_line(self, line: Mapping[str, Any]) -> str | None:
        """Add the requests of a progress line of the generator (its ``recent``); returns the reason to abort, or
        None."""
        return self.see(line.get("recent", ()))

    def see(self, requests: Iterable[Seen]) -> str | None:
        """Add requests that ended; returns the reason to abort, or None. The warm-up is ignored."""
        for operation, outcome, at_seconds, latency_seconds in requests:
            if at_seconds < 0:
                continue
            ended = at_seconds + latency_seconds
            self._last_seconds = ended if self._last_seconds is None else max(self._last_seconds, ended)
            if operation in self._recent:
                self._recent[operation].append((operation, outcome, at_seconds, latency_seconds))
        return self.reason()

    def reason(self) -> str | None:
        """The reason to abort; None while there is none."""
        if self._last_seconds is None:
            return None
        begin = self._last_seconds - self._window_seconds
        for name, limits in self._limits.items():
            # by the time of their end: a slow request is known only then
            rows = [each for each in self._recent[name] if each[2] + each[3] >= begin]
            samples = samples_from_rows(
                [(0, 0, operation, outcome, 0, at, at, latency) for operation, outcome, at, latency in rows]
            )
            if len(samples) < COUNT_MIN:
                continue
            verdicts = judge_operation(name, limits, samples, patience_seconds=self._patience_seconds)
            missed = [verdict for verdict in verdicts if verdict.held is False]
            if missed:
                # errors count as slow too: if both limits are missed, errors are more informative
                return self._says(next((each for each in missed if each.measure == "errors"), missed[0]))
        return None

    def _says(self, verdict: Verdict) -> str:
        show = format_seconds if verdict.unit == "seconds" else format_ratio
        value = show(round(verdict.value or 0.0, 4))
        return (
            f"{verdict.operation} {verdict.measure} is {value} over the last {format_seconds(self._window_seconds)} "
            f"({verdict.count} requests); the limit of the drill is {show(verdict.limit)}"
        )
