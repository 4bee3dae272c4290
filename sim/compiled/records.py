"""Rows of every table that compiled code works on. Tables refer to each other by row number; −1 is nobody."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np

from sim.compiled.jit import table

NOBODY: Final = -1


def _kind(**fields: type | str) -> np.dtype[Any]:
    return np.dtype(list(fields.items()), align=True)


# --- what does not change during a run --------------------------------------------------------------------------------

INSTRUCTION: Final = _kind(
    visit="u8",
    share="f8",
    seconds="f8",
    trips="f8",
    size="i8",
    sent="i8",
    nodes="i8",
    role="i8",
    home="i8",
    hop="i8",
    op="i8",
    index="i8",
    where="i8",
    per="i8",
    keys="i8",
    coalesce="i8",
    proxy="i8",
    children="i8",  # first of them in the list of children
    children_count="i8",
    choices="i8",  # first of them in the list of choices
    choices_count="i8",
    lane="i8",  # of a deadline's timer
)
NUMBER: Final = np.dtype("i8")  # of children, choices, keys of pages
MEAN: Final = np.dtype("f8")  # CPU seconds by second of the run, demand after demand
DEMAND: Final = _kind(sigma="f8", means="i8", seconds_count="i8")
ENTRY: Final = _kind(
    limit_seconds="f8", limit_place="i8", limit_heads="i8", front="i8", behind="i8", limit_count="i8"
)  # fmt: skip
#: A request of the schedule, worked out before the run.
ARRIVAL: Final = _kind(
    at="f8",
    push_count="f8",  # timelines written for a post of the author, in all regions
    pull_factor="f8",  # what pulling celebrities' posts costs the store for this person, over what it cost there
    merge_factor="f8",  # and the service
    photo_bytes="i8",
    person="i8",
    author="i8",
    act="i4",
    person_instance="i4",
    author_instance="i4",
    page="i4",  # row of the person's page
    limit_row="i4",  # of the person among those who ask
    pushes="i4",  # whether a post of the author is pushed
    readers="i4",  # who see a post of the author
    person_home="i4",  # place of the region
    author_home="i4",
    person_node="i4",  # of Redis
    counter="i4",  # row of the post's counter
    counter_node="i4",
    author_partition="i4",
    number_partition="i4",
)
ACT: Final = _kind(steps="i8", steps_count="i8")  # a journey's entries, in the list of steps
PAGE: Final = _kind(posts="i8", posts_count="i8", authors="i8", authors_count="i8")
LINK: Final = _kind(mu="f8", sigma="f8", faults="i8", faults_count="i8", acting_count="i8")
TOXIC: Final = _kind(
    end="f8", latency="f8", jitter="f8", bandwidth="f8", timeout="f8", kind="i8", acting="i8", link="i8"
)  # of links, link after link, in the order in which they begin
DELAY: Final = _kind(mu="f8", sigma="f8")
STALL: Final = _kind(rate="f8", lower="f8", upper="f8", mean="f8", power="f8", key="u8", number="i8", host="i8")
IDLE: Final = _kind(share="f8", key="u8", number="i8", station="i8")
#: Something that the scenario breaks or mends at a time.
DEED: Final = _kind(
    at="f8", for_seconds="f8", began="f8", ended="f8", kind="i8", stations="i8", stations_count="i8",
    caches="i8", caches_count="i8", keys="i8", keys_count="i8", toxics="i8", toxics_count="i8",
    promotions="i8", promotions_count="i8", region="i8",
)  # fmt: skip

# --- what has a state -------------------------------------------------------------------------------------------------

CLOCK: Final = _kind(
    now="f8", start="f8", last_ended="f8", until_idle="f8", timeout="f8", retry_tokens="f8",
    seq="i8", heap_count="i8", ready_head="i8", ready_count="i8", ready_mask="i8",
    urgent_head="i8", urgent_count="i8", urgent_mask="i8", samples_count="i8", arrival="i8", arrivals_count="i8",
    open="i8", counting="i8", error="i8", error_place="i8", events="i8", lanes_count="i8", hosts_count="i8",
    timeout_lane="i8", breaker_failures="i8", retry_attempts="i8", reserve="i8", events_max="i8",
    jobs_max="i8", job_ends_max="i8", topics_count="i8",
    hot_per_second="f8", own_writes="f8", failover="f8", hot_keys_max="i8", splits="i8", folds="i8",
    operations_count="i8", regions="i8", span="i8", links_count="i8", caches_count="i8", jobs_count="i8",
    processes_count="i8", regions_up="i8", reroutes_count="i8", push_mean="f8", health_check="f8",
    breaker_open_seconds="f8", retry_ratio="f8", retry_base="f8", retry_cap="f8",
    demand_key="u8", wait_key="u8", plain_key="u8",
)  # fmt: skip
FREE: Final = _kind(first="i8", count="i8")  # free rows of a table, linked by their field ``next``
EVENT: Final = _kind(time="f8", seq="i8", kind="i8", row="i8", turn="i8")
LANE: Final = _kind(delay="f8", first="i8", last="i8")  # timers of one delay, which come in the order they were set in
TIMER: Final = _kind(time="f8", seq="i8", kind="i8", row="i8", turn="i8", next="i8")
READY: Final = _kind(seq="i8", kind="i8", row="i8", value="i8")
URGENT: Final = _kind(kind="i8", row="i8", value="i8", turn="i8")
FRAME: Final = _kind(
    a="f8", b="f8", low="u8", high="u8", instruction="i8", parent="i8", task="i8", phase="i8",
    i="i8", j="i8", left="i8", next="i8", turn="i8",
)  # fmt: skip
TASK: Final = _kind(
    request="i8", attempt="i8", cancelled="i8", parent="i8", below="i8", below_last="i8", later="i8", sooner="i8",
    claim="i8", claim_last="i8", next="i8",
)  # fmt: skip
REQUEST: Final = _kind(
    entity="u8", number="i8", instance="i8", gateway="i8", region="i8", asked="f8", began="f8", step="i8", entry="i8",
    second="i8", degraded="i8", answered="i8", users="i8", task="i8", next="i8", turn="i8",
)  # fmt: skip
JOB: Final = _kind(
    seconds="f8", remaining="f8", finish="f8", entered="f8", place="i8", station="i8", frame="i8",
    next="i8", previous="i8",
)  # fmt: skip
STATION: Final = _kind(
    tally="i8", host="i8", process="i8", workers="i8", serving_count="i8", first="i8", last="i8",
    waiting="i8", waiting_last="i8", waiting_count="i8", down="i8", paused="i8",
)  # fmt: skip
HOST: Final = _kind(
    virtual="f8", changed="f8", given="f8", done="f8", possible="f8", stalled="f8", timer="f8",
    timer_seq="i8", entered="i8", heap="i8", heap_count="i8", cores="i8", active="i8", serving="i8", stalls="i8",
    armed="i8",
)  # fmt: skip
JOB_END: Final = _kind(finish="f8", place="i8", job="i8")  # on a host's heap
PROCESS: Final = _kind(cpu="f8", virtual="f8", busy="i8", host="i8")
POOL: Final = _kind(size="i8", taken="i8", tally="i8", first="i8", last="i8", waiting_count="i8")
POOL_FAMILY: Final = _kind(first="i8", callers="i8", callees="i8")
COUNTER: Final = _kind(rate="f8", written="f8", keys="i8")
#: A primary that died, until a replica takes its place or it is back: commits that no replica had are in `MISSING`.
PROMOTION: Final = _kind(first="i8", nodes="i8", dead="i8", place="i8", lost="i8", at="f8")
CLAIM: Final = _kind(
    entered="f8",
    pool="i8",
    task="i8",
    frame="i8",
    held="i8",
    over="i8",
    later="i8",
    sooner="i8",
    next="i8",
    queued="i8",
)
BREAKER: Final = _kind(opened_at="f8", state="i8", failures="i8")
BREAKER_FAMILY: Final = _kind(opened_count="i8", first="i8", instances="i8")
CACHE: Final = _kind(
    capacity="f8", ttl="f8", hit_count="i8", miss_count="i8", used="i8", slots="i8", oldest="i8", newest="i8",
)  # fmt: skip
SLOT: Final = _kind(
    expiry="f8", size="i8", older="i8", newer="i8", held="i4", fetching="i4", waiter="i4", waiter_last="i4"
)  # one for each key of each cache
TALLY: Final = _kind(
    arrived="i8", ended="i8", inside="i8", area="f8", sojourn="f8", entered="f8", changed="f8", started="f8"
)
TOPIC: Final = _kind(
    lag="f8", lag_max="f8", lag_count="i8", redelivered="i8", tally="i8", entry="i8", by_author="i8", broker="i8",
    job="i8", partitions="i8", partitions_count="i8", members="i8", members_count="i8",
)  # fmt: skip
PARTITION: Final = _kind(topic="i8", owner="i8", first="i8", last="i8", count="i8", taken="i8", holder="i8", task="i8")
MEMBER: Final = _kind(expelled="f8", station="i8", busy="i8", away="i8", turn="i8")
RECORD: Final = _kind(asked="f8", entered="f8", request="i8", tries="i8", started="i8", done="i8", next="i8")
STAGE: Final = _kind(seconds="f8", count="i8")
#: A region's people are served by another one.
REROUTED: Final = _kind(at="f8", home="i8", before="i8", now="i8", lost="i8")
JOB_TALLY: Final = _kind(
    count="i8", weight="f8", done_seconds="f8", inside_weight="f8", inside_asked_seconds="f8", for_readers="i8"
)
SAMPLE: Final = _kind(began="f8", latency="f8", number="i8", step="i8", entry="i8", ending="i8", degraded="i8")


class Place(IntEnum):
    """Where each table stands in the world."""

    INSTRUCTIONS = 0
    CHILDREN = 1
    CHOICES = 2
    MEANS = 3
    DEMANDS = 4
    ENTRIES = 5
    ARRIVALS = 6
    ACTS = 7
    STEPS = 8
    PAGES = 9
    PAGE_POSTS = 10
    PAGE_AUTHORS = 11
    LINKS = 12
    TOXICS = 13
    DELAYS = 14
    STALLS = 15
    IDLES = 16
    DEEDS = 17
    DEED_STATIONS = 18
    DEED_CACHES = 19
    CLOCK = 20
    FREES = 21
    EVENTS = 22
    LANES = 23
    TIMERS = 24
    READIES = 25
    URGENTS = 26
    FRAMES = 27
    TASKS = 28
    REQUESTS = 29
    JOBS = 30
    STATIONS = 31
    HOSTS = 32
    JOB_ENDS = 33
    PROCESSES = 34
    POOLS = 35
    POOL_FAMILIES = 36
    CLAIMS = 37
    BREAKERS = 38
    BREAKER_FAMILIES = 39
    CACHES = 40
    SLOTS = 41
    TALLIES = 42
    STAGES = 43
    REASONS = 44
    SAMPLES = 45
    RECENTS = 46
    RECENT_HEADS = 47
    JOB_TALLIES = 48
    JOB_CLASSES = 49
    TOPICS = 50
    PARTITIONS = 51
    MEMBERS = 52
    RECORDS = 53
    COUNTERS = 54
    PRIMARIES = 55
    WROTE = 56
    UNREPLICATED = 57
    PROMOTIONS = 58
    MISSING = 59
    LOST = 60
    DEED_KEYS = 61
    DEED_TOXICS = 62
    SERVING = 63
    RTTS = 64
    SHARES = 65
    NOT_THERE = 66
    LACKING = 67
    REROUTES = 68


#: Dtype of each table.
KINDS: Final[dict[Place, np.dtype[Any]]] = {
    Place.INSTRUCTIONS: INSTRUCTION,
    Place.CHILDREN: NUMBER,
    Place.CHOICES: NUMBER,
    Place.MEANS: MEAN,
    Place.DEMANDS: DEMAND,
    Place.ENTRIES: ENTRY,
    Place.ARRIVALS: ARRIVAL,
    Place.ACTS: ACT,
    Place.STEPS: NUMBER,
    Place.PAGES: PAGE,
    Place.PAGE_POSTS: NUMBER,
    Place.PAGE_AUTHORS: NUMBER,
    Place.LINKS: LINK,
    Place.TOXICS: TOXIC,
    Place.DELAYS: DELAY,
    Place.STALLS: STALL,
    Place.IDLES: IDLE,
    Place.DEEDS: DEED,
    Place.DEED_STATIONS: NUMBER,
    Place.DEED_CACHES: NUMBER,
    Place.CLOCK: CLOCK,
    Place.FREES: FREE,
    Place.EVENTS: EVENT,
    Place.LANES: LANE,
    Place.TIMERS: TIMER,
    Place.READIES: READY,
    Place.URGENTS: URGENT,
    Place.FRAMES: FRAME,
    Place.TASKS: TASK,
    Place.REQUESTS: REQUEST,
    Place.JOBS: JOB,
    Place.STATIONS: STATION,
    Place.HOSTS: HOST,
    Place.JOB_ENDS: JOB_END,
    Place.PROCESSES: PROCESS,
    Place.POOLS: POOL,
    Place.POOL_FAMILIES: POOL_FAMILY,
    Place.CLAIMS: CLAIM,
    Place.BREAKERS: BREAKER,
    Place.BREAKER_FAMILIES: BREAKER_FAMILY,
    Place.CACHES: CACHE,
    Place.SLOTS: SLOT,
    Place.TALLIES: TALLY,
    Place.STAGES: STAGE,
    Place.REASONS: np.dtype("i8"),  # answers marked degraded, by reason
    Place.SAMPLES: SAMPLE,
    Place.RECENTS: np.dtype("f8"),  # arrivals under a rate limit, a ring for each person and operation
    Place.RECENT_HEADS: np.dtype("i8"),  # how many of them there have been
    Place.JOB_TALLIES: JOB_TALLY,
    Place.JOB_CLASSES: np.dtype("f8"),  # weight by class of delay, job after job
    Place.TOPICS: TOPIC,
    Place.PARTITIONS: PARTITION,
    Place.MEMBERS: MEMBER,
    Place.RECORDS: RECORD,
    Place.COUNTERS: COUNTER,
    Place.PRIMARIES: np.dtype("i8"),  # by station: of a database's first, which of its nodes is the primary now
    Place.WROTE: np.dtype("f8"),  # last commit of each person who asks
    Place.UNREPLICATED: np.dtype("i8"),  # commits that no replica has, by station and operation
    Place.PROMOTIONS: PROMOTION,
    Place.MISSING: np.dtype("i8"),  # the same as it was when a primary died, by deed and operation
    Place.LOST: np.dtype("i8"),  # of these, what a failover lost, by operation
    Place.DEED_KEYS: np.dtype("i8"),  # keys that are lost with one node of several
    Place.DEED_TOXICS: NUMBER,
    Place.SERVING: np.dtype("i8"),  # by region: who serves its people
    Place.RTTS: np.dtype("f8"),  # by region and region
    Place.SHARES: np.dtype("f8"),  # of the people, by region
    Place.NOT_THERE: np.dtype("i8"),  # commits of one region that another does not have, by both and operation
    Place.LACKING: np.dtype("i8"),  # the same of a region as it was when it was lost, by deed, region and operation
    Place.REROUTES: REROUTED,
}

instructions = table(Place.INSTRUCTIONS, INSTRUCTION)
children = table(Place.CHILDREN, NUMBER)
choices = table(Place.CHOICES, NUMBER)
means = table(Place.MEANS, MEAN)
demands = table(Place.DEMANDS, DEMAND)
entries = table(Place.ENTRIES, ENTRY)
arrivals = table(Place.ARRIVALS, ARRIVAL)
acts = table(Place.ACTS, ACT)
steps = table(Place.STEPS, NUMBER)
pages = table(Place.PAGES, PAGE)
page_posts = table(Place.PAGE_POSTS, NUMBER)
page_authors = table(Place.PAGE_AUTHORS, NUMBER)
links = table(Place.LINKS, LINK)
toxics = table(Place.TOXICS, TOXIC)
delays = table(Place.DELAYS, DELAY)
stalls = table(Place.STALLS, STALL)
idles = table(Place.IDLES, IDLE)
deeds = table(Place.DEEDS, DEED)
deed_stations = table(Place.DEED_STATIONS, NUMBER)
deed_caches = table(Place.DEED_CACHES, NUMBER)
clock = table(Place.CLOCK, CLOCK)
frees = table(Place.FREES, FREE)
events = table(Place.EVENTS, EVENT)
lanes = table(Place.LANES, LANE)
timers = table(Place.TIMERS, TIMER)
readies = table(Place.READIES, READY)
urgents = table(Place.URGENTS, URGENT)
frames = table(Place.FRAMES, FRAME)
tasks = table(Place.TASKS, TASK)
requests = table(Place.REQUESTS, REQUEST)
jobs = table(Place.JOBS, JOB)
stations = table(Place.STATIONS, STATION)
hosts = table(Place.HOSTS, HOST)
job_ends = table(Place.JOB_ENDS, JOB_END)
processes = table(Place.PROCESSES, PROCESS)
pools = table(Place.POOLS, POOL)
pool_families = table(Place.POOL_FAMILIES, POOL_FAMILY)
claims = table(Place.CLAIMS, CLAIM)
breakers = table(Place.BREAKERS, BREAKER)
breaker_families = table(Place.BREAKER_FAMILIES, BREAKER_FAMILY)
caches = table(Place.CACHES, CACHE)
slots = table(Place.SLOTS, SLOT)
tallies = table(Place.TALLIES, TALLY)
stages = table(Place.STAGES, STAGE)
reasons = table(Place.REASONS, np.dtype("i8"))
samples = table(Place.SAMPLES, SAMPLE)
recents = table(Place.RECENTS, np.dtype("f8"))
recent_heads = table(Place.RECENT_HEADS, np.dtype("i8"))
job_tallies = table(Place.JOB_TALLIES, JOB_TALLY)
job_classes = table(Place.JOB_CLASSES, np.dtype("f8"))
topics = table(Place.TOPICS, TOPIC)
partitions = table(Place.PARTITIONS, PARTITION)
members = table(Place.MEMBERS, MEMBER)
records = table(Place.RECORDS, RECORD)
counters = table(Place.COUNTERS, COUNTER)
primaries = table(Place.PRIMARIES, np.dtype("i8"))
wrote = table(Place.WROTE, np.dtype("f8"))
unreplicated = table(Place.UNREPLICATED, np.dtype("i8"))
promotions = table(Place.PROMOTIONS, PROMOTION)
missing = table(Place.MISSING, np.dtype("i8"))
lost = table(Place.LOST, np.dtype("i8"))
deed_keys = table(Place.DEED_KEYS, np.dtype("i8"))
deed_toxics = table(Place.DEED_TOXICS, NUMBER)
serving = table(Place.SERVING, np.dtype("i8"))
rtts = table(Place.RTTS, np.dtype("f8"))
shares = table(Place.SHARES, np.dtype("f8"))
not_there = table(Place.NOT_THERE, np.dtype("i8"))
lacking = table(Place.LACKING, np.dtype("i8"))
reroutes = table(Place.REROUTES, REROUTED)


class Kind(IntEnum):
    """What an event, a timer, something ready or urgent is about."""

    RESUME = 0  # a frame, with a value
    ARRIVE = 1  # the next request of the schedule
    STALL = 2  # the next stall of a class
    STALL_ENDS = 3
    IDLE = 4  # the next piece of idle work
    DEED = 5  # a fault begins
    DEED_ENDS = 6
    GIVE_UP = 7  # a client's time is over
    EXPIRE = 8  # a deadline's
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


class Free(IntEnum):
    """Tables with free rows."""

    FRAMES = 0
    TASKS = 1
    REQUESTS = 2
    JOBS = 3
    CLAIMS = 4
    TIMERS = 5
    RECORDS = 6


class Broken(IntEnum):
    """Laws that compiled code finds broken."""

    NONE = 0
    CAUSALITY = 1
    CAPACITY = 2
