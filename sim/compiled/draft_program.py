"""Rows of a program: instructions, demands, stages, jobs."""

from __future__ import annotations

from typing import Final

import numpy as np

from sim.compiled import lookups, moves, routing
from sim.compiled.draft import Draft, rows
from sim.compiled.records import NOBODY, Place
from sim.flow import Keys
from sim.jobs import CLASSES
from sim.program import Instruction, Op

#: The job that readers wait for.
_FOR_READERS: Final = "fanout.deliver"


def program(draft: Draft) -> None:
    program = draft.parts.program
    found = rows(Place.INSTRUCTIONS, len(program.instructions))
    children: list[int] = []
    choices: list[int] = []
    for row, step in zip(found, program.instructions, strict=True):
        row["op"], row["visit"], row["index"] = step.op, step.visit, step.index
        row["share"], row["trips"] = step.share, step.trips
        row["size"], row["coalesce"], row["proxy"] = step.size, step.coalesce, step.proxy
        row["sent"], row["nodes"], row["role"] = step.sent, step.nodes, step.role
        row["home"], row["hop"] = step.home, step.hop
        row["where"] = routing.WHERE_CODES[step.where]
        row["per"] = moves.PER_CODES[step.per]
        row["keys"] = _keys(draft, step)
        row["children"], row["children_count"] = len(children), len(step.children)
        row["choices"], row["choices_count"] = len(choices), len(step.choices)
        row["lane"] = draft.lane(step.seconds) if step.op is Op.DEADLINE else NOBODY
        children += step.children
        choices += step.choices
    draft.tables[Place.INSTRUCTIONS] = found
    draft.numbers(Place.CHILDREN, children)
    draft.numbers(Place.CHOICES, choices)
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
