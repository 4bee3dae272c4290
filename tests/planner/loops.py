"""A simulated event loop, or several behind balancers, that jobs come back to for every piece: the forms' oracle."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def times(
    shares: Sequence[float],
    *,
    rho: float,
    loops: int = 1,
    balancers: int = 1,
    variation: float = 0.5,
    jobs: int = 12_000,
    seed: int = 1,
) -> Floats:
    """Time of every job, in units of a job's work; each piece waits its turn behind all that came before it.

    A job comes to any balancer, which sends it to the loop with the least of its own jobs, the next one in turn where
    several have as few; of what the other balancers have under way it knows nothing.
    """
    rng = np.random.default_rng(seed)
    sigma = np.sqrt(np.log1p(variation**2))
    normal = rng.standard_normal((jobs, len(shares)))
    pieces = (np.asarray(shares) * np.exp(sigma * normal - sigma**2 / 2)).tolist()
    arrivals = np.cumsum(rng.exponential(1.0 / (rho * loops), jobs)).tolist()
    by = rng.integers(balancers, size=jobs).tolist()
    queues: list[deque[tuple[int, int]]] = [deque() for _ in range(loops)]
    inside = [[0] * loops for _ in range(balancers)]
    turns = rng.integers(loops, size=balancers).tolist()
    found, ends = np.zeros(jobs), list[tuple[float, int]]()
    following = 0
    while following < jobs or ends:
        if following < jobs and (not ends or arrivals[following] <= ends[0][0]):
            own, turn = inside[by[following]], turns[by[following]]
            least = min(own)
            place = next((turn + k) % loops for k in range(loops) if own[(turn + k) % loops] == least)
            turns[by[following]] = place + 1
            own[place] += 1
            queues[place].append((following, 0))
            if len(queues[place]) == 1:
                heapq.heappush(ends, (arrivals[following] + pieces[following][0], place))
            following += 1
            continue
        now, place = heapq.heappop(ends)
        job, piece = queues[place].popleft()
        if piece + 1 < len(shares):
            queues[place].append((job, piece + 1))
        else:
            inside[by[job]][place] -= 1
            found[job] = now - arrivals[job]
        if queues[place]:
            job, piece = queues[place][0]
            heapq.heappush(ends, (now + pieces[job][piece], place))
    return found[jobs // 10 :]
