"""Tables of the world: where each stands, what kind its rows are, and how compiled code reaches them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np

from sim.compiled import kinds
from sim.compiled.jit import table
from sim.model.toxics import TOXIC

NOBODY: Final = -1
#: Waits for a key that is not being fetched.
UNASKED: Final = -2


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
    DEED_KEYS = 61
    DEED_TOXICS = 62
    SERVING = 63
    RTTS = 64
    SHARES = 65
    NOT_THERE = 66
    LACKING = 67
    REROUTES = 68
    NODES = 69


#: Dtype of each table.
KINDS: Final[dict[Place, np.dtype[Any]]] = {
    Place.INSTRUCTIONS: kinds.INSTRUCTION,
    Place.CHILDREN: kinds.NUMBER,
    Place.CHOICES: kinds.NUMBER,
    Place.MEANS: kinds.MEAN,
    Place.DEMANDS: kinds.DEMAND,
    Place.ENTRIES: kinds.ENTRY,
    Place.ARRIVALS: kinds.ARRIVAL,
    Place.ACTS: kinds.ACT,
    Place.STEPS: kinds.NUMBER,
    Place.PAGES: kinds.PAGE,
    Place.PAGE_POSTS: kinds.NUMBER,
    Place.PAGE_AUTHORS: kinds.NUMBER,
    Place.LINKS: kinds.LINK,
    Place.TOXICS: TOXIC,  # link after link, in the order in which they begin
    Place.DELAYS: kinds.DELAY,
    Place.STALLS: kinds.STALL,
    Place.IDLES: kinds.IDLE,
    Place.DEEDS: kinds.DEED,
    Place.DEED_STATIONS: kinds.NUMBER,
    Place.DEED_CACHES: kinds.NUMBER,
    Place.CLOCK: kinds.CLOCK,
    Place.FREES: kinds.FREE,
    Place.EVENTS: kinds.EVENT,
    Place.LANES: kinds.LANE,
    Place.TIMERS: kinds.TIMER,
    Place.READIES: kinds.READY,
    Place.URGENTS: kinds.URGENT,
    Place.FRAMES: kinds.FRAME,
    Place.TASKS: kinds.TASK,
    Place.REQUESTS: kinds.REQUEST,
    Place.JOBS: kinds.JOB,
    Place.STATIONS: kinds.STATION,
    Place.HOSTS: kinds.HOST,
    Place.DUES: kinds.DUE,
    Place.NODES: kinds.NODE,
    Place.PROCESSES: kinds.PROCESS,
    Place.POOLS: kinds.POOL,
    Place.POOL_FAMILIES: kinds.POOL_FAMILY,
    Place.CLAIMS: kinds.CLAIM,
    Place.BREAKERS: kinds.BREAKER,
    Place.BREAKER_FAMILIES: kinds.BREAKER_FAMILY,
    Place.CACHES: kinds.CACHE,
    Place.SLOTS: kinds.SLOT,
    Place.TALLIES: kinds.TALLY,
    Place.STAGES: kinds.STAGE,
    Place.REASONS: np.dtype("i8"),  # answers marked degraded, by reason
    Place.SAMPLES: kinds.SAMPLE,
    Place.WINDOWS_BEGAN: np.dtype("f8"),  # when the window of a rate limit began, by person and limit
    Place.WINDOWS_COUNT: np.dtype("i8"),  # how many it has let through
    Place.JOB_TALLIES: kinds.JOB_TALLY,
    Place.JOB_CLASSES: np.dtype("f8"),  # weight by class of delay, job after job
    Place.TOPICS: kinds.TOPIC,
    Place.PARTITIONS: kinds.PARTITION,
    Place.MEMBERS: kinds.MEMBER,
    Place.RECORDS: kinds.RECORD,
    Place.COUNTERS: kinds.COUNTER,
    Place.PRIMARIES: np.dtype("i8"),  # by station: of a database's first, which of its nodes is the primary now
    Place.WROTE: np.dtype("f8"),  # last commit of each person who asks
    Place.UNREPLICATED: np.dtype("i8"),  # commits that no replica has, by station and operation
    Place.PROMOTIONS: kinds.PROMOTION,
    Place.MISSING: np.dtype("i8"),  # the same as it was when a primary died, by deed and operation
    Place.LOST: np.dtype("i8"),  # of these, what a failover lost, by operation
    Place.DEED_KEYS: np.dtype("i8"),  # keys that are lost with one node of several
    Place.DEED_TOXICS: kinds.NUMBER,
    Place.SERVING: np.dtype("i8"),  # by region: who serves its people
    Place.RTTS: np.dtype("f8"),  # by region and region
    Place.SHARES: np.dtype("f8"),  # of the people, by region
    Place.NOT_THERE: np.dtype("i8"),  # commits of one region that another does not have, by both and operation
    Place.LACKING: np.dtype("i8"),  # the same of a region as it was when it was lost, by deed, region and operation
    Place.REROUTES: kinds.REROUTED,
}

instructions = table(Place.INSTRUCTIONS, kinds.INSTRUCTION)
children = table(Place.CHILDREN, kinds.NUMBER)
choices = table(Place.CHOICES, kinds.NUMBER)
means = table(Place.MEANS, kinds.MEAN)
demands = table(Place.DEMANDS, kinds.DEMAND)
entries = table(Place.ENTRIES, kinds.ENTRY)
arrivals = table(Place.ARRIVALS, kinds.ARRIVAL)
acts = table(Place.ACTS, kinds.ACT)
steps = table(Place.STEPS, kinds.NUMBER)
pages = table(Place.PAGES, kinds.PAGE)
page_posts = table(Place.PAGE_POSTS, kinds.NUMBER)
page_authors = table(Place.PAGE_AUTHORS, kinds.NUMBER)
links = table(Place.LINKS, kinds.LINK)
toxics = table(Place.TOXICS, TOXIC)
delays = table(Place.DELAYS, kinds.DELAY)
stalls = table(Place.STALLS, kinds.STALL)
idles = table(Place.IDLES, kinds.IDLE)
deeds = table(Place.DEEDS, kinds.DEED)
deed_stations = table(Place.DEED_STATIONS, kinds.NUMBER)
deed_caches = table(Place.DEED_CACHES, kinds.NUMBER)
clock = table(Place.CLOCK, kinds.CLOCK)
frees = table(Place.FREES, kinds.FREE)
events = table(Place.EVENTS, kinds.EVENT)
lanes = table(Place.LANES, kinds.LANE)
timers = table(Place.TIMERS, kinds.TIMER)
readies = table(Place.READIES, kinds.READY)
urgents = table(Place.URGENTS, kinds.URGENT)
frames = table(Place.FRAMES, kinds.FRAME)
tasks = table(Place.TASKS, kinds.TASK)
requests = table(Place.REQUESTS, kinds.REQUEST)
jobs = table(Place.JOBS, kinds.JOB)
stations = table(Place.STATIONS, kinds.STATION)
hosts = table(Place.HOSTS, kinds.HOST)
dues = table(Place.DUES, kinds.DUE)
nodes = table(Place.NODES, kinds.NODE)
processes = table(Place.PROCESSES, kinds.PROCESS)
pools = table(Place.POOLS, kinds.POOL)
pool_families = table(Place.POOL_FAMILIES, kinds.POOL_FAMILY)
claims = table(Place.CLAIMS, kinds.CLAIM)
breakers = table(Place.BREAKERS, kinds.BREAKER)
breaker_families = table(Place.BREAKER_FAMILIES, kinds.BREAKER_FAMILY)
caches = table(Place.CACHES, kinds.CACHE)
slots = table(Place.SLOTS, kinds.SLOT)
tallies = table(Place.TALLIES, kinds.TALLY)
stages = table(Place.STAGES, kinds.STAGE)
reasons = table(Place.REASONS, np.dtype("i8"))
samples = table(Place.SAMPLES, kinds.SAMPLE)
windows_began = table(Place.WINDOWS_BEGAN, np.dtype("f8"))
windows_count = table(Place.WINDOWS_COUNT, np.dtype("i8"))
job_tallies = table(Place.JOB_TALLIES, kinds.JOB_TALLY)
job_classes = table(Place.JOB_CLASSES, np.dtype("f8"))
topics = table(Place.TOPICS, kinds.TOPIC)
partitions = table(Place.PARTITIONS, kinds.PARTITION)
members = table(Place.MEMBERS, kinds.MEMBER)
records = table(Place.RECORDS, kinds.RECORD)
counters = table(Place.COUNTERS, kinds.COUNTER)
primaries = table(Place.PRIMARIES, np.dtype("i8"))
wrote = table(Place.WROTE, np.dtype("f8"))
unreplicated = table(Place.UNREPLICATED, np.dtype("i8"))
promotions = table(Place.PROMOTIONS, kinds.PROMOTION)
missing = table(Place.MISSING, np.dtype("i8"))
lost = table(Place.LOST, np.dtype("i8"))
deed_keys = table(Place.DEED_KEYS, np.dtype("i8"))
deed_toxics = table(Place.DEED_TOXICS, kinds.NUMBER)
serving = table(Place.SERVING, np.dtype("i8"))
rtts = table(Place.RTTS, np.dtype("f8"))
shares = table(Place.SHARES, np.dtype("f8"))
not_there = table(Place.NOT_THERE, np.dtype("i8"))
lacking = table(Place.LACKING, np.dtype("i8"))
reroutes = table(Place.REROUTES, kinds.REROUTED)


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
