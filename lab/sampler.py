"""Samples the CPU time of every process of the stack once a second during a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

PERIOD_SECONDS: Final = 1.0


class UsageSampler:
    """A thread that calls ``read`` at every whole second from ``t0_unix`` on.

    ``read`` gives CPU seconds so far by process, never less than before (`stack.usage.Accounting`). `rows`
    gives what each process used in each second, relative to t0.
    """

    def __init__(self, read: Callable[[], Mapping[str, float]], *, t0_unix: float):
        self._read = read
        self._t0 = t0_unix
        self._stop = threading.Event()
        self._points: list[tuple[float, Mapping[str, float]]] = []
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def align(self, t0_unix: float) -> None:
        """Set t0, which may become known after sampling has started."""
        self._t0 = t0_unix

    def __enter__(self) -> UsageSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5.0)

    def rows(self, *, first_second: int, last_second: int) -> list[tuple[str, int, float]]:
        """(process, second, CPU seconds in it)."""
        found: list[tuple[str, int, float]] = []
        for (before, earlier), (after, later) in zip(self._points, self._points[1:], strict=False):
            second = round((before + after) / 2 - self._t0 - 0.5)
            if not first_second <= second < last_second:
                continue
            for name, value in sorted(later.items()):
                found.append((name, second, value - earlier.get(name, value)))
        return found

    def _run(self) -> None:
        while True:
            now = time.time()
            self._points.append((now, self._read()))
            wait = self._t0 + (int((now - self._t0) // PERIOD_SECONDS) + 1) * PERIOD_SECONDS - time.time()
            if self._stop.wait(max(0.05, wait)):
                self._points.append((time.time(), self._read()))
                return
