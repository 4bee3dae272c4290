"""Rows of a program: instructions, demands, stages, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sim.compiled import lookups, moves, routing
from sim.compiled.draft import Draft, rows
from sim.compiled.records import NOBODY, Place
from sim.compiled.world import Array
from sim.model.flow import Keys
from sim.model.program import Instruction, Op
from sim.results.jobs import CLASSES

#: Fields of instructions that stand in their rows as they are.
_AS_THEY_ARE: Final = (
    "op", "visit", "index", "share", "trips", "size", "sent", "coalesce", "proxy", "nodes", "role", "home", "hop",
)  # fmt: skip
#: The job that readers wait for.
_FOR_READERS: Final = "fanout.deliver"


def program(draft: Draft) -> None:
    program = draft.prepared.program
    steps = program.instructions
    found = rows(Place.INSTRUCTIONS, len(steps))
    for name in _AS_THEY_ARE:
        _fill(found, name, [getattr(step, name) for step in steps])
    _fill(found, "where", [routing.WHERE_CODES[step.where] for step in steps])
    _fill(found, "per", [moves.PER_CODES[step.per] for step in steps])
    _fill(found, "keys", [_keys(draft, step) for step in steps])
    _fill(found, "lane", [draft.lane(step.seconds) if step.op is Op.DEADLINE else NOBODY for step in steps])
    _lists(draft, found, "children", Place.CHILDREN, [step.children for step in steps])
    _lists(draft, found, "choices", Place.CHOICES, [step.choices for step in steps])
    draft.tables[Place.INSTRUCTIONS] = found
    means: list[float] = []
    demands = rows(Place.DEMANDS, len(program.demands))
    for row, demand in zip(demands, program.demands, strict=True):
        row["sigma"], row["means"], row["seconds_count"] = demand.sigma, len(means), len(demand.mean_seconds)
        means += demand.mean_seconds
    draft.tables[Place.DEMANDS] = demands
    draft.tables[Place.MEANS] = np.array(means, dtype=np.float64)
    draft.tables[Place.STAGES] = rows(Place.STAGES, max(1, len(program.stages)))
    draft.tables[Place.REASONS] = rows(Place.REASONS, max(1, len(draft.reasons)))
    jobs = rows(Place.JOB_TALLIES, max(1, len(program.jobs)))
    jobs["for_readers"][: len(program.jobs)] = [job == _FOR_READERS for job in program.jobs]
    draft.tables[Place.JOB_TALLIES] = jobs
    draft.tables[Place.JOB_CLASSES] = rows(Place.JOB_CLASSES, max(1, len(program.jobs)) * CLASSES)


def _fill(found: Array, name: str, values: Sequence[float]) -> None:
    """Set one field of all rows: row by row takes ten times as long."""
    found[name] = np.array(values, dtype=found.dtype[name])


def _lists(draft: Draft, found: Array, name: str, place: Place, each: Sequence[Sequence[int]]) -> None:
    """Set a table of the numbers of all rows, and where those of each begin and how many they are."""
    counts = np.array([len(numbers) for numbers in each], dtype=np.int64)
    found[f"{name}_count"], found[name] = counts, np.cumsum(counts) - counts
    draft.numbers(place, [number for numbers in each for number in numbers])


def _keys(draft: Draft, step: Instruction) -> int:
    match step.op:
        case Op.MARK:
            if step.keys not in draft.reasons:
                draft.reasons.append(step.keys)
            return draft.reasons.index(step.keys)
        case Op.LOOKUP | Op.MISSED:
            return lookups.KEYS_CODES[Keys(step.keys)]
        case Op.COMMITTED:
            return draft.operations.index(step.keys)
    return 0
