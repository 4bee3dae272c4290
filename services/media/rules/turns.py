"""Chooses whose photo is next: owners take turns, so that an owner who sent many photos delays nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set


def next_owner(waiting: Iterable[int], *, running: Mapping[int, int], served: Set[int], newcomer: bool) -> int:
    """The first of the waiting owners, in the order of their turns, with the fewest photos being processed.

    Every second turn is for a ``newcomer``, an owner who was not ``served`` since the queue was last empty; the others
    are for those who were. So a single photo does not wait for a round over all owners with many, and newcomers,
    however many, leave half of the turns to others.
    """
    return min(waiting, key=lambda owner: (running.get(owner, 0), (owner in served) is newcomer))
