"""Flows: an operation as a value, a short tree of steps that its component writes on one page.

A flow holds no code, so that SimPy can run it as processes and a compiled engine as arrays, and it can be drawn and
priced. What a step needs to know of the request (its person, its photo) it names by an enumerated policy.

A step ends well or with an `Ending` that tells what went wrong; a sequence stops at the first step that ends badly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias, assert_never


class Ending(IntEnum):
    """How a step ended, best first: of parallel branches the worst counts."""

    OK = 0
    LIMITED = 1  # 429
    OVERLOADED = 2  # 503, refused before any work
    UNAVAILABLE = 3  # 503, something needed is down
    BROKEN = 4  # 502, it died while it worked on this
    EXPIRED = 5  # 504, no answer in time
    LOST = 6  # the client's connection was refused or cut
    CANCELLED = 7  # nobody wants it any more


class Where(StrEnum):
    """Which of several instances serves a step."""

    ANY = "any"  # the one that the gateway gave the request to; of others, round robin by request
    GATEWAY = "gateway"  # the gateway that the client's connection came to
    PERSON = "person"  # the shard of who acts
    AUTHOR = "author"  # the shard of whose post or profile it is about
    OWN_KEYS = "own keys"  # the Redis node with the keys of who acts
    COUNTER = "counter"  # the Redis node with the counter of the post, or with one of its keys while it is hot
    EACH = "each"  # the instance whose turn it is inside of `Each`


class Keys(StrEnum):
    """What a step looks up in a cache."""

    PHOTO = "photo"  # the photo of the post it is about
    TIMELINE = "timeline"  # of who acts
    POSTS = "posts"  # posts of the page of who acts
    AUTHORS = "authors"  # and their authors


class Policy(StrEnum):
    """Decisions that `core.policies` takes, by the name under which a flow asks for them."""

    FANOUT = "fanout"  # case 0: push to the timelines of the author's followers; case 1: readers pull


class Keyed(StrEnum):
    """Events of which stay in order on the log, because they have one key."""

    AUTHOR = "author"  # of one author
    REQUEST = "request"  # of nothing: each has a key of its own, as every photo has


#: Which node of a database does a step: the primary, or any that `core.policies.replica.reads_from` chooses.
PRIMARY: Final = 0
READS: Final = -1


class Home(IntEnum):
    """In which region a step is done, or what a call leads to: that of the request, or another's."""

    HERE = 0
    CLIENT = 1  # from where the client is: a call from outside
    PERSON = 2  # where the data of who acts is written
    AUTHOR = 3  # where the data of whose post or profile it is about is written


