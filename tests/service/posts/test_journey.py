"""A photo's whole life: uploaded, rendered, posted, fanned out, read in a follower's feed, liked, deleted."""

from __future__ import annotations

from typing import Any

from core.names import DEGRADED_HEADER, Component
from services.kit.stores.objects import OBJECTS
from tests.service.conftest import Someone, System
from tests.service.media.photos import jpeg, uploaded, with_exif
from tests.service.waiting import until

COMPONENTS = (
    Component.AUTH,
    Component.GRAPH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.FANOUT,
    Component.FEED,
    Component.ENGAGEMENT,
    Component.DISCOVERY,
    Component.ADS,
)


async def test_a_photo_goes_all_the_way_and_back(system: System, ann: Someone, ben: Someone) -> None:
    async def in_bens_feed() -> list[dict[str, Any]]:
        while True:
            answer = await system.call("feed.read", user=ben, query={"mode": "chronological"})
            assert answer.status == 200
            if DEGRADED_HEADER not in answer.headers:  # a read that missed a deadline is degraded and proves nothing
                break
        return [item["post"] for item in answer.json["items"] if item["kind"] == "post"]

    async def ids_in_bens_feed() -> list[str]:
        return [post["id"] for post in await in_bens_feed()]

    await system.call("graph.follow", user=ben, user_id=ann.id)
    assert await ids_in_bens_feed() == []  # so he has a timeline, to which posts are pushed

    # posted while it is still processing: the feed shows its variants when they are there
    media_id = await uploaded(system, ann, with_exif(jpeg(1600, 1200)))
    made = await system.call("post.create", user=ann, json={"media_ids": [media_id], "caption": "hello #wind"})
    post_id = made.json["post"]["id"]
    await until(ids_in_bens_feed, [post_id])

    async def variants() -> list[str]:
        return [each["name"] for each in (await in_bens_feed())[0]["media"][0]["variants"]]

    await until(variants, ["original", "1080", "640", "webp_640", "150"])
    shown = (await in_bens_feed())[0]
    assert (shown["caption"], shown["hashtags"], shown["author"]["id"]) == ("hello #wind", ["wind"], ann.id)
    for variant in shown["media"][0]["variants"]:
        key = variant["url"].partition("/media/")[2]
        served = await system.apps["media"][OBJECTS].get(bucket="media", key=key, bytes_max=1 << 24)
        assert b"Exif" not in served
        assert b"SecretPhone" not in served
    assert shown["media"][0]["variants"][1]["width"] == 1080

    liked = await system.call("like.add", user=ben, post_id=post_id)
    assert liked.json == {"liked": True, "like_count": 1}
    read = (await system.call("post.read", user=ben, post_id=post_id)).json["post"]
    assert (read["like_count"], read["viewer_has_liked"]) == (1, True)
    assert read["media"] == shown["media"]

    assert (await system.call("post.delete", user=ann, post_id=post_id)).status == 204
    await until(ids_in_bens_feed, [])
