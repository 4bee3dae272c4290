"""Each kind of fault breaks a real link or process, is proven to act, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from chaos import proof
from chaos.faults import LinkInjector, ProcessInjector
from chaos.orders import LinkOrder, OrdersError, ProcessOrder, Toxic, link_order, of_scenario
from chaos.processes import ProcessError, ProcessTarget, family
from chaos.toxiproxy import ToxiproxyClient, WireError
from core.scenario import parse
from core.scenario.fault import LinkFault as Planned
from core.scenario.faults import KINDS, Bandwidth, Down, Latency, LimitData, Reset, SlowClose, Timeout
from tests.chaos.conftest import LINK, Rig
from tests.waiting import until

pytestmark = pytest.mark.alone


def order(fault: Planned, number: int = 0) -> LinkOrder:
    return link_order(number, fault, (LINK,))


#: When and where all of them act.
HERE: Any = {"at_seconds": 0.0, "for_seconds": 1.0, "link": LINK}
#: One of each kind.
EACH: tuple[Planned, ...] = (
    Latency(**HERE, latency_seconds=0.3, jitter_seconds=0.1),
    Bandwidth(**HERE, bandwidth_bytes=200_000),
    Timeout(**HERE, timeout_seconds=0.5),
    Reset(**HERE),
    Down(**HERE),
    LimitData(**HERE, limit_data_bytes=50_000),
    SlowClose(**HERE, slow_close_seconds=0.3),
)


def test_every_kind_on_a_link_is_here() -> None:
    assert {type(fault) for fault in EACH} == {kind for kind in KINDS if issubclass(kind, Planned)}


@pytest.mark.parametrize("fault", EACH, ids=lambda fault: fault.kind)
async def test_a_fault_on_a_link_acts_and_is_proven_and_removed(rig: Rig, fault: Planned) -> None:
    broken = LinkInjector(order(fault), ToxiproxyClient(rig.url))
    await broken.prepare()
    async with broken:
        found = await broken.prove()
    assert found.acted, found.says
    assert rig.toxics() == []
    assert rig.ping_seconds() < 5  # it answers again; on a busy machine there is no limit to test


async def test_no_proof_where_nothing_acts(rig: Rig) -> None:
    for fault in EACH:
        told = order(fault)
        address = ("127.0.0.1", rig.proxy_port)
        well = await proof.before(told, address)
        seen, beside = await proof.probe(told, address, ("127.0.0.1", rig.redis_port))
        found = proof.judge(told, well, seen, beside)
        assert not found.acted, fault.kind
        assert found.says.startswith("no proof"), fault.kind


def test_no_proof_where_the_link_was_as_slow_before() -> None:
    slow = proof.ProbeResult(end=proof.ANSWER, seconds=0.4)
    quick = proof.ProbeResult(end=proof.ANSWER, seconds=0.001)
    assert not proof.judge(order(Latency(**HERE, latency_seconds=0.3)), slow, slow, quick).acted


def test_no_proof_where_the_server_itself_is_as_slow_or_silent() -> None:
    told = order(Latency(**HERE, latency_seconds=0.3))
    quick, slow = proof.ProbeResult(end=proof.ANSWER, seconds=0.001), proof.ProbeResult(end=proof.ANSWER, seconds=0.4)
    assert proof.judge(told, quick, slow, quick).acted
    assert not proof.judge(told, quick, slow, slow).acted
    for end in (proof.SILENT, proof.CLOSED, proof.REFUSED):
        found = proof.judge(told, quick, slow, proof.ProbeResult(end=end, seconds=0.4))
        assert (found.acted, "does not answer either" in found.says) == (False, True), end


def test_a_fault_too_mild_to_be_seen_says_so() -> None:
    mild = order(Bandwidth(**HERE, bandwidth_bytes=500_000_000))
    well = proof.ProbeResult(end=proof.ANSWER, seconds=0.001)
    assert "too mild" in proof.judge(mild, well, well, well).says


async def test_a_misspelt_attribute_is_noticed_though_the_server_accepts_it(rig: Rig) -> None:
    wire = ToxiproxyClient(rig.url)
    told = Toxic(name="windtunnel_0_latency", type="latency", stream="downstream", attributes={"latencyy": 300})
    with pytest.raises(WireError, match="accepted as"):
        await wire.add(LINK, told)
    assert rig.toxics() == []


async def test_an_unknown_type_or_proxy_is_an_error(rig: Rig) -> None:
    wire = ToxiproxyClient(rig.url)
    with pytest.raises(WireError):
        await wire.add(LINK, Toxic(name="windtunnel_0_x", type="latenzy", stream="downstream", attributes={}))
    with pytest.raises(WireError, match="no proxy"):
        await wire.place("feed_nowhere")


async def test_two_faults_that_cut_one_link_restore_it_when_both_are_over(rig: Rig) -> None:
    wire = ToxiproxyClient(rig.url)
    first, second = (LinkInjector(order(Down(**HERE), number), wire) for number in range(2))
    async with first:
        async with second:
            assert not rig.is_on()
        assert not rig.is_on()
    assert rig.is_on()


async def test_a_fault_is_removed_when_the_block_fails(rig: Rig) -> None:
    async def fails() -> None:
        async with LinkInjector(order(Latency(**HERE, latency_seconds=0.3)), ToxiproxyClient(rig.url)):
            assert rig.toxics() == ["windtunnel_0_latency_downstream"]
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        await fails()
    assert rig.toxics() == []


@pytest.mark.parametrize("speaks", ["redis", "postgres", "kafka", "clamd", "http"])
def test_every_protocol_has_a_question_that_can_be_padded(speaks: str) -> None:
    assert 0 < len(proof.question(speaks)) < 200
    assert len(proof.question(speaks, 5_000)) >= 5_000
    assert len(proof.question(speaks, 10**9)) < 10**6


async def test_every_store_answers_its_question(servers: object) -> None:
    running = servers.running  # type: ignore[attr-defined]
    ports = {process.name: process.port for process in running.state.processes}
    places = {
        "redis": ports["redis"],
        "postgres": ports["postgres_0"],
        "kafka": ports["kafka"],
        "clamd": ports["clamd"],
        "http": ports["objects"],
    }
    for speaks, port in places.items():
        for size in (0, 5_000):
            seen = await proof.ask("127.0.0.1", port, proof.question(speaks, size), timeout_seconds=5)
            assert seen.end == proof.ANSWER, (speaks, size, str(seen))
        last = proof.question(speaks, closes=True)
        seen = await proof.ask("127.0.0.1", port, last, timeout_seconds=20, whole=True)
        assert seen.end == proof.ANSWER, (speaks, "and closes", str(seen))


def process_order(kind: Literal["kill", "pause", "restart"], pid: int, **values: str) -> ProcessOrder:
    return ProcessOrder(number=0, target="sleeper", kind=kind, begins_seconds=0.0, ends_seconds=1.0, pid=pid, **values)


async def test_a_paused_process_stops_and_continues(sleeper: subprocess.Popen[bytes]) -> None:
    target = ProcessTarget.of("sleeper", sleeper.pid)
    fault = ProcessInjector(process_order("pause", sleeper.pid))
    await fault.prepare()
    async with fault:
        found = await fault.prove()
        assert found.acted, found.says
        assert target.state == "T"
    until(lambda: target.state == "S", "it goes on", within_seconds=2)


@pytest.mark.parametrize("kind", ["kill", "restart"])
async def test_a_killed_process_is_held_until_the_fault_is_over(
    kind: Literal["kill", "restart"], sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    hold = tmp_path / "holds" / "sleeper"
    fault = ProcessInjector(process_order(kind, sleeper.pid, hold=str(hold)))
    await fault.prepare()
    async with fault:
        found = await fault.prove()
        assert found.acted, found.says
        assert hold.exists()
    assert not hold.exists()
    assert sleeper.wait(timeout=5) == (-9 if kind == "kill" else -15)


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child."""
    shell = subprocess.Popen(["sh", "-c", "sleep 300 & wait"])
    until(lambda: len(family(ProcessTarget.of("shell", shell.pid))) == 2, "the shell has a child", within_seconds=5)
    members = family(ProcessTarget.of("shell", shell.pid))
    yield shell
    for member in reversed(members):
        member.send(signal.SIGKILL)
    shell.wait()


