"""Waits for an effect of another task or process by polling; fails when it does not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.waiting import SECONDS_MAX


async def until(
    look: Callable[[], Awaitable[Any]], wanted: object = ..., *, within_seconds: float = SECONDS_MAX
) -> None:
    """Wait until ``look()`` gives what is ``wanted``, or something true where nothing is named.

    Cheaper than `System.drain` where something is expected to happen.
    """
    deadline = time.monotonic() + within_seconds
    while not ((seen := await look()) if wanted is ... else (seen := await look()) == wanted):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_seconds:g} s: seen {seen!r} to the end, not {wanted!r}")
        await asyncio.sleep(0.02)
