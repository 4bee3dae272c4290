"""Kinds of rows: what a row of each table holds. Tables refer to each other by row number; −1 is nobody.

Fields are as narrow as possible, and fields that are used together are neighbours: most of the time of an event goes
into fetching rows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np


def _kind(**fields: type | str) -> np.dtype[Any]:
    return np.dtype(list(fields.items()), align=True)


# --- what does not change during a run --------------------------------------------------------------------------------

INSTRUCTION: Final = _kind(
    visit="u8", share="f8", trips="f8", op="i2", nodes="i2", where="i1", per="i1", home="i1", role="i1",
    index="i4", proxy="i4", hop="i4",
    children="i4",  # first of them in the list of children
    children_count="i4",
    choices="i4",  # first of them in the list of choices
    choices_count="i4",
    sent_bytes="i8", answer_bytes="i8",
    callee="i4",
    keys="i4",  # an index of `lookups.KEYS_CODES`
    operation="i4",  # whose commits are counted
    reason="i4",  # index of why an answer is degraded
    lane="i4",  # of a deadline's timer
    coalesce="i1", cancels="i1", endless="i1", everywhere="i1", commits="i1", ending="i1",
)  # fmt: skip
NUMBER: Final = np.dtype("i8")  # of children, choices, keys of pages
MEAN: Final = np.dtype("f8")  # CPU seconds by second of the run, demand after demand
DEMAND: Final = _kind(sigma="f8", means="i8", seconds_count="i8")
ENTRY: Final = _kind(
    limit_seconds="f8", limit_index="i8", front="i8", behind="i8", limit_quota="i8"
)  # fmt: skip
#: A request of the schedule, worked out before it comes; it stands at its number & mask in a ring.
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
    person_home="i4",  # index of the region
    author_home="i4",
    person_node="i4",  # of Redis
    counter="i4",  # row of the post's counter
    counter_node="i4",
    author_partition="i4",
    number_partition="i4",
)
ACT: Final = _kind(steps="i8", steps_count="i8")  # a journey's entries, in the list of steps
PAGE: Final = _kind(posts="i8", posts_count="i8", authors="i8", authors_count="i8")
LINK: Final = _kind(mu="f8", sigma="f8", toxics="i4", toxics_count="i4", acting_count="i4")
DELAY: Final = _kind(mu="f8", sigma="f8")
STALL: Final = _kind(rate="f8", lower="f8", upper="f8", mean="f8", power="f8", key="u8", number="i8", host="i8")
IDLE: Final = _kind(share="f8", key="u8", number="i8", station="i8")
#: A fault of the scenario (`sim.model.faults.ScheduledFault`): what it acts on, and when it did.
FAULT: Final = _kind(
    at="f8", for_seconds="f8", began="f8", ended="f8", pauses="i8", goodbye="i8", lost="i8",
    stations="i8", stations_count="i8",
    caches="i8", caches_count="i8", keys="i8", keys_count="i8", toxics="i8", toxics_count="i8",
    promotions="i8", promotions_count="i8", region="i8",
)  # fmt: skip

# --- what has a state -------------------------------------------------------------------------------------------------

CLOCK: Final = _kind(
    now="f8", start="f8", stopped="f8", last_ended="f8", until_idle="f8", timeout="f8", retry_tokens="f8",
    seq="i8", heap_count="i8", heap_limit="i8", ready_head="i8", ready_count="i8", ready_mask="i8",
    urgent_head="i8", urgent_count="i8", urgent_mask="i8", urgent_limit="i8", samples_count="i8",
    short="i8",  # whether a table may have too few free rows for another event
    arrival="i8", arrivals_count="i8", arriving="i8", open="i8", counting="i8", error="i8", error_row="i8",
    events="i8", lanes_count="i8", hosts_count="i8", dues_max="i8",
    timeout_lane="i8", breaker_failures="i8", retry_attempts="i8", topics_count="i8",
    hot_per_second="f8", own_writes="f8", failover="f8", hot_keys_max="i8", splits="i8", folds="i8",
    operations_count="i8", arrivals_mask="i8", samples_max="i8", limits_count="i8",
    regions="i8", span="i8", links_count="i8", caches_count="i8", jobs_count="i8",
    processes_count="i8", regions_up="i8", reroutes_count="i8", push_mean="f8", health_check="f8",
    breaker_open_seconds="f8", retry_ratio="f8", retry_base="f8", retry_cap="f8",
    demand_key="u8", wait_key="u8", plain_key="u8",
)  # fmt: skip
#: Free rows of a table: the first, and in each one's ``next`` how many rows it is from the one behind it to the next.
FREE: Final = _kind(first="i8", count="i8", reserve="i8")
EVENT: Final = _kind(time="f8", seq="i8", kind="i4", row="i4", turn="i4")
LANE: Final = _kind(delay="f8", first="i4", last="i4")  # timers of one delay, which come in the order they were set in
TIMER: Final = _kind(time="f8", seq="i8", kind="i4", row="i4", turn="i4", next="i4")
READY: Final = _kind(seq="i8", kind="i4", row="i4", value="i4")
URGENT: Final = _kind(row="i8", kind="i4", value="i4", turn="i4")
DUE: Final = _kind(time="f8", seq="i8")  # of a lane, then of a host
NODE: Final = np.dtype("i4")
#: One instruction under way. What ``a``, ``b``, ``i`` and ``j`` hold depends on the instruction: times, a claim, a
#: child, a count. ``low`` and ``high`` are the keys that a look-up missed, as bits; ``left`` counts events of a round.
FRAME: Final = _kind(
    a="f8", b="f8", low="u8", high="u8", instruction="i4", parent="i4", task="i4", phase="i4", i="i4", j="i4",
    left="i4", next="i4", turn="i4",
)  # fmt: skip
TASK: Final = _kind(
    request="i4", attempt="i4", cancelled="i4", parent="i4", below="i4", below_last="i4", later="i4", sooner="i4",
    claim="i4", claim_last="i4", next="i4", died="i4",
)  # fmt: skip
REQUEST: Final = _kind(
    entity="u8", number="i8", instance="i8", asked="f8", began="f8", arrival="i4", gateway="i4", second="i4",
    users="i4", task="i4", next="i4", turn="i4", entry="i4", region="i2", step="i2", degraded="i1", answered="i1",
)  # fmt: skip
#: ``finish`` is in the host's virtual time; of a job that is not on its host it is what it still needs.
JOB: Final = _kind(
    seconds="f8", finish="f8", entered="f8", entry_number="i8", station="i4", frame="i4", next="i4", previous="i4",
    below="i4", beside="i4", above="i4",
)  # fmt: skip
STATION: Final = _kind(
    tally="i4", host="i4", process="i4", workers="i4", serving_count="i4", first="i4", last="i4",
    waiting="i4", waiting_last="i4", waiting_count="i4", down="i4", paused="i4", on_host="i4",
)  # fmt: skip
HOST: Final = _kind(
    virtual="f8", changed="f8", given="f8", done="f8", possible="f8", stalled="f8",
    entered="i8", top="i4", cores="i4", active="i4", serving="i4", stalls="i4",
)  # fmt: skip
PROCESS: Final = _kind(cpu="f8", virtual="f8", busy="i4", host="i4")
POOL: Final = _kind(size="i8", taken="i4", tally="i4", first="i4", last="i4", waiting_count="i4")
POOL_FAMILY: Final = _kind(first="i8", callers="i8", callees="i8")
COUNTER: Final = _kind(rate="f8", written="f8", keys="i8")
#: A primary that died, until a replica takes its place or it is back: commits that no replica had are in `MISSING`.
PROMOTION: Final = _kind(first="i8", nodes="i8", dead="i8", promoted="i8", lost="i8", at="f8")
CLAIM: Final = _kind(
    entered="f8", pool="i4", task="i4", frame="i4", later="i4", sooner="i4", next="i4",
    held="i1", over="i1", queued="i1",
)  # fmt: skip
BREAKER: Final = _kind(opened_at="f8", state="i8", failures="i8")
BREAKER_FAMILY: Final = _kind(opened_count="i8", first="i8", instances="i8")
CACHE: Final = _kind(
    capacity="f8", ttl="f8", hit_count="i8", miss_count="i8", used="i8", slots="i8", oldest="i8", newest="i8",
)  # fmt: skip
#: One for each key of each cache, two to a line of the processor's own caches. What is not held expired at −∞;
#: who waits for a key being fetched are frames from ``waiter`` to ``waiter_last``; where nobody fetches it: `UNASKED`.
SLOT: Final = _kind(expiry="f8", size="i8", older="i4", newer="i4", waiter="i4", waiter_last="i4")
TALLY: Final = _kind(
    arrived="i8", ended="i8", inside="i8", area="f8", sojourn="f8", entered="f8", changed="f8", started="f8"
)
TOPIC: Final = _kind(
    lag="f8", lag_max="f8", lag_count="i8", redelivered="i8", tally="i8", entry="i8", by_author="i8", broker="i8",
    job="i8", partitions="i8", partitions_count="i8", members="i8", members_count="i8",
)  # fmt: skip
PARTITION: Final = _kind(topic="i4", owner="i4", first="i4", last="i4", count="i4", taken="i4", holder="i4", task="i4")
MEMBER: Final = _kind(expelled="f8", station="i4", busy="i4", away="i4", turn="i4")
RECORD: Final = _kind(asked="f8", entered="f8", request="i4", tries="i4", next="i4", started="i1", done="i1")
STAGE: Final = _kind(seconds="f8", count="i8")
#: A region's people are served by another one.
REROUTED: Final = _kind(at="f8", home="i8", before="i8", now="i8", lost="i8")
JOB_TALLY: Final = _kind(
    count="i8", weight="f8", done_seconds="f8", inside_weight="f8", inside_asked_seconds="f8", for_readers="i8"
)
SAMPLE: Final = _kind(began="f8", latency="f8", number="i8", entry="i4", step="i2", ending="i1", degraded="i1")
