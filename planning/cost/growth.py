"""What the quantity of a bill's line grows with."""

from __future__ import annotations

from enum import StrEnum


class GrowsWith(StrEnum):
    """An input of a plan that multiplies a line's quantity; a line names all of these."""

    MACHINES = "machines"  # counted from load and memory, and not multiplied
    RATE = "rate"  # requests
    IMAGES = "images"  # loaded per feed that is read
    BYTES = "bytes"  # of a photo and of an answer
    MISSES = "misses"  # of both of the CDN's tiers
    ROWS = "rows"  # bytes of what a database keeps
