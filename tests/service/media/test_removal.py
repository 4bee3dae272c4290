"""Deleted photos are removed from PostgreSQL, the object store, the shield and the edge; photos still shown stay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.names import Component
from services.kit.clock import now_ms
from services.kit.stores.objects import OBJECTS
from services.media.events.remover import REMOVER
from services.media.rules import removal
from tests.conftest import Servers
from tests.service.conftest import Someone, System
from tests.service.media.photos import announce, jpeg, put, uploaded
from tests.service.waiting import until

COMPONENTS = (
    Component.AUTH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.STORIES,
    Component.ENGAGEMENT,  # its tables: a post is read with its counts
)
DAY_MS = 24 * 3_600_000


class Photo:
    """A processed photo and its variants."""

    def __init__(self, system: System, servers: Servers, media: Any):
        self._system, self.media_id = system, str(media["id"])
        told = servers.stores(Component.MEDIA).cdn
        assert told is not None
        self.keys = [each["url"].partition("/media/")[2] for each in media["variants"]]
        assert len(self.keys) == 5
        # the edge as clients reach it: not over the link that a test may cut
        self._tiers = (f"{servers.running.media_url}/media/", f"{told.shield}/media/")

    async def statuses(self) -> set[int]:
        """The statuses of both tiers' answers for every variant."""
        found = set()
        for base in self._tiers:
            for key in self.keys:
                async with self._system.session.get(base + key) as answer:
                    await answer.read()
                    found.add(answer.status)
        return found

    async def stored(self) -> int:
        """How many objects the store has."""
        objects = self._system.apps["media"][OBJECTS]
        folder = self.keys[0].partition("/")[0]
        return len(await objects.keys(bucket="media", prefix=f"{folder}/"))

    async def shown(self) -> bool:
        """Whether every variant is at the store and comes from both tiers (and so is in their caches from then on)."""
        return await self.statuses() == {200} and await self.stored() == 5

    async def gone(self) -> bool:
        """Whether no variant can be fetched."""
        return await self.statuses() == {404} and await self.stored() == 0


async def photo_of(system: System, servers: Servers, owner: Someone, data: bytes) -> Photo:
    media_id = await uploaded(system, owner, data)
    await system.drain()
    media = (await system.call("media.read", user=owner, media_id=media_id)).json["media"]
    photo = Photo(system, servers, media)
    assert await photo.shown()
    return photo


async def posted(system: System, author: Someone, *photos: Photo) -> str:
    made = await system.call("post.create", user=author, json={"media_ids": [each.media_id for each in photos]})
    assert made.status == 201
    return str(made.json["post"]["id"])


async def test_a_deleted_posts_photos_are_gone_everywhere_and_the_same_bytes_elsewhere_stay(
    system: System, servers: Servers, ann: Someone
) -> None:
    data = jpeg(301, 200)
    first, other = await photo_of(system, servers, ann, data), await photo_of(system, servers, ann, jpeg(302, 200))
    same = await photo_of(system, servers, ann, data)
    post_id = await posted(system, ann, first, other)
    await posted(system, ann, same)

    assert (await system.call("post.delete", user=ann, post_id=post_id)).status == 204

    await until(first.gone)
    await until(other.gone)
    assert (await system.call("media.read", user=ann, media_id=first.media_id)).status == 404
    assert await same.shown()
    page = (await system.send("media", "GET", "/metrics")).body.decode()
    assert "windtunnel_deletion_seconds_count" in page


async def test_a_photo_of_two_posts_goes_with_the_second(system: System, servers: Servers, ann: Someone) -> None:
    photo = await photo_of(system, servers, ann, jpeg(303, 200))
    first, second = await posted(system, ann, photo), await posted(system, ann, photo)

    await system.call("post.delete", user=ann, post_id=first)
    while await system.apps["media"][REMOVER].remove_due():  # noqa: ASYNC110 - until it has been decided about
        await asyncio.sleep(0.01)
    assert await photo.shown()
    assert (await system.call("post.read", user=ann, post_id=second)).json["post"]["media"][0]["variants"]

    await system.call("post.delete", user=ann, post_id=second)
    await until(photo.gone)