async def test_a_pause_reaches_descendants_too(parent: subprocess.Popen[bytes]) -> None:
    members = family(ProcessTarget.of("shell", parent.pid))
    fault = ProcessInjector(process_order("pause", parent.pid))
    await fault.prepare()
    async with fault:
        assert [member.state for member in members] == ["T", "T"]


async def test_a_process_that_is_not_there_is_an_error_and_no_other_is_hit(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(ProcessError, match="does not run"):
        await ProcessInjector(process_order("kill", sleeper.pid)).prepare()
    other = ProcessTarget(name="other", pid=1, ticks=12345)
    assert other.state == "gone"
    other.send(signal.SIGKILL)  # pid 1 with another start time: no process


async def test_the_pid_is_read_from_the_stack_when_the_fault_comes(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    file = tmp_path / "stack.json"
    file.write_bytes(msgspec.json.encode({"processes": [{"name": "sleeper", "pid": sleeper.pid}]}))
    fault = ProcessInjector(process_order("pause", 999_999_999, stack_file=str(file)))
    await fault.prepare()
    async with fault:
        assert (await fault.prove()).acted


SCENARIO = """
scenario: orders
faults:
  - {at: 1s, for: 1s, link: feed_redis, latency: 300ms, jitter: 100ms}
  - {at: 2s, for: 1s, link: feed_postgres, down: true}
  - {at: 3s, for: 1s, process: feed, action: kill}
  - {at: 10s, process: feed, action: kill}
"""


def test_a_scenario_becomes_orders_that_survive_the_way_to_the_warden() -> None:
    orders = of_scenario(
        parse(SCENARIO),
        t0_unix=10.0,
        toxiproxy_url="http://127.0.0.1:1",
        proxies={"feed_redis": ["feed_redis"], "feed_postgres": ["feed_postgres_0", "feed_postgres_1"]},
        processes={"feed": 42},
        stack_data="/data",
    )
    assert msgspec.json.decode(msgspec.json.encode(orders), type=type(orders)) == orders
    latency, down, held, left = orders.orders
    assert isinstance(latency, LinkOrder)
    assert latency.toxics[0].attributes == {"latency": 300, "jitter": 100}
    assert isinstance(down, LinkOrder)
    assert (down.proxies, down.speaks, down.toxics) == (("feed_postgres_0", "feed_postgres_1"), "postgres", ())
    assert isinstance(held, ProcessOrder)
    assert held.hold == "/data/holds/feed"
    assert isinstance(left, ProcessOrder)
    assert left.hold == ""  # its supervisor starts it again, as after any death


def test_a_fault_that_cannot_be_injected_is_named() -> None:
    scenario = parse(SCENARIO)
    with pytest.raises(OrdersError, match=r"faults\[0\].*feed_redis"):
        of_scenario(scenario, t0_unix=0.0, toxiproxy_url="", proxies={}, processes={"feed": 1})
    proxies = {"feed_redis": ["a"], "feed_postgres": ["b"]}
    with pytest.raises(OrdersError, match=r"faults\[2\].*no process feed"):
        of_scenario(scenario, t0_unix=0.0, toxiproxy_url="", proxies=proxies, processes={"api": 1})
