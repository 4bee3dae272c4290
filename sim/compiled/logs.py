"""The log in compiled code: `sim.reference.log`. A consumer's work on an event is in `sim.compiled.threads`."""

from __future__ import annotations

from core.bounds import CONSUMER_RECORDS_MAX, CONSUMER_SESSION_SECONDS
from core.policies.backlog import DECAY_RATIO, LOOK_SECONDS, STALE_SECONDS
from sim.compiled import agenda, tallies, tasks
from sim.compiled import records as r
from sim.compiled.jit import Address, compiled
from sim.compiled.records import NOBODY, EventKind, TableId


@compiled
def _works(memory: Address, station: int) -> bool:
    station_row = r.stations(memory)[station]
    return station_row.down == 0 and station_row.paused == 0


@compiled
def _take(memory: Address, topic: int, member: int) -> None:
    """Begin a round if this member is idle and able to; partitions in their order."""
    topic_row, partitions, members = r.topics(memory)[topic], r.partitions(memory), r.members(memory)
    if member < 0:
        return
    row_of_member = topic_row.members + member
    if members[row_of_member].busy or members[row_of_member].away:
        return
    if not (_works(memory, members[row_of_member].station) and _works(memory, topic_row.broker)):
        return
    left = CONSUMER_RECORDS_MAX
    for row in range(topic_row.partitions, topic_row.partitions + topic_row.partitions_count):
        count = min(left, partitions[row].count)
        if count and partitions[row].owner == member and partitions[row].holder < 0:
            left -= count
            partitions[row].taken = count
            partitions[row].holder = member
            members[row_of_member].busy += 1
            agenda.urgent(memory, EventKind.HANDLE, row, member, 0)


@compiled
def append(memory: Address, job: int, request: int, asked: float) -> None:
    """Append an event that happened at ``asked``; the owner of its partition begins at once if it is idle."""
    topics, partitions, records = r.topics(memory), r.partitions(memory), r.records(memory)
    requests = r.requests(memory)
    tallies.job_asked(memory, job, request, asked)
    topic = job + requests[request].region * r.clock(memory)[0].jobs_count
    tallies.came(memory, topics[topic].tally)
    arrival = r.arrivals(memory)[requests[request].arrival]
    index = arrival.author_partition if topics[topic].by_author else arrival.number_partition
    row = agenda.take(memory, TableId.RECORDS, records)
    records[row].request = request
    records[row].asked = asked
    records[row].entered = r.clock(memory)[0].now
    records[row].tries = 0
    records[row].started = 0
    records[row].done = 0
    records[row].next = NOBODY
    requests[request].users += 1
    partition = topics[topic].partitions + index
    if partitions[partition].first < 0:
        partitions[partition].first = row
    else:
        records[partitions[partition].last].next = row
    partitions[partition].last = row
    partitions[partition].count += 1
    _take(memory, topic, partitions[partition].owner)


@compiled
def wait_seconds(memory: Address, topic: int, standing_seconds: float) -> float:
    """How long a new event would wait: `core.policies.backlog.CountedQueue`."""
    topics, now = r.topics(memory), r.clock(memory)[0].now
    tally = r.tallies(memory)[topics[topic].tally]
    if now - topics[topic].looked >= LOOK_SECONDS:
        seconds, done = now - topics[topic].looked, tally.ended - topics[topic].done
        if seconds <= STALE_SECONDS and done < topics[topic].waiting:
            topics[topic].stood += seconds
            topics[topic].pace_seconds = DECAY_RATIO * topics[topic].pace_seconds + seconds
            topics[topic].pace_done = DECAY_RATIO * topics[topic].pace_done + done
        else:
            topics[topic].stood = 0.0
            topics[topic].pace_seconds = 0.0
            topics[topic].pace_done = 0.0
        topics[topic].looked = now
        topics[topic].waiting = tally.inside
        topics[topic].done = tally.ended
    if topics[topic].stood < standing_seconds or topics[topic].pace_done == 0.0:
        return 0.0
    return float(tally.inside * topics[topic].pace_seconds / topics[topic].pace_done)


@compiled
def emit(memory: Address, job: int, request: int, everywhere: int) -> None:
    """Append an event now; if ``everywhere``, also to the logs of other regions, after the one-way time to them."""
    clock, requests = r.clock(memory)[0], r.requests(memory)
    append(memory, job, request, clock.now)
    if not everywhere:
        return
    here = requests[request].region
    for region in range(clock.regions):
        if region != here:
            there = tasks.new_copy(memory, request, requests[request].instance)
            requests[there].region = region
            requests[there].asked = clock.now
            agenda.at(
                memory, clock.now + 0.5 * r.rtts(memory)[here * clock.regions + region], EventKind.EMIT, there, job
            )


