"""Tables of the memory: what a row of each holds, and how compiled code reaches them.

Tables refer to each other by row number; `NOBODY` is none. Fields are as narrow as possible, and fields that are used
together are neighbours: most of the time of an event goes into fetching rows.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.compiled.jit import Address, Rows, table
from sim.model.toxics import TOXIC

NOBODY: Final = -1
#: Value of ``waiter`` for a key that nobody is fetching.
UNASKED: Final = -2

_INTEGER: Final = np.dtype("i8")
_NUMBER: Final = np.dtype("f8")


def _row(**fields: str) -> np.dtype[Any]:
    return np.dtype(list(fields.items()), align=True)


class TableId(IntEnum):
    """Tables by their index in the memory, in the order of this list. Each is defined by the dtype of its rows."""

    dtype: np.dtype[Any]

    def __new__(cls, dtype: np.dtype[Any]) -> TableId:
        index = len(cls.__members__)
        member = int.__new__(cls, index)
        member._value_, member.dtype = index, dtype
        return member

    # --- what does not change during a run ----------------------------------------------------------------------------

    INSTRUCTIONS = _row(
        visit="u8", share="f8", trips="f8", seconds="f8", op="i2", nodes="i2", where="i1", per="i1", home="i1",
        role="i1",
        index="i4", proxy="i4", hop="i4",
        children="i4",  # the first of them in `CHILDREN`
        children_count="i4",
        choices="i4",  # the first of them in `CHOICES`
        choices_count="i4",
        sent_bytes="i8", answer_bytes="i8",
        callee="i4",
        keys="i4",  # an index of `lookups.KEYS_CODES`
        operation="i4",  # whose commits are counted
        reason="i4",  # index of why an answer is degraded
        lane="i4",  # of a deadline's timer
        coalesce="i1", cancels="i1", endless="i1", everywhere="i1", commits="i1", ending="i1", urgent="i1",
    )  # fmt: skip
    CHILDREN = _INTEGER
    CHOICES = _INTEGER
    MEANS = _NUMBER  # CPU seconds by second of the run, demand after demand
    DEMANDS = _row(sigma="f8", means="i8", seconds_count="i8")
    ENTRIES = _row(limit_seconds="f8", limit_index="i8", front="i8", behind="i8", limit_quota="i8")
    #: Requests of the schedule, worked out before they come; each is at its number & mask in a ring.
    ARRIVALS = _row(
        at="f8",
        push_count="f8",  # timelines written for a post of the author, in all regions
        pull_factor="f8",  # cost to the store of pulling celebrities' posts for this person, over the calibrated cost
        merge_factor="f8",  # the same for the service
        photo_bytes="i8",
        person="i8",
        author="i8",
        act="i4",
        person_instance="i4",
        author_instance="i4",
        page="i4",  # row of the person's page
        limit_row="i4",  # of the person among those who ask
        pushes="i4",  # whether a post of the author is pushed
        readers="i4",  # people who see a post of the author
        person_home="i4",  # index of the region
        author_home="i4",
        person_node="i4",  # of Redis
        counter="i4",  # row of the post's counter
        counter_node="i4",
        author_partition="i4",
        number_partition="i4",
    )
    ACTS = _row(steps="i8", steps_count="i8")  # the first of an act's entries in `STEPS`, and their number
    STEPS = _INTEGER
    PAGES = _row(posts="i8", posts_count="i8", authors="i8", authors_count="i8")
    PAGE_POSTS = _INTEGER
    PAGE_AUTHORS = _INTEGER
    LINKS = _row(mu="f8", sigma="f8", toxics="i4", toxics_count="i4", acting_count="i4")
    TOXICS = TOXIC  # link after link, in the order in which they begin
    DELAYS = _row(mu="f8", sigma="f8")
    STALLS = _row(rate="f8", lower="f8", upper="f8", mean="f8", power="f8", key="u8", number="i8", host="i8")
    IDLES = _row(share="f8", key="u8", number="i8", station="i8")
    #: Faults of the scenario (`sim.model.faults.ScheduledFault`): what each acts on, and when it did.
    FAULTS = _row(
        at="f8", for_seconds="f8", began="f8", ended="f8", pauses="i8", goodbye="i8", lost="i8",
        stations="i8", stations_count="i8",
        caches="i8", caches_count="i8", keys="i8", keys_count="i8", toxics="i8", toxics_count="i8",
        promotions="i8", promotions_count="i8", region="i8",
    )  # fmt: skip
    FAULT_STATIONS = _INTEGER
    FAULT_CACHES = _INTEGER
    FAULT_KEYS = _INTEGER  # keys that are lost with one node of several, as pairs of cache and slot
    FAULT_TOXICS = _INTEGER
    RTTS = _NUMBER  # by region and region
    SHARES = _NUMBER  # share of the people, by region

    # --- what changes -------------------------------------------------------------------------------------------------

    CLOCK = _row(
        now="f8", start="f8", stopped="f8", last_ended="f8", until_idle="f8", timeout="f8", retry_tokens="f8",
        tick="f8", slice="f8",
        seq="i8", heap_count="i8", heap_limit="i8", ready_head="i8", ready_count="i8", ready_mask="i8",
        urgent_head="i8", urgent_count="i8", urgent_mask="i8", urgent_limit="i8", samples_count="i8",
        short="i8",  # whether a table may have too few free rows for another event
        arrival="i8", arrivals_count="i8", arriving="i8", open="i8", counting="i8", error="i8", error_row="i8",
        lanes_count="i8", hosts_count="i8", cores_count="i8", dues_max="i8",
        timeout_lane="i8", breaker_failures="i8", retry_attempts="i8", topics_count="i8",
        hot_per_second="f8", own_writes="f8", failover="f8", hot_keys_max="i8", splits="i8", folds="i8",
        operations_count="i8", tasks_count="i8", arrivals_mask="i8", samples_max="i8", limits_count="i8",
        regions="i8", span="i8", links_count="i8", caches_count="i8", jobs_count="i8",
        processes_count="i8", regions_up="i8", reroutes_count="i8", push_mean="f8", health_check="f8",
        breaker_open_seconds="f8", retry_ratio="f8", retry_base="f8", retry_cap="f8",
        demand_key="u8", wait_key="u8", plain_key="u8",
    )  # fmt: skip
    #: Free rows of each table that has some (`sim.compiled.memory.FREES`), by table: see `sim.compiled.agenda.take`.
    FREES = _row(first="i8", count="i8", reserve="i8")
    EVENTS = _row(time="f8", seq="i8", kind="i4", row="i4", turn="i4")
    LANES = _row(delay="f8", first="i4", last="i4")  # timers of one delay, which ring in the order they were set in
    READIES = _row(seq="i8", kind="i4", row="i4", value="i4")
    URGENTS = _row(row="i8", kind="i4", value="i4", turn="i4")
    DUES = _row(time="f8", seq="i8")  # by lane, then by core
    NODES = np.dtype("i4")
    #: Instructions under way. What ``a``, ``b``, ``i`` and ``j`` hold depends on the instruction: times, a claim, a
    #: child, a count. ``low`` and ``high`` are the keys that a look-up missed, as bits; ``left`` counts events of a
    #: round.
    FRAMES = _row(
        a="f8", b="f8", low="u8", high="u8", instruction="i4", parent="i4", task="i4", phase="i4", i="i4", j="i4",
        left="i4", next="i4", turn="i4",
    )  # fmt: skip
    TASKS = _row(
        serial="i8",  # rows are used again, this is not
        request="i4", attempt="i4", cancelled="i4", parent="i4", below="i4", below_last="i4", later="i4", sooner="i4",
        claim="i4", claim_last="i4", next="i4", died="i4",
    )  # fmt: skip
    REQUESTS = _row(
        entity="u8", number="i8", instance="i8", asked="f8", began="f8", admitted="f8",
        arrival="i4", gateway="i4", second="i4", users="i4", task="i4", next="i4", turn="i4", entry="i4",
        unbegun="i4",  # pool of the component that has admitted it and not begun it
        unbegun_station="i4", region="i2", step="i2", degraded="i1", answered="i1",
    )  # fmt: skip
    JOBS = _row(
        seconds="f8", remaining="f8", entered="f8", since="f8", station="i4", frame="i4",
        worker="i4",  # that does it, or NOBODY
        next="i4", previous="i4",
        pool="i4",  # to tell when it begins
    )  # fmt: skip
    CLAIMS = _row(
        entered="f8", pool="i4", task="i4", frame="i4", later="i4", sooner="i4", next="i4",
        held="i1", over="i1", queued="i1",
    )  # fmt: skip
    TIMERS = _row(time="f8", seq="i8", kind="i4", row="i4", turn="i4", next="i4")
    RECORDS = _row(asked="f8", entered="f8", request="i4", tries="i4", next="i4", started="i1", done="i1")
    STATIONS = _row(
        weight="f8", tally="i4", host="i4", process="i4", workers="i4", serving_count="i4", first="i4", last="i4",
        waiting="i4", waiting_last="i4", waiting_count="i4", down="i4", paused="i4",
        made="i4",  # workers that it has so far
        idle="i4",  # the worker without a job that was busy last
        keeps="i8",  # the serial number of the task that was just served, which may go on at once; 0: none
    )  # fmt: skip
    WORKERS = _row(
        virtual="f8", noted="f8", deadline="f8", protected="f8", lag="f8", weight="f8",
        process="i4", job="i4", core="i4",
        next="i4", previous="i4",  # in its core's queue
        idle="i4",  # the next of its station's idle workers
        queued="i1", asleep="i1", ending="i1",
    )  # fmt: skip
    HOSTS = _row(
        settled="f8", given="f8", done="f8", possible="f8", stalled="f8",
        first="i4",  # of its cores
        cores="i4", jobs="i4", serving="i4", stalls="i4",
    )  # fmt: skip
    CORES = _row(
        changed="f8", host="i4", running="i4", first="i4", last="i4", waiting="i4", jobs="i4",
        ends="i4",  # whether it is due for the end of its job, and not to look at its queue
    )  # fmt: skip
    PROCESSES = _row(cpu="f8")
    POOLS = _row(
        size="i8", taken="i4", tally="i4", first="i4", last="i4", waiting_count="i4",
        # of the requests of a component: their limit, and what was seen in the present interval
        adaptive="i4", begun="i4", most="i4", limit="f8", until="f8", shortest="f8",
    )  # fmt: skip
    POOL_FAMILIES = _row(first="i8", callers="i8", callees="i8")
    BREAKERS = _row(opened_at="f8", state="i8", failures="i8")
    BREAKER_FAMILIES = _row(opened_count="i8", first="i8", instances="i8")
    CACHES = _row(
        capacity="f8", ttl="f8", hit_count="i8", miss_count="i8", used="i8", slots="i8", oldest="i8", newest="i8",
    )  # fmt: skip
    #: A row for each key of each cache, two to a line of the processor's own caches. A key that is not held expired at
    #: −∞. Frames that wait for a key being fetched are a list from ``waiter`` to ``waiter_last``; ``waiter`` is
    #: `UNASKED` where nobody fetches it.
    SLOTS = _row(expiry="f8", size="i8", older="i4", newer="i4", waiter="i4", waiter_last="i4")
    TALLIES = _row(
        arrived="i8", ended="i8", inside="i8", area="f8", sojourn="f8", entered="f8", changed="f8", started="f8"
    )
    STAGES = _row(seconds="f8", count="i8")
    REASONS = _INTEGER  # answers marked degraded, by reason
    SAMPLES = _row(began="f8", latency="f8", number="i8", entry="i4", step="i2", ending="i1", degraded="i1")
    WINDOWS_BEGAN = _NUMBER  # when the window of a rate limit began, by person and limit
    WINDOWS_COUNT = _INTEGER  # how many requests it has let through
    JOB_TALLIES = _row(
        count="i8", weight="f8", done_seconds="f8", inside_weight="f8", inside_asked_seconds="f8", for_readers="i8"
    )
    JOB_CLASSES = _NUMBER  # weight by class of delay, job after job
    TOPICS = _row(
        lag="f8", lag_max="f8", lag_count="i8", redelivered="i8", tally="i8", entry="i8", by_author="i8", broker="i8",
        job="i8", partitions="i8", partitions_count="i8", members="i8", members_count="i8",
        # `core.policies.backlog.CountedQueue`
        looked="f8", stood="f8", pace_seconds="f8", pace_done="f8", waiting="i8", done="i8",
    )  # fmt: skip
    PARTITIONS = _row(topic="i4", owner="i4", first="i4", last="i4", count="i4", taken="i4", holder="i4", task="i4")
    MEMBERS = _row(expelled="f8", station="i4", busy="i4", away="i4", turn="i4")
    COUNTERS = _row(rate="f8", written="f8", keys="i8")
    WROTE = _NUMBER  # last commit of each person who asks
    PRIMARIES = _INTEGER  # by station: of a database's first, which of its nodes is the primary now
    UNREPLICATED = _INTEGER  # commits that no replica has, by station and operation
    #: Primaries that died, until a replica takes their place or they are back.
    PROMOTIONS = _row(first="i8", nodes="i8", dead="i8", promoted="i8", lost="i8", at="f8")
    MISSING = _INTEGER  # `UNREPLICATED` as it was when a primary died, by promotion and operation
    LOST = _INTEGER  # of these, what a failover lost, by operation
    SERVING = _INTEGER  # by region: the one that serves its people
    NOT_THERE = _INTEGER  # commits of one region that another does not have, by both and operation
    LACKING = _INTEGER  # the same of a region as it was when it was lost, by fault, region and operation
    REROUTES = _row(at="f8", home="i8", before="i8", now="i8", lost="i8")  # changes of `SERVING`


if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[[Address], Rows]:
        """For compiled code, a function for each table by its name in lower case: ``frames(memory)`` returns the rows
        of `TableId.FRAMES`."""


globals().update({each.name.lower(): table(each, each.dtype) for each in TableId})


class EventKind(IntEnum):
    """What an event, a timer, a ready entry or an urgent entry is about."""

    RESUME = 0  # a frame, with a value
    ARRIVE = 1  # the next request of the schedule
    STALL = 2  # the next stall of a class
    STALL_ENDS = 3
    IDLE = 4  # the next piece of idle work
    FAULT = 5  # a fault begins
    FAULT_ENDS = 6
    GIVE_UP = 7  # the time limit of a client is over
    EXPIRE = 8  # the time of a deadline is over
    ANSWER = 9  # a client gets its answer
    VISIT = 10  # a client asks for the first step of its act
    FRONT = 11  # threads start: see `sim.compiled.threads`
    BACKGROUND = 12
    HANDLE = 13
    BRANCH = 14
    INNER = 15
    REBALANCE = 16
    PROMOTE = 17
    REROUTE = 18
    EMIT = 19  # an event comes to another region
    SLEEP = 20  # a worker of a core has had no more work
    GO_ON = 21  # a station serves those that wait, unless the last task has gone on


class BrokenLaw(IntEnum):
    """Laws that compiled code checks."""

    NONE = 0
    CAUSALITY = 1
    CAPACITY = 2
