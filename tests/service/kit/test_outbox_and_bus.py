"""Events: none lost, none from a transaction that was rolled back, in order per key, whatever happens to the log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from core import ids, messages
from core.failures import Unavailable
from core.messages import CommentCreated, DeadLetter, LikeCreated
from core.names import Component
from core.settings import Member, ProcessSettings
from services.kit import bus, outbox
from services.kit.app import application
from services.kit.bus import LogRecord, Producer
from services.kit.metrics import METRICS
from services.kit.outbox import OUTBOX, insert_from, stamp
from services.kit.stores import postgres
from services.kit.stores.postgres import SHARDS
from tests.service.conftest import Running, System
from tests.service.waiting import until

# members come and go here in the middle of a rebalance: aiokafka forgets a connection whose opening is cancelled
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function StreamWriter.__del__:pytest.PytestUnraisableExceptionWarning"
)
HEARD = web.AppKey("HEARD", dict[int, list[str]])
TROUBLE = web.AppKey("TROUBLE", dict[str, int])
_posts = iter(range(10_000))


def build(settings: ProcessSettings, member: Member) -> web.Application:
    """An application that consumes its own events."""
    app = application(settings, member)
    postgres.use(app)
    outbox.use(app, groups={"comment.created": ("kit-test",), "like.created": ("kit-test-batches",)})
    heard: dict[int, list[str]] = defaultdict(list)
    trouble: dict[str, int] = {}
    app[HEARD], app[TROUBLE] = heard, trouble

    async def hear(event: CommentCreated) -> None:
        left = trouble.get(event.text, 0)
        if left:
            trouble[event.text] = left - 1
            if event.text == "poison":
                raise bus.Poison(event.text)
            raise Unavailable if event.text.startswith("later") else ValueError(event.text)
        heard[event.post_id].append(event.text)

    async def hear_many(events: list[LikeCreated]) -> None:
        if any(event.user_id == 13 for event in events):
            raise ValueError("thirteen")
        for event in events:
            heard[event.post_id].append(f"like {event.user_id}")

    bus.consume(app, "kit-test", {CommentCreated: hear})
    bus.consume_batches(app, "kit-test-batches", {LikeCreated: hear_many})
    return app


@pytest.fixture(scope="module")
async def system(running: Running) -> AsyncIterator[System]:
    """The application, running."""
    async with running(Component.ENGAGEMENT, build_by=build) as system:
        yield system


@pytest.fixture
def post() -> int:
    """A fresh post's id, on some shard."""
    number = next(_posts)
    return ids.compose(created_ms=ids.EPOCH_MS + 11_000_000 + number, shard=number % 16, sequence=0)


def comment(app: web.Application, post: int, text: str) -> CommentCreated:
    return CommentCreated(**stamp(app, ids.shard_of(post)), comment_id=1, post_id=post, user_id=1, text=text)


def heard_by(app: web.Application, post: int) -> list[str]:
    """The events handled, without repeats: delivery is at least once, and a rebalance repeats some."""
    return list(dict.fromkeys(app[HEARD][post]))


async def say(app: web.Application, post: int, *texts: str) -> None:
    shard = ids.shard_of(post)
    async with app[SHARDS].transaction(shard) as connection:
        await app[OUTBOX].add(connection, shard, *(comment(app, post, text) for text in texts))


