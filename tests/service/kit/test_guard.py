"""A guard tells a dependency that is late from a process that is late itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from core.failures import DeadlineExceeded, Unavailable
from core.policies.breaker import BreakerPolicy
from services.kit.guard import Guard
from services.kit.metrics import Metrics

DEADLINE_SECONDS = 0.02


def _guard(open_seconds: float = 60.0) -> Guard:
    policy = BreakerPolicy(failures=2, open_seconds=open_seconds)
    return Guard("test", policy=policy, deadline_seconds=DEADLINE_SECONDS, metrics=Metrics("feed"))


async def _answers() -> str:
    await asyncio.sleep(1.5 * DEADLINE_SECONDS)
    return "answer"


@pytest.fixture
async def hangs() -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A dependency that does not answer before the end of the test."""
    end = asyncio.Event()

    async def hang() -> str:
        await end.wait()
        return "too late"

    yield hang
    end.set()


async def _while_the_process_has_no_processor(call: asyncio.Future[str]) -> str:
    await asyncio.sleep(0)  # the call begins
    time.sleep(10 * DEADLINE_SECONDS)  # noqa: ASYNC251 - what is tested: the loop does not run
    return await call


async def test_an_answer_that_is_there_when_a_late_process_looks_is_taken() -> None:
    guard = _guard()
    for _ in range(5):
        call = asyncio.ensure_future(guard.call(_answers))
        assert await _while_the_process_has_no_processor(call) == "answer"
    assert not guard.is_open


async def test_a_deadline_that_a_late_process_missed_opens_no_breaker_and_another_one_does(
    hangs: Callable[[], Awaitable[str]],
) -> None:
    guard = _guard()
    for _ in range(5):
        call = asyncio.ensure_future(guard.call(hangs))
        with pytest.raises(DeadlineExceeded):
            await _while_the_process_has_no_processor(call)
    assert not guard.is_open
    async with asyncio.timeout(10):
        while not guard.is_open:
            with pytest.raises(DeadlineExceeded):
                await guard.call(hangs)
    with pytest.raises(Unavailable):
        await guard.call(_answers)


async def test_a_probe_that_a_late_process_missed_is_followed_by_another_one(
    hangs: Callable[[], Awaitable[str]],
) -> None:
    guard = _guard(open_seconds=0.05)
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await guard.call(hangs)
    async with asyncio.timeout(10):
        while guard.is_open:  # noqa: ASYNC110 - what is waited for is the breaker's clock
            await asyncio.sleep(0.005)
    probe = asyncio.ensure_future(guard.call(hangs))
    with pytest.raises(DeadlineExceeded):
        await _while_the_process_has_no_processor(probe)
    async with asyncio.timeout(10):
        while guard.is_open:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    assert await guard.call(_at_once) == "answer"


async def test_a_failure_of_the_dependency_counts_however_late_the_process_is() -> None:
    guard = _guard()
    for _ in range(2):
        call = asyncio.ensure_future(guard.call(_fails))
        with pytest.raises(Unavailable):
            await _while_the_process_has_no_processor(call)
    assert guard.is_open


async def _at_once() -> str:
    return "answer"


async def _fails() -> str:
    await asyncio.sleep(1.5 * DEADLINE_SECONDS)
    raise Unavailable("refused")
