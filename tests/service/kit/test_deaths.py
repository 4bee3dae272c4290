"""An event that kills the process that handles it is given up after three deaths; other events are handled."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from core import ids, messages, settings
from core.messages import CommentCreated, DeadLetter
from core.names import Component
from core.settings import Listen, Member, ProcessSettings, SecretSettings
from services.kit import bus
from services.kit.bus import Producer
from services.kit.metrics import Metrics
from tests.children import WITH_US
from tests.service.conftest import SCENARIO
from tests.service.kit.dying import GROUP
from tests.service.waiting import until


async def test_an_event_that_kills_its_process_is_given_up_after_three_deaths_also_after_a_stop(
    servers: Any, tmp_path: Path
) -> None:
    stores = servers.stores(Component.ENGAGEMENT)
    kafka = stores.kafka
    told = ProcessSettings(
        process="dying",
        members=(Member(component="engagement", listen=Listen(host="127.0.0.1", port=0), stores=stores),),
        scenario_path=str(SCENARIO),
        public_url="http://127.0.0.1",
        media_url="http://127.0.0.1",
        keys=SecretSettings(),
        data_directory=str(tmp_path / "data"),
        worker=0,
        worker_count=1,
    )
    path, heard = tmp_path / "settings.json", tmp_path / "heard"
    path.write_bytes(settings.encode(told))
    heard.touch()
    post, other = (ids.compose(created_ms=ids.EPOCH_MS + 77_000_000 + n, shard=n, sequence=0) for n in (0, 5))
    events = [
        CommentCreated(event_id=900 + n, at_ms=2, comment_id=3, post_id=of, user_id=4, text=text)
        for n, (of, text) in enumerate([(post, "before"), (post, "kill"), (post, "after"), (other, "other")])
    ]
    producer = Producer(kafka, Metrics("test"))
    await producer.send([bus.record(event) for event in events])
    await producer.close()

    deaths = 0
    for start in range(5):
        process = await asyncio.create_subprocess_exec(
            *(*WITH_US, sys.executable, "-m", "tests.service.kit.dying", str(path), str(heard)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            if start == 1:  # stopped before the event arrived, or killed by it: the count is kept either way
                process.terminate()
            elif start == 4:

                async def all_heard() -> bool:
                    return {f"{post} after", f"{other} other"} <= set(heard.read_text(encoding="utf-8").splitlines())

                await until(all_heard, within_seconds=120)
                process.terminate()
            async with asyncio.timeout(120):
                deaths += await process.wait() == -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    lines = heard.read_text(encoding="utf-8").splitlines()
    assert deaths == lines.count(f"{post} kill") == bus.TRIES
    assert {f"{post} before", f"{post} after", f"{other} other"} <= set(lines)
    assert [letter.tries for letter in await letters(kafka, post)] == [bus.TRIES]


async def letters(kafka: settings.Kafka, post: int) -> list[DeadLetter]:
    """Dead letters of this test's group about ``post``."""
    consumer = AIOKafkaConsumer(DeadLetter.topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[DeadLetter] = []
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                decoded = [messages.decode(each.topic, each.value) for each in records]
                found += [
                    letter
                    for letter in decoded
                    if isinstance(letter, DeadLetter) and letter.group == GROUP and letter.event_key == str(post)
                ]
    finally:
        await consumer.stop()
    return found