class Per(StrEnum):
    """What the demand of a step grows with."""

    VISIT = "visit"
    PUSH = "push"  # timelines written for this post, over those of the post that calibration saw
    PULL = "pull"  # in the store: celebrities whose posts this reader pulls (`sim.model.pulls`)
    MERGE = "merge"  # in the service: the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One step after another."""

    steps: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Have a process spend CPU: a share of what the operation costs this process in all (`core.profile.CpuDemand`)."""

    process: str  # a component, wherever it is placed, or a server
    share: float = 1.0
    degraded: bool = False  # a share of what the operation's fallback path costs beyond the usual one
    threaded: bool = False  # in a thread of its own, so that the event loop is free meanwhile
    where: Where = Where.ANY
    per: Per = Per.VISIT
    role: int = PRIMARY  # which node of a database does it: the primary, the k-th behind it, or one of `READS`
    home: Home = Home.HERE
    hop: int = 0  # in the region that is so many places further


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Cross a link, have ``inner`` done on the other side, and come back; ``trips`` counts round trips in series."""

    link: str
    inner: Flow
    trips: float = 1.0
    answer_bytes: int = 1_000
    sent_bytes: int = 500
    home: Home = Home.HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Take a place of the caller's pool (of connections, of workers) while ``inner`` is done; wait where all are taken.

    ``pool`` names its owner and what it leads to, such as ``feed_redis``; each instance of both has one of its own.
    """

    pool: str
    size: int
    inner: Flow
    where: Where = Where.ANY
    role: int = PRIMARY  # as of the step inside
    home: Home = Home.HERE  # as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Let at most ``size`` requests of ``component`` be under way at once; refuse others with 503."""

    component: str
    size: int
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The gateway's rate limit of this operation, where the scenario sets one: 429 beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Wait in a server without CPU, such as for a durable commit (`core.profile.Delay`); with a ``hop``, also for the
    way from ``home`` to the region that is so many places further."""

    station: str
    home: Home = Home.HERE
    hop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Make a transaction durable and have replicas replay it; ``share`` is that of the transaction's CPU."""

    where: Where
    home: Home = Home.HERE
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Count commits that the primary has acknowledged and no replica has: ``size`` more, or −1 when one is followed,
    by a replica in the region that is ``hop`` places further.

    With 0 or 1 the person has written now, and for a while does not read from a replica.
    """

    where: Where
    size: int
    home: Home = Home.HERE
    hop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Ask a cache; what misses is brought by ``miss`` and kept. Requests that miss one key at once wait for one of
    them where ``coalesce``."""

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
class Fork:
    """Do all branches at once and go on when the last has ended."""

    branches: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """Do ``inner`` for every instance of a server at once, each for its part: shares are divided by their number."""

    process: str
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Go on without ``inner`` after ``seconds``. Left to itself it goes on to its end; where the caller ``cancels``,
    what it has asked of others is still done there, nothing more is asked, its places in pools are free at once."""

    seconds: float
    inner: Flow
    cancels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """Where ``inner`` ends badly, do ``otherwise``."""

    inner: Flow
    otherwise: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """As `Rescue`, and after some failures in a row do not even try for a while (`core.policies.breaker`)."""

    dependency: str
    inner: Flow
    otherwise: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again by the scenario's policy where ``inner`` ends badly (`core.policies.retry`), or, ``endless``, for as
    long as it takes (`core.policies.patience`)."""

    inner: Flow
    endless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Do the case that a policy chooses."""

    policy: Policy
    cases: tuple[Flow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Put an event on the log that starts a background job, and do not wait for it; ``everywhere``, on the log of every
    region, where each does its people's part."""

    job: str
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Do ``inner`` beside everything else and do not wait for it."""

    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of the operation that is timed apart, under the same name as in the service."""

    name: str
    inner: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The answer is degraded from here on."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """End badly."""

    ending: Ending


Flow: TypeAlias = (
    Sequence
    | Use
    | Call
    | Hold
    | Admit
    | Limit
    | Delay
    | Commit
    | Committed
    | Lookup
    | Missed
    | Fork
    | Each
    | Deadline
    | Rescue
    | Breaker
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
    """One operation: what its client waits for, and what it leaves to be done behind the answer.

    Of a background job ``front`` is what a consumer does for one event, before it turns to the next of its partition.
    """

    front: Flow
    behind: Flow = Sequence(steps=())
    keyed: Keyed = Keyed.REQUEST  # of a background job


def steps(*flows: Flow) -> Sequence:
    """One after another."""
    return Sequence(steps=flows)


NOTHING = Sequence(steps=())


def walk(step: Flow, *, healthy: bool = False) -> Iterator[Flow]:
    """Every step of a flow; only those on the way on which nothing fails and every look-up hits where ``healthy``."""
    yield step
    match step:
        case Sequence(steps=inner) | Fork(branches=inner) | Decide(cases=inner):
            children: tuple[Flow, ...] = inner
        case Lookup(hit=hit, miss=miss):
            children = (hit,) if healthy else (hit, miss)
        case Rescue() | Breaker():
            children = (step.inner,) if healthy else (step.inner, step.otherwise)
        case Call() | Hold() | Admit() | Each() | Deadline() | Retry() | Aside() | Stage():
            children = (step.inner,)
        case Use() | Limit() | Delay() | Commit() | Committed() | Missed() | Emit() | Mark() | Fail():
            children = ()
        case _:
            assert_never(step)
    for child in children:
        yield from walk(child, healthy=healthy)
