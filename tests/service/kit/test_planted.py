"""Bad events on every topic that has consumers: each group gives each up once, and clients notice nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from core import ids, messages
from core.messages import GROUPS, DeadLetter, LikeCreated, PostCreated, PostDeleted, StoryCreated
from core.names import Component, Key
from services.kit.bus import LogRecord, Producer, record
from services.kit.metrics import Metrics
from services.kit.outbox import MEMBER
from services.kit.stores.redis import REDIS
from tests.service.conftest import System
from tests.service.feed.people import arrived, follower_of, photographer
from tests.service.waiting import until

COMPONENTS = (
    Component.AUTH,
    Component.GRAPH,
    Component.UPLOAD,
    Component.MEDIA,
    Component.POSTS,
    Component.FANOUT,
    Component.ENGAGEMENT,
    Component.STORIES,
    Component.DISCOVERY,
    Component.SEARCH,
    Component.FEED,
)
_NEWER = msgspec.json.encode({"v": 99, "body": {}})
_NOWHERE = ids.compose(created_ms=ids.EPOCH_MS + 1, shard=8_000, sequence=0)  # on a shard that does not exist


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function StreamWriter.__del__:pytest.PytestUnraisableExceptionWarning"
)
async def test_bad_events_on_every_topic_hold_up_nobody(system: System) -> None:
    kafka = system.apps["posts"][MEMBER].stores.kafka
    assert kafka is not None
    author, photo = await photographer(system)
    reader = await follower_of(system, author)
    await system.drain()
    key = author.id.encode()  # the partition of this author's events
    topics = sorted({kind.topic for kinds in GROUPS.values() for kind in kinds})
    planted = [LogRecord(topic=topic, key=key, payload=payload) for topic in topics for payload in (b"{", _NEWER)]
    stamp: dict[str, Any] = {"event_id": 1, "at_ms": 2}
    absurd = [
        PostCreated(**stamp, post_id=_NOWHERE, author_id=_NOWHERE, media_ids=(), caption="", hashtags=("x",)),
        PostDeleted(**stamp, post_id=_NOWHERE, author_id=_NOWHERE),
        StoryCreated(**stamp, story_id=_NOWHERE, author_id=_NOWHERE, media_id=_NOWHERE, expires_ms=2**62),
        LikeCreated(**stamp, post_id=_NOWHERE, user_id=_NOWHERE),
    ]
    planted += [LogRecord(topic=each.topic, key=key, payload=record(each).payload) for each in absurd]
    producer = Producer(kafka, Metrics("test"))
    await producer.send(planted)

    made = await system.call(
        "post.create", user=author, json={"media_ids": [photo], "caption": f"#plant{author.username[-6:]}"}
    )
    story = await system.call("story.create", user=author, json={"media_id": photo})
    assert (made.status, story.status) == (201, 201), (made.json, story.json)
    post_id = made.json["post"]["id"]
    await system.call("like.add", user=reader, post_id=post_id)
    await arrived(system, reader, [post_id])
    await system.drain()
    await producer.close()

    tray = await system.call("story.tray", user=reader)
    assert story.json["story"]["id"] in str(tray.json)
    tags = await system.call("search.hashtags", user=reader, query={"q": f"plant{author.username[-6:]}"})
    assert [item["post_count"] for item in tags.json["items"]] == [1]
    redis: Any = system.apps["discovery"][REDIS]

    async def popular() -> bool:
        return await redis.zscore(Key.POPULAR, post_id) is not None

    await until(popular)
    found = {(letter.group, letter.source, letter.payload) for letter in await letters(kafka, author.id)}
    for group, kinds in GROUPS.items():
        for kind in kinds:
            assert {(group, kind.topic, b"{"), (group, kind.topic, _NEWER)} <= found
    assert {letter[:2] for letter in found if b"8000" in letter[2] or str(_NOWHERE).encode() in letter[2]} >= {
        ("fanout", "post.created"),
        ("feed", "post.created"),
        ("stories", "story.created"),
    }


async def letters(kafka: Any, key: str) -> list[DeadLetter]:
    """Dead letters of events with this key."""
    consumer = AIOKafkaConsumer(DeadLetter.topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[DeadLetter] = []
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                decoded = [messages.decode(each.topic, each.value) for each in records]
                found += [each for each in decoded if isinstance(each, DeadLetter) and each.event_key == key]
    finally:
        await consumer.stop()
    return found
