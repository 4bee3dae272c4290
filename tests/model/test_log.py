"""The log: events stay in order by key, wait for their consumer, and survive any process's death."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner

from core.bounds import CONSUMER_SESSION_SECONDS
from core.policies.partition import owner_of, partition_of
from core.policies.patience import PAUSE_CAP_SECONDS, pause_seconds
from sim.model.flow import Ending, Keyed
from sim.model.program import Topic
from sim.reference.host import HostCpu
from sim.reference.kernel import Kernel, Steps
from sim.reference.log import Log, Record
from sim.reference.station import Station
from sim.reference.task import RequestTask, SimulatedRequest
from sim.results.laws import ModelError
from sim.simulate import Result, simulate
from tests.model.small import scenario
from tests.model.synthetic import QUIET, profile

POSTS = {"post.create": "100%"}
PHOTOS = {"media.upload": "100%"}


@pytest.mark.parametrize("key", [b"", b"7", b"42", b"abc", b"1234", b"person_000017", b"9007199254740993"])
def test_a_key_goes_to_the_partition_that_kafkas_clients_choose(key: bytes) -> None:
    choose = DefaultPartitioner()
    for partitions in (1, 4, 12):
        everything = list(range(partitions))
        assert partition_of(key, partitions) == choose(key, everything, everything)


def test_partitions_are_dealt_to_whoever_is_present() -> None:
    assert [owner_of(partition, (0, 1, 2)) for partition in range(5)] == [0, 1, 2, 0, 1]
    assert [owner_of(partition, (1,)) for partition in range(3)] == [1, 1, 1]
    assert owner_of(0, ()) == -1


def test_a_pause_doubles_up_to_its_cap_and_is_jittered() -> None:
    assert [pause_seconds(attempt, 1.0) for attempt in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0])
    assert pause_seconds(3, 0.0) == pytest.approx(0.4)
    assert pause_seconds(10_000, 0.5) == pytest.approx(0.75 * PAUSE_CAP_SECONDS)


class Bench:
    """A topic whose events take as many seconds as their person's number; author n's are in partition n."""

    def __init__(self, *, members: int = 1, partitions: int = 2):
        self.kernel = Kernel()
        host = HostCpu(self.kernel, name="test", cores=1, processes=members + 1)
        names = [*(f"member {number}" for number in range(members)), "broker"]
        self.stations = [
            Station(self.kernel, host, name=name, process=number, workers=1) for number, name in enumerate(names)
        ]
        topic = Topic(job="test", partitions=partitions, keyed=Keyed.AUTHOR, members=tuple(range(members)))
        self.log = Log(self.kernel, topic, members=self.stations[:-1], broker=self.stations[-1])
        self.log.handler = self._handle
        self.handled: list[tuple[float, int, int]] = []
        self._partitions = partitions
        self._authors = [
            next(author for author in range(1_000) if partition_of(str(author).encode(), partitions) == partition)
            for partition in range(partitions)
        ]

    def event(self, at: float, partition: int, seconds: int) -> None:
        """One event at a time."""
        number = round(at * 1_000)
        author = self._authors[partition]
        request = SimulatedRequest(
            entity=number, number=number, operation="", person=seconds, author=author, post=-1, second=0
        )
        self.kernel.after(at, lambda: self.log.append(request, asked_seconds=at))

    def run(self, seconds: float = 100.0) -> list[tuple[float, int, int]]:
        """(time, partition, member) of every event that was handled."""
        self.kernel.run(until_seconds=seconds)
        return self.handled

    def _handle(self, record: Record, task: RequestTask) -> Steps[Ending]:
        yield self.kernel.wait(float(record.request.person))
        if not task.cancelled:
            partition = self._authors.index(record.request.author)
            self.handled.append((round(self.kernel.now, 6), partition, task.request.instance))
        return Ending.OK


def test_a_huge_event_holds_up_its_partition_and_its_members_others_but_no_other_member() -> None:
    alone, two = Bench(members=1), Bench(members=2)
    for bench in (alone, two):
        bench.event(0.0, 0, 9)
        bench.event(1.0, 0, 1)
        bench.event(2.0, 1, 1)
    assert alone.run() == [(9.0, 0, 0), (10.0, 0, 0), (10.0, 1, 0)]  # the next round takes both partitions at once
    assert two.run() == [(3.0, 1, 1), (9.0, 0, 0), (10.0, 0, 0)]


def test_a_round_is_over_when_its_last_partition_is() -> None:
    bench = Bench(members=1, partitions=3)
    bench.event(0.0, 2, 1)
    for at, partition, seconds in ((0.1, 0, 2), (0.2, 1, 5), (1.5, 0, 1)):
        bench.event(at, partition, seconds)
    assert [(at, partition) for at, partition, _ in bench.run()] == [(1.0, 2), (3.0, 0), (6.0, 1), (7.0, 0)]


def test_what_a_killed_member_had_taken_is_handled_again_when_its_session_is_over() -> None:
    bench = Bench(members=1, partitions=1)
    bench.event(0.0, 0, 1)
    bench.event(0.5, 0, 2)
    bench.event(0.6, 0, 2)  # both in the second round, of which one is done when the member dies
    bench.kernel.after(4.0, lambda: _kill(bench, 0))
    bench.kernel.after(6.0, lambda: _revive(bench, 0))
    again = 4.0 + CONSUMER_SESSION_SECONDS
    assert [at for at, _, _ in bench.run()] == [1.0, 3.0, again + 2.0, again + 4.0]
    assert bench.log.account().redelivered_count == 2
    assert bench.log.found() == 0
    assert bench.log.account().tally.ended == 3


def test_partitions_of_a_dead_member_go_to_the_living_and_come_back() -> None:
    bench = Bench(members=2)
    bench.kernel.after(1.0, lambda: _kill(bench, 1))
    bench.kernel.after(30.0, lambda: _revive(bench, 1))
    for at in (2.0, 12.0, 31.0):
        bench.event(at, 1, 1)
    assert bench.run() == [(1.0 + CONSUMER_SESSION_SECONDS + 1.0, 1, 0), (13.0, 1, 0), (32.0, 1, 1)]


def test_a_member_that_says_goodbye_is_replaced_at_once() -> None:
    bench = Bench(members=2)
    bench.kernel.after(1.0, lambda: _kill(bench, 1, goodbye=True))
    bench.event(2.0, 1, 1)
    assert bench.run() == [(3.0, 1, 0)]


def test_nobody_takes_anything_while_the_broker_is_away() -> None:
    bench = Bench(members=1)
    broker = len(bench.stations) - 1
    bench.kernel.after(1.0, lambda: _kill(bench, broker))
    bench.event(2.0, 0, 1)
    bench.kernel.after(7.0, lambda: _revive(bench, broker))
    assert bench.run() == [(8.0, 0, 0)]


def _kill(bench: Bench, process: int, *, goodbye: bool = False) -> None:
    bench.stations[process].die()
    bench.log.died(process, goodbye=goodbye)


def _revive(bench: Bench, process: int) -> None:
    bench.stations[process].revive()
    bench.log.back(process)


def _simulate(*faults: dict[str, Any], mix: dict[str, str], rate: str, **changes: Any) -> Result:
    asked = scenario(faults=list(faults), mix=mix, rate=rate, **{"duration": "20s", **changes})
    return simulate(asked, profile(variation=0.0, stalls=QUIET, idle=False), engine="simpy")


def test_events_are_handled_at_once_where_nothing_is_in_their_way() -> None:
    result = _simulate(mix=POSTS, rate="10/s")
    assert result.facts["consumer_lag_mean_seconds"]["fanout.deliver"] < 0.001
    assert result.facts["log_unhandled_count"] == {"fanout.deliver": 0}


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        ({"at": "4s", "process": "workers", "action": "kill"}, 9.0, 10.1),  # until its session is over
        ({"at": "4s", "process": "workers", "action": "restart", "for": "3s"}, 2.8, 3.1),
        ({"at": "4s", "process": "workers", "action": "pause", "for": "3s"}, 2.8, 3.1),
        ({"at": "4s", "process": "kafka", "action": "pause", "for": "3s"}, 0.0, 3.1),
    ],
)
def test_whatever_dies_or_stops_no_post_is_lost_and_the_log_is_drained(
    fault: dict[str, Any], least: float, most: float
) -> None:
    result = _simulate(fault, mix=POSTS, rate="10/s")
    assert set(result.samples.outcome.tolist()) == {"ok"}  # posts are accepted all the time
    assert least <= result.facts["consumer_lag_max_seconds"]["fanout.deliver"] <= most
    assert result.facts["log_unhandled_count"] == {"fanout.deliver": 0}
    delays = {job.job: job for job in result.jobs}
    assert delays["fanout.deliver"].undone_ratio == 0.0
    assert delays["fanout.deliver"].count == len(result.samples.judged())


def test_while_the_log_is_down_posts_are_accepted_and_their_fan_out_is_late() -> None:
    quick = _simulate(mix=POSTS, rate="10/s")
    result = _simulate({"at": "4s", "for": "5s", "process": "kafka", "action": "kill"}, mix=POSTS, rate="10/s")
    assert set(result.samples.outcome.tolist()) == {"ok"}
    cpu = {name: sum(s for p, _, s in result.usage if p == name) for name in ("kafka", "workers")}
    assert cpu["workers"] == pytest.approx(sum(s for p, _, s in quick.usage if p == "workers"))
    assert result.facts["background_unfinished_count"] == 0
    late = [second for process, second, seconds in result.usage if process == "workers" and not seconds]
    assert set(late) >= {5, 6, 7, 8}


def test_a_cut_way_to_the_log_keeps_events_in_the_outbox() -> None:
    fault = {"at": "4s", "for": "4s", "link": "posts_kafka", "down": True}
    result = _simulate(fault, mix=POSTS, rate="10/s", duration="14s")
    assert set(result.samples.outcome.tolist()) == {"ok"}
    working = {second for process, second, seconds in result.usage if process == "workers" and seconds}
    assert not working & {5, 6, 7}
    delays = {job.job: job for job in result.jobs}
    assert delays["fanout.deliver"].count == len(result.samples.judged())


def test_a_cut_way_from_the_log_delays_its_consumer_and_no_other() -> None:
    fault = {"at": "4s", "for": "4s", "link": "fanout_kafka", "down": True}
    result = _simulate(fault, mix={"post.create": "50%", "media.upload": "50%"}, rate="2/s", duration="14s")
    delays = {job.job: job for job in result.jobs}
    assert delays["fanout.deliver"].undone_ratio == 0.0
    assert 3.0 < (delays["fanout.deliver"].quantile_seconds(1.0) or 0.0) < 7.0
    assert (delays["media.process"].quantile_seconds(1.0) or 9.0) < 2.0


def test_photos_of_one_partition_follow_each_other_however_many_workers_there_are() -> None:
    def slowest(partitions: int, workers: int) -> float:
        result = _simulate(
            mix=PHOTOS,
            rate="12/s",
            duration="6s",
            kafka={"partitions": partitions},
            media={"workers": workers},
            placement={"hosts": {"one": {"cores": 8}}},
        )
        return next(job.quantile_seconds(0.9) or 0.0 for job in result.jobs if job.job == "media.process")

    one = slowest(1, 8)
    assert one > 2.0  # 12 a second × 0.18 s on one at a time
    assert slowest(8, 1) == pytest.approx(one, rel=0.3)
    assert slowest(8, 8) < 0.3 * one


def test_more_workers_share_the_partitions() -> None:
    result = _simulate(
        mix=PHOTOS,
        rate="4/s",
        kafka={"partitions": 8},
        placement={"instances": {"workers": 2}, "hosts": {"one": {"cores": 4}}},
    )
    spent = {name: sum(s for p, _, s in result.usage if p == name) for name in ("workers-1", "workers-2")}
    assert min(spent.values()) > 0.3 * sum(spent.values())


def test_a_run_notices_an_event_that_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Log.append

    def forgets(self: Log, request: SimulatedRequest, *, asked_seconds: float) -> None:
        sound(self, request, asked_seconds=asked_seconds)
        if request.number == 30:
            self._account.tally.came(self._kernel.now)

    monkeypatch.setattr(Log, "append", forgets)
    with pytest.raises(ModelError, match=r"conservation: fanout\.deliver on the log"):
        _simulate(mix=POSTS, rate="10/s", duration="6s")