async def test_a_storys_photo_stays_as_long_as_the_story_and_then_goes_unless_a_post_shows_it(
    system: System, servers: Servers, ann: Someone
) -> None:
    told, both = (
        await photo_of(system, servers, ann, jpeg(304, 200)),
        await photo_of(system, servers, ann, jpeg(305, 9)),
    )
    for photo in (told, both):
        assert (await system.call("story.create", user=ann, json={"media_id": photo.media_id})).status == 201
    post_id = await posted(system, ann, told)
    await posted(system, ann, both)
    remover = system.apps["media"][REMOVER]

    await system.call("post.delete", user=ann, post_id=post_id)
    await remover.remove_due()
    await remover.remove_due(at_ms=now_ms() + DAY_MS - 60_000)
    assert await told.shown()
    refused = await system.call("media.delete", user=ann, media_id=told.media_id)
    assert (refused.status, refused.json["code"]) == (409, "conflict")

    async def ended() -> bool:
        await remover.remove_due(at_ms=now_ms() + DAY_MS + 60_000)
        return await told.gone()

    await until(ended)
    assert await both.shown()


async def test_a_deleted_storys_photo_is_gone_everywhere_unless_a_post_shows_it(
    system: System, servers: Servers, ann: Someone
) -> None:
    told, both = (
        await photo_of(system, servers, ann, jpeg(306, 200)),
        await photo_of(system, servers, ann, jpeg(307, 200)),
    )
    stories = []
    for photo in (told, both):
        made = await system.call("story.create", user=ann, json={"media_id": photo.media_id})
        stories.append(made.json["story"]["id"])
    post_id = await posted(system, ann, both)

    for story in stories:
        assert (await system.call("story.delete", user=ann, story_id=story)).status == 204

    await until(told.gone)
    while await system.apps["media"][REMOVER].remove_due():  # noqa: ASYNC110 - until it has been decided about
        await asyncio.sleep(0.01)
    assert await both.shown()
    await system.call("post.delete", user=ann, post_id=post_id)
    await until(both.gone)


async def test_a_photo_of_two_stories_goes_with_the_second(system: System, servers: Servers, ann: Someone) -> None:
    photo = await photo_of(system, servers, ann, jpeg(308, 200))
    stories = []
    for _ in range(2):
        made = await system.call("story.create", user=ann, json={"media_id": photo.media_id})
        stories.append(made.json["story"]["id"])

    assert (await system.call("story.delete", user=ann, story_id=stories[1])).status == 204
    while await system.apps["media"][REMOVER].remove_due():  # noqa: ASYNC110 - until it has been decided about
        await asyncio.sleep(0.01)
    assert await photo.shown()
    refused = await system.call("media.delete", user=ann, media_id=photo.media_id)
    assert (refused.status, refused.json["code"]) == (409, "conflict")

    assert (await system.call("story.delete", user=ann, story_id=stories[0])).status == 204
    await until(photo.gone)


async def test_its_owner_can_delete_a_photo_that_nothing_shows(
    system: System, servers: Servers, ann: Someone, ben: Someone
) -> None:
    photo = await photo_of(system, servers, ann, jpeg(306, 200))
    assert (await system.call("media.delete", user=ben, media_id=photo.media_id)).status == 404
    post_id = await posted(system, ann, photo)
    assert (await system.call("media.delete", user=ben, media_id=photo.media_id)).status == 403
    assert (await system.call("media.delete", user=ann, media_id=photo.media_id)).status == 409
    assert await photo.shown()
    await system.call("post.delete", user=ann, post_id=post_id)
    await until(photo.gone)

    other = await photo_of(system, servers, ann, jpeg(307, 200))
    assert (await system.call("media.delete", user=ann, media_id=other.media_id)).status == 204
    assert (await system.call("media.delete", user=ann, media_id=other.media_id)).status == 404
    assert (await system.call("media.read", user=ann, media_id=other.media_id)).status == 404
    refused = await system.call("post.create", user=ann, json={"media_ids": [other.media_id]})
    assert [error["field"] for error in refused.json["errors"]] == ["media_ids[0]"]
    await until(other.gone)


