"""PostgreSQL's replicas: where reads go, what replication costs, and what happens when a primary dies."""

from __future__ import annotations

from typing import Any

import pytest

from core.policies.replica import reads_from, successor
from core.scenario import ScenarioError, explain, parse
from sim.model.layout import layout_of
from sim.simulate import Result, simulate
from tests.model.small import scenario, text
from tests.model.synthetic import QUIET, profile

HOSTS = {"app": {"cores": 4}, "db": {"cores": 4, "count": 3, "runs": ["postgres"]}}
READ = {"post.read": "100%"}
WRITE = {"like.add": "100%"}
PRIMARY, REPLICA = "postgres_0", "postgres_0_replica_1"


def _asked(*, replicas: int = 1, replication: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    shards = {"physical": 1, "replicas": replicas, "replication": replication or {}}
    return {"placement": {"hosts": HOSTS}, "shards": shards, "duration": "14s", **changes}


def _simulate(**changes: Any) -> Result:
    told = profile(variation=0.0, stalls=QUIET, idle=False)
    return simulate(scenario(**_asked(**changes)), told, engine="simpy")


def _cpu(result: Result, process: str, begin: float = -1e9, end: float = 1e9) -> float:
    return sum(seconds for name, second, seconds in result.usage if name == process and begin <= second < end)


def test_reads_take_turns_among_the_replicas_that_are_up() -> None:
    def role(**changes: Any) -> int:
        usual = {"replicas": 2, "up": 0b111, "turn": 0, "wrote_seconds_ago": 9.0, "own_writes_seconds": 1.0}
        return reads_from(**{**usual, **changes})

    assert [role(turn=turn) for turn in range(4)] == [1, 2, 1, 2]
    assert [role(turn=turn, up=0b101) for turn in range(4)] == [2, 2, 2, 2]
    assert role(up=0b001) == 0
    assert role(wrote_seconds_ago=0.5) == 0
    assert role(wrote_seconds_ago=0.5, up=0b110) == 1  # better behind than nothing
    assert role(up=0b000) == 0


def test_the_first_replica_that_is_up_succeeds_a_dead_primary() -> None:
    assert successor(replicas=2, up=0b110) == 1
    assert successor(replicas=2, up=0b100) == 2
    assert successor(replicas=2, up=0b000) == -1


def test_no_two_nodes_of_one_database_share_a_host() -> None:
    layout = layout_of(scenario(**_asked(replicas=2, shards={"physical": 4, "replicas": 2})))
    for index in range(4):
        names = (f"postgres_{index}", f"postgres_{index}_replica_1", f"postgres_{index}_replica_2")
        assert len({layout.processes[layout.named(name)[0]].host for name in names}) == 3
    assert len(layout.processes_of("postgres")) == 4
    assert len(layout.named("postgres")) == 12
    assert layout.nodes("postgres") == 3


def _read_profile() -> Any:
    import msgspec

    from core.profile import CpuDemand

    told = profile(variation=0.0, stalls=QUIET, idle=False, without=("post.read",))
    read = tuple(
        CpuDemand(
            operation="post.read", process=process, rates_per_second=(1.0,), cpu_seconds=(seconds,), variation=0.0
        )
        for process, seconds in (("posts", 0.001), ("postgres", 0.002))
    )
    return msgspec.structs.replace(told, demands=(*told.demands, *read))


def test_reads_go_to_the_replicas_and_leave_the_primary_alone() -> None:
    def spent(**changes: Any) -> dict[str, float]:
        result = simulate(scenario(**_asked(mix=READ, rate="50/s", **changes)), _read_profile(), engine="simpy")
        names = ("postgres_0", "postgres_0_replica_1", "postgres_0_replica_2")
        return {name: _cpu(result, name) / (len(result.samples) * 0.002) for name in names}

    assert spent(replicas=2) == pytest.approx(
        {"postgres_0": 0.0, "postgres_0_replica_1": 0.5, "postgres_0_replica_2": 0.5}, abs=0.02
    )
    alone = spent(replicas=2, replication={"reads": "primary"})
    assert alone == pytest.approx(
        {"postgres_0": 1.0, "postgres_0_replica_1": 0.0, "postgres_0_replica_2": 0.0}, abs=0.02
    )


def test_who_has_just_written_reads_from_the_primary() -> None:
    mixed = {"post.read": "50%", "like.add": "50%"}

    def primary_share(own_writes: str) -> float:
        asked = scenario(
            **_asked(mix=mixed, rate="60/s", duration="8s", replication={"own_writes": own_writes, "replay": "0%"})
        )
        result = simulate(asked, _read_profile(), engine="simpy")
        return _cpu(result, PRIMARY) / (len(result.samples.of("post.read")) * 0.002)

    quick, slow = primary_share("0s"), primary_share("20s")
    # likes are the same; of 200 people each likes something every 7 s, and reads from the primary from then on
    assert slow - quick == pytest.approx(0.4, abs=0.1)


def test_every_commit_is_replayed_by_every_replica() -> None:
    result = _simulate(mix=WRITE, rate="50/s", duration="6s", replicas=2, replication={"replay": "40%"})
    made = _cpu(result, PRIMARY)
    for number in (1, 2):
        assert _cpu(result, f"postgres_0_replica_{number}") == pytest.approx(0.4 * made, rel=0.01)


def test_a_synchronous_commit_waits_for_one_replica_and_an_asynchronous_one_for_none() -> None:
    def median(mode: str) -> float:
        replication = {"mode": mode, "lag": "50ms", "lag_p99": "50ms"}
        told = _simulate(mix=WRITE, rate="20/s", duration="6s", replicas=2, replication=replication)
        latency = told.samples.latency_seconds
        return float(sorted(latency)[len(latency) // 2])

    assert median("synchronous") - median("asynchronous") == pytest.approx(0.05, abs=0.001)


def test_a_synchronous_commit_takes_the_next_replica_and_fails_where_none_is_left() -> None:
    fault = {"at": "4s", "for": "4s", "process": REPLICA, "action": "kill"}
    replication = {"mode": "synchronous"}
    one = _simulate(mix=WRITE, rate="20/s", replication=replication, faults=[fault])
    two = _simulate(mix=WRITE, rate="20/s", replication=replication, faults=[fault], replicas=2)
    between = (one.samples.at_seconds > 4.1) & (one.samples.at_seconds < 7.9)
    assert set(one.samples.where(between).outcome.tolist()) == {"refused"}
    assert set(two.samples.outcome.tolist()) == {"ok"}


def test_a_primary_that_stays_dead_is_replaced_and_what_no_replica_had_is_lost() -> None:
    fault = {"at": "4s", "for": "6s", "process": PRIMARY, "action": "kill"}
    replication = {"detection": "1s", "promotion": "1s", "lag": "200ms", "lag_p99": "200ms"}
    result = _simulate(mix=WRITE, rate="50/s", replication=replication, faults=[fault])
    failed = result.samples.where(result.samples.outcome != "ok").at_seconds
    assert 3.9 < failed.min() < 4.1
    assert 5.8 < failed.max() < 6.1
    (promoted,) = (event for event in result.journal if event.event == "replica_promoted")
    assert promoted.at_seconds == pytest.approx(6.0)
    assert promoted.values["process"] == REPLICA
    assert promoted.values["instead_of"] == PRIMARY
    assert _cpu(result, PRIMARY, 4.0, 10.0) == 0.0
    assert _cpu(result, REPLICA, 6.0, 10.0) > _cpu(result, REPLICA, 0.0, 4.0)  # it does the writes itself now
    assert _cpu(result, PRIMARY, 11.0, 14.0) > 0.0  # back, it follows the new primary
    assert result.ledger["like.add.lost"] == promoted.values["lost"]
    assert 4 <= promoted.values["lost"] <= 16  # 50 a second × 0.2 s


def test_nothing_is_lost_where_commits_are_synchronous() -> None:
    fault = {"at": "4s", "for": "6s", "process": PRIMARY, "action": "kill"}
    result = _simulate(mix=WRITE, rate="50/s", replication={"mode": "synchronous"}, faults=[fault], replicas=2)
    assert [event.event for event in result.journal].count("replica_promoted") == 1
    assert result.ledger["like.add.lost"] == 0
    assert result.samples.where(result.samples.at_seconds > 9.2).outcome.tolist().count("ok") > 100


def test_a_primary_that_is_back_before_anybody_is_promoted_goes_on() -> None:
    fault = {"at": "4s", "process": PRIMARY, "action": "kill"}  # up again after 1.5 s
    result = _simulate(mix=WRITE, rate="50/s", faults=[fault])
    assert [event.event for event in result.journal] == ["fault_begins", "fault_ends"]
    assert result.ledger["like.add.lost"] == 0
    assert _cpu(result, PRIMARY, 6.0, 14.0) > _cpu(result, REPLICA, 6.0, 14.0)


def test_while_a_replica_is_dead_the_others_take_its_reads() -> None:
    fault = {"at": "3s", "for": "8s", "process": REPLICA, "action": "kill"}
    asked = scenario(**_asked(mix=READ, rate="50/s", replicas=2, faults=[fault]))
    result = simulate(asked, _read_profile(), engine="simpy")
    assert _cpu(result, REPLICA, 4.0, 11.0) == 0.0
    assert _cpu(result, "postgres_0_replica_2", 4.0, 11.0) == pytest.approx(7 * 50 * 0.002, rel=0.1)
    assert _cpu(result, PRIMARY, 4.0, 11.0) == 0.0


def test_replicas_are_explained_and_read_back() -> None:
    asked = scenario(**_asked(replicas=2, replication={"lag": "7ms", "mode": "synchronous"}))
    assert parse(explain(asked)) == asked


@pytest.mark.parametrize(
    ("system", "field", "expected"),
    [
        ({"shards": {"replicas": 1}}, "system.shards.replicas", "fewer than the hosts that run postgres, which are 1"),
        (_asked(replicas=3), "system.shards.replicas", "which are 3"),
        (_asked(replication={"lag": "1s"}), "system.shards.replication.lag_p99", "no less than the lag"),
        (_asked(replication={"mode": "eager"}), "system.shards.replication.mode", "'asynchronous' or 'synchronous'"),
    ],
)
def test_replicas_that_cannot_be_are_refused(system: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text(**system))
    assert caught.value.problems[0].field == field
    assert expected in caught.value.problems[0].expected
