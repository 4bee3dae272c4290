"""Regions during a run: which are up, which region serves whose people, and the commits that others lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from core.policies.geo import serving


@dataclass(slots=True, kw_only=True)
class Geography:
    """Regions by their index in the scenario. ``serving`` is, for each, the region that serves its people."""

    names: tuple[str, ...]
    rtt_seconds: tuple[tuple[float, ...], ...]
    health_check_seconds: float
    up: int = field(init=False)  # bit k: region k
    serving: list[int] = field(init=False)
    #: Commits by operation that the region on the left has acknowledged and the one on the right does not have yet.
    unreplicated: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """All regions are up, and everybody is served at home."""
        self.up = (1 << len(self.names)) - 1
        self.serving = list(range(len(self.names)))

    def committed(self, region: int, operation: str) -> None:
        """Count a commit that no other region has."""
        for other in range(len(self.names)):
            if other != region:
                self._add(region, other, operation, 1)

    def followed(self, region: int, other: int, operation: str) -> None:
        """Another region has applied a commit."""
        self._add(region, other, operation, -1)

    def missing(self, region: int) -> dict[int, dict[str, int]]:
        """For each other region, the commits of ``region`` that it does not have."""
        return {other: dict(found) for (of, other), found in self.unreplicated.items() if of == region}

    def lose(self, region: int) -> None:
        """A region is lost; health checks have not noticed yet."""
        self.up &= ~(1 << region)

    def regain(self, region: int) -> None:
        """A region is back; health checks have not noticed yet."""
        self.up |= 1 << region

    def reroute(self) -> Iterator[tuple[int, int, int]]:
        """Reroute people to regions that health checks found up; yields (home, region before, region now) by change."""
        for home, before in enumerate(self.serving):
            now = serving(home, self.up, self.rtt_seconds[home])
            if now != before:
                self.serving[home] = now
                yield home, before, now

    def _add(self, region: int, other: int, operation: str, count: int) -> None:
        found = self.unreplicated.setdefault((region, other), {})
        found[operation] = found.get(operation, 0) + count
