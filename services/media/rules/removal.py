"""When a removed photo is deleted and purged, and how often: a fetch in progress may put it back into a cache."""

from __future__ import annotations

from typing import Final

LEASE_SECONDS: Final = 30.0  # a worker that dies during a removal blocks it for this long
RETRY_SECONDS: Final = 1.0  # after a store or a tier could not be reached
#: Pauses between passes. What a tier was fetching during the first pass usually arrives within 2 s, at the latest after
#: 15 s (its time limits); a worker that processes the same photo has stored its last variant within minutes.
_PAUSES_SECONDS: Final = (2.0, 60.0, 600.0)


def pause_seconds(passes: int) -> float | None:
    """Pause after pass number ``passes`` (from 0); None after the last."""
    return _PAUSES_SECONDS[passes] if passes < len(_PAUSES_SECONDS) else None
