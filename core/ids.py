"""Identifiers of 63 bits: 40 for milliseconds, 13 for the logical shard, 10 for a sequence; the shard follows from the
id alone.

The layout is Instagram's (2012), with the same width of the shard field: ids sort by time of creation, so every cursor
and every timeline is an ordinary range of ids. Theirs has a 41st bit of time, which is the sign in a signed 64-bit
column; without it, milliseconds from EPOCH_MS last until 2059, and every id is a positive bigint.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

EPOCH_MS: Final = 1_735_689_600_000  # 2025-01-01T00:00:00Z
TIME_BITS: Final = 40
SHARD_BITS: Final = 13
SEQUENCE_BITS: Final = 10
SHARD_COUNT_MAX: Final = 4096
_SEQUENCE_MASK: Final = (1 << SEQUENCE_BITS) - 1
_SHARD_MASK: Final = (1 << SHARD_BITS) - 1
ID_MAX: Final = (1 << 63) - 1


def compose(*, created_ms: int, shard: int, sequence: int) -> int:
    """Build an id; ``created_ms`` is Unix time in milliseconds."""
    since = created_ms - EPOCH_MS
    if not 0 <= since < 1 << TIME_BITS:
        raise ValueError(f"time {created_ms} ms is outside the range of an id")
    if not 0 <= shard <= _SHARD_MASK:
        raise ValueError(f"shard {shard} is outside 0–{_SHARD_MASK}")
    if not 0 <= sequence <= _SEQUENCE_MASK:
        raise ValueError(f"sequence {sequence} is outside 0–{_SEQUENCE_MASK}")
    return since << (SHARD_BITS + SEQUENCE_BITS) | shard << SEQUENCE_BITS | sequence


def created_ms_of(identifier: int) -> int:
    """Unix time in milliseconds at which the id was made."""
    return (identifier >> (SHARD_BITS + SEQUENCE_BITS)) + EPOCH_MS


def shard_of(identifier: int) -> int:
    """Logical shard that holds the object."""
    return identifier >> SEQUENCE_BITS & _SHARD_MASK


def parse(text: str) -> int:
    """Read an id as clients send it: decimal text in its canonical spelling; raises ValueError.

    A leading zero would be a second spelling of the same id, so a list could contain the same object twice.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and (text[0] != "0" or text == "0")):
        raise ValueError(f"{text[:40]!r} is not an id")
    value = int(text)
    if value > ID_MAX:
        raise ValueError(f"{text!r} is not an id")
    return value


def shard_of_name(name: str, shard_count: int) -> int:
    """Logical shard of a user's name, so that a login finds its shard without a directory."""
    digest = hashlib.blake2b(name.casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shard_count


@dataclass(slots=True)
class IdSequence:
    """Generates the ids of one process: strictly increasing even when the clock steps back or a millisecond is used up.

    ``worker`` divides the sequence field among processes that generate ids for the same shard: each of W workers has
    1024 / W ids per millisecond and shard, and no two processes can generate the same id.
    """

    worker: int = 0
    worker_count: int = 1
    _last_ms: int = 0
    _used: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.worker < self.worker_count <= 1 << SEQUENCE_BITS:
            raise ValueError(f"worker {self.worker} of {self.worker_count} has no ids")

    def next(self, *, now_ms: int, shard: int) -> int:
        """Return the next id for ``shard``; ``now_ms`` is the caller's clock."""
        per_millisecond = (1 << SEQUENCE_BITS) // self.worker_count
        if now_ms > self._last_ms:
            self._last_ms, self._used = now_ms, 0
        elif self._used >= per_millisecond:
            self._last_ms, self._used = self._last_ms + 1, 0
        sequence = self.worker * per_millisecond + self._used
        self._used += 1
        return compose(created_ms=self._last_ms, shard=shard, sequence=sequence)
