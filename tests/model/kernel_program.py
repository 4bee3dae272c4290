"""A small program for `test_real_kernel`: jobs of equal length, one after the other or at given times.

A job is a loop that adds up the steps of the clock until it has run for long enough; a long step is time in which
something else had the core, and does not count. So a job needs the same time however fast the core is at the moment,
and nothing asks the kernel, whose accounts would be updated by that.

Arguments: the core, the niceness, the seconds of a job, when to start and to end on the monotonic clock, the mean of
the exponential pauses between arrivals or ``busy``, and a seed. Prints a JSON object: ``done``, the seconds of each job
from when it was due; ``due``, from the start; ``cpu``, the CPU seconds of all.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time

_STEP_SECONDS_MAX = 30e-6


def _work(seconds: float) -> None:
    clock = time.perf_counter
    done, last = 0.0, clock()
    while done < seconds:
        now = clock()
        if now - last < _STEP_SECONDS_MAX:
            done += now - last
        last = now


def main() -> None:
    core, nice, job, start, end = int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:6])
    pauses = None if sys.argv[6] == "busy" else float(sys.argv[6])
    chance = random.Random(sys.argv[7])
    os.sched_setaffinity(0, {core})
    os.nice(nice)
    clock, done, dues = time.perf_counter, list[float](), list[float]()
    time.sleep(max(0.0, start - clock()))
    before, due = time.process_time(), start
    while clock() < end:
        if pauses is None:
            due = clock()
        else:
            due += chance.expovariate(1.0 / pauses)
            if due > clock():  # a sleep of no time would give the core away
                time.sleep(max(0.0, due - clock()))
        _work(job)
        done.append(clock() - due)
        dues.append(due - start)
    print(json.dumps({"done": done, "due": dues, "cpu": time.process_time() - before}))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