@compiled
def arrive(memory: Address, request: int, job: int) -> None:
    """An event has arrived in another region."""
    append(memory, job, request, r.requests(memory)[request].asked)
    tasks.release(memory, request)


@compiled
def _member(memory: Address, topic: int, station: int) -> int:
    topic_row, members = r.topics(memory)[topic], r.members(memory)
    for member in range(topic_row.members_count):
        if members[topic_row.members + member].station == station:
            return member
    return NOBODY


@compiled
def rebalance(memory: Address, topic: int) -> None:
    """Assign the partitions to the members that are present, round robin (`core.policies.partition`)."""
    topic_row, partitions, members = r.topics(memory)[topic], r.partitions(memory), r.members(memory)
    present = 0
    for member in range(topic_row.members_count):
        row_of_member = topic_row.members + member
        members[row_of_member].away = r.stations(memory)[members[row_of_member].station].down > 0
        if not members[row_of_member].away:
            members[topic_row.members + present].turn = member
            present += 1
    for index in range(topic_row.partitions_count):
        owner = members[topic_row.members + index % present].turn if present else NOBODY
        partitions[topic_row.partitions + index].owner = owner
    for index in range(present):
        _take(memory, topic, members[topic_row.members + index].turn)


@compiled
def died(memory: Address, station: int, goodbye: bool) -> None:
    """Return to the log what a dead process had taken. Without a goodbye the group waits for its session's end."""
    topics, partitions, members = r.topics(memory), r.partitions(memory), r.members(memory)
    for topic in range(r.clock(memory)[0].topics_count):
        topic_row = topics[topic]
        member = _member(memory, topic, station)
        if member < 0:
            continue
        row_of_member = topic_row.members + member
        members[row_of_member].busy = 0
        members[row_of_member].away = 1
        for row in range(topic_row.partitions, topic_row.partitions + topic_row.partitions_count):
            if partitions[row].holder == member:
                topics[topic].redelivered += partitions[row].taken
                if partitions[row].task >= 0:
                    tasks.cancel(memory, partitions[row].task)
                partitions[row].taken = 0
                partitions[row].holder = NOBODY
                partitions[row].task = NOBODY
        if goodbye:
            rebalance(memory, topic)
        else:
            now = r.clock(memory)[0].now
            members[row_of_member].expelled = now + CONSUMER_SESSION_SECONDS
            agenda.at(memory, now + CONSUMER_SESSION_SECONDS, EventKind.REBALANCE, topic, 0)


@compiled
def back(memory: Address, station: int) -> None:
    """Resume what a process that works again can do, a member or the broker."""
    topics, members = r.topics(memory), r.members(memory)
    for topic in range(r.clock(memory)[0].topics_count):
        member = _member(memory, topic, station)
        row_of_member = topics[topic].members + member
        if member >= 0 and members[row_of_member].away and r.clock(memory)[0].now >= members[row_of_member].expelled:
            rebalance(memory, topic)
            continue
        for each in range(topics[topic].members_count):
            _take(memory, topic, each)


@compiled
def lags(memory: Address, topic: int, row: int) -> None:
    """Record how long an event was on the log, when its work begins for the first time."""
    records, topics = r.records(memory), r.topics(memory)
    if records[row].started:
        return
    records[row].started = 1
    if records[row].asked >= 0.0:
        seconds = r.clock(memory)[0].now - records[row].asked
        topics[topic].lag_count += 1
        topics[topic].lag += seconds
        topics[topic].lag_max = max(topics[topic].lag_max, seconds)


@compiled
def _commit(memory: Address, partition: int) -> None:
    partitions, records = r.partitions(memory), r.records(memory)
    for _ in range(partitions[partition].taken):
        row = partitions[partition].first
        partitions[partition].first = records[row].next
        partitions[partition].count -= 1
        tasks.release(memory, records[row].request)
        agenda.give_back(memory, TableId.RECORDS, records, row)
    partitions[partition].taken = 0
    partitions[partition].holder = NOBODY


@compiled
def handled(memory: Address, partition: int, member: int) -> None:
    """Finish what was taken from a partition; the last partition of a member ends its round."""
    partitions, members = r.partitions(memory), r.members(memory)
    topic = partitions[partition].topic
    topic_row = r.topics(memory)[topic]
    partitions[partition].task = NOBODY
    row_of_member = topic_row.members + member
    members[row_of_member].busy -= 1
    if members[row_of_member].busy:
        return
    for row in range(topic_row.partitions, topic_row.partitions + topic_row.partitions_count):
        if partitions[row].holder == member:
            _commit(memory, row)
    for each in range(topic_row.members_count):
        _take(memory, topic, each)
