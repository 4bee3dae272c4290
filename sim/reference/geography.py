"""Regions while a run lasts: which are up, who serves whose people, how far they are, what is not yet everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from core.policies.geo import serving


@dataclass(slots=True, kw_only=True)
class Geography:
    """Regions by their place in the scenario. ``serving`` tells for each who serves its people and has their data."""

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
        """One commit more that no other region has."""
        for other in range(len(self.names)):
            if other != region:
                self._add(region, other, operation, 1)

    def followed(self, region: int, other: int, operation: str) -> None:
        """One that another region has, too."""
        self._add(region, other, operation, -1)

    def missing(self, region: int) -> dict[int, dict[str, int]]:
        """What each other region lacks of one."""
        return {other: dict(found) for (of, other), found in self.unreplicated.items() if of == region}

    def lose(self, region: int) -> None:
        """A region is gone; nobody knows yet."""
        self.up &= ~(1 << region)

    def regain(self, region: int) -> None:
        """It is back; nobody knows yet."""
        self.up |= 1 << region

    def reroute(self) -> Iterator[tuple[int, int, int]]:
        """Health checks have seen how things stand: (home, who served it, who serves it now) of every change."""
        for home, before in enumerate(self.serving):
            now = serving(home, self.up, self.rtt_seconds[home])
            if now != before:
                self.serving[home] = now
                yield home, before, now

    def _add(self, region: int, other: int, operation: str, count: int) -> None:
        found = self.unreplicated.setdefault((region, other), {})
        found[operation] = found.get(operation, 0) + count
