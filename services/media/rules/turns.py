"""Chooses whose photo is next: owners take turns, so that an owner who sent many photos delays nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set


def next_owner(waiting: Iterable[int], *, running: Mapping[int, int], served: Set[int], newcomer: bool) -> int:
    """Of the owners who wait, in the order of their turns, the first with the fewest photos in work.

    Every second turn is for a ``newcomer``, who was not ``served`` since somebody has been waiting, the others are for
    those who were. So a single photo does not wait for a round over all who sent many, and newcomers, however many,
    leave half of the turns to others.
    """
    return min(waiting, key=lambda owner: (running.get(owner, 0), (owner in served) is newcomer))
