"""Whose photo is next: turns go round over owners, so that who sent many waits for nobody but themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def next_owner(waiting: Iterable[int], running: Mapping[int, int]) -> int:
    """Of the owners who wait, in the order of their turns, the first with the fewest photos in work."""
    return min(waiting, key=lambda owner: running.get(owner, 0))
