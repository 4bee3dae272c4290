"""Turns are bounded, and fair among clients, whatever one of them requests."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.failures import Overloaded
from services.kit.turns import Turns


async def settle() -> None:
    """Let every task do what it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def turns(*, at_once: int = 1, waiting: int = 20, each: int = 12) -> Turns:
    return Turns(at_once=at_once, waiting_max=waiting, waiting_each_max=each, seconds_each=0.5)


class Crowd:
    """Clients who take turns and hold them until they are released."""

    def __init__(self, of: Turns):
        self._turns = of
        self.served: list[str] = []
        self._go: list[asyncio.Event] = []

    async def one(self, client: str) -> None:
        async with self._turns.turn(client):
            self.served.append(client)
            go = asyncio.Event()
            self._go.append(go)
            await go.wait()

    async def let_one_go(self) -> None:
        self._go.pop(0).set()
        await settle()


async def test_a_client_waits_for_one_turn_of_each_other_client_at_most() -> None:
    crowd = Crowd(turns())
    tasks = [asyncio.create_task(crowd.one(client)) for client in "aaaaaaaabbc"]
    await settle()
    for _ in tasks:
        await crowd.let_one_go()
    await asyncio.gather(*tasks)
    assert "".join(crowd.served) == "aabcabaaaaa"


async def test_too_many_are_refused_in_all_and_of_one_client_and_say_when_to_come_back() -> None:
    limited = turns(waiting=6, each=4)
    crowd = Crowd(limited)
    tasks = [asyncio.create_task(crowd.one(client)) for client in "aaaa"]
    await settle()
    with pytest.raises(Overloaded) as of_one:
        await crowd.one("a")
    tasks += [asyncio.create_task(crowd.one(client)) for client in "bc"]
    await settle()
    with pytest.raises(Overloaded) as in_all:
        await crowd.one("d")
    assert (of_one.value.retry_after_seconds, in_all.value.retry_after_seconds) == (2.0, 3.0)
    for _ in tasks:
        await crowd.let_one_go()
    await asyncio.gather(*tasks)
    assert limited.waiting == 0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12), st.integers(1, 3), st.data()
)
def test_no_turn_is_lost_when_those_who_wait_give_up(
    clients: list[tuple[str, bool]], at_once: int, data: st.DataObject
) -> None:
    async def scene() -> None:
        limited = turns(at_once=at_once)
        crowd = Crowd(limited)
        tasks = [asyncio.create_task(crowd.one(client)) for client, _ in clients]
        await settle()
        for task, (_, gives_up) in zip(tasks, clients, strict=True):
            if gives_up:
                task.cancel()
                if data.draw(st.booleans()):
                    await settle()
        await settle()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limited.waiting == 0
        again = [asyncio.create_task(crowd.one("z")) for _ in range(at_once)]
        await settle()
        assert crowd.served[-at_once:] == ["z"] * at_once
        for task in again:
            task.cancel()
        await asyncio.gather(*again, return_exceptions=True)

    asyncio.run(scene())
