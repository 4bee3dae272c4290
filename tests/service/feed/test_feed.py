"""The feed through real HTTP and real stores."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.names import CACHE_LOOKUPS_TOTAL, Component, Key
from services.feed.store.cards import TOMBSTONE
from services.kit.stores.redis import REDIS
from tests.service.conftest import Someone, System, must_be_documented
from tests.service.fanout.timelines import follow, post
from tests.service.feed.people import arrived, follower_of, page, photographer, posts, shown
from tests.service.waiting import until

pytestmark = pytest.mark.alone

COMPONENTS = (
    Component.AUTH,
    Component.GRAPH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.FANOUT,
    Component.ENGAGEMENT,
    Component.DISCOVERY,
    Component.ADS,
    Component.FEED,
)


async def test_a_followed_post_is_shown_as_the_posts_service_shows_it(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    post_id = await post(system, author, photo)
    await system.call("like.add", user=reader, post_id=post_id)
    await system.call("comment.add", user=reader, post_id=post_id, json={"text": "well seen"})

    async def complete() -> bool:
        items = (await page(system, reader)).json["items"]
        mine = [item for item in items if item["kind"] == "post" and item["post"]["id"] == post_id]
        return bool(mine) and mine[0]["post"]["media"][0]["state"] == "succeeded"

    await until(complete, within_seconds=20)
    answer = await page(system, reader)
    must_be_documented("feed.read", answer)
    item = next(each for each in answer.json["items"] if each["kind"] == "post" and each["post"]["id"] == post_id)
    direct = (await system.call("post.read", user=reader, post_id=post_id)).json["post"]
    assert item == {"kind": "post", "source": "timeline", "post": direct}
    assert item["post"]["viewer_has_liked"] is True
    assert (item["post"]["like_count"], item["post"]["comment_count"]) == (1, 1)
    assert len(item["post"]["media"][0]["variants"]) >= 4


async def test_pages_mix_followed_recommended_and_ads_in_the_scenarios_shares(system: System) -> None:
    authors = [await photographer(system) for _ in range(8)]
    strangers = [await photographer(system) for _ in range(8)]
    reader = await follower_of(system, *(who for who, _ in authors))
    for who, photo in authors + strangers:
        await posts(system, who, photo, 6)

    async def mixed() -> bool:
        items = (await page(system, reader, limit=50)).json["items"]
        counts = {
            source: sum(item["source"] == source for item in items) for source in ("timeline", "recommended", "ad")
        }
        return counts == {"timeline": 30, "recommended": 15, "ad": 5}

    await until(mixed, within_seconds=30)
    items = (await page(system, reader, limit=50)).json["items"]
    strange = {who.id for who, _ in authors}
    assert all(item["post"]["author"]["id"] not in strange for item in items if item["source"] == "recommended")
    by = [item["post"]["author"]["id"] for item in items if item["kind"] == "post"]
    assert all(len(set(by[at : at + 3])) > 1 for at in range(len(by) - 2))
    assert items[0]["kind"] == "post"


async def whole_session(
    system: System, reader: Someone, meanwhile: Any = None, **query: Any
) -> tuple[list[str], list[Any]]:
    """Every post of a session, and its answers."""
    seen: list[str] = []
    answers: list[Any] = []
    cursor = None
    while True:
        answer = await page(system, reader, **query, **({"cursor": cursor} if cursor else {}))
        answers.append(answer)
        seen += shown(answer)
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return seen, answers
        assert 'rel="next"' in answer.headers["Link"]
        if meanwhile is not None:
            await meanwhile()


@pytest.mark.parametrize("mode", ["ranked", "chronological"])
@pytest.mark.parametrize("limit", [1, 7, 20])
async def test_pages_of_a_session_never_repeat_or_skip_while_posts_arrive(
    system: System, mode: str, limit: int
) -> None:
    authors = [await photographer(system) for _ in range(3)]
    reader = await follower_of(system, *(who for who, _ in authors))
    await page(system, reader)  # from now on there is a timeline
    mine = []
    for number, share in enumerate((9, 2, 5)):
        mine += await posts(system, *authors[number], share)
    await arrived(system, reader, mine)
    new: list[str] = []

    async def meanwhile() -> None:
        if len(new) < 5:
            new.extend(await posts(system, *authors[len(new) % 3], 1))

    seen, answers = await whole_session(system, reader, meanwhile, limit=limit, mode=mode)
    assert len(seen) == len(set(seen))
    assert not set(new) & {each for answer in answers for each in followed_of(answer)}
    assert {each for answer in answers for each in followed_of(answer)} == set(mine)
    for answer in answers[:-1]:
        assert len(answer.json["items"]) == limit
    if mode == "chronological":
        assert seen == sorted(mine, key=int, reverse=True)
    await arrived(system, reader, new)
    again, _ = await whole_session(system, reader, limit=limit, mode=mode)
    assert set(new) <= set(again)


def followed_of(answer: Any) -> list[str]:
    return [item["post"]["id"] for item in answer.json["items"] if item["source"] in ("timeline", "celebrity")]


async def test_a_deleted_post_leaves_feeds_within_five_seconds(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    kept, doomed = await posts(system, author, photo, 2)
    await arrived(system, reader, [kept, doomed])
    assert (await system.call("post.delete", user=author, post_id=doomed)).status == 204

    async def gone() -> bool:
        ids = shown(await page(system, reader))
        return doomed not in ids and kept in ids

    await until(gone, within_seconds=5)


async def test_a_card_read_before_the_deletion_cannot_come_back(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    post_id = await post(system, author, photo)
    await arrived(system, reader, [post_id])
    redis: Any = system.apps["feed"][REDIS]
    await page(system, reader)  # what it lacks is loaded, and written back behind the answer

    async def known() -> Any:
        return await redis.get(Key.POST_CARD.format(post=post_id))

    await until(known, within_seconds=5)
    card = await known()
    assert (await system.call("post.delete", user=author, post_id=post_id)).status == 204

    async def buried() -> bool:
        return await redis.get(Key.POST_CARD.format(post=post_id)) == TOMBSTONE

    await until(buried, within_seconds=5)
    assert not await redis.set(Key.POST_CARD.format(post=post_id), card, nx=True)
    assert post_id not in shown(await page(system, reader))


async def test_with_nothing_in_redis_the_feed_is_whole_and_redis_is_filled_again(system: System) -> None:
    authors = [await photographer(system) for _ in range(2)]
    reader = await follower_of(system, *(who for who, _ in authors))
    mine = set()
    for who, photo in authors:
        mine |= set(await posts(system, who, photo, 4))
    await system.call("like.add", user=reader, post_id=min(mine))
    await arrived(system, reader, mine)
    redis: Any = system.apps["feed"][REDIS]
    keys = [Key.TIMELINE.format(user=reader.id), Key.FOLLOWING.format(user=reader.id), Key.LIKED.format(user=reader.id)]
    keys += [Key.POST_CARD.format(post=each) for each in mine] + [Key.LIKES.format(post=each) for each in mine]
    await redis.delete(*keys)

    answer = await page(system, reader, mode="chronological")
    assert shown(answer) == sorted(mine, key=int, reverse=True)
    assert "X-Feed-Degraded" not in answer.headers
    liked = [item["post"]["id"] for item in answer.json["items"] if item.get("post", {}).get("viewer_has_liked")]
    assert liked == [min(mine)]

    async def filled() -> bool:
        await page(system, reader)
        return await redis.exists(*keys) == len(keys)

    await until(filled, within_seconds=5)
    again = await page(system, reader, mode="chronological")
    assert shown(again) == shown(answer)
    for cache in ("timeline", "post_card", "author_card"):
        assert f'{CACHE_LOOKUPS_TOTAL}{{cache="{cache}",result="hit"}}' in await metrics(system)


async def metrics(system: System) -> str:
    async with system.session.get(system.urls["feed"] + "/metrics") as response:
        return await response.text()


async def test_somebody_who_follows_nobody_gets_what_is_popular(system: System) -> None:
    author, photo = await photographer(system)
    post_id = await post(system, author, photo)
    await system.call("like.add", user=author, post_id=post_id)
    reader = await system.person()

    async def recommended() -> bool:
        items = (await page(system, reader, limit=100)).json["items"]
        posts_ = [item for item in items if item["kind"] == "post"]
        return any(item["post"]["id"] == post_id and item["source"] == "recommended" for item in posts_)

    await until(recommended, within_seconds=20)
    own = (await page(system, author, limit=100)).json["items"]
    sources = [item["source"] for item in own if item["kind"] == "post" and item["post"]["id"] == post_id]
    assert sources == ["timeline"]  # one's own posts are shown, and not recommended
    chronological = await page(system, reader, mode="chronological")
    assert chronological.json == {"items": [], "next_cursor": None}


async def test_a_session_reads_every_recommendation_once(system: System) -> None:
    reader = await system.person()
    for _ in range(3):
        who, photo = await photographer(system)
        await posts(system, who, photo, 5)

    async def enough() -> bool:
        return len(shown(await page(system, reader, limit=20))) >= 15

    await until(enough, within_seconds=20)
    seen, _ = await whole_session(system, reader, limit=6)
    assert len(seen) == len(set(seen)) >= 15


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "bm90IG91cnM"}, "cursor"),
        ({"mode": "best"}, "mode"),
    ],
)
async def test_a_wrong_query_names_its_parameter(system: System, ann: Someone, query: Any, field: str) -> None:
    answer = await system.call("feed.read", user=ann, query=query)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field), answer.json


async def test_a_cursor_is_of_one_mode_and_cannot_be_changed(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    await arrived(system, reader, await posts(system, author, photo, 3))
    cursor = (await page(system, reader, limit=1)).json["next_cursor"]
    other = await system.call("feed.read", user=reader, query={"cursor": cursor, "mode": "chronological"})
    assert (other.status, other.json["errors"][0]["field"]) == (400, "mode")
    broken = await system.call("feed.read", user=reader, query={"cursor": cursor[:-2] + "AA"})
    assert (broken.status, broken.json["errors"][0]["field"]) == (400, "cursor")
    somebody_else = await system.call("feed.read", user=author, query={"cursor": cursor})
    assert (somebody_else.status, somebody_else.json["errors"][0]["field"]) == (400, "cursor")
    assert (await system.call("feed.read", query={"limit": 5})).status == 401


async def test_every_ad_has_what_a_client_needs(system: System) -> None:
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    await arrived(system, reader, await posts(system, author, photo, 12))

    async def with_ads() -> bool:
        return any(item["kind"] == "ad" for item in (await page(system, reader, limit=20)).json["items"])

    await until(with_ads, within_seconds=10)
    answer = await page(system, reader, limit=20)
    ads = [item for item in answer.json["items"] if item["kind"] == "ad"]
    assert all(msgspec.json.encode(ad["ad"]) and ad["source"] == "ad" and ad["ad"]["headline"] for ad in ads)
    must_be_documented("feed.read", answer)


async def test_following_someone_brings_their_posts_at_once_or_soon(system: System) -> None:
    author, photo = await photographer(system)
    reader = await system.person()
    await page(system, reader)
    mine = await posts(system, author, photo, 2)
    await follow(system, reader, author)

    async def there() -> bool:
        return set(mine) <= set(followed_of(await page(system, reader)))

    await until(there, within_seconds=5)
    assert await there()
