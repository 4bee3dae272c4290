"""Posts and stories whose photos failed are shown to nobody but their author."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.names import DEGRADED_HEADER, Component
from core.operations import OPERATIONS
from services.kit.stores.postgres import SHARDS
from services.media.store import photos
from services.search.store.rows import Rows
from services.stories import rules as stories
from services.stories.rules import TrayStory
from tests.service.conftest import Running, Someone, System
from tests.service.media.photos import jpeg, uploaded
from tests.service.waiting import until

#: All but the media worker, which starts when a photo has been posted.
COMPONENTS = (
    Component.AUTH,
    Component.GRAPH,
    Component.UPLOAD,
    Component.POSTS,
    Component.FANOUT,
    Component.FEED,
    Component.ENGAGEMENT,
    Component.DISCOVERY,
    Component.SEARCH,
    Component.STORIES,
    Component.ADS,
)
BROKEN = b"\xff\xd8\xff this is no photo" + bytes(500)


async def feed_of(system: System, viewer: Someone, mode: str = "chronological") -> dict[str, Any]:
    """Posts of the first page by id; a page that missed a deadline is read again."""
    while True:
        answer = await system.call("feed.read", user=viewer, query={"mode": mode})
        assert answer.status == 200
        if DEGRADED_HEADER not in answer.headers:
            return {item["post"]["id"]: item["post"] for item in answer.json["items"] if item["kind"] == "post"}


async def posts_of(system: System, author: Someone, viewer: Someone) -> list[str]:
    page = (await system.call("user.posts", user=viewer, user_id=author.id)).json
    return [post["id"] for post in page["items"]]


async def tags(system: System, viewer: Someone, beginning: str) -> list[Any]:
    items: list[Any] = (await system.call("search.hashtags", user=viewer, query={"q": beginning})).json["items"]
    return items


def equal(look: Callable[[], Awaitable[Any]], expected: Any) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return bool(await look() == expected)

    return condition


async def test_a_post_whose_photos_all_failed_is_its_authors_alone_and_of_several_the_others_are_shown(
    system: System, running: Running, ann: Someone, ben: Someone
) -> None:
    await system.apps["posts"][SHARDS].create(photos.TABLES)  # which are read with a post
    carl = await system.person()
    await system.call("graph.follow", user=ben, user_id=ann.id)
    assert await feed_of(system, ben) == {}
    tag = f"tag{time.time_ns()}"
    good = await uploaded(system, ann, jpeg(320, 200))
    bad = [await uploaded(system, ann, BROKEN + bytes([number])) for number in range(3)]
    captions = {"lost": bad[:1], "all_lost": bad[1:], "kept": [bad[0], good]}
    posts = {}
    for caption, media_ids in captions.items():
        made = await system.call("post.create", user=ann, json={"media_ids": media_ids, "caption": f"{caption} #{tag}"})
        posts[caption] = made.json["post"]["id"]
    lost_story = (await system.call("story.create", user=ann, json={"media_id": bad[0]})).json["story"]["id"]
    story = (await system.call("story.create", user=ann, json={"media_id": good})).json["story"]["id"]

    async def with_all() -> bool:  # while they are processing they are shown
        return set(posts.values()) <= (await feed_of(system, ben)).keys()

    await until(with_all)
    await until(equal(lambda: tags(system, ben, tag), [{"hashtag": tag, "post_count": 3}]))

    async with running(Component.MEDIA, worker=1) as worker:

        async def shown() -> bool:
            found = await feed_of(system, ben)
            kept = found.get(posts["kept"])
            return found.keys() == {posts["kept"]} and bool(kept) and bool(kept["media"][0]["variants"])

        await until(shown)
        await worker.drain()  # its consumer must have joined the group before it can leave cleanly
    kept = (await feed_of(system, ben))[posts["kept"]]
    assert [(photo["id"], photo["state"]) for photo in kept["media"]] == [(good, "succeeded")]
    assert (await system.call("post.read", user=ben, post_id=posts["kept"])).json["post"]["media"] == kept["media"]

    for caption in ("lost", "all_lost"):
        assert (await system.call("post.read", user=ben, post_id=posts[caption])).status == 404
        mine = await system.call("post.read", user=ann, post_id=posts[caption])
        assert [photo["state"] for photo in mine.json["post"]["media"]] == ["failed"] * len(captions[caption])
    assert await posts_of(system, ann, ben) == [posts["kept"]]
    assert await posts_of(system, ann, ann) == [posts["kept"], posts["all_lost"], posts["lost"]]
    await hidden_from_all_but_its_author(system, ann, ben, posts["lost"])
    for viewer, status in ((ben, 404), (ann, 204)):
        assert (await system.call("story.seen", user=viewer, story_id=lost_story)).status == status
    assert (await system.call("media.read", user=ben, media_id=bad[0])).status == 404
    told = (await system.call("media.read", user=ann, media_id=bad[0])).json["media"]
    assert told["state"] == "failed"
    assert told["failure"]

    await until(equal(lambda: tags(system, ben, tag), [{"hashtag": tag, "post_count": 1}]))

    rows = Rows(system.apps["search"][SHARDS])  # what search reads when it rebuilds its index
    assert {str(each.post_id) async for page in rows.posts() for each in page if tag in each.hashtags} == {
        posts["kept"]
    }
    assert await rows.gone([int(each) for each in posts.values()]) == {int(posts["lost"]), int(posts["all_lost"])}

    async def recommended() -> bool:
        found = await feed_of(system, carl, "ranked")
        return posts["kept"] in found and not {posts["lost"], posts["all_lost"]} & found.keys()

    await until(recommended)

    async def in_bens_tray() -> list[tuple[str, bool]]:
        items = (await system.call("story.tray", user=ben)).json["items"]
        return [(each["id"], bool(each["media"]["variants"])) for item in items for each in item["stories"]]

    await until(equal(in_bens_tray, [(story, True)]))

    # the author can delete it, with its comments
    assert (await system.call("post.delete", user=ann, post_id=posts["lost"])).status == 204
    assert (await system.call("post.read", user=ann, post_id=posts["lost"])).status == 404
    for viewer in (ann, ben):
        assert set((await on_post(system, viewer, posts["lost"])).values()) == {404}


async def on_post(system: System, viewer: Someone, post: str) -> dict[str, int]:
    """Statuses of all operations on a post by its id, except reading and deleting it."""
    asked = [each for each in OPERATIONS.values() if each.path.startswith("/posts/{post_id}/")]
    assert {each.name for each in asked} >= {"like.add", "like.remove", "comment.add", "comment.list"}
    found = {}
    for each in asked:
        body = {"text": "of what is hidden"} if each.name == "comment.add" else None
        found[each.name] = (await system.call(each.name, user=viewer, json=body, post_id=post)).status
    return found


async def hidden_from_all_but_its_author(system: System, author: Someone, other: Someone, post: str) -> None:
    assert set((await on_post(system, other, post)).values()) == {404}
    assert set((await on_post(system, author, post)).values()) == {200, 201}
    # likes that arrive together are written together, and each is checked by itself
    likes = await asyncio.gather(
        *(system.call("like.add", user=each, post_id=post) for _ in range(8) for each in (author, other))
    )
    assert [answer.status for answer in likes] == [200, 404] * 8
    assert {answer.json["like_count"] for answer in likes[::2]} == {1}


@pytest.mark.parametrize(("viewer_id", "shown"), [(7, True), (8, False)])
def test_a_story_whose_photo_failed_is_in_its_authors_tray_alone(viewer_id: int, shown: bool) -> None:
    card = b'{"id":"7"}\n"id":"1","media":{"id":"2","state":"failed","variants":[]}'
    failed = TrayStory(story_id=1, author_id=7, expires_ms=100, card=card)
    assert bool(stories.tray([failed], viewer_id=viewer_id, seen=(), now_ms=1)) is shown
