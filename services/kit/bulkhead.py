"""A bulkhead: a limit on the calls of a fallback, so that a slow store never gets the whole load of a fast one.

A call above the limit is refused at once and does not queue: a queue would only make every call slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.failures import Overloaded


class Bulkhead:
    """At most ``maximum`` calls at once; ``name`` is the fallback's name in problem details."""

    def __init__(self, name: str, maximum: int):
        self._name, self._free = name, maximum

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count one call; raises Overloaded when there are ``maximum``."""
        if not self._free:
            raise Overloaded(f"{self._name} handles as many reads as it can", retry_after_seconds=1.0)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
