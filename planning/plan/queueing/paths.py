"""Paths of an operation without failures: the CPU, round trips and waits in series, for each combination of cache hits
and misses.

They come from the flows of `sim.model.components` that the engines run, so a changed flow changes the plan. Branches in
one event loop do not run at the same time, so their own CPU is in series and only the work of other processes is
parallel; the overlap that this ignores is small, and ignoring it overestimates latency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product, zip_longest
from typing import Final, assert_never

from sim.model import flow as flows
from sim.model.flow import Flow, Home, OperationFlow


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentVisit:
    """CPU at one process: seconds of a core as fast as the calibrated one, and their coefficient of variation."""

    process: str
    seconds: float
    variation: float
    threaded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Round trips over one link on one connection, and the bytes that come back."""

    link: str
    count: float
    answer_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Visits, round trips, delays and forks in series, in any order.

    A task goes on at an event loop until it waits, so two visits of one process with nothing between them are one.
    """

    visits: tuple[SegmentVisit, ...] = ()
    trips: tuple[Trip, ...] = ()
    delays: tuple[str, ...] = ()
    forks: tuple[PathFork, ...] = ()
    begins_at: str = ""  # the process of the first visit if nothing is before it
    ends_at: str = ""  # the process of the last visit if nothing is behind it

    def __add__(self, other: Segment) -> Segment:
        if not self or not other:
            return self or other
        visits = self.visits + other.visits
        if self.ends_at and self.ends_at == other.begins_at:
            visits = (*self.visits[:-1], _together((self.visits[-1], other.visits[0])), *other.visits[1:])
        return Segment(
            visits=visits,
            trips=self.trips + other.trips,
            delays=self.delays + other.delays,
            forks=self.forks + other.forks,
            begins_at=self.begins_at,
            ends_at=other.ends_at,
        )

    def __bool__(self) -> bool:
        return bool(self.visits or self.trips or self.delays or self.forks)

    def alone(self) -> Segment:
        """The segment as something before or behind which a task waits."""
        return replace(self, begins_at="", ends_at="")

    def every(self) -> Iterator[Segment]:
        """This segment and all that its forks hold."""
        yield self
        for fork in self.forks:
            for segment in fork.segments:
                yield from segment.every()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFork:
    """Parallel segments; the last one to end counts. With a ``server`` there is one segment that all instances of that
    server share: its CPU on that server is that of all of them together."""

    segments: tuple[Segment, ...]
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One way through an operation: what its client waits for, and what happens in parallel and after the answer."""

    hits: frozenset[str] = frozenset()
    misses: frozenset[str] = frozenset()
    segment: Segment = Segment()
    beside: Segment = Segment()

    def then(self, other: Path) -> Path | None:
        """This path followed by ``other``; None if one cache would both hit and miss."""
        hits, misses = self.hits | other.hits, self.misses | other.misses
        if hits & misses:
            return None
        return Path(hits=hits, misses=misses, segment=self.segment + other.segment, beside=self.beside + other.beside)


#: The name, as a cache, of whether an author lives in another region (a miss), and of the link to there.
AWAY: Final = "another region"
#: Name of the wait for a durable commit in a profile.
COMMIT: Final = "postgres.commit"

Cost = Callable[[flows.Use, tuple[str, ...]], SegmentVisit | None]


def paths(page: OperationFlow, *, own: str, cost: Cost) -> tuple[Path, ...]:
    """Every path of an operation whose component is ``own``; ``cost`` gives a step's CPU, given the caches that missed
    around it."""
    walker = _Walker(own, cost)
    behind = [_all_beside(path) for path in walker.walk(page.behind, ())]
    return tuple(_product(walker.walk(page.front, ()), behind))


