"""Tables of the memory: where each stands, what kind its rows are, and how compiled code reaches them."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import numpy as np

from sim.compiled import kinds
from sim.compiled.jit import Address, Rows, table
from sim.model.toxics import TOXIC

NOBODY: Final = -1
#: Value of ``waiter`` for a key that nobody is fetching.
UNASKED: Final = -2


class TableId(IntEnum):
    """Where each table stands in the memory."""

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
    FAULTS = 17
    FAULT_STATIONS = 18
    FAULT_CACHES = 19
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
    DUES = 33
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
    WINDOWS_BEGAN = 46
    WINDOWS_COUNT = 47
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
    FAULT_KEYS = 61
    FAULT_TOXICS = 62
    SERVING = 63
    RTTS = 64
    SHARES = 65
    NOT_THERE = 66
    LACKING = 67
    REROUTES = 68
    NODES = 69


#: Dtype of each table.
KINDS: Final[dict[TableId, np.dtype[Any]]] = {
    TableId.INSTRUCTIONS: kinds.INSTRUCTION,
    TableId.CHILDREN: kinds.NUMBER,
    TableId.CHOICES: kinds.NUMBER,
    TableId.MEANS: kinds.MEAN,
    TableId.DEMANDS: kinds.DEMAND,
    TableId.ENTRIES: kinds.ENTRY,
    TableId.ARRIVALS: kinds.ARRIVAL,
    TableId.ACTS: kinds.ACT,
    TableId.STEPS: kinds.NUMBER,
    TableId.PAGES: kinds.PAGE,
    TableId.PAGE_POSTS: kinds.NUMBER,
    TableId.PAGE_AUTHORS: kinds.NUMBER,
    TableId.LINKS: kinds.LINK,
    TableId.TOXICS: TOXIC,  # link after link, in the order in which they begin
    TableId.DELAYS: kinds.DELAY,
    TableId.STALLS: kinds.STALL,
    TableId.IDLES: kinds.IDLE,
    TableId.FAULTS: kinds.FAULT,
    TableId.FAULT_STATIONS: kinds.NUMBER,
    TableId.FAULT_CACHES: kinds.NUMBER,
    TableId.CLOCK: kinds.CLOCK,
    TableId.FREES: kinds.FREE,
    TableId.EVENTS: kinds.EVENT,
    TableId.LANES: kinds.LANE,
    TableId.TIMERS: kinds.TIMER,
    TableId.READIES: kinds.READY,
    TableId.URGENTS: kinds.URGENT,
    TableId.FRAMES: kinds.FRAME,
    TableId.TASKS: kinds.TASK,
    TableId.REQUESTS: kinds.REQUEST,
    TableId.JOBS: kinds.JOB,
    TableId.STATIONS: kinds.STATION,
    TableId.HOSTS: kinds.HOST,
    TableId.DUES: kinds.DUE,
    TableId.NODES: kinds.NODE,
    TableId.PROCESSES: kinds.PROCESS,
    TableId.POOLS: kinds.POOL,
    TableId.POOL_FAMILIES: kinds.POOL_FAMILY,
    TableId.CLAIMS: kinds.CLAIM,
    TableId.BREAKERS: kinds.BREAKER,
    TableId.BREAKER_FAMILIES: kinds.BREAKER_FAMILY,
    TableId.CACHES: kinds.CACHE,
    TableId.SLOTS: kinds.SLOT,
    TableId.TALLIES: kinds.TALLY,
    TableId.STAGES: kinds.STAGE,
    TableId.REASONS: np.dtype("i8"),  # answers marked degraded, by reason
    TableId.SAMPLES: kinds.SAMPLE,
    TableId.WINDOWS_BEGAN: np.dtype("f8"),  # when the window of a rate limit began, by person and limit
    TableId.WINDOWS_COUNT: np.dtype("i8"),  # how many it has let through
    TableId.JOB_TALLIES: kinds.JOB_TALLY,
    TableId.JOB_CLASSES: np.dtype("f8"),  # weight by class of delay, job after job
    TableId.TOPICS: kinds.TOPIC,
    TableId.PARTITIONS: kinds.PARTITION,
    TableId.MEMBERS: kinds.MEMBER,
    TableId.RECORDS: kinds.RECORD,
    TableId.COUNTERS: kinds.COUNTER,
    TableId.PRIMARIES: np.dtype("i8"),  # by station: of a database's first, which of its nodes is the primary now
    TableId.WROTE: np.dtype("f8"),  # last commit of each person who asks
    TableId.UNREPLICATED: np.dtype("i8"),  # commits that no replica has, by station and operation
    TableId.PROMOTIONS: kinds.PROMOTION,
    TableId.MISSING: np.dtype("i8"),  # the same as it was when a primary died, by promotion and operation
    TableId.LOST: np.dtype("i8"),  # of these, what a failover lost, by operation
    TableId.FAULT_KEYS: np.dtype("i8"),  # keys that are lost with one node of several
    TableId.FAULT_TOXICS: kinds.NUMBER,
    TableId.SERVING: np.dtype("i8"),  # by region: who serves its people
    TableId.RTTS: np.dtype("f8"),  # by region and region
    TableId.SHARES: np.dtype("f8"),  # of the people, by region
    TableId.NOT_THERE: np.dtype("i8"),  # commits of one region that another does not have, by both and operation
    TableId.LACKING: np.dtype("i8"),  # the same of a region as it was when it was lost, by fault, region and operation
    TableId.REROUTES: kinds.REROUTED,
}


def _rows(name: TableId) -> Callable[[Address], Rows]:
    return table(name, KINDS[name])


instructions = _rows(TableId.INSTRUCTIONS)
children = _rows(TableId.CHILDREN)
choices = _rows(TableId.CHOICES)
means = _rows(TableId.MEANS)
demands = _rows(TableId.DEMANDS)
entries = _rows(TableId.ENTRIES)
arrivals = _rows(TableId.ARRIVALS)
acts = _rows(TableId.ACTS)
steps = _rows(TableId.STEPS)
pages = _rows(TableId.PAGES)
page_posts = _rows(TableId.PAGE_POSTS)
page_authors = _rows(TableId.PAGE_AUTHORS)
links = _rows(TableId.LINKS)
toxics = _rows(TableId.TOXICS)
delays = _rows(TableId.DELAYS)
stalls = _rows(TableId.STALLS)
idles = _rows(TableId.IDLES)
faults = _rows(TableId.FAULTS)
fault_stations = _rows(TableId.FAULT_STATIONS)
fault_caches = _rows(TableId.FAULT_CACHES)
clock = _rows(TableId.CLOCK)
frees = _rows(TableId.FREES)
events = _rows(TableId.EVENTS)
lanes = _rows(TableId.LANES)
timers = _rows(TableId.TIMERS)
readies = _rows(TableId.READIES)
urgents = _rows(TableId.URGENTS)
frames = _rows(TableId.FRAMES)
tasks = _rows(TableId.TASKS)
requests = _rows(TableId.REQUESTS)
jobs = _rows(TableId.JOBS)
stations = _rows(TableId.STATIONS)
hosts = _rows(TableId.HOSTS)
dues = _rows(TableId.DUES)
nodes = _rows(TableId.NODES)
processes = _rows(TableId.PROCESSES)
pools = _rows(TableId.POOLS)
pool_families = _rows(TableId.POOL_FAMILIES)
claims = _rows(TableId.CLAIMS)
breakers = _rows(TableId.BREAKERS)
breaker_families = _rows(TableId.BREAKER_FAMILIES)
caches = _rows(TableId.CACHES)
slots = _rows(TableId.SLOTS)
tallies = _rows(TableId.TALLIES)
stages = _rows(TableId.STAGES)
reasons = _rows(TableId.REASONS)
samples = _rows(TableId.SAMPLES)
windows_began = _rows(TableId.WINDOWS_BEGAN)
windows_count = _rows(TableId.WINDOWS_COUNT)
job_tallies = _rows(TableId.JOB_TALLIES)
job_classes = _rows(TableId.JOB_CLASSES)
topics = _rows(TableId.TOPICS)
partitions = _rows(TableId.PARTITIONS)
members = _rows(TableId.MEMBERS)
records = _rows(TableId.RECORDS)
counters = _rows(TableId.COUNTERS)
primaries = _rows(TableId.PRIMARIES)
wrote = _rows(TableId.WROTE)
unreplicated = _rows(TableId.UNREPLICATED)
promotions = _rows(TableId.PROMOTIONS)
missing = _rows(TableId.MISSING)
lost = _rows(TableId.LOST)
fault_keys = _rows(TableId.FAULT_KEYS)
fault_toxics = _rows(TableId.FAULT_TOXICS)
serving = _rows(TableId.SERVING)
rtts = _rows(TableId.RTTS)
shares = _rows(TableId.SHARES)
not_there = _rows(TableId.NOT_THERE)
lacking = _rows(TableId.LACKING)
reroutes = _rows(TableId.REROUTES)


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


class FreeList(IntEnum):
    """Tables with a list of free rows."""

    FRAMES = 0
    TASKS = 1
    REQUESTS = 2
    JOBS = 3
    CLAIMS = 4
    TIMERS = 5
    RECORDS = 6


class BrokenLaw(IntEnum):
    """Laws that compiled code checks."""

    NONE = 0
    CAUSALITY = 1
    CAPACITY = 2
