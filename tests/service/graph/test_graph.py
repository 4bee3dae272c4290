"""Following, against real PostgreSQL, Redis and Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core import ids
from core.failures import Unavailable
from core.messages import FollowCreated, FollowDeleted
from core.names import Component
from services.graph.routes import GRAPH
from services.graph.store import Graph
from services.kit import outbox
from services.kit.stores import following
from services.kit.stores.following import FOLLOWING_MAX
from services.kit.stores.postgres import SHARDS, schema
from services.kit.stores.redis import REDIS
from tests.service.conftest import Running, Someone, System

COMPONENTS = (Component.AUTH, Component.GRAPH)


async def people_apart(system: System, *, same_instance: bool) -> tuple[Someone, Someone]:
    """Two people whose shards are on the same instance, or on two."""
    first = await system.person()
    while True:
        second = await system.person()
        instances = {ids.shard_of(int(each.id)) % 2 for each in (first, second)}
        if (len(instances) == 1) is same_instance:
            return first, second


async def counts(system: System, who: Someone, *, viewer: Someone) -> tuple[int, int, bool]:
    user = (await system.call("user.read", user=viewer, user_id=who.id)).json["user"]
    return user["followers_count"], user["following_count"], user["viewer_follows"]


@pytest.mark.parametrize("same_instance", [True, False])
async def test_following_shows_on_both_sides_and_unfollowing_undoes_it(system: System, same_instance: bool) -> None:
    fan, star = await people_apart(system, same_instance=same_instance)

    followed = await system.call("graph.follow", user=fan, user_id=star.id)
    assert (followed.status, followed.json) == (200, {"following": True, "followers_count": 1})
    assert await counts(system, star, viewer=fan) == (1, 0, True)
    assert await counts(system, fan, viewer=star) == (0, 1, False)
    fans = await system.call("graph.followers", user=fan, user_id=star.id)
    stars = await system.call("graph.following", user=fan, user_id=fan.id)
    assert fans.json == {
        "items": [{"id": fan.id, "username": fan.username, "display_name": fan.username}],
        "next_cursor": None,
    }
    assert [each["id"] for each in stars.json["items"]] == [star.id]

    unfollowed = await system.call("graph.unfollow", user=fan, user_id=star.id)
    assert (unfollowed.status, unfollowed.json) == (200, {"following": False, "followers_count": 0})
    assert await counts(system, star, viewer=fan) == (0, 0, False)
    assert (await system.call("graph.followers", user=fan, user_id=star.id)).json["items"] == []


async def test_following_twice_is_following_once(system: System, ann: Someone) -> None:
    star = await system.person()
    for _ in range(3):
        answer = await system.call("graph.follow", user=ann, user_id=star.id)
        assert answer.json == {"following": True, "followers_count": 1}
    for _ in range(3):
        answer = await system.call("graph.unfollow", user=ann, user_id=star.id)
        assert answer.json == {"following": False, "followers_count": 0}


@pytest.mark.alone  # as many at once as connections wait for, within the time that a request may take
async def test_counts_are_exact_when_all_act_at_once(system: System) -> None:
    crowd = [await system.person() for _ in range(6)]

    async def everyone(operation: str) -> None:
        answers = await asyncio.gather(
            *(
                system.call(operation, user=one, user_id=other.id)
                for _ in range(2)
                for one in crowd
                for other in crowd
                if one is not other
            )
        )
        assert {answer.status for answer in answers} == {200}

    await everyone("graph.follow")
    assert {await counts(system, each, viewer=each) for each in crowd} == {(5, 5, False)}
    await asyncio.gather(everyone("graph.follow"), everyone("graph.unfollow"))
    await everyone("graph.unfollow")
    await system.drain()
    assert {await counts(system, each, viewer=each) for each in crowd} == {(0, 0, False)}


class _DiesBetween(Graph):
    """A graph whose process dies after the forward edge and before the reverse."""

    async def _reverse(self, edges: Any) -> dict[int, int]:
        raise Unavailable("died here")


@pytest.mark.parametrize("kind", [FollowCreated, FollowDeleted])
async def test_a_crash_between_the_two_directions_is_repaired_from_the_log(
    system: System, kind: type[FollowCreated] | type[FollowDeleted]
) -> None:
    fan, star = await people_apart(system, same_instance=False)
    if kind is FollowDeleted:
        await system.call("graph.follow", user=fan, user_id=star.id)
        await system.drain()
    before = await counts(system, star, viewer=fan)
    app = system.apps["graph"]
    dying = _DiesBetween(app[outbox.SHARDS], app[REDIS], app[outbox.OUTBOX])
    stamp = outbox.stamp(app, ids.shard_of(int(fan.id)))

    with pytest.raises(Unavailable):
        await dying.change(kind(**stamp, follower_id=int(fan.id), followee_id=int(star.id)))
    await system.drain()

    after = await counts(system, star, viewer=fan)
    assert (before, after) == (
        ((0, 0, False), (1, 0, True)) if kind is FollowCreated else ((1, 0, True), (0, 0, False))
    )


async def test_an_event_that_comes_late_or_twice_changes_nothing(system: System, ann: Someone) -> None:
    star = await system.person()
    await system.call("graph.follow", user=ann, user_id=star.id)
    await system.call("graph.unfollow", user=ann, user_id=star.id)
    await system.call("graph.follow", user=ann, user_id=star.id)
    graph = system.apps["graph"][GRAPH]

    for _ in range(3):
        await graph.mend([(int(ann.id), int(star.id))])

    assert await counts(system, star, viewer=ann) == (1, 0, True)


async def test_the_set_in_redis_is_updated_and_an_empty_one_differs_from_a_missing_one(system: System) -> None:
    fan, star = await system.person(), await system.person()
    redis = system.apps["graph"][REDIS]
    sets = following.Following(redis)
    assert await sets.read(int(fan.id)) is None

    await system.call("graph.follow", user=fan, user_id=star.id)
    assert await sets.read(int(fan.id)) == {int(star.id)}
    await system.call("graph.unfollow", user=fan, user_id=star.id)
    assert await sets.read(int(fan.id)) == frozenset()
    await redis.delete(following.key(int(fan.id)))
    assert await sets.read(int(fan.id)) is None


async def test_a_set_that_missed_a_change_is_dropped_when_the_event_comes(system: System) -> None:
    fan, star = await system.person(), await system.person()
    sets = following.Following(system.apps["graph"][REDIS])
    await system.call("graph.follow", user=fan, user_id=star.id)
    await system.drain()
    await sets.remove(int(fan.id), int(star.id))  # as if the write-through had been lost

    await system.apps["graph"][GRAPH].mend([(int(fan.id), int(star.id))])

    assert await sets.read(int(fan.id)) is None


async def test_a_refill_does_not_bring_back_whom_one_has_just_left(system: System) -> None:
    sets = following.Following(system.apps["graph"][REDIS])
    await sets.begin_fill(1)
    read_before = [7, 8]
    await sets.remove(1, 8)
    await sets.add(1, 9)
    assert await sets.read(1) is None

    await sets.fill(1, read_before)

    assert await sets.read(1) == {7, 9}


async def test_a_long_list_comes_in_pages_without_gap_or_repeat(system: System, ann: Someone) -> None:
    star = await system.person()
    fans = [await system.person() for _ in range(7)]
    for fan in fans:
        await system.call("graph.follow", user=fan, user_id=star.id)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = await system.call("graph.followers", user=ann, user_id=star.id, query=query)
        seen += [item["id"] for item in page.json["items"]]
        cursor = page.json["next_cursor"]
        assert ("Link" in page.headers) == (cursor is not None)
        if cursor is None:
            break

    assert seen == [fan.id for fan in reversed(fans)]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"limit": "x"}, "limit"), ({"cursor": "made-up"}, "cursor")],
)
async def test_a_wrong_parameter_is_named(system: System, ann: Someone, query: dict[str, Any], field: str) -> None:
    answer = await system.call("graph.followers", user=ann, user_id=ann.id, query=query)

    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_a_cursor_of_one_operation_is_refused_by_another(system: System, ann: Someone, ben: Someone) -> None:
    for fan in (ann, ben):
        star = await system.person()
        await system.call("graph.follow", user=fan, user_id=star.id)
        await system.call("graph.follow", user=fan, user_id=(ann if fan is ben else ben).id)
    page = await system.call("graph.following", user=ann, user_id=ann.id, query={"limit": 1})

    answer = await system.call("graph.followers", user=ann, user_id=ann.id, query={"cursor": page.json["next_cursor"]})

    assert answer.status == 400


async def test_nobody_follows_themselves_or_somebody_who_is_not(system: System, ann: Someone) -> None:
    nobody = str(ids.compose(created_ms=ids.EPOCH_MS + 5, shard=3, sequence=0))
    nowhere = str(ids.compose(created_ms=ids.EPOCH_MS + 5, shard=999, sequence=0))

    assert (await system.call("graph.follow", user=ann, user_id=ann.id)).status == 400
    for missing in (nobody, nowhere):
        for operation in ("graph.follow", "graph.unfollow", "user.read", "graph.followers", "graph.following"):
            assert (await system.call(operation, user=ann, user_id=missing)).status == 404, operation
    for operation in ("graph.follow", "user.read"):
        answer = await system.call(operation, user=ann, user_id="7x")
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, "user_id")
        assert (await system.call(operation, user_id=ann.id)).status == 401


@pytest.fixture
async def lonely(running: Running) -> AsyncIterator[System]:
    """Auth and graph of their own."""
    async with running(Component.AUTH, Component.GRAPH, worker=1) as system:
        yield system


async def test_two_graph_processes_agree(system: System, lonely: System) -> None:
    fan, star = await system.person(), await lonely.person()

    first, second = await asyncio.gather(
        system.call("graph.follow", user=fan, user_id=star.id), lonely.call("graph.follow", user=fan, user_id=star.id)
    )

    assert {first.status, second.status} == {200}
    assert await counts(lonely, star, viewer=fan) == (1, 0, True)


async def test_nobody_follows_more_than_the_most_and_unfollowing_makes_room(system: System) -> None:
    reader, first, second = [await system.person() for _ in range(3)]
    shard = ids.shard_of(int(reader.id))
    async with system.apps[Component.GRAPH][SHARDS].connection(shard) as connection:
        # all but one, of whom only the count matters
        await connection.execute(
            f"INSERT INTO {schema(shard)}.follow_counts (user_id, following) VALUES (%s, %s)",
            (int(reader.id), FOLLOWING_MAX - 1),
        )
    assert (await system.call("graph.follow", user=reader, user_id=first.id)).status == 200
    refused = await system.call("graph.follow", user=reader, user_id=second.id)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert refused.json["detail"] == "You follow 10,000 people, and nobody can follow more: unfollow somebody first"
    assert (await system.call("graph.follow", user=reader, user_id=first.id)).status == 200  # again: no change
    assert (await counts(system, second, viewer=reader))[0] == 0
    await system.call("graph.unfollow", user=reader, user_id=first.id)
    assert (await system.call("graph.follow", user=reader, user_id=second.id)).status == 200
