"""Rows of a program: instructions, demands, stages, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from core.operations import FANOUT_DELIVER
from sim.compiled import lookups, moves, routing
from sim.compiled.draft import Draft, rows
from sim.compiled.memory import Array
from sim.compiled.records import NOBODY, TableId
from sim.model.program import Instruction, Op
from sim.results.jobs import CLASSES

#: Fields of instructions that stand in their rows as they are.
_AS_THEY_ARE: Final = (
    "op", "visit", "index", "share", "trips", "sent_bytes", "answer_bytes", "proxy", "callee", "nodes", "role", "home",
    "hop", "coalesce", "cancels", "endless", "everywhere", "commits", "ending",
)  # fmt: skip


def program(draft: Draft) -> None:
    program = draft.prepared.program
    steps = program.instructions
    found = rows(TableId.INSTRUCTIONS, len(steps))
    for name in _AS_THEY_ARE:
        _fill(found, name, [getattr(step, name) for step in steps])
    _fill(found, "where", [routing.WHERE_CODES[step.where] for step in steps])
    _fill(found, "per", [moves.PER_CODES[step.per] for step in steps])
    _fill(found, "keys", [lookups.KEYS_CODES[step.keys] for step in steps])
    _fill(found, "operation", [_operation(draft, step) for step in steps])
    _fill(found, "reason", [_reason(draft, step) for step in steps])
    _fill(found, "lane", [draft.lane(step.seconds) if step.op is Op.DEADLINE else NOBODY for step in steps])
    _lists(draft, found, "children", TableId.CHILDREN, [step.children for step in steps])
    _lists(draft, found, "choices", TableId.CHOICES, [step.choices for step in steps])
    draft.tables[TableId.INSTRUCTIONS] = found
    means: list[float] = []
    demands = rows(TableId.DEMANDS, len(program.demands))
    for row, demand in zip(demands, program.demands, strict=True):
        row["sigma"], row["means"], row["seconds_count"] = demand.sigma, len(means), len(demand.mean_seconds)
        means += demand.mean_seconds
    draft.tables[TableId.DEMANDS] = demands
    draft.tables[TableId.MEANS] = np.array(means, dtype=np.float64)
    draft.tables[TableId.STAGES] = rows(TableId.STAGES, max(1, len(program.stages)))
    draft.tables[TableId.REASONS] = rows(TableId.REASONS, max(1, len(draft.reasons)))
    jobs = rows(TableId.JOB_TALLIES, max(1, len(program.jobs)))
    jobs["for_readers"][: len(program.jobs)] = [job == FANOUT_DELIVER for job in program.jobs]
    draft.tables[TableId.JOB_TALLIES] = jobs
    draft.tables[TableId.JOB_CLASSES] = rows(TableId.JOB_CLASSES, max(1, len(program.jobs)) * CLASSES)


def _fill(found: Array, name: str, values: Sequence[float]) -> None:
    """Set one field of all rows: row by row takes ten times as long."""
    found[name] = np.array(values, dtype=found.dtype[name])


def _lists(draft: Draft, found: Array, name: str, table: TableId, each: Sequence[Sequence[int]]) -> None:
    """Set a table of the numbers of all rows, and where those of each begin and how many they are."""
    counts = np.array([len(numbers) for numbers in each], dtype=np.int64)
    found[f"{name}_count"], found[name] = counts, np.cumsum(counts) - counts
    draft.numbers(table, [number for numbers in each for number in numbers])


def _operation(draft: Draft, step: Instruction) -> int:
    return draft.operations.index(step.operation) if step.op is Op.COMMITTED else NOBODY


def _reason(draft: Draft, step: Instruction) -> int:
    """Index of the reason for which an answer is marked; each new one is added to the list."""
    if step.op is not Op.MARK:
        return NOBODY
    if step.reason not in draft.reasons:
        draft.reasons.append(step.reason)
    return draft.reasons.index(step.reason)
