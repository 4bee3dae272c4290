"""Rows of a program: instructions, demands, stages, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from core.operations import FANOUT_DELIVER
from sim.compiled import lookups, moves, routing
from sim.compiled.draft import Draft
from sim.compiled.memory import Array
from sim.compiled.records import NOBODY, TableId
from sim.model.program import Instruction, Op
from sim.results.jobs import CLASSES

#: Fields of instructions that are in their rows as they are.
_AS_THEY_ARE: Final = (
    "op", "visit", "index", "share", "trips", "seconds", "sent_bytes", "answer_bytes", "proxy", "callee", "nodes",
    "role", "home", "hop", "coalesce", "cancels", "endless", "everywhere", "commits", "ending", "urgent",
)  # fmt: skip


def program(draft: Draft) -> None:
    """Add the tables that a program needs."""
    program = draft.prepared.program
    steps = program.instructions
    # columns, because row by row takes ten times as long
    found = draft.add(
        TableId.INSTRUCTIONS,
        len(steps),
        **{name: [getattr(step, name) for step in steps] for name in _AS_THEY_ARE},
        where=[routing.WHERE_CODES[step.where] for step in steps],
        per=[moves.PER_CODES[step.per] for step in steps],
        keys=[lookups.KEYS_CODES[step.keys] for step in steps],
        operation=[draft.operations.index(each.operation) if each.op is Op.COMMITTED else NOBODY for each in steps],
        reason=[_reason(draft, step) for step in steps],
        lane=[draft.lane(step.seconds) if step.op is Op.DEADLINE else NOBODY for step in steps],
    )
    _lists(draft, found, "children", TableId.CHILDREN, [step.children for step in steps])
    _lists(draft, found, "choices", TableId.CHOICES, [step.choices for step in steps])
    demands = draft.add(TableId.DEMANDS, len(program.demands), sigma=[each.sigma for each in program.demands])
    means: list[float] = []
    for row, demand in zip(demands, program.demands, strict=True):
        row["means"], row["seconds_count"] = len(means), len(demand.mean_seconds)
        means += demand.mean_seconds
    draft.add_numbers(TableId.MEANS, means)
    draft.add(TableId.STAGES, len(program.stages))
    draft.add(TableId.REASONS, len(draft.reasons))
    draft.add(TableId.JOB_TALLIES, len(program.jobs), for_readers=[job == FANOUT_DELIVER for job in program.jobs])
    draft.add(TableId.JOB_CLASSES, len(program.jobs) * CLASSES)


def _lists(draft: Draft, found: Array, name: str, table: TableId, each: Sequence[Sequence[int]]) -> None:
    """Add a table of the numbers of all rows, and set where those of each row begin and how many they are."""
    counts = np.array([len(numbers) for numbers in each], dtype=np.int64)
    found[f"{name}_count"], found[name] = counts, np.cumsum(counts) - counts
    draft.add_numbers(table, [number for numbers in each for number in numbers])


def _reason(draft: Draft, step: Instruction) -> int:
    """Index of the reason for which an answer is marked; each new one is added to the list."""
    if step.op is not Op.MARK:
        return NOBODY
    if step.reason not in draft.reasons:
        draft.reasons.append(step.reason)
    return draft.reasons.index(step.reason)
