"""Programs: flows as a flat table of instructions, with every name resolved to an index and every demand to a number.

Both engines run this table: SimPy as processes, the compiled engine as arrays. ``Instruction.visit``, a function of the
operation's name and the step's index in it, gives each step random draws that are independent of those of all others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeVar

from sim.model.flow import Ending, Home, Keyed, Keys, Per, Policy, Where

T = TypeVar("T")

#: Random draws that one instruction may take; those of the next one follow.
DRAWS_MAX: Final = 16
#: Steps that a journey may have: the entity of a request's step is number × this + step.
STEPS_MAX: Final = 16


class Op(IntEnum):
    """Kinds of instruction; the classes of `sim.model.flow` say what each does."""

    SEQUENCE = 0
    USE = 1
    CALL = 2
    HOLD = 3
    ADMIT = 4
    LIMIT = 5
    WAIT = 6
    LOOKUP = 7
    PARALLEL = 8
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
    COMMITTED = 20
    BACKLOG = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One step. The fields below the common ones belong to single kinds; in other kinds they keep their defaults."""

    op: Op
    visit: int = 0
    children: tuple[int, ...] = ()  # indices of instructions
    index: int = -1  # row in the table that ``op`` needs: demands, links, pools, delays, caches, breakers, jobs, stages

    # where the step is done: USE, CALL (its proxy), HOLD, ADMIT, COMMITTED, WAIT
    choices: tuple[int, ...] = ()  # stations that can serve it
    where: Where = Where.ANY
    nodes: int = 1  # that many consecutive choices are one database: its primary (at first) and its replicas
    role: int = 0  # 0 the primary, k the k-th replica, `flow.READS` by policy (`core.policies.replica`)
    home: Home = Home.HERE  # the region in which it is done, or to which a call leads
    hop: int = 0  # that many regions after ``home``

    # USE; of CALL, the share of the proxy's demand
    per: Per = Per.VISIT
    share: float = 1.0

    # CALL
    trips: float = 1.0
    sent_bytes: int = 0
    answer_bytes: int = 0
    proxy: int = -1  # row of demands: CPU that Toxiproxy uses for a round trip of this call

    # HOLD
    callee: int = -1  # instance of the callee, inside of `flow.Each`

    # ADMIT
    urgent: bool = False

    # LOOKUP, MISSED
    keys: Keys = Keys.PHOTO
    coalesce: bool = False

    # DEADLINE; of BACKLOG, how long something must have waited
    seconds: float = 0.0
    cancels: bool = False

    # RETRY
    endless: bool = False

    # EMIT
    everywhere: bool = False

    # COMMITTED
    commits: int = 0  # change of the number of commits that no replica has; where it is ≥ 0 the person has written
    operation: str = ""

    # DECIDE, MARK, FAIL
    policy: Policy = Policy.FANOUT
    reason: str = ""
    ending: Ending = Ending.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A family of pools: one for each instance of the caller and of the callee."""

    name: str
    size: int
    callers: int
    callees: int
    adaptive: bool = False  # ``size`` is the most; `core.policies.admission` says how many are free


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRow:
    """CPU seconds of one execution: mean in each second of the run, and the σ of its lognormal spread."""

    operation: str
    process: str
    mean_seconds: tuple[float, ...]
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """The first instructions of an operation and of the work behind its answer."""

    name: str
    front: int
    behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The log of the events that start one job: its partitions, and the consumers that share them."""

    job: str
    partitions: int
    keyed: Keyed
    members: tuple[int, ...]  # processes of the consumer group


@dataclass(slots=True)
class Program:
    """Instructions, and the tables that their ``index`` refers to. Rows are only added, never changed."""

    instructions: list[Instruction] = field(default_factory=list)
    entries: dict[str, EntryPoint] = field(default_factory=dict)
    demands: list[DemandRow] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    pools: list[PoolSpec] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)
    breakers: list[tuple[str, int]] = field(default_factory=list)  # dependency, instances of its caller
    delays: list[str] = field(default_factory=list)
    stages: list[tuple[str, str, str]] = field(default_factory=list)  # component, operation, stage
    jobs: list[str] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)  # by job, in the order of ``jobs``
    notes: list[str] = field(default_factory=list)  # assumptions made where a measurement is missing
