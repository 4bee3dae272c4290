"""Arrivals and departures in compiled code: the same accounts as `sim.results.laws.VisitTally`, which checks them."""

from __future__ import annotations

from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import BrokenLaw
from sim.results.jobs import CLASSES
from sim.results.jobs import class_of as class_of_delay

#: Rows of the two tallies that belong to no station or pool.
REQUESTS = 0
BACKGROUND = 1

class_of = compiled(class_of_delay)


@compiled
def came(memory: Address, row: int) -> None:
    """Count one in."""
    now, tally = r.clock(memory)[0].now, r.tallies(memory)
    tally[row].area += tally[row].inside * (now - tally[row].changed)
    tally[row].changed = now
    tally[row].arrived += 1
    tally[row].inside += 1
    tally[row].entered += now


@compiled
def left(memory: Address, row: int, entered_seconds: float) -> None:
    """Count one out."""
    clock, tally = r.clock(memory), r.tallies(memory)
    now = clock[0].now
    if now < entered_seconds or now < tally[row].changed:
        clock[0].error = BrokenLaw.CAUSALITY
        clock[0].error_row = row
    tally[row].area += tally[row].inside * (now - tally[row].changed)
    tally[row].changed = now
    tally[row].ended += 1
    tally[row].inside -= 1
    tally[row].entered -= entered_seconds
    tally[row].sojourn += now - entered_seconds


@compiled
def _weight(memory: Address, job: int, request: int) -> float:
    if r.job_tallies(memory)[job].for_readers:
        asked = r.requests(memory)[request]
        return r.arrivals(memory)[asked.arrival].readers * r.shares(memory)[asked.region]
    return 1.0


@compiled
def job_asked(memory: Address, job: int, request: int, now: float) -> None:
    """`sim.results.jobs.JobTally.asked`, for what is asked from t0 on."""
    job_tallies = r.job_tallies(memory)
    if now >= 0.0:
        weight = _weight(memory, job, request)
        job_tallies[job].count += 1
        job_tallies[job].weight += weight
        job_tallies[job].inside_weight += weight
        job_tallies[job].inside_asked_seconds += weight * now


@compiled
def job_done(memory: Address, job: int, request: int, asked_seconds: float) -> None:
    """`sim.results.jobs.JobTally.done`."""
    now, job_tallies = r.clock(memory)[0].now, r.job_tallies(memory)
    if asked_seconds >= 0.0:
        weight = _weight(memory, job, request)
        job_tallies[job].inside_weight -= weight
        job_tallies[job].inside_asked_seconds -= weight * asked_seconds
        job_tallies[job].done_seconds += weight * (now - asked_seconds)
        r.job_classes(memory)[job * CLASSES + class_of(now - asked_seconds)] += weight
