"""CPU time by process and second, in little memory: a long run has a row for each second and process."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows are (process, second from t0, CPU seconds), every process's of a second together."""

    processes: tuple[str, ...]
    seconds: array[int] = field(default_factory=lambda: array("q"))
    cpu_seconds: array[float] = field(default_factory=lambda: array("d"))

    def add(self, second: int, before: Sequence[float], after: Sequence[float]) -> None:
        """Add a second, by the CPU time of each process before and after it."""
        self.seconds.append(second)
        self.cpu_seconds.extend(now - earlier for earlier, now in zip(before, after, strict=True))

    def __iter__(self) -> Iterator[tuple[str, int, float]]:
        spent = iter(self.cpu_seconds)
        for second in self.seconds:
            for process in self.processes:
                yield process, second, next(spent)