async def test_a_photo_deleted_before_it_is_uploaded_or_processed_leaves_nothing(system: System, ann: Someone) -> None:
    objects = system.apps["media"][OBJECTS]
    data = jpeg(308, 200)
    announced, put_only = await announce(system, ann, data), await announce(system, ann, data)
    await put(system, put_only["upload"], data)
    completed = await uploaded(system, ann, data)
    before = await objects.keys(bucket="media", prefix="")
    for media_id in (announced["media"]["id"], put_only["media"]["id"], completed):
        assert (await system.call("media.delete", user=ann, media_id=media_id)).status == 204
    await system.drain()

    async def spent() -> bool:
        statuses = [await put(system, each["upload"], data) for each in (announced, put_only)]
        return statuses == [412, 412]

    await until(spent)
    for media_id in (put_only["media"]["id"], completed):
        assert (await objects.head(bucket="uploads", key=f"uploads/{media_id}")).size_bytes == 0

    async def nothing_new() -> bool:
        return set(await objects.keys(bucket="media", prefix="")) <= set(before)

    await until(nothing_new)


async def test_what_a_fetch_under_way_puts_back_is_purged_again(system: System, servers: Servers, ann: Someone) -> None:
    photo = await photo_of(system, servers, ann, jpeg(309, 200))
    await system.call("media.delete", user=ann, media_id=photo.media_id)
    await until(photo.gone)
    objects = system.apps["media"][OBJECTS]
    for key in photo.keys:  # as if a tier had been fetching it
        await objects.put(bucket="media", key=key, body=b"late", content_type="image/jpeg", cache_control="max-age=999")

    async def back() -> bool:
        return await photo.statuses() == {200}

    await until(back)
    remover = system.apps["media"][REMOVER]

    async def passed() -> bool:
        await remover.remove_due(at_ms=now_ms() + 60_000)
        return await photo.gone()

    await until(passed)


@pytest.mark.parametrize("link", ["media_objects", "media_edge"])
async def test_a_deletion_is_repeated_until_store_and_cdn_can_be_reached(
    system: System, servers: Servers, ann: Someone, link: str
) -> None:
    photo = await photo_of(system, servers, ann, jpeg(310, 200))
    post_id = await posted(system, ann, photo)
    with servers.broken(link):
        assert (await system.call("post.delete", user=ann, post_id=post_id)).status == 204

        async def out_of_sight() -> bool:
            return (await system.call("media.read", user=ann, media_id=photo.media_id)).status == 404

        await until(out_of_sight)
        assert not await photo.gone()
    await until(photo.gone)


async def test_a_photo_that_is_posted_while_its_post_is_deleted_is_never_shown_without_being_there(
    system: System, servers: Servers, ann: Someone
) -> None:
    for number in range(3):
        photo = await photo_of(system, servers, ann, jpeg(311 + number, 20))
        post_id = await posted(system, ann, photo)
        remover = system.apps["media"][REMOVER]
        _, _, made = await asyncio.gather(
            system.call("post.delete", user=ann, post_id=post_id),
            remover.remove_due(),
            system.call("post.create", user=ann, json={"media_ids": [photo.media_id]}),
        )
        assert made.status in (201, 400)
        if made.status == 201:
            while await remover.remove_due():  # noqa: ASYNC110 - until it has been decided about
                await asyncio.sleep(0.01)
            assert await photo.shown()


def test_the_pauses_between_passes_are_longer_than_a_tiers_fetch_can_take() -> None:
    pauses = [removal.pause_seconds(passes) for passes in range(4)]
    assert pauses[:3] == [2.0, 60.0, 600.0]
    assert pauses[3] is None
