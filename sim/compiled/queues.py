"""One station under all its arrivals at once: the recursions by which a feed-forward network needs no events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.compiled.jit import over_arrays

Floats = npt.NDArray[np.float64]


@over_arrays("void(float64[::1], float64[::1], int64, float64[::1], float64[::1])")
def fcfs(arrivals: Floats, needs: Floats, workers: int, starts: Floats, ends: Floats) -> None:
    """First come first served by ``workers``, each on a core of its own (Kiefer and Wolfowitz 1955; for one worker
    Lindley 1952). ``arrivals`` ascending; fills when each one's work starts and ends."""
    if workers == 1:
        free = -np.inf
        for row in range(len(arrivals)):
            start = max(arrivals[row], free)
            free = start + needs[row]
            starts[row] = start
            ends[row] = free
        return
    heap = np.full(workers, -np.inf)
    for row in range(len(arrivals)):
        start = max(arrivals[row], heap[0])
        end = start + needs[row]
        starts[row] = start
        ends[row] = end
        hole = 0  # the worker who was free first is busy until then
        while True:
            below = 2 * hole + 1
            if below >= workers:
                break
            if below + 1 < workers and heap[below + 1] < heap[below]:
                below += 1
            if heap[below] >= end:
                break
            heap[hole] = heap[below]
            hole = below
        heap[hole] = end


@over_arrays("void(float64[::1], float64[::1], int64, float64[::1], float64, float64[::1])")
def shared(arrivals: Floats, needs: Floats, cores: int, ends: Floats, first_second: float, busy: Floats) -> None:
    """Egalitarian processor sharing over ``cores`` in virtual time (Parekh and Gallager 1993), as `sim.host` does.

    ``arrivals`` ascending. Fills when each is done, and CPU by second from ``first_second`` on; what is spent later
    stands in the last of ``busy``.
    """
    count = len(arrivals)
    heap = np.empty(count + 1, np.float64)
    who = np.empty(count + 1, np.int64)
    size, row, now, virtual = 0, 0, first_second, 0.0
    while row < count or size:
        rate = min(1.0, cores / size) if size else 0.0
        done = now + max(0.0, heap[0] - virtual) / rate if size else np.inf
        come = arrivals[row] if row < count else np.inf
        bound = np.floor(now) + 1.0
        time = min(done, come, bound) if size else come
        if size:
            step = rate * (time - now)
            virtual += step
            second = min(max(int(np.floor(now) - first_second), 0), len(busy) - 1)
            busy[second] += size * step
        now = time
        if size and done <= come and done <= bound:
            virtual = max(virtual, heap[0])
            ends[who[0]] = now
            size -= 1
            last, whose, hole = heap[size], who[size], 0
            while True:
                below = 2 * hole + 1
                if below >= size:
                    break
                if below + 1 < size and heap[below + 1] < heap[below]:
                    below += 1
                if heap[below] >= last:
                    break
                heap[hole], who[hole] = heap[below], who[below]
                hole = below
            heap[hole], who[hole] = last, whose
        elif come <= bound or not size:
            finish, hole = virtual + needs[row], size
            size += 1
            while hole > 0 and heap[(hole - 1) >> 1] > finish:
                above = (hole - 1) >> 1
                heap[hole], who[hole] = heap[above], who[above]
                hole = above
            heap[hole], who[hole] = finish, row
            row += 1


@over_arrays("void(float64[::1], float64[::1], float64, float64[::1])")
def by_second(starts: Floats, ends: Floats, first_second: float, busy: Floats) -> None:
    """Add the time between ``starts`` and ``ends`` to the seconds in which it lies; what is later, to the last."""
    last = len(busy) - 1
    for row in range(len(starts)):
        at = starts[row]
        while at < ends[row]:
            until = min(ends[row], np.floor(at) + 1.0)
            second = min(max(int(np.floor(at) - first_second), 0), last)
            busy[second] += until - at
            if second == last:
                busy[second] += ends[row] - until
                break
            at = until
