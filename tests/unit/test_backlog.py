"""Work that would wait for too long is refused: a burst is not, and an owner waits behind their own."""

from __future__ import annotations

import pytest

from core.policies.backlog import (
    EVERYBODY,
    LOOK_SECONDS,
    STANDING_SECONDS,
    WAIT_SECONDS_MAX,
    CountedQueue,
    Key,
    StandingQueue,
)

NEWCOMER = 10_000


def rows(*ids: int, owner: int = EVERYBODY) -> dict[Key, int]:
    """Rows of one shard, all of one owner."""
    return {(0, each): owner for each in ids}


def standing(each_look: int, waiting: int) -> tuple[StandingQueue, float]:
    """A queue that is always ``waiting`` long, of which ``each_look`` are done between two looks; and the time."""
    queue, now = StandingQueue(), 0.0
    for look in range(20):
        now = look * LOOK_SECONDS
        first = look * each_look
        queue.update(rows(*range(first, first + waiting)), now=now)
    return queue, now


def test_work_waits_as_long_as_all_before_it_takes() -> None:
    queue, now = standing(each_look=2, waiting=40)
    assert queue.stands(now)
    assert queue.wait_seconds(EVERYBODY, now=now) == pytest.approx(40 / 2 * LOOK_SECONDS)


def test_a_burst_is_not_refused_however_large() -> None:
    queue = StandingQueue()
    queue.update(rows(1, 2), now=0.0)
    queue.update(rows(*range(3, 2_000)), now=STANDING_SECONDS)
    assert not queue.stands(STANDING_SECONDS)
    assert queue.wait_seconds(EVERYBODY, now=STANDING_SECONDS) == 0.0


def test_nothing_is_refused_while_nothing_is_done_because_the_worker_is_down() -> None:
    queue, now = standing(each_look=0, waiting=500)
    assert queue.stands(now)
    assert queue.wait_seconds(EVERYBODY, now=now) == 0.0


def test_an_owner_of_much_work_waits_for_it_and_others_do_not() -> None:
    queue, pace = StandingQueue(), LOOK_SECONDS  # one is done between two looks
    for look in range(20):
        flood = rows(*range(look, look + 100), owner=7)
        queue.update({**flood, (1, 1_000): 8, (1, 1_001): 9}, now=look * LOOK_SECONDS)
    now = 19 * LOOK_SECONDS
    assert queue.wait_seconds(7, now=now) == pytest.approx((100 + 2) * pace)
    assert queue.wait_seconds(8, now=now) == pytest.approx((2 + 1 + 1) * pace)
    assert queue.wait_seconds(NEWCOMER, now=now) == pytest.approx(3 * pace)


def test_work_that_is_held_up_by_itself_delays_nothing() -> None:
    queue = StandingQueue()
    for look in range(40):  # one stands, and each of the others is done by the next look
        queue.update(rows(0, *range(10 * look + 1, 10 * look + 11)), now=look * LOOK_SECONDS)
    assert queue.stands(39 * LOOK_SECONDS)
    assert queue.wait_seconds(EVERYBODY, now=39 * LOOK_SECONDS) == 0.0


def test_a_queue_that_was_worked_off_or_was_seen_long_ago_refuses_nothing() -> None:
    queue, now = standing(each_look=1, waiting=40)
    assert queue.wait_seconds(EVERYBODY, now=now) > WAIT_SECONDS_MAX
    assert queue.wait_seconds(EVERYBODY, now=now + 60) == 0.0
    queue.update({}, now=now + LOOK_SECONDS)
    assert not queue.stands(now + LOOK_SECONDS)
    assert queue.wait_seconds(EVERYBODY, now=now + LOOK_SECONDS) == 0.0


def test_counts_say_the_same_of_work_that_is_done_in_order() -> None:
    counted, (queue, now) = CountedQueue(), standing(each_look=2, waiting=40)
    waits = [
        counted.wait_seconds(40, 2 * look, standing_seconds=STANDING_SECONDS, now=look * LOOK_SECONDS)
        for look in range(20)
    ]
    assert waits[:2] == [0.0, 0.0]  # nothing has waited for long
    assert waits[-1] == pytest.approx(queue.wait_seconds(EVERYBODY, now=now))


def test_by_counts_neither_a_burst_is_refused_nor_what_a_worker_leaves_that_is_down() -> None:
    burst, down = CountedQueue(), CountedQueue()
    for look in range(20):
        now = look * LOOK_SECONDS
        assert burst.wait_seconds(500, 500 * look, standing_seconds=STANDING_SECONDS, now=now) == 0.0
        assert down.wait_seconds(500, 0, standing_seconds=STANDING_SECONDS, now=now) == 0.0
