"""Faults that act on one link at the same time: each is proven by its own change, and the model adds them up alike."""

from __future__ import annotations

import asyncio
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace

import msgspec
import pytest

from chaos import journal, proof
from chaos.faults import LinkInjector
from chaos.links import Links
from chaos.toxiproxy import ToxiproxyClient
from core.scenario import parse
from core.scenario.fault import LinkFault as Planned
from core.scenario.faults import Bandwidth, Latency, LimitData, Reset
from sim.reference.link import LinkState
from tests.chaos.conftest import LINK, Rig
from tests.chaos.test_faults import HERE, order
from tests.chaos.test_warden import events_of, scenario, start

pytestmark = pytest.mark.alone

TRIES_MAX = 20
LONG = {**HERE, "for_seconds": 60.0}
LATENCY = Latency(**LONG, latency_seconds=0.3)
NARROW = Bandwidth(**LONG, bandwidth_bytes=100_000)


async def _prepared(rig: Rig, *faults: Planned) -> list[LinkInjector]:
    wire, links = ToxiproxyClient(rig.url), Links()
    made = [LinkInjector(order(fault, number), wire, links) for number, fault in enumerate(faults)]
    for fault in made:
        await fault.prepare()
    return made


@asynccontextmanager
async def _acting(rig: Rig, *faults: Planned) -> AsyncIterator[list[LinkInjector]]:
    made = await _prepared(rig, *faults)
    async with AsyncExitStack() as stack:
        for fault in made:
            await stack.enter_async_context(fault)
        yield made


@asynccontextmanager
async def _entered(fault: LinkInjector) -> AsyncIterator[LinkInjector]:
    await fault.prepare()
    async with fault:
        yield fault


@pytest.mark.parametrize(
    "faults",
    [
        (LATENCY, LATENCY),
        (replace(LATENCY, jitter_seconds=0.05), replace(LATENCY, latency_seconds=0.5, jitter_seconds=0.05)),
        (NARROW, LATENCY),
        (LATENCY, NARROW),
    ],
    ids=["two latencies", "two latencies with jitter", "narrow and slow", "slow and narrow"],
)
async def test_each_of_two_faults_on_one_link_is_proven_beside_the_other(
    rig: Rig, faults: tuple[Planned, Planned]
) -> None:
    async with _acting(rig, *faults) as made:
        for fault in made:
            found = await fault.prove()
            assert found.acted
            assert found.needed_seconds is not None
    assert rig.toxics() == []


async def test_a_second_fault_is_not_proven_by_what_the_first_one_does(rig: Rig) -> None:
    first, second = (order(LATENCY, number) for number in range(2))
    async with _acting(rig, LATENCY):
        well = proof.ProbeResult(end=proof.ANSWER, seconds=0.001)
        seen, beside = await proof.probe(second, ("127.0.0.1", rig.proxy_port), ("127.0.0.1", rig.redis_port), (first,))
    assert seen.seconds >= 0.3
    assert proof.judge(first, well, seen, beside).acted
    assert not proof.judge(second, well, seen, beside, (first,)).acted


