"""From flows to a program: a flat table of instructions with every name resolved to an index, every demand to a number.

Both engines run this table: SimPy walks it as processes, a compiled engine as arrays. ``Instruction.visit``, a function
of the operation's name and the step's place in it, tells a step's random draws from those of all others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeVar

from sim.model.flow import Home, Keyed, Per, Where

T = TypeVar("T")

#: Draws that one instruction may take; the next one's start behind them.
DRAWS_MAX: Final = 16
#: Steps that a journey may have: the entity of a request's step is number × this + step.
STEPS_MAX: Final = 16


class Op(IntEnum):
    """Kinds of instruction; `sim.model.flow` says what each means."""

    SEQUENCE = 0
    USE = 1
    CALL = 2
    HOLD = 3
    ADMIT = 4
    LIMIT = 5
    DELAY = 6
    LOOKUP = 7
    FORK = 8
    DEADLINE = 9
    RESCUE = 10
    BREAKER = 11
    RETRY = 12
    DECIDE = 13
    EMIT = 14
    STAGE = 15
    MARK = 16
    FAIL = 17
    MISSED = 18
    ASIDE = 19
    COMMITTED = 20  # size: commits more that no replica has (−1: one less); where it is ≥ 0 the person has written


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One step; which fields mean something depends on ``op``."""

    op: Op
    visit: int
    children: tuple[int, ...] = ()
    index: int = -1  # row of the table that the kind of instruction speaks of
    choices: tuple[int, ...] = ()  # stations that can serve it
    where: Where = Where.ANY
    per: Per = Per.VISIT
    share: float = 1.0
    seconds: float = 0.0
    trips: float = 1.0
    size: int = 0
    sent: int = 0  # bytes of what a call sends
    keys: str = ""
    coalesce: bool = False
    proxy: int = -1  # row of demands: what Toxiproxy spends on a round trip of this call
    nodes: int = 1  # of choices, so many in a row are one database: its primary (at first) and its replicas
    home: Home = Home.HERE  # in which region, or where a call leads to
    hop: int = 0  # so many regions further
    role: int = (
        0  # which of them: 0 the primary, k the k-th behind it (`core.policies.replica`), `flow.READS` by policy
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A family of pools: one for each instance of the caller and of the callee."""

    name: str
    size: int
    callers: int
    callees: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRow:
    """CPU seconds of one execution: mean in each second of the run, and the σ of its lognormal spread."""

    operation: str
    process: str
    mean_seconds: tuple[float, ...]
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where an operation starts, and what runs behind its answer."""

    name: str
    front: int
    behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The events that start one job: their partitions, and the consumers that share these."""

    job: str
    partitions: int
    keyed: Keyed
    members: tuple[int, ...]  # processes of the consumer group


@dataclass(slots=True)
class Program:
    """The whole table. Rows are only ever added."""

    instructions: list[Instruction] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    demands: list[DemandRow] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    pools: list[PoolSpec] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)
    breakers: list[tuple[str, int]] = field(default_factory=list)  # dependency, instances of its caller
    delays: list[str] = field(default_factory=list)
    stages: list[tuple[str, str, str]] = field(default_factory=list)  # component, operation, stage
    jobs: list[str] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)  # of the job in the same place
    notes: list[str] = field(default_factory=list)  # what had to be assumed for want of a measurement
