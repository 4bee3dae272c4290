"""Stopping a Kafka client, and a background task of an application."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from core.messages import UserCreated
from core.names import Component
from services.kit import topics
from services.kit.bus import run_beside
from services.kit.producer import stopped
from tests.service.waiting import until


async def test_stopping_a_consumer_whose_fetch_waits_for_its_next_try_cancels_nobody_and_leaves_nothing_open(
    servers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    told = servers.stores(Component.SEARCH).kafka
    await topics.create_missing(told)
    kafka = AIOKafkaConsumer(
        UserCreated.topic, bootstrap_servers=told.bootstrap, retry_backoff_ms=60_000, auto_offset_reset="earliest"
    )
    await kafka.start()

    async def positioned() -> bool:
        return all([await kafka.position(each) is not None for each in kafka.assignment()])

    async def failed() -> bool:
        return "Failed fetch messages" in caplog.text

    await until(positioned)
    with caplog.at_level(logging.ERROR, "aiokafka"):
        await kafka._client.close()  # as when the broker is down
        await until(failed)
    await stopped(kafka, kafka._client)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert not [conn for conn in kafka._client._conns.values() if conn.connected()]
    assert kafka._client._sync_task is None


async def test_a_task_that_ends_as_if_cancelled_is_started_again_and_one_that_is_cancelled_is_not() -> None:
    app, began = web.Application(), 0
    ended = asyncio.Event()

    async def act() -> None:
        nonlocal began
        began += 1
        if began == 1:
            raise asyncio.CancelledError
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def again() -> bool:
        return began == 2

    run_beside(app, act)
    runner = web.AppRunner(app)
    await runner.setup()
    await until(again)
    await runner.cleanup()

    assert ended.is_set()
    assert began == 2
