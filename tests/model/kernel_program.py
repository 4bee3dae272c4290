"""A small program for `test_real_kernel`: jobs of a fixed number of steps, one after the other or at given times.

Arguments: the core, the niceness, CPU seconds of a job (about), when to start and to end on the monotonic clock, and
the mean of the exponential pauses between arrivals with their seed, or ``busy``. Prints a JSON object: ``done``, the
seconds of each job from when it was due; ``due``, from the start; ``cpu``, those of all.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time

_STEPS = 20_000


def _seconds(steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        pass
    return time.perf_counter() - began


def main() -> None:
    core, nice, job, start, end = int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:6])
    pauses = None if sys.argv[6] == "busy" else float(sys.argv[6])
    chance = random.Random(sys.argv[7])
    os.sched_setaffinity(0, {core})
    steps = int(job / min(_seconds(_STEPS) for _ in range(50)) * _STEPS)
    os.nice(nice)
    clock, done, dues = time.perf_counter, list[float](), list[float]()
    time.sleep(max(0.0, start - clock()))
    before, due = time.process_time(), start
    while clock() < end:
        if pauses is None:
            due = clock()
        else:
            due += chance.expovariate(1.0 / pauses)
            time.sleep(max(0.0, due - clock()))
        for _ in range(steps):
            pass
        done.append(clock() - due)
        dues.append(due - start)
    print(json.dumps({"done": done, "due": dues, "cpu": time.process_time() - before}))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
