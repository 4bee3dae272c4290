"""The log in compiled code: `sim.reference.log`, row by row. `sim.compiled.threads` does what a consumer does with an
event."""

from __future__ import annotations

from core.bounds import CONSUMER_RECORDS_MAX, CONSUMER_SESSION_SECONDS
from sim.compiled import agenda, tallies, tasks
from sim.compiled import records as r
from sim.compiled.jit import World, compiled
from sim.compiled.records import NOBODY, Free, Kind


@compiled
def _works(world: World, station: int) -> bool:
    one = r.stations(world)[station]
    return one.down == 0 and one.paused == 0


@compiled
def _take(world: World, topic: int, member: int) -> None:
    """Begin a round, where this member is idle and can; partitions in their order."""
    one, partitions, members = r.topics(world)[topic], r.partitions(world), r.members(world)
    if member < 0:
        return
    who = one.members + member
    if members[who].busy or members[who].away:
        return
    if not (_works(world, members[who].station) and _works(world, one.broker)):
        return
    left = CONSUMER_RECORDS_MAX
    for row in range(one.partitions, one.partitions + one.partitions_count):
        count = min(left, partitions[row].count)
        if count and partitions[row].owner == member and partitions[row].holder < 0:
            left -= count
            partitions[row].taken = count
            partitions[row].holder = member
            members[who].busy += 1
            agenda.urgent(world, Kind.HANDLE, row, member, 0)


@compiled
def append(world: World, job: int, request: int, asked: float) -> None:
    """Take an event that happened then; whoever owns its partition begins with it at once where it is idle."""
    topics, partitions, records = r.topics(world), r.partitions(world), r.records(world)
    requests = r.requests(world)
    tallies.job_asked(world, job, request, asked)
    topic = job + requests[request].region * r.clock(world)[0].jobs_count
    tallies.came(world, topics[topic].tally)
    arrival = r.arrivals(world)[requests[request].arrival]
    place = arrival.author_partition if topics[topic].by_author else arrival.number_partition
    free = r.frees(world)[Free.RECORDS].first
    row = agenda.take(world, Free.RECORDS, records[free].next)
    records[row].request = request
    records[row].asked = asked
    records[row].entered = r.clock(world)[0].now
    records[row].tries = 0
    records[row].started = 0
    records[row].done = 0
    records[row].next = NOBODY
    requests[request].users += 1
    partition = topics[topic].partitions + place
    if partitions[partition].first < 0:
        partitions[partition].first = row
    else:
        records[partitions[partition].last].next = row
    partitions[partition].last = row
    partitions[partition].count += 1
    _take(world, topic, partitions[partition].owner)


@compiled
def emit(world: World, job: int, request: int, everywhere: int) -> None:
    """An event happens now; where it is for everybody, the logs of other regions have it as soon as it is there."""
    clock, requests = r.clock(world)[0], r.requests(world)
    append(world, job, request, clock.now)
    if not everywhere:
        return
    here = requests[request].region
    for region in range(clock.regions):
        if region != here:
            there = tasks.new_copy(world, request, requests[request].instance)
            requests[there].region = region
            requests[there].asked = clock.now
            agenda.at(world, clock.now + 0.5 * r.rtts(world)[here * clock.regions + region], Kind.EMIT, there, job)


@compiled
def come(world: World, request: int, job: int) -> None:
    """An event has come to another region."""
    append(world, job, request, r.requests(world)[request].asked)
    tasks.release(world, request)


@compiled
def _member(world: World, topic: int, station: int) -> int:
    one, members = r.topics(world)[topic], r.members(world)
    for member in range(one.members_count):
        if members[one.members + member].station == station:
            return member
    return NOBODY


@compiled
def rebalance(world: World, topic: int) -> None:
    """The partitions are shared out anew among those who are there: round robin (`core.policies.partition`)."""
    one, partitions, members = r.topics(world)[topic], r.partitions(world), r.members(world)
    present = 0
    for member in range(one.members_count):
        who = one.members + member
        members[who].away = r.stations(world)[members[who].station].down > 0
        if not members[who].away:
            members[one.members + present].turn = member
            present += 1
    for place in range(one.partitions_count):
        owner = members[one.members + place % present].turn if present else NOBODY
        partitions[one.partitions + place].owner = owner
    for place in range(present):
        _take(world, topic, members[one.members + place].turn)


@compiled
def died(world: World, station: int, goodbye: bool) -> None:
    """A process has ended: what it had taken stands on the log again. Without a goodbye the group waits for it."""
    topics, partitions, members = r.topics(world), r.partitions(world), r.members(world)
    for topic in range(r.clock(world)[0].topics_count):
        one = topics[topic]
        member = _member(world, topic, station)
        if member < 0:
            continue
        who = one.members + member
        members[who].busy = 0
        members[who].away = 1
        for row in range(one.partitions, one.partitions + one.partitions_count):
            if partitions[row].holder == member:
                topics[topic].redelivered += partitions[row].taken
                if partitions[row].task >= 0:
                    tasks.cancel(world, partitions[row].task)
                partitions[row].taken = 0
                partitions[row].holder = NOBODY
                partitions[row].task = NOBODY
        if goodbye:
            rebalance(world, topic)
        else:
            now = r.clock(world)[0].now
            members[who].expelled = now + CONSUMER_SESSION_SECONDS
            agenda.at(world, now + CONSUMER_SESSION_SECONDS, Kind.REBALANCE, topic, 0)


@compiled
def back(world: World, station: int) -> None:
    """A process, a member's or the broker's, works again."""
    topics, members = r.topics(world), r.members(world)
    for topic in range(r.clock(world)[0].topics_count):
        member = _member(world, topic, station)
        who = topics[topic].members + member
        if member >= 0 and members[who].away and r.clock(world)[0].now >= members[who].expelled:
            rebalance(world, topic)
            continue
        for each in range(topics[topic].members_count):
            _take(world, topic, each)


@compiled
def lags(world: World, topic: int, row: int) -> None:
    """The work of an event begins for the first time."""
    records, topics = r.records(world), r.topics(world)
    if records[row].started:
        return
    records[row].started = 1
    if records[row].asked >= 0.0:
        seconds = r.clock(world)[0].now - records[row].asked
        topics[topic].lag_count += 1
        topics[topic].lag += seconds
        topics[topic].lag_max = max(topics[topic].lag_max, seconds)


@compiled
def _commit(world: World, partition: int) -> None:
    partitions, records = r.partitions(world), r.records(world)
    for _ in range(partitions[partition].taken):
        row = partitions[partition].first
        partitions[partition].first = records[row].next
        partitions[partition].count -= 1
        tasks.release(world, records[row].request)
        records[row].next = agenda.give_back(world, Free.RECORDS, row)
    partitions[partition].taken = 0
    partitions[partition].holder = NOBODY


@compiled
def handled(world: World, partition: int, member: int) -> None:
    """All that was taken of a partition is done; with the last of a member's partitions its round ends."""
    partitions, members = r.partitions(world), r.members(world)
    topic = partitions[partition].topic
    one = r.topics(world)[topic]
    partitions[partition].task = NOBODY
    who = one.members + member
    members[who].busy -= 1
    if members[who].busy:
        return
    for row in range(one.partitions, one.partitions + one.partitions_count):
        if partitions[row].holder == member:
            _commit(world, row)
    for each in range(one.members_count):
        _take(world, topic, each)
