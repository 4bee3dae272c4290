"""Metrics of photos, in addition to those of every component."""

from __future__ import annotations

from time import monotonic
from typing import Final

from prometheus_client import Counter, Gauge

from core import names
from core.policies.photo import Lane, Refusal
from services.kit.metrics import Metrics
from services.media.store.photos import WaitingPhoto

_SEEN_MAX: Final = 100_000


class Measures:
    """Counters and gauges of photos."""

    def __init__(self, metrics: Metrics):
        component, registry = metrics.component, metrics.registry
        self._waiting = Gauge(
            names.PHOTOS_WAITING_COUNT,
            "Photos that have arrived and are not processed, on all instances.",
            ("component",),
            registry=registry,
        ).labels(component)
        self._oldest = Gauge(
            names.PHOTOS_OLDEST_SECONDS,
            "How long the first of them has been seen waiting.",
            ("component",),
            registry=registry,
        ).labels(component)
        self._tries = Counter(
            names.PHOTO_TRIES_TOTAL, "Times that work on a photo began.", ("component", "lane"), registry=registry
        )
        self._refused = Counter(
            names.PHOTOS_REFUSED_TOTAL, "Photos that failed.", ("component", "reason"), registry=registry
        )
        self._seconds = metrics.photo.series(component)
        self._component = component
        self._since: dict[int, float] = {}

    def tried(self, lane: Lane) -> None:
        """Count a try."""
        self._tries.labels(self._component, lane).inc()

    def ended(self, seconds: float) -> None:
        """Record how long after the completion of its upload a photo was processed or refused."""
        self._seconds.observe(seconds)

    def refused(self, reason: Refusal) -> None:
        """Count a photo that failed."""
        self._refused.labels(self._component, reason).inc()

    def backlog(self, *, count: int, waiting: list[WaitingPhoto]) -> None:
        """Show how many photos wait, and how long the first of those seen has waited."""
        now = monotonic()
        self._since = {each.media_id: self._since.get(each.media_id, now) for each in waiting[:_SEEN_MAX]}
        self._waiting.set(count)
        self._oldest.set(max((now - since for since in self._since.values()), default=0.0))
