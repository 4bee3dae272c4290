"""Popular posts, counted from a real log."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import EPOCH_MS
from core.names import Component, Key
from services.discovery.rules import COMMENT_WEIGHT, HALF_LIFE_MS, LIKE_WEIGHT, POSTS_MAX, act, kept, together
from services.discovery.store import PopularScores
from services.kit.stores.redis import REDIS
from tests.service.conftest import System
from tests.service.feed.people import photographer, posts
from tests.service.waiting import until

COMPONENTS = (
    Component.AUTH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.ENGAGEMENT,
    Component.DISCOVERY,
)


async def order(system: System, mine: list[str]) -> list[str]:
    """The popular ones of the posts, most popular first."""
    redis: Any = system.apps["discovery"][REDIS]
    return [each.decode() for each in await redis.zrevrange(Key.POPULAR, 0, -1) if each.decode() in mine]


async def test_liked_and_discussed_posts_come_first_and_deleted_ones_go(system: System) -> None:
    author, photo = await photographer(system)
    fans = [await system.person() for _ in range(3)]
    plain, liked, discussed, doomed = mine = await posts(system, author, photo, 4)
    for fan in fans:
        await system.call("like.add", user=fan, post_id=liked)
        await system.call("like.add", user=fan, post_id=doomed)
        await system.call("comment.add", user=fan, post_id=discussed, json={"text": "oh"})

    async def ordered() -> bool:
        found = await order(system, mine)
        return found[:1] == [discussed] and set(found[1:3]) == {liked, doomed} and found[3:] == [plain]

    await until(ordered)
    assert (await system.call("post.delete", user=author, post_id=doomed)).status == 204

    async def gone() -> bool:
        return await order(system, mine) == [discussed, liked, plain]

    await until(gone)


async def test_an_event_that_comes_again_counts_once_and_brings_no_deleted_post_back(system: System) -> None:
    redis: Any = system.apps["discovery"][REDIS]
    popular = PopularScores(redis)
    score = act(at_ms=EPOCH_MS + HALF_LIFE_MS, weight=1.0)
    for _ in range(3):
        popular.add(1, score, event_id=10)
    popular.add(2, score, event_id=11)
    popular.add(2, score, event_id=12)
    popular.add(3, score, event_id=13)
    await popular.write()
    popular.remove([3])
    await popular.write()
    popular.add(3, score, event_id=14)
    await popular.write()
    try:
        assert await redis.zscore(Key.POPULAR, "1") == score
        assert await redis.zscore(Key.POPULAR, "2") == score + 1.0  # twice the acts
        assert await redis.zscore(Key.POPULAR, "3") is None
    finally:
        await redis.zrem(Key.POPULAR, "1", "2")


async def test_what_redis_has_lost_is_written_again(system: System) -> None:
    author, photo = await photographer(system)
    mine = await posts(system, author, photo, 2)

    async def there() -> bool:
        return set(await order(system, mine)) == set(mine)

    await until(there)
    redis: Any = system.apps["discovery"][REDIS]
    await redis.delete(Key.POPULAR)
    await until(there)


def test_an_act_counts_half_after_a_half_life() -> None:
    now = EPOCH_MS + 10**10
    old, new = act(at_ms=now - HALF_LIFE_MS, weight=2 * LIKE_WEIGHT), act(at_ms=now, weight=LIKE_WEIGHT)
    assert math.isclose(old, new)
    assert act(at_ms=now, weight=COMMENT_WEIGHT) > new


@settings(deadline=None)
@given(st.lists(st.floats(0, 60_000), min_size=1, max_size=30))
def test_scores_add_up_in_any_order_as_the_sum_they_stand_for(scores: list[float]) -> None:
    forward = scores[0]
    for score in scores[1:]:
        forward = together(forward, score)
    backward = scores[-1]
    for score in reversed(scores[:-1]):
        backward = together(backward, score)
    top = max(scores)
    exact = top + math.log2(sum(2.0 ** (score - top) for score in scores))
    assert math.isclose(forward, exact, abs_tol=1e-6)
    assert math.isclose(backward, exact, abs_tol=1e-6)


def test_no_more_than_the_bound_is_kept_and_the_best_of_it() -> None:
    scores = {number: float(number % 1500) for number in range(3000)}
    best = kept(scores)
    assert len(best) == POSTS_MAX
    assert min(best.values()) >= max(value for number, value in scores.items() if number not in best)
    assert kept({1: 0.0}) == {1: 0.0}
