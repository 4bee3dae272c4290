"""Turns over owners: nobody waits because another owner has sent many photos."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from services.media.events.queue import Queue, TakenPhoto


def turns(arrivals: list[tuple[int, int]], *, workers: int) -> list[int]:
    """Owners in the order in which they are served: (turn before which it comes, owner); one photo ends a turn."""

    async def serve() -> list[int]:
        queue, running, order = Queue(waiting_max=1_000, owner_max=1_000), list[TakenPhoto](), list[int]()
        late = sorted(enumerate(arrivals), key=lambda each: each[1][0])
        while late or len(queue):
            while late and (late[0][1][0] <= len(order) or not len(queue)):
                number, (_, owner) = late.pop(0)
                assert queue.offer(media_id=number, owner_id=owner)
            running.append(await queue.take())
            order.append(running[-1].owner_id)
            if len(running) == workers:
                queue.done(running.pop(0))
        return order

    return asyncio.run(serve())


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 60), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_one_photo_waits_at_most_for_one_photo_of_each_owner_before_it(
    others: int, workers: int, each: int, at: int
) -> None:
    flood = [(0, owner) for owner in range(1, others + 1) for _ in range(each)]
    order = turns([*flood, (at, 0)], workers=workers)
    assert sorted(order) == sorted([0, *(owner for _, owner in flood)])
    came = min(at, len(flood))
    assert order.index(0) <= came + (1 if at >= 2 * others else 2 * others)


def test_newcomers_however_many_leave_half_of_the_turns_to_others() -> None:
    order = turns([*[(0, 1)] * 10, *[(at, 100 + at) for at in range(40)]], workers=1)
    assert order[:20].count(1) >= 9


def test_an_owner_has_no_second_photo_in_work_while_another_has_none() -> None:
    async def take() -> list[int]:
        queue = Queue(waiting_max=10, owner_max=10)
        for number, owner in enumerate((1, 1, 1, 2)):
            assert queue.offer(media_id=number, owner_id=owner)
        return [(await queue.take()).owner_id for _ in range(4)]

    assert asyncio.run(take()) == [1, 2, 1, 1]


def test_a_full_queue_refuses_and_a_photo_waits_once() -> None:
    queue = Queue(waiting_max=3, owner_max=2)
    assert queue.offer(media_id=1, owner_id=1)
    assert queue.offer(media_id=1, owner_id=1)
    assert len(queue) == 1
    assert queue.offer(media_id=2, owner_id=1)
    assert not queue.offer(media_id=3, owner_id=1)
    assert queue.offer(media_id=4, owner_id=2)
    assert not queue.offer(media_id=5, owner_id=3)
