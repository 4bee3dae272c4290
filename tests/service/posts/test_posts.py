"""Posts through real HTTP and real stores."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import ids
from core.names import Component
from services.kit.outbox import OUTBOX
from services.posts.rules import hashtags
from tests.service.conftest import Someone, System
from tests.service.media.photos import EICAR, announce, jpeg, uploaded

COMPONENTS = (Component.AUTH, Component.POSTS, Component.MEDIA, Component.UPLOAD, Component.ENGAGEMENT)


@pytest.fixture(scope="module")
async def photo(system: System, ann: Someone) -> str:
    """A processed photo of Ann's."""
    media_id = await uploaded(system, ann, jpeg())
    await system.drain()
    return media_id


async def posted(system: System, user: Someone, *media_ids: str, caption: str = "") -> Any:
    answer = await system.call("post.create", user=user, json={"media_ids": list(media_ids), "caption": caption})
    assert answer.status == 201, answer.json
    return answer.json["post"]


async def test_a_post_is_readable_at_once_with_everything_it_holds(
    system: System, ann: Someone, ben: Someone, photo: str
) -> None:
    made = await posted(system, ann, photo, caption="Morning #Sun over #Ålesund, #sun! C#sharp #1 a/#b #snow_2")

    assert made["author"] == {"id": ann.id, "username": ann.username, "display_name": ann.username}
    assert made["hashtags"] == ["sun", "ålesund", "snow_2"]
    assert (made["like_count"], made["comment_count"], made["viewer_has_liked"]) == (0, 0, False)
    assert made["media"][0]["state"] == "succeeded"
    assert [each["name"] for each in made["media"][0]["variants"]] == ["original", "1080", "640", "webp_640", "150"]
    assert made["media"][0]["variants"][1]["url"].startswith("http://127.0.0.1/media/")
    assert ids.shard_of(int(made["id"])) == ids.shard_of(int(ann.id))
    for reader in (ann, ben):
        read = await system.call("post.read", user=reader, post_id=made["id"])
        assert (read.status, read.json) == (200, {"post": made})


async def test_a_photo_has_one_spelling_of_its_id_so_that_no_post_holds_it_twice(
    system: System, ann: Someone, photo: str
) -> None:
    for other in (f"0{photo}", f"00{photo}", f"+{photo}", f" {photo}", f"{photo}\n"):
        for media_ids in ([photo, other], [other]):
            answer = await system.call("post.create", user=ann, json={"media_ids": media_ids})
            assert (answer.status, answer.json["code"]) == (400, "invalid"), other


async def test_a_post_may_hold_a_photo_that_is_still_processing(system: System, ann: Someone) -> None:
    media_id = await uploaded(system, ann, jpeg(1000, 800))
    made = await posted(system, ann, media_id)
    assert made["media"][0]["id"] == media_id
    await system.drain()
    read = await system.call("post.read", user=ann, post_id=made["id"])
    assert read.json["post"]["media"][0]["state"] == "succeeded"
    assert len(read.json["post"]["media"][0]["variants"]) == 5


async def test_photos_stay_in_the_order_given(system: System, ann: Someone, photo: str) -> None:
    others = [await uploaded(system, ann, jpeg(64 + extra, 64)) for extra in range(3)]
    order = [others[2], photo, others[0], others[1]]
    made = await posted(system, ann, *order)
    assert [each["id"] for each in made["media"]] == order


