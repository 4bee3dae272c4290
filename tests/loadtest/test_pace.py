"""Seeding makes fewer calls at once when it is refused."""

from __future__ import annotations

import asyncio

from loadtest.seed.pace import Pace


async def test_of_calls_in_flight_together_the_first_refusal_counts_and_answers_bring_it_back() -> None:
    pace = Pace(10, begin_with=10)
    turns = [await pace.begin() for _ in range(10)]
    for turn in turns:
        await pace.end(turn, refused=True)
    assert pace.limit == 7
    await pace.end(await pace.begin(), refused=True)
    assert pace.limit == 4
    for _ in range(200):
        await pace.end(await pace.begin(), refused=False)
    assert pace.limit == 10


async def test_it_never_falls_below_one_and_calls_beyond_it_wait_their_turn() -> None:
    pace = Pace(4, begin_with=4)
    for _ in range(20):
        await pace.end(await pace.begin(), refused=True)
    assert pace.limit == 1
    first = await pace.begin()
    second = asyncio.ensure_future(pace.begin())
    third = asyncio.ensure_future(pace.begin())
    await asyncio.sleep(0)
    assert not second.done()
    third.cancel()
    await pace.end(first, refused=True)
    await pace.end(await second, refused=True)
    assert third.cancelled()
