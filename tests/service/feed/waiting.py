"""Waiting for what must become true soon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(holds: Callable[[], Awaitable[bool]], *, within_seconds: float) -> None:
    """Ask again and again until it holds; raises TimeoutError when it does not in time."""
    async with asyncio.timeout(within_seconds):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.03)