async def test_only_own_and_usable_photos_can_be_posted(system: System, ann: Someone, ben: Someone, photo: str) -> None:
    registered = (await announce(system, ann, jpeg()))["media"]["id"]
    failed = await uploaded(system, ann, EICAR)
    await system.drain()
    unknown = str(ids.compose(created_ms=ids.EPOCH_MS + 5, shard=ids.shard_of(int(ann.id)), sequence=1))
    for user, media_ids, field in (
        (ben, [photo], "media_ids[0]"),
        (ann, [photo, registered], "media_ids[1]"),
        (ann, [failed], "media_ids[0]"),
        (ann, [unknown], "media_ids[0]"),
        (ann, [photo, "x"], "media_ids[1]"),
        (ann, [], "media_ids"),
        (ann, [photo] * 2, "media_ids"),
        (ann, [str(number) for number in range(11)], "media_ids"),
    ):
        answer = await system.call("post.create", user=user, json={"media_ids": media_ids})
        assert answer.status == 400, (media_ids, answer.json)
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert (await system.call("user.posts", user=ben, user_id=ben.id)).json["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"caption": "x"}, "media_ids"),
        ({"media_ids": "x"}, "media_ids"),
        ({"media_ids": [1]}, "media_ids[0]"),
        ({"media_ids": ["1"], "caption": 5}, "caption"),
        ({"media_ids": ["1"], "caption": "x" * 2201}, "caption"),
        ({"media_ids": ["1"], "caption": "\u200b\u3164"}, "caption"),
        ({"media_ids": ["1"], "visibility": "x"}, "visibility"),
        ({"media_ids": ["1"], "caption": "\0"}, "body"),
    ],
)
async def test_a_wrong_post_names_its_field(system: System, ann: Someone, body: Any, field: str) -> None:
    answer = await system.call("post.create", user=ann, json=body)
    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_a_caption_of_2200_characters_is_accepted(system: System, ann: Someone, photo: str) -> None:
    caption = "ß🌄" * 1100
    assert (await posted(system, ann, photo, caption=caption))["caption"] == caption


async def test_one_key_creates_one_post_however_often_and_fast_it_is_sent(
    system: System, photo: str, ann: Someone
) -> None:
    before = (await system.call("user.posts", user=ann, user_id=ann.id, query={"limit": 100})).json["items"]
    answers = await asyncio.gather(
        *(
            system.call("post.create", user=ann, json={"media_ids": [photo]}, headers={"Idempotency-Key": "the one"})
            for _ in range(8)
        )
    )
    after = (await system.call("user.posts", user=ann, user_id=ann.id, query={"limit": 100})).json["items"]
    assert [answer.status for answer in answers] == [201] * 8
    assert len({answer.json["post"]["id"] for answer in answers}) == 1
    assert len(after) == len(before) + 1
    other = await system.call(
        "post.create",
        user=ann,
        json={"media_ids": [photo], "caption": "other"},
        headers={"Idempotency-Key": "the one"},
    )
    assert other.status == 422


async def test_only_the_author_can_delete_a_post(system: System, ann: Someone, ben: Someone, photo: str) -> None:
    made = await posted(system, ann, photo)
    assert (await system.call("post.delete", user=ben, post_id=made["id"])).status == 403
    assert (await system.call("post.delete", user=ann, post_id=made["id"])).status == 204
    assert (await system.call("post.read", user=ann, post_id=made["id"])).status == 404
    assert (await system.call("post.delete", user=ann, post_id=made["id"])).status == 404
    listed = (await system.call("user.posts", user=ann, user_id=ann.id, query={"limit": 100})).json["items"]
    assert made["id"] not in [each["id"] for each in listed]


async def test_counts_and_ones_own_like_are_shown(system: System, ann: Someone, ben: Someone, photo: str) -> None:
    made = await posted(system, ann, photo)
    assert (await system.call("like.add", user=ben, post_id=made["id"])).status == 200
    comment = await system.call("comment.add", user=ben, post_id=made["id"], json={"text": "fine"})
    assert comment.status == 201
    seen_by_ben = (await system.call("post.read", user=ben, post_id=made["id"])).json["post"]
    seen_by_ann = (await system.call("post.read", user=ann, post_id=made["id"])).json["post"]
    assert (seen_by_ben["like_count"], seen_by_ben["comment_count"], seen_by_ben["viewer_has_liked"]) == (1, 1, True)
    assert (seen_by_ann["like_count"], seen_by_ann["comment_count"], seen_by_ann["viewer_has_liked"]) == (1, 1, False)