async def letters(app: web.Application, post: int) -> list[DeadLetter]:
    """Dead letters of events about ``post``, in order."""
    kafka = app[outbox.MEMBER].stores.kafka
    assert kafka is not None
    consumer = AIOKafkaConsumer(DeadLetter.topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[DeadLetter] = []
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for each in records:
                    letter = messages.decode(each.topic, each.value)
                    assert isinstance(letter, DeadLetter)
                    if letter.event_key == str(post):
                        found.append(letter)
    finally:
        await consumer.stop()
    return found


async def test_committed_events_are_consumed_in_order_and_rolled_back_ones_are_not(system: System, post: int) -> None:
    app = system.apps["engagement"]
    await say(app, post, "a", "b")
    with suppress(LookupError):
        async with app[SHARDS].transaction(ids.shard_of(post)) as connection:
            await app[OUTBOX].add(connection, ids.shard_of(post), comment(app, post, "never"))
            raise LookupError
    await say(app, post, "c")

    await system.drain()

    assert heard_by(app, post) == ["a", "b", "c"]


async def test_an_event_can_be_a_part_of_one_statement(system: System, post: int) -> None:
    app, shard = system.apps["engagement"], ids.shard_of(post)
    async with app[SHARDS].connection(shard) as connection:
        await connection.execute(
            f"WITH done AS (SELECT 1), told AS ({insert_from(shard, 'done')}) SELECT 1",
            app[OUTBOX].values(comment(app, post, "inline")),
        )
    app[OUTBOX].signal(shard)

    await system.drain()

    assert heard_by(app, post) == ["inline"]


async def test_while_the_log_is_down_events_are_kept_and_after_it_they_come_in_order(
    system: System, servers: Any
) -> None:
    app = system.apps["engagement"]
    posts = [ids.compose(created_ms=ids.EPOCH_MS + 12_000_000, shard=shard, sequence=0) for shard in range(16)]
    with servers.broken("engagement_kafka"):
        for text in ("one", "two", "three"):
            for post in posts:
                await say(app, post, text)
        assert await app[OUTBOX].pending() == 48

    await system.drain()

    assert [heard_by(app, post) for post in posts] == [["one", "two", "three"]] * 16


async def test_a_commit_that_comes_late_is_not_left_behind(system: System, post: int) -> None:
    app, shard = system.apps["engagement"], ids.shard_of(post)
    other = ids.compose(created_ms=ids.created_ms_of(post), shard=shard, sequence=9)
    async with app[SHARDS].transaction(shard) as slow:
        await app[OUTBOX].add(slow, shard, comment(app, post, "first row, last commit"))
        await say(app, other, "second row, first commit")

        async def heard() -> bool:
            return bool(app[HEARD][other])

        await until(heard)
        assert app[HEARD][post] == []

    await system.drain()

    assert heard_by(app, post) == ["first row, last commit"]


async def test_two_relays_at_once_lose_nothing(system: System, running: Running, post: int) -> None:
    async with running(Component.ENGAGEMENT, build_by=build, worker=1) as second:
        apps = [system.apps["engagement"], second.apps["engagement"]]
        for number in range(40):
            await say(apps[number % 2], post, f"n{number}")
        await asyncio.gather(system.drain(), second.drain())

    heard = {*apps[0][HEARD][post], *apps[1][HEARD][post]}
    assert heard == {f"n{number}" for number in range(40)}


async def test_another_relay_takes_over_when_one_dies(system: System, running: Running, post: int) -> None:
    async with running(Component.ENGAGEMENT, build_by=build, worker=2) as second:
        async with running(Component.ENGAGEMENT, build_by=build, worker=3) as third:
            await say(third.apps["engagement"], post, "third")
        await say(second.apps["engagement"], post, "second")
    await say(system.apps["engagement"], post, "first")

    await system.drain()

    heard = {text for each in (system, second, third) for text in each.apps["engagement"][HEARD][post]}
    assert heard == {"first", "second", "third"}


async def test_a_transient_failure_is_retried_until_it_is_over(system: System, post: int) -> None:
    app = system.apps["engagement"]
    app[TROUBLE]["later"] = 6
    await say(app, post, "later", "next")

    await system.drain()

    assert heard_by(app, post) == ["later", "next"]


async def test_a_permanent_failure_becomes_a_dead_letter_and_does_not_stop_the_rest(system: System, post: int) -> None:
    app = system.apps["engagement"]
    app[TROUBLE]["bad"] = 1000
    await say(app, post, "bad", "next")

    await system.drain()

    assert heard_by(app, post) == ["next"]
    assert app[TROUBLE]["bad"] == 1000 - bus.TRIES
    (letter,) = await letters(app, post)
    assert (letter.group, letter.source, letter.event_key) == ("kit-test", "comment.created", str(post))
    assert (letter.error, letter.tries) == ("ValueError('bad')", bus.TRIES)
    given_up = messages.decode(letter.source, letter.payload)
    assert isinstance(given_up, CommentCreated)
    assert (given_up.text, given_up.event_id) == ("bad", letter.event_id)
    assert 'windtunnel_dead_letters_total{component="engagement",group="kit-test"' in app[METRICS].page().decode()


async def test_one_bad_event_does_not_bury_the_batch_it_came_in(system: System, post: int) -> None:
    app, shard = system.apps["engagement"], ids.shard_of(post)
    async with app[SHARDS].transaction(shard) as connection:
        likes = [LikeCreated(**stamp(app, shard), post_id=post, user_id=user) for user in (1, 13, 2)]
        await app[OUTBOX].add(connection, shard, *likes)

    await system.drain()

    assert heard_by(app, post) == ["like 1", "like 2"]


async def test_what_a_handler_knows_to_be_poison_is_tried_once(system: System, post: int) -> None:
    app = system.apps["engagement"]
    app[TROUBLE]["poison"] = 1000
    await say(app, post, "poison", "next")

    await system.drain()

    assert heard_by(app, post) == ["next"]
    assert app[TROUBLE]["poison"] == 999
    (letter,) = await letters(app, post)
    assert (letter.error, letter.tries) == ("Poison('poison')", 1)


async def test_what_cannot_be_read_is_buried(system: System, post: int) -> None:
    app = system.apps["engagement"]
    kafka = app[outbox.MEMBER].stores.kafka
    assert kafka is not None
    producer = Producer(kafka, app[METRICS])
    key = str(post).encode()
    good = bus.record(comment(app, post, "good"))
    await producer.send(
        [
            LogRecord(topic="comment.created", key=key, payload=b"no JSON"),
            LogRecord(topic="comment.created", key=key, payload=b'{"v": 1, "body": {}}'),
            LogRecord(topic="comment.created", key=key, payload=b'{"v": 99, "body": {}}'),
            good,
        ]
    )
    await producer.close()

    await system.drain()

    assert heard_by(app, post) == ["good"]
    dead = await letters(app, post)
    assert [letter.payload for letter in dead] == [b"no JSON", b'{"v": 1, "body": {}}', b'{"v": 99, "body": {}}']
    assert {(letter.group, letter.source, letter.event_id) for letter in dead} == {("kit-test", "comment.created", 0)}
    assert "version 99 is newer" in dead[2].error  # visible, and complete for a version that can read it


def test_an_event_of_a_newer_version_differs_from_a_broken_one() -> None:
    newer = msgspec.json.encode({"v": 2, "body": {}})

    with pytest.raises(messages.NewerVersion):
        messages.decode("comment.created", newer)


async def test_a_producer_waits_for_the_log_it_had_and_says_so_when_there_is_none(
    system: System, servers: Any, post: int
) -> None:
    app = system.apps["engagement"]
    kafka = app[outbox.MEMBER].stores.kafka
    assert kafka is not None
    connected, fresh = Producer(kafka, app[METRICS]), Producer(kafka, app[METRICS])
    try:
        await connected.send([bus.record(comment(app, post, "before"))])
        with servers.broken("engagement_kafka"):
            waiting = asyncio.ensure_future(connected.send([bus.record(comment(app, post, "during"))]))
            with pytest.raises(Unavailable):
                await fresh.send([bus.record(comment(app, post, "never"))])
            assert not waiting.done()
        await waiting
        await fresh.send([bus.record(comment(app, post, "after"))])
    finally:
        await connected.close()
        await fresh.close()

    await system.drain()

    assert heard_by(app, post) == ["before", "during", "after"]


async def test_closing_while_the_log_is_down_does_not_wait_for_it(system: System, servers: Any, post: int) -> None:
    app = system.apps["engagement"]
    kafka = app[outbox.MEMBER].stores.kafka
    assert kafka is not None
    producer = Producer(kafka, app[METRICS])
    await producer.send([bus.record(comment(app, post, "before"))])
    with servers.broken("engagement_kafka"):
        waiting = asyncio.ensure_future(producer.send([bus.record(comment(app, post, "during"))]))
        await asyncio.sleep(0)
        waiting.cancel()
        async with asyncio.timeout(20):
            await producer.close()
    await system.drain()
