"""Flows: an operation as a value, a short tree of steps that its component defines in one module.

A flow holds no code, so SimPy can run it as processes and the compiled engine as arrays, and it can be drawn and
priced. Where a step depends on the request (its person, its photo), an enumeration says how.

A step ends with `Ending.OK` or with what went wrong. A sequence stops at the first step that does not end OK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias, assert_never

from core.policies.backlog import STANDING_SECONDS


class Ending(IntEnum):
    """How a step ended, best first. Parallel branches end like the worst of them."""

    OK = 0
    LIMITED = 1  # 429
    OVERLOADED = 2  # 503, refused before any work
    UNAVAILABLE = 3  # 503, something that the step needs is down
    BROKEN = 4  # 502, a process died while it worked on the step
    EXPIRED = 5  # 504, no answer in time
    LOST = 6  # the client's connection was refused or cut
    CANCELLED = 7  # no longer wanted


class Where(StrEnum):
    """Which of several instances serves a step."""

    ANY = "any"  # the one that the gateway chose for the request; compiled to `TURN` for other processes than its own
    TURN = "turn"  # round robin by request
    GATEWAY = "gateway"  # the gateway that the client's connection came to
    PERSON = "person"  # the shard of the person who acts
    AUTHOR = "author"  # the shard of the author of the post or profile
    OWN_KEYS = "own keys"  # the Redis node with the keys of the person who acts
    COUNTER = "counter"  # the Redis node with the counter of the post, or with one of its keys while the post is hot
    EACH = "each"  # the instance for which `Each` does the step


class Keys(StrEnum):
    """The keys that a step looks up in a cache."""

    PHOTO = "photo"  # the photo of the post that the request is about
    TIMELINE = "timeline"  # the timeline of the person who acts
    POSTS = "posts"  # the posts on that person's feed page
    AUTHORS = "authors"  # the authors of these posts


class Policy(StrEnum):
    """Decisions of `core.policies` that a flow can ask for."""

    FANOUT = "fanout"  # case 0: push to the timelines of the author's followers; case 1: readers pull


class Keyed(StrEnum):
    """Which events stay in order on the log because they have the same key."""

    AUTHOR = "author"  # those of one author
    REQUEST = "request"  # none: each event has its own key, as every photo does


#: Which node of a database does a step: the primary, or the one that `core.policies.replica.reads_from` chooses.
PRIMARY: Final = 0
READS: Final = -1


class Home(IntEnum):
    """The region in which a step is done, or to which a call leads."""

    HERE = 0  # the region that serves the request
    CLIENT = 1  # a call that comes from the region of the client
    PERSON = 2  # where the data of the person who acts is written
    AUTHOR = 3  # where the data of the author is written


class Per(StrEnum):
    """What the demand of a step is proportional to."""

    VISIT = "visit"  # nothing: each execution costs the same
    PUSH = "push"  # timelines written for this post, over those of a post in calibration
    PULL = "pull"  # in the store: celebrities whose posts this reader pulls (`sim.model.pulls`)
    MERGE = "merge"  # the same in the service


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One step after another."""

    steps: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Use CPU of a process: a share of the operation's whole demand on this process (`core.profile.CpuDemand`)."""

    process: str  # a component or a server
    share: float = 1.0
    degraded: bool = False  # a share of what the operation's fallback path costs beyond the usual path
    threaded: bool = False  # in a separate thread, so that the event loop stays free
    where: Where = Where.ANY
    per: Per = Per.VISIT
    role: int = PRIMARY  # which node of a database does it: the primary, the k-th replica, or a node chosen as `READS`
    home: Home = Home.HERE
    hop: int = 0  # that many regions after ``home``, in the scenario's order
    refusal: bool = False  # what the gateway's refusal costs, instead of a share


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCall:
    """Cross a link, do ``inner`` on the other side, and return; ``trips`` counts round trips in series."""

    link: str
    inner: Flow
    trips: float = 1.0
    answer_bytes: int = 1_000
    sent_bytes: int = 500
    home: Home = Home.HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Hold one slot of the caller's pool (a connection, a worker) during ``inner``; wait while all are in use.

    ``pool`` names the caller and the callee, such as ``feed_redis``; each pair of their instances has its own pool.
    Without a ``size`` it has as many slots as the scenario has connections to the callee.
    """

    pool: str
    inner: Flow
    size: int | None = None
    where: Where = Where.ANY
    role: int = PRIMARY  # that of the step inside
    home: Home = Home.HERE  # that of the step inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Admit at most ``size`` requests of ``component`` at once; refuse others with 503.

    With the scenario's ``admission`` the bound follows how long requests wait until the component begins them, and
    ``urgent`` ones find room where others do not (`core.policies.admission`).
    """

    component: str
    size: int
    urgent: bool
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Apply the gateway's rate limit of this operation, if the scenario sets one: 429 beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogLimit:
    """Refuse (503) what would have to wait too long for background work, the events of ``job`` that are not handled."""

    job: str
    standing_seconds: float = STANDING_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait in a server without using CPU, such as for a durable commit (`core.profile.Delay`); with a ``hop``, also for
    the one-way time from ``home`` to the region that is ``hop`` regions further."""

    station: str
    home: Home = Home.HERE
    hop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Make a transaction durable and let replicas replay it; ``share`` is the transaction's share of the CPU demand."""

    where: Where
    home: Home = Home.HERE
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Change by ``count`` the number of commits that the primary has acknowledged and no replica has applied: +1 for a
    new commit, −1 when a replica, in the region that is ``hop`` regions further, has applied one.

    With 0 or 1 the person has just written, and for a while does not read from a replica.
    """

    where: Where
    count: int
    home: Home = Home.HERE
    hop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Look keys up in a cache; ``miss`` fetches the missing ones, which the cache then keeps. With ``coalesce``,
    requests that miss the same key wait for the first of them."""

    cache: str
    keys: Keys
    hit: Flow
    miss: Flow
    coalesce: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Count look-ups that found nothing because the cache could not be reached."""

    cache: str
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Do all branches at once; the step ends when the last of them ends."""

    branches: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """Do ``inner`` on every instance of a server at once; shares are divided by the number of instances."""

    process: str
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """End after ``seconds`` even if ``inner`` has not ended. By default ``inner`` then runs to its end. If the deadline
    ``cancels`` it, work under way in other processes is finished, nothing more is requested, and the slots that it
    holds in pools are free at once."""

    seconds: float | None  # None: after as long as a client waits for an answer
    inner: Flow
    cancels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """If ``inner`` does not end OK, do ``otherwise``."""

    inner: Flow
    otherwise: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class WithBreaker:
    """Like `Rescue`, but not trying ``inner`` for a while after several failures in a row (`core.policies.breaker`)."""

    dependency: str
    inner: Flow
    otherwise: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """If ``inner`` does not end OK, try it again by the scenario's policy (`core.policies.retry`); if ``endless``, try
    until it does (`core.policies.patience`)."""

    inner: Flow
    endless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Do the case that a policy chooses."""

    policy: Policy
    cases: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Put an event on the log that starts a background job, without waiting for the job. If ``everywhere``, put it on
    the log of every region; each region does the part for its own people."""

    job: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Start ``inner`` without waiting for it."""

    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Time a part of the operation separately, under the same name as in the service."""

    name: str
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Mark the answer as degraded."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """End with ``ending``."""

    ending: Ending


Flow: TypeAlias = (
    Sequence
    | Use
    | RemoteCall
    | Hold
    | Admit
    | Limit
    | BacklogLimit
    | Wait
    | Commit
    | Committed
    | Lookup
    | Missed
    | Parallel
    | Each
    | Deadline
    | Rescue
    | WithBreaker
    | Retry
    | Decide
    | Emit
    | Aside
    | Stage
    | Mark
    | Fail
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFlow:
    """One operation: its client waits for ``front``; ``behind`` is done after the answer.

    In a background job, ``front`` is what a consumer does for one event before it takes the next one of the partition.
    """

    front: Flow
    behind: Flow = Sequence(steps=())
    admission: Flow = Sequence(steps=())  # done before ``front``; compiled behind it, so that it moves no random draws
    keyed: Keyed = Keyed.REQUEST  # of a background job


def steps(*flows: Flow) -> Sequence:
    """A sequence of flows."""
    return Sequence(steps=flows)


def used_by(process: str) -> Callable[[float], Use]:
    """A function of a share that returns a `Use` of that share of the process's demand."""
    return lambda share: Use(process=process, share=share)


def stage(name: str, *flows: Flow) -> Stage:
    """A stage that does one flow, or several one after another."""
    return Stage(name=name, inner=flows[0] if len(flows) == 1 else steps(*flows))


NOTHING: Final = Sequence(steps=())


def walk(step: Flow, *, healthy: bool = False) -> Iterator[Flow]:
    """Every step of a flow; if ``healthy``, only those that are done when nothing fails and every look-up hits."""
    yield step
    match step:
        case Sequence(steps=inner) | Parallel(branches=inner) | Decide(cases=inner):
            children: tuple[Flow, ...] = inner
        case Lookup(hit=hit, miss=miss):
            children = (hit,) if healthy else (hit, miss)
        case Rescue() | WithBreaker():
            children = (step.inner,) if healthy else (step.inner, step.otherwise)
        case RemoteCall() | Hold() | Admit() | Each() | Deadline() | Retry() | Aside() | Stage():
            children = (step.inner,)
        case Use() | Limit() | BacklogLimit() | Wait() | Commit() | Committed() | Missed() | Emit() | Mark() | Fail():
            children = ()
        case _:
            assert_never(step)
    for child in children:
        yield from walk(child, healthy=healthy)