async def test_pages_of_a_profile_neither_repeat_nor_skip_while_posts_arrive(system: System, ben: Someone) -> None:
    author = await system.person()
    media_id = await uploaded(system, author, jpeg(70, 70))
    made = [(await posted(system, author, media_id, caption=str(number)))["id"] for number in range(7)]

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    sizes = []
    while True:
        page = await system.call("user.posts", user=ben, user_id=author.id, query=query)
        assert page.status == 200
        sizes.append(len(page.json["items"]))
        seen += [each["id"] for each in page.json["items"]]
        cursor = page.json["next_cursor"]
        assert (cursor is not None) == ("Link" in page.headers)
        if cursor is None:
            break
        query["cursor"] = cursor
        await posted(system, author, media_id, caption="late")

    assert seen == made[::-1]
    assert sizes == [3, 3, 1]


async def test_a_cursor_of_one_profile_is_refused_by_another(system: System, ben: Someone) -> None:
    cursors = {}
    for _ in range(2):
        author = await system.person()
        media_id = await uploaded(system, author, jpeg(70, 70))
        for _ in range(2):
            await posted(system, author, media_id)
        page = await system.call("user.posts", user=ben, user_id=author.id, query={"limit": 1})
        cursors[author.id] = page.json["next_cursor"]
    for author_id in cursors:
        for origin, cursor in cursors.items():
            answer = await system.call("user.posts", user=ben, user_id=author_id, query={"cursor": cursor})
            assert answer.status == (200 if origin == author_id else 400)


async def test_bad_pages_and_unknown_objects_are_named(system: System, ann: Someone, photo: str) -> None:
    for query, field in (
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
    ):
        answer = await system.call("user.posts", user=ann, user_id=ann.id, query=query)
        assert answer.status == 400, query
        assert answer.json["errors"][0]["field"] == field
    nobody = str(ids.compose(created_ms=ids.EPOCH_MS + 1, shard=2, sequence=0))
    paths: tuple[tuple[str, dict[str, Any]], ...] = (
        ("post.read", {"post_id": nobody}),
        ("post.delete", {"post_id": nobody}),
        ("user.posts", {"user_id": nobody}),
    )
    for operation, path in paths:
        assert (await system.call(operation, user=ann, **path)).status == 404
    assert (await system.call("post.read", user=ann, post_id="1e5")).status == 400
    assert (await system.call("post.read", post_id=nobody)).status == 401


async def test_with_the_log_down_a_post_is_accepted_and_published_when_it_is_back(
    servers: Any, system: System, ann: Someone, photo: str
) -> None:
    await system.drain()  # of what tests before this one have published
    with servers.broken("posts_kafka"):
        made = await posted(system, ann, photo, caption="while the log is down")
        assert (await system.call("post.read", user=ann, post_id=made["id"])).status == 200
        assert await system.apps["posts"][OUTBOX].pending() == 1
    await system.drain()
    assert await system.apps["posts"][OUTBOX].pending() == 0


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("", ()),
        ("no tags # here ## nor #", ()),
        ("#a#b", ("a",)),
        ("(#Paren) #dash-ed #under_score", ("paren", "dash", "under_score")),
        ("#日本語 #العربية", ("日本語", "العربية")),
        ("#123 #1a", ("1a",)),
        ("https://x.example/#top &#39; x#y", ()),
        ("#" + "a" * 100, ("a" * 100,)),
        ("#" + "a" * 101, ()),
        (" ".join(f"#t{number}" for number in range(50)), tuple(f"t{number}" for number in range(30))),
    ],
)
def test_hashtags_are_found_as_people_mean_them(caption: str, tags: tuple[str, ...]) -> None:
    assert hashtags(caption) == tags
