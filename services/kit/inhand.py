"""Records the events that a process is handling in a file that survives it, so that an event that kills its process is
given up.

The file is mapped into memory; a note costs a microsecond, and the kernel keeps it however the process dies. After a
restart each event that was in hand is a suspect: it is handled alone, so that another death identifies it, and its note
counts the deaths. The notes of a process are in its own data folder; if a partition moves to another process, that one
starts counting again.
"""

from __future__ import annotations

import asyncio
import functools
import mmap
import os
import struct
import weakref
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SLOTS: Final = 4_096  # notes at once; further events are handled without one
_HEAD: Final = struct.Struct("<BBHIqq")  # used, tries, length of the name, checksum, first and last offset
_SLOT_BYTES: Final = 128
_NAME_BYTES: Final = _SLOT_BYTES - _HEAD.size
_TRIES_MAX: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Offsets ``first`` to ``last`` of a partition, in hand for the ``tries``-th time; ``checksum`` of a single one."""

    first: int
    last: int
    tries: int
    checksum: int = 0


class InHand:
    """The notes of one process."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        size = SLOTS * _SLOT_BYTES
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, size)
            self._map = mmap.mmap(handle, size)
        finally:
            os.close(handle)
        self._free: deque[int] = deque()
        self._left: dict[str, dict[int, Note]] = {}
        self._alone: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        for slot in range(SLOTS):
            used, tries, length, checksum, first, last = _HEAD.unpack_from(self._map, slot * _SLOT_BYTES)
            if not used:
                self._free.append(slot)
                continue
            start = slot * _SLOT_BYTES + _HEAD.size
            name = self._map[start : start + min(length, _NAME_BYTES)].decode(errors="replace")
            self._left.setdefault(name, {})[slot] = Note(first=first, last=last, tries=tries, checksum=checksum)

    def take(self, name: bytes, note: Note) -> int | None:
        """Note that these are being handled; returns the slot for `give_back`."""
        if not self._free:
            return None
        slot = self._free.popleft()
        at = slot * _SLOT_BYTES
        kept = name[:_NAME_BYTES]
        tries = min(note.tries, _TRIES_MAX)
        self._map[at + _HEAD.size : at + _HEAD.size + len(kept)] = kept
        _HEAD.pack_into(self._map, at, 0, tries, len(kept), note.checksum, note.first, note.last)
        self._map[at] = 1  # written last, so that an incomplete note does not count
        return slot

    def give_back(self, slot: int | None) -> None:
        """Free the slot of events that are handled."""
        if slot is not None:
            self._map[slot * _SLOT_BYTES] = 0
            self._free.append(slot)

    def leave(self, name: bytes, note: Note) -> None:
        """Note failed tries for the next process that handles the event."""
        slot = self.take(name, note)
        if slot is not None:
            self._left.setdefault(name[:_NAME_BYTES].decode(errors="replace"), {})[slot] = note

    def left(self, name: bytes) -> list[Note]:
        """Notes of events that were in hand when an earlier process died, or were left by one that stopped."""
        return list(self._left.get(name[:_NAME_BYTES].decode(errors="replace"), {}).values())

    def forget(self, name: bytes, *, before: int) -> None:
        """Drop the notes of offsets before this one, which are committed."""
        text = name[:_NAME_BYTES].decode(errors="replace")
        notes = self._left.get(text)
        if not notes:
            return
        for slot in [slot for slot, note in notes.items() if note.last < before]:
            del notes[slot]
            self.give_back(slot)
        if not notes:
            del self._left[text]

    @property
    def alone(self) -> asyncio.Lock:
        """Held while a suspect is handled: one at a time in this process, so that a death has one cause."""
        loop = asyncio.get_running_loop()
        found = self._alone.get(loop)
        if found is None:
            found = self._alone[loop] = asyncio.Lock()
        return found


def checksum(payload: bytes) -> int:
    """Distinguishes an event from one at the same offset of another log."""
    return zlib.crc32(payload) or 1


@functools.cache
def in_hand_at(data_directory: str) -> InHand:
    """The notes of the process whose data folder this is."""
    return InHand(Path(data_directory) / "in_hand")
