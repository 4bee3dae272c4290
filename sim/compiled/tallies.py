"""Who came and who left, in compiled code: the same two accounts as `sim.results.laws.Tally`, which checks them
afterwards."""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import Broken
from sim.results.jobs import CLASSES
from sim.results.jobs import class_of as class_of_delay

#: Rows of the two tallies that are no place.
REQUESTS = 0
BACKGROUND = 1

class_of = compiled(class_of_delay)


@compiled
def came(world: World, row: int) -> None:
    """Count one in."""
    now, tally = r.clock(world)[0].now, r.tallies(world)
    tally[row].area += tally[row].inside * (now - tally[row].changed)
    tally[row].changed = now
    tally[row].arrived += 1
    tally[row].inside += 1
    tally[row].entered += now


@compiled
def left(world: World, row: int, entered_seconds: float) -> None:
    """Count one out."""
    clock, tally = r.clock(world), r.tallies(world)
    now = clock[0].now
    if now < entered_seconds or now < tally[row].changed:
        clock[0].error = Broken.CAUSALITY
        clock[0].error_place = row
    tally[row].area += tally[row].inside * (now - tally[row].changed)
    tally[row].changed = now
    tally[row].ended += 1
    tally[row].inside -= 1
    tally[row].entered -= entered_seconds
    tally[row].sojourn += now - entered_seconds


@compiled
def _weight(world: World, job: int, request: int) -> float:
    if r.job_tallies(world)[job].for_readers:
        asked = r.requests(world)[request]
        return r.arrivals(world)[asked.arrival].readers * r.shares(world)[asked.region]
    return 1.0


@compiled
def job_asked(world: World, job: int, request: int, now: float) -> None:
    """`sim.results.jobs.JobTally.asked`, for what is asked from t0 on."""
    one = r.job_tallies(world)
    if now >= 0.0:
        weight = _weight(world, job, request)
        one[job].count += 1
        one[job].weight += weight
        one[job].inside_weight += weight
        one[job].inside_asked_seconds += weight * now


@compiled
def job_done(world: World, job: int, request: int, asked_seconds: float) -> None:
    """`sim.results.jobs.JobTally.done`."""
    now, one = r.clock(world)[0].now, r.job_tallies(world)
    if asked_seconds >= 0.0:
        weight = _weight(world, job, request)
        one[job].inside_weight -= weight
        one[job].inside_asked_seconds -= weight * asked_seconds
        one[job].done_seconds += weight * (now - asked_seconds)
        r.job_classes(world)[job * CLASSES + class_of(now - asked_seconds)] += weight
