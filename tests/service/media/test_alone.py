"""A bad photo delays no others, and PostgreSQL records the work that a photo still needs."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer

from core import ids, messages
from core.messages import DeadLetter
from core.names import Component
from core.policies import photo
from services.kit.metrics import METRICS
from services.kit.stores.postgres import SHARDS, schema
from services.media.store.photos import PhotoJobs
from tests.service.conftest import Someone, System
from tests.service.media.photos import announce, flat_jpeg, jpeg, put, uploaded
from tests.service.waiting import until

COMPONENTS = (Component.AUTH, Component.POSTS, Component.MEDIA, Component.UPLOAD)


async def state_of(system: System, user: Someone, media_id: str) -> tuple[str, str | None]:
    """State and failure of a photo."""
    media = (await system.call("media.read", user=user, media_id=media_id)).json["media"]
    return media["state"], media["failure"]


async def ended(system: System, user: Someone, media_id: str) -> tuple[str, str | None]:
    """The same, once it is processed."""

    async def is_over() -> bool:
        return (await state_of(system, user, media_id))[0] in ("succeeded", "failed")

    await until(is_over, within_seconds=120)
    return await state_of(system, user, media_id)


async def put_without_an_event(system: System, user: Someone, data: bytes, *, tries: int = 0) -> str:
    """Upload a photo, and leave its row as if the log had lost its event and a worker had died ``tries`` times."""
    told = await announce(system, user, data)
    assert await put(system, told["upload"], data) == 200
    media_id = int(told["media"]["id"])
    shard = ids.shard_of(media_id)
    async with system.apps["upload"][SHARDS].transaction(shard) as connection:
        await connection.execute(f"UPDATE {schema(shard)}.media SET state = 'processing' WHERE id = %s", (media_id,))
        if tries:
            await connection.execute(
                f"INSERT INTO {schema(shard)}.media_jobs (media_id, tries, lane, holder, leased_until)"
                " VALUES (%s, %s, 'light', 'a worker that died', now() - interval '1 second')",
                (media_id, tries),
            )
    return str(media_id)


@asynccontextmanager
async def dead_letters(servers: Any, media_id: str) -> AsyncIterator[list[DeadLetter]]:
    """The dead letters about a photo that are written from now on; complete after the block."""
    kafka = servers.stores(Component.MEDIA).kafka
    consumer = AIOKafkaConsumer(DeadLetter.topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[DeadLetter] = []
    try:
        yield found

        async def has_come() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                letters = [messages.decode(each.topic, each.value) for each in records]
                found.extend(each for each in letters if isinstance(each, DeadLetter) and each.event_key == media_id)
            return bool(found)

        await until(has_come)
    finally:
        await consumer.stop()


def workers(lane: photo.Lane) -> list[psutil.Process]:
    """Decoders of this process on one lane."""
    found = []
    for child in psutil.Process(os.getpid()).children():
        with suppress(psutil.NoSuchProcess):
            if "services.media.events.worker" in (line := child.cmdline()) and lane in line:
                found.append(child)
    return found


@contextmanager
def toxic(servers: Any, link: str, kind: str, **attributes: int) -> Iterator[None]:
    """A toxic on what is sent over the link while the block runs."""
    base = f"{servers.running.toxiproxy_url}/proxies/{servers.running.proxies[link][0]}/toxics"
    body = {"name": kind, "type": kind, "stream": "upstream", "attributes": attributes}
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(base, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert json.load(answer)["attributes"] == attributes
    try:
        yield
    finally:
        with urllib.request.urlopen(urllib.request.Request(f"{base}/{kind}", method="DELETE"), timeout=5):
            pass


async def test_a_photo_whose_event_the_log_has_lost_is_processed(system: System, ann: Someone) -> None:
    media_id = await put_without_an_event(system, ann, jpeg(324, 240))
    assert await ended(system, ann, media_id) == ("succeeded", None)


async def test_a_photo_on_which_the_worker_died_three_times_is_given_up_with_a_dead_letter(
    servers: Any, system: System, ann: Someone
) -> None:
    media_id = await put_without_an_event(system, ann, jpeg(325, 240), tries=photo.TRIES_MAX)
    async with dead_letters(servers, media_id) as letters:
        assert await ended(system, ann, media_id) == ("failed", "not_processed")
    assert [(each.group, each.source, each.tries) for each in letters] == [("media", "media.uploaded", 3)]
    once_more = await put_without_an_event(system, ann, jpeg(326, 240), tries=photo.TRIES_MAX - 1)
    assert await ended(system, ann, once_more) == ("succeeded", None)


async def test_a_lease_is_held_by_one_and_ends_with_its_holder(system: System, ann: Someone) -> None:
    shards, outbox = system.apps["media"][SHARDS], system.apps["media"]
    mine = PhotoJobs(shards, outbox, holder="mine", lease_seconds=60.0)  # type: ignore[arg-type]
    other = PhotoJobs(shards, outbox, holder="other", lease_seconds=60.0)  # type: ignore[arg-type]
    told = await announce(system, ann, data := jpeg(327, 240))
    await put(system, told["upload"], data)
    media_id = int(told["media"]["id"])
    shard = ids.shard_of(media_id)
    assert await mine.begin(media_id) is None  # it was never completed
    # both in one transaction, so that the worker of this module does not come between
    async with shards.transaction(shard) as connection:
        await connection.execute(f"UPDATE {schema(shard)}.media SET state = 'processing' WHERE id = %s", (media_id,))
        await connection.execute(
            f"INSERT INTO {schema(shard)}.media_jobs (media_id, tries, lane, holder, leased_until)"
            " VALUES (%s, 1, 'light', 'mine', now() + interval '60 seconds')",
            (media_id,),
        )
    assert await other.begin(media_id) is None
    assert await other.give_back() == 0
    assert await mine.give_back() >= 1  # as the next process of that name does at its start
    assert await ended(system, ann, str(media_id)) == ("succeeded", None)


async def test_a_photo_on_which_decoders_die_is_tried_three_times_and_nobody_waits_for_it(
    servers: Any, system: System, ann: Someone, ben: Someone
) -> None:
    async def kill_heavy_decoders() -> None:
        while True:
            for worker in workers(photo.Lane.HEAVY):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            await asyncio.sleep(0.01)

    tries = system.apps["media"][METRICS].registry
    before = tries.get_sample_value("windtunnel_dead_letters_total", DEAD) or 0.0
    killing = asyncio.create_task(kill_heavy_decoders())
    try:
        bad = await uploaded(system, ann, flat_jpeg(16_320, 12_240))
        good = await uploaded(system, ben, jpeg(328, 240))
        assert await ended(system, ben, good) == ("succeeded", None)
        async with dead_letters(servers, bad) as letters:
            assert await ended(system, ann, bad) == ("failed", "not_processed")
    finally:
        killing.cancel()
    assert [each.tries for each in letters] == [3]
    assert tries.get_sample_value("windtunnel_dead_letters_total", DEAD) == before + 1


DEAD = {"component": "media", "group": "media", "topic": "media.uploaded"}


async def test_a_photo_on_which_the_scanner_dies_is_tried_three_times_and_another_passes(
    servers: Any, system: System, ann: Someone, ben: Someone
) -> None:
    with toxic(servers, "media_clamd", "limit_data", bytes=4_000):  # the connection ends in the middle of a scan
        bad = await uploaded(system, ann, jpeg(800, 600))
        small = jpeg(60, 40)
        assert len(small) < 3_000
        good = await uploaded(system, ben, small)
        assert await ended(system, ben, good) == ("succeeded", None)
        assert await ended(system, ann, bad) == ("failed", "not_processed")


async def test_a_scanner_that_is_frozen_costs_no_photo_a_try(servers: Any, system: System, ann: Someone) -> None:
    registry, labels = system.apps["media"][METRICS].registry, {"component": "media", "lane": "light"}

    def begun() -> float:
        return registry.get_sample_value("windtunnel_photo_tries_total", labels) or 0.0

    with toxic(servers, "media_clamd", "timeout", timeout=0):
        before = begun()
        media_id = await uploaded(system, ann, jpeg(329, 240))

        async def again() -> bool:
            return begun() >= before + 2

        await until(again, within_seconds=60)
        assert await state_of(system, ann, media_id) == ("processing", None)
        shard = ids.shard_of(int(media_id))
        async with system.apps["media"][SHARDS].connection(shard) as connection:
            cursor = await connection.execute(
                f"SELECT tries FROM {schema(shard)}.media_jobs WHERE media_id = %s", (int(media_id),)
            )
            assert await cursor.fetchone() in ((0,), (1,))
    assert await ended(system, ann, media_id) == ("succeeded", None)


async def test_slow_photos_of_one_owner_make_nobody_else_wait(system: System, ann: Someone, ben: Someone) -> None:
    slow = [await uploaded(system, ann, flat_jpeg(16_320, 12_240 - number)) for number in range(3)]
    ordinary = await uploaded(system, ben, jpeg(330, 240))
    assert await ended(system, ben, ordinary) == ("succeeded", None)
    states = [(await state_of(system, ann, media_id))[0] for media_id in slow]
    assert "processing" in states
    assert [await ended(system, ann, media_id) for media_id in slow] == [("succeeded", None)] * len(slow)


async def test_photos_of_50_108_and_200_megapixels_are_made_smaller(system: System, ann: Someone) -> None:
    for width, height in ((8_160, 6_144), (12_000, 9_000), (16_320, 12_240)):
        media_id = await uploaded(system, ann, flat_jpeg(width, height))
        assert await ended(system, ann, media_id) == ("succeeded", None)
        first = (await system.call("media.read", user=ann, media_id=media_id)).json["media"]["variants"][0]
        assert (first["width"], first["height"]) == (4096, round(4096 * height / width))
