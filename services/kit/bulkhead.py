"""A bulkhead: a bound on the calls of a fallback, so that a slow store never has to carry all that a fast one does.

A call beyond the bound is refused at once and does not queue: a queue would only add to the time of those before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.failures import Overloaded


class Bulkhead:
    """At most ``maximum`` calls at once; ``name`` is what problem details call the fallback."""

    def __init__(self, name: str, maximum: int):
        self._name, self._free = name, maximum

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count one call; raises Overloaded when there are ``maximum``."""
        if not self._free:
            raise Overloaded(f"{self._name} has as many reads under way as it can carry", retry_after_seconds=1.0)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