@pytest.fixture
def dead(rig: Rig) -> Iterator[str]:
    """A second proxy of the link, without a server behind it: as when one of two PostgreSQL instances was killed."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    name = f"{LINK}_1"
    rig.post("/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{port}", "enabled": True})
    yield name
    request = urllib.request.Request(f"{rig.url}/proxies/{name}", method="DELETE")
    urllib.request.urlopen(request, timeout=5).close()


@pytest.mark.parametrize("fault", [LATENCY, Reset(**LONG)], ids=["slow", "reset"])
async def test_a_server_that_is_dead_proves_nothing_and_hides_nothing_of_the_others(
    rig: Rig, dead: str, fault: Planned
) -> None:
    told = order(fault)
    async with _entered(
        LinkInjector(msgspec.structs.replace(told, proxies=(dead, LINK)), ToxiproxyClient(rig.url))
    ) as broken:
        found = await asyncio.wait_for(broken.prove(), 20)
        assert found.acted
    async with _entered(
        LinkInjector(msgspec.structs.replace(told, proxies=(dead,)), ToxiproxyClient(rig.url))
    ) as broken:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(broken.prove(), 2)
        assert broken.says.startswith("no proof")


def test_two_latencies_that_overlap_act_at_their_times_and_are_proven(rig: Rig) -> None:
    drill = scenario(
        "{at: 1s, for: 5s, link: feed_redis, latency: 300ms}",
        "{at: 3s, for: 5s, link: feed_redis, latency: 300ms}",
        "{at: 8500ms, for: 1s, link: feed_redis, down: true}",
    )
    with start(rig, drill) as warden:
        assert warden.wait(40)
        events = warden.stop()
    assert journal.void_reasons(drill, events) == ()
    for number, fault in enumerate(drill.faults):
        mine = events_of(events, number)
        assert mine[journal.BEGINS].at_seconds == pytest.approx(fault.at_seconds, abs=0.5)
        assert mine[journal.ENDS].at_seconds == pytest.approx(fault.end_seconds, abs=0.9)
    assert rig.toxics() == []


def _echo_seconds(rig: Rig, size_bytes: int) -> float:
    """How long Redis takes to echo so many bytes through the proxy, over an open connection."""
    body = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size_bytes, b"x" * size_bytes)
    with socket.create_connection(("127.0.0.1", rig.proxy_port), timeout=20) as connection:
        begin = time.perf_counter()
        connection.sendall(body)
        left = size_bytes + len(b"$%d\r\n" % size_bytes) + 2
        while left:
            left -= len(connection.recv(min(left, 65_536)))
        return time.perf_counter() - begin


CHAINS = {
    "two latencies add up": (LATENCY, LATENCY),
    "a delay that comes after a narrow link has begun in it": (NARROW, LATENCY),
    "a narrow link that comes after a delay begins after it": (LATENCY, NARROW),
    "the narrower of two decides": (replace(NARROW, bandwidth_bytes=50_000), NARROW),
    "the narrower of two decides, last too": (NARROW, replace(NARROW, bandwidth_bytes=50_000)),
}


@pytest.mark.parametrize("faults", CHAINS.values(), ids=CHAINS.keys())
async def test_the_model_adds_up_faults_on_a_link_as_toxiproxy_does(rig: Rig, faults: tuple[Planned, Planned]) -> None:
    size = 12_000
    link = LinkState("feed_redis")
    for fault in faults:
        link.begin(fault)
    predicted, _ = link.send(now=0.0, sent_bytes=size)
    predicted += link.answer(now=predicted, trips=1.0, answer_bytes=size, uniform=0.5)[0]
    tries: list[float] = []
    async with _acting(rig, *faults):
        while not tries or (min(tries) > 1.1 * predicted and len(tries) < TRIES_MAX):
            tries.append(_echo_seconds(rig, size))
    # never faster, and once as fast: a busy machine may delay any single try
    assert 0.95 * predicted <= min(tries) <= 1.1 * predicted, tries


@pytest.mark.parametrize(("limit_bytes", "answer_bytes"), [(10_000, 999), (10_000, 2_500), (1_000, 999), (500, 999)])
async def test_the_model_cuts_a_connection_after_as_many_answers_as_toxiproxy_does(
    rig: Rig, limit_bytes: int, answer_bytes: int
) -> None:
    fault = LimitData(**LONG, limit_data_bytes=limit_bytes)
    link, predicted = LinkState("feed_redis"), 0
    link.begin(fault)
    sent = len(_echo(answer_bytes))
    while not link.send(now=0.0, sent_bytes=sent)[1]:
        whole = sent - len(b"*2\r\n$4\r\nECHO\r\n")  # Redis's answer
        if link.answer(now=0.0, trips=1.0, answer_bytes=whole, uniform=0.5)[1]:
            break
        predicted += 1
    async with _acting(rig, fault):
        assert await asyncio.to_thread(_answers_before_a_cut, rig, answer_bytes) == predicted


def _echo(size_bytes: int) -> bytes:
    return b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size_bytes, b"x" * size_bytes)


def _answers_before_a_cut(rig: Rig, size_bytes: int) -> int:
    """How often Redis echoes so many bytes over one connection through the proxy until that is cut."""
    whole, count = len(_echo(size_bytes)) - len(b"*2\r\n$4\r\nECHO\r\n"), 0
    with socket.create_connection(("127.0.0.1", rig.proxy_port), timeout=20) as connection:
        while True:
            left = whole
            try:
                connection.sendall(_echo(size_bytes))
                while left and (piece := connection.recv(left)):
                    left -= len(piece)
            except (ConnectionResetError, BrokenPipeError):
                return count
            if left:
                return count
            count += 1


WRONG = {
    "a latency under a link that is down": (
        ["{at: 1s, for: 9s, link: feed_redis, down: true}", "{at: 2s, for: 5s, link: feed_redis, latency: 300ms}"],
        r"faults\[1\]: .*; expected a time in which it can be seen to act; faults\[0\] hides it",
    ),
    "two that switch one link off at the same time": (
        ["{at: 1s, for: 9s, link: feed_redis, down: true}", "{at: 1s, for: 9s, link: feed_redis, down: true}"],
        r"faults\[1\]: ",
    ),
    "a wide link within a narrow one": (
        [
            "{at: 1s, for: 9s, link: feed_redis, bandwidth: 20kB}",
            "{at: 2s, for: 5s, link: feed_redis, bandwidth: 100kB}",
        ],
        r"faults\[1\]: ",
    ),
    "a latency within another's jitter": (
        [
            "{at: 1s, for: 9s, link: feed_redis, latency: 400ms, jitter: 200ms}",
            "{at: 2s, for: 5s, link: feed_redis, latency: 50ms}",
        ],
        r"faults\[1\]: ",
    ),
    "a link whose server is dead": (
        ["{at: 1s, for: 9s, process: redis, action: kill}", "{at: 2s, for: 5s, link: feed_redis, latency: 300ms}"],
        r"faults\[1\]: ",
    ),
    "a process that has ended": (
        ["{at: 1s, for: 9s, process: redis, action: kill}", "{at: 2s, for: 5s, process: redis, action: pause}"],
        r"faults\[1\]\.at: .*expected a time from 15s on: faults\[0\] has stopped redis",
    ),
    "a latency too small to be seen": (
        ["{at: 1s, for: 9s, link: feed_redis, latency: 3ms}"],
        r"faults\[0\]\.latency: .*expected at least 11ms",
    ),
    "a part of a millisecond": (
        ["{at: 1s, for: 9s, link: feed_redis, latency: 20500us}"],
        r"faults\[0\]\.latency: .*expected whole milliseconds",
    ),
    "a limit that no question can reach": (
        ["{at: 1s, for: 9s, link: feed_postgres, limit_data: 20kB}"],
        r"faults\[0\]\.limit_data: .*expected at most 8900B",
    ),
    "a limit that cuts what would prove a narrow link": (
        [
            "{at: 1s, for: 9s, link: feed_redis, limit_data: 2kB}",
            "{at: 2s, for: 5s, link: feed_redis, bandwidth: 20kB}",
        ],
        r"faults\[1\]: ",
    ),
    "a link too wide to be seen to be narrow": (
        ["{at: 1s, for: 9s, link: feed_postgres, bandwidth: 10MB}"],
        r"faults\[0\]\.bandwidth: .*expected at most 450kB",
    ),
}


@pytest.mark.parametrize(("faults", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_fault_that_no_run_could_show_to_act_is_refused_before_either_side_runs(
    faults: list[str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(f"scenario: hidden\ntraffic: {{duration: 60s}}\nfaults: [{', '.join(faults)}]\n")


def test_a_fault_that_another_hides_for_a_while_only_is_accepted() -> None:
    read = parse(
        "scenario: partly\ntraffic: {duration: 60s}\nfaults:\n"
        "- {at: 1s, for: 20s, link: feed_redis, latency: 300ms}\n"
        "- {at: 5s, for: 2s, link: feed_redis, down: true}\n"
        "- {at: 8s, for: 2s, process: redis, action: pause}\n"
    )
    assert len(read.faults) == 3