class _Walker:
    def __init__(self, own: str, cost: Cost):
        self._own, self._cost = own, cost

    def walk(self, step: Flow, missed: tuple[str, ...]) -> Iterator[Path]:
        """The paths of one step."""
        match step:
            case flows.Sequence(steps=inner):
                yield from _product(*(self.walk(each, missed) for each in inner))
            case flows.Use():
                visit = self._cost(step, missed)
                yield Path(segment=_turn(visit)) if visit is not None else Path()
            case flows.RemoteCall():
                trip = Trip(link=step.link, count=step.trips, answer_bytes=step.answer_bytes)
                inside = self.walk(step.inner, missed)
                below = [replace(path, segment=path.segment.alone()) for path in inside]
                if step.home is not Home.AUTHOR:
                    yield from _product([Path(segment=Segment(trips=(trip,)))], below)
                    return
                # the post's author lives here or in another region, where it is written
                far = Trip(link=AWAY, count=step.trips, answer_bytes=0)
                yield from _product([Path(hits=frozenset({AWAY}), segment=Segment(trips=(trip,)))], below)
                yield from _product([Path(misses=frozenset({AWAY}), segment=Segment(trips=(trip, far)))], below)
            case flows.Wait():
                yield Path(segment=Segment(delays=(str(step.station),)))
            case flows.Commit():
                yield Path(segment=Segment(delays=(COMMIT,)))
            case flows.Lookup(hit=hit, miss=miss):
                name = str(step.cache)
                yield from _product([Path(hits=frozenset({name}))], self.walk(hit, missed))
                yield from _product([Path(misses=frozenset({name}))], self.walk(miss, (*missed, name)))
            case flows.Parallel(branches=branches):
                for each in product(*(self.walk(branch, missed) for branch in branches)):
                    yield from self._joined(each)
            case flows.Each():
                for path in self.walk(step.inner, missed):
                    fork = PathFork(segments=(path.segment,), server=str(step.process))
                    yield replace(path, segment=Segment(forks=(fork,)))
            case flows.Decide(cases=cases):
                yield from self.walk(cases[0], missed)  # in proportion to what the policy chooses, see `costs`
            case flows.Aside():
                for path in self.walk(step.inner, missed):
                    yield _all_beside(path)
            case flows.Deadline():
                for path in self.walk(step.inner, missed):  # in a task of its own
                    yield replace(path, segment=path.segment.alone())
            case flows.Hold() | flows.Admit() | flows.Rescue() | flows.WithBreaker() | flows.Retry():
                yield from self.walk(step.inner, missed)  # here nothing waits or fails
            case flows.Stage():
                yield from self.walk(step.inner, missed)
            case (
                flows.Limit()
                | flows.BacklogLimit()
                | flows.Committed()
                | flows.Missed()
                | flows.Emit()
                | flows.Mark()
                | flows.Fail()
            ):
                yield Path()
            case _:
                assert_never(step)

    def _joined(self, branches: tuple[Path, ...]) -> Iterator[Path]:
        parallel, beside = [], Segment()
        hits, misses = frozenset[str](), frozenset[str]()
        own: list[list[SegmentVisit]] = []
        for path in branches:
            own.append([visit for visit in path.segment.visits if visit.process == self._own])
            others = tuple(visit for visit in path.segment.visits if visit.process != self._own)
            rest = replace(path.segment, visits=others).alone()
            if rest:
                parallel.append(rest)
            beside += path.beside
            hits, misses = hits | path.hits, misses | path.misses
        if hits & misses:
            return
        forks = (PathFork(segments=tuple(parallel)),) if len(parallel) > 1 else ()
        alone = parallel[0] if len(parallel) == 1 else Segment()
        serial = Segment(visits=tuple(_together(each) for each in zip_longest(*own)))
        yield Path(hits=hits, misses=misses, segment=serial + alone + Segment(forks=forks), beside=beside)


def _turn(visit: SegmentVisit) -> Segment:
    """One visit; threads take no turns at a loop."""
    at = "" if visit.threaded else visit.process
    return Segment(visits=(visit,), begins_at=at, ends_at=at)


def _together(visits: Iterable[SegmentVisit | None]) -> SegmentVisit:
    """Merge visits to one loop that are executed without interruption by other requests."""
    known = [visit for visit in visits if visit is not None]
    seconds = sum(visit.seconds for visit in known)
    variance = sum((visit.seconds * visit.variation) ** 2 for visit in known)
    return SegmentVisit(
        process=known[0].process, seconds=seconds, variation=math.sqrt(variance) / seconds if seconds else 0.0
    )


def _all_beside(path: Path) -> Path:
    return replace(path, segment=Segment(), beside=path.segment + path.beside)


def _product(*choices: Iterable[Path]) -> Iterator[Path]:
    """Every way through several steps in series."""
    for each in product(*choices):
        whole: Path | None = Path()
        for path in each:
            whole = whole.then(path) if whole is not None else None
        if whole is not None:
            yield whole
