"""Whether a run is feed-forward, and if so in which order its stations can be solved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from core.operations import steps_of
from sim.disturbances import idle_ratios
from sim.flow import Per, Where
from sim.parts import Parts
from sim.program import Op

#: What needs nothing but the request's own times.
_PLAIN: Final = (Op.SEQUENCE, Op.USE, Op.CALL, Op.DELAY, Op.FORK, Op.STAGE)


def why_not(parts: Parts) -> str:
    """What keeps a run from being feed-forward; empty where nothing does."""
    program, layout, traffic = parts.program, parts.layout, parts.scenario.traffic
    if parts.long:
        return "more requests than are held at once"
    if parts.scenario.faults:
        return "faults"
    if len(layout.regions) > 1:
        return "several regions"
    if any(rate > 0.0 for rate in parts.profile.stalls.per_second) or idle_ratios(layout, parts.profile):
        return "stalls of the host, or idle work"
    for step in program.instructions:
        if step.op not in _PLAIN:
            return f"a step of kind {step.op.name.lower()}"
        if step.op is Op.USE and (
            step.per is not Per.VISIT or step.where not in (Where.ANY, Where.PERSON, Where.AUTHOR)
        ):
            return "demands or places that depend on more than the request"
        if step.op is Op.USE and step.nodes > 1:
            return "replicas"
    if any(len(steps_of(act)) > 1 for act in parts.schedule.acts):
        return "journeys of several steps"
    if any(not _is_nothing(parts, entry.behind) for entry in program.entries.values()):
        return "work behind an answer"
    for host, machine in enumerate(layout.hosts):
        used = [parts.plant.stations[place].workers for place in _stations(parts) if host_of(parts, place) == host]
        if len(used) > 1 and sum(used) > machine.cores:
            return f"processes that share the cores of {machine.name}"
    try:
        order(parts)
    except ValueError as error:
        return str(error)
    return "" if traffic.timeout_seconds > 0.0 else "a time limit"


def _is_nothing(parts: Parts, at: int) -> bool:
    step = parts.program.instructions[at]
    return step.op is Op.SEQUENCE and all(_is_nothing(parts, child) for child in step.children)


def host_of(parts: Parts, station: int) -> int:
    return parts.layout.processes[station % len(parts.layout.processes)].host


def _stations(parts: Parts) -> list[int]:
    """Stations that some step uses, in their order."""
    return sorted({place for step in parts.program.instructions if step.op is Op.USE for place in step.choices})


def _passes(parts: Parts, at: int) -> Iterator[tuple[list[int], list[int]]]:
    """For every pair of steps that follow each other on some way below an instruction: stations of both."""

    def walk(at: int, before: list[list[int]]) -> list[list[int]]:
        """Groups of stations that were used last on the ways up to here; yields into ``found``."""
        step = parts.program.instructions[at]
        match step.op:
            case Op.USE:
                here = list(step.choices)
                found.extend((group, here) for group in before)
                return [here]
            case Op.FORK:
                return [group for child in step.children for group in walk(child, before)]
            case _:
                for child in step.children:
                    before = walk(child, before)
                return before

    found: list[tuple[list[int], list[int]]] = []
    walk(at, [])
    yield from found


def order(parts: Parts) -> list[int]:
    """Stations in an order in which each comes behind those before it; raises ValueError where there is none."""
    follows: dict[int, set[int]] = {place: set() for place in _stations(parts)}
    for entry in parts.program.entries.values():
        for before, here in _passes(parts, entry.front):
            for place in here:
                follows[place] |= set(before)
    ordered: list[int] = []
    while follows:
        free = [place for place, before in follows.items() if not before - set(ordered)]
        if not free:
            names = ", ".join(parts.plant.stations[place].name for place in follows)
            raise ValueError(f"requests that come back to {names}")
        ordered += free
        for place in free:
            del follows[place]
    return ordered
